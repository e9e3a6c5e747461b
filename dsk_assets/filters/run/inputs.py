"""The files that ``dsk filter run`` is given, cut into parts of bounded size.

A part is a Parquet file with ``doc_id``, ``donation_id`` (empty), ``text``, ``record`` (its place
in the block it was read from) and ``fields`` (whatever else the record had, as JSON). It is made
anew exactly when the bytes it was read from change.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dsk_assets.consortium.policy import NormalisationPolicy
from dsk_assets.errors import InputError
from dsk_assets.filters import normalisation
from dsk_assets.lake.digests import sha256_file
from dsk_assets.lake.memo import Made, Maker, Memo

CODE_VERSION = "1"
PART_BYTES = 16 * 1024 * 1024
"""How much of a file one part holds, unless a single document is larger."""
_COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "donation_id": pa.string(),
    "text": pa.string(),
    "record": pa.int64(),
    "fields": pa.string(),
}
SCHEMA = pa.schema(_COLUMNS)

_CHUNK = 1024 * 1024
_BATCH = 4 * 1024 * 1024
_ROWS = 128
_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x50\x2a\x4d\x18": "zstd"}
"""By the first bytes; the last are those of pzstd, which writes a skippable frame before each."""

_PARQUET = b"PAR1"
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Block:
    """A piece of a file that is read at once, or cut further while it is read.

    Bytes from *start* to *stop* of plain JSON lines; all of a packed file or of a Parquet file.
    """

    path: Path
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True)
class Part:
    """Documents of one file, beginning at its *start* (an unpacked byte; a row in Parquet)."""

    source: Path
    start: int
    made: Made

    @property
    def documents(self) -> int:
        """How many documents it holds."""
        return int(self.made.facts["documents"])

    @property
    def characters(self) -> int:
        """How long their texts are together."""
        return int(self.made.facts["characters"])

    @property
    def digest(self) -> str:
        """SHA-256 of the part's bytes."""
        return next(iter(self.made.files.values()))


class _Record(NamedTuple):
    doc_id: str
    text: str
    number: int
    fields: str | None


def blocks(path: Path) -> list[Block]:
    """The pieces of *path* that can be read side by side.

    Raises :class:`InputError` where there is no such file or nothing in it.
    """
    try:
        size = path.stat().st_size
        kind = _kind(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    if not size:
        raise InputError(f"{path} is empty — leave it out")
    if kind:
        return [Block(path)]
    found = []
    with path.open("rb") as file:
        start = 0
        while start < size:
            file.seek(start + PART_BYTES)
            file.readline()
            stop = min(file.tell(), size)
            found.append(Block(path, start, stop))
            start = stop
    return found


def read_block(block: Block, folder: Path, policy: NormalisationPolicy) -> list[Part]:
    """The parts of *block*, their text normalised, kept in the memo in *folder*.

    Runs in a worker process.

    Raises :class:`InputError` with file and line for what is no document, and for packed data
    that are damaged or cut off.
    """
    reader = _Reader(block.path, Memo(folder), policy)
    if _kind(block.path) == "parquet":
        return list(reader.parquet_parts())
    return [reader.json_part(start, data) for start, data in _line_blocks(block) if data.strip()]


def place(part: Part, record: int) -> str:
    """Where a record stands, for people: the file and its line, or its row in Parquet."""
    if _kind(part.source) == "parquet":
        return f"{part.source} row {part.start + record}"
    return f"{part.source} line {_lines_before(part.source, part.start) + record}"


def _kind(path: Path) -> str:
    """``parquet``, ``gzip``, ``zstd``, or empty for plain lines; told by the first bytes."""
    with path.open("rb") as file:
        head = file.read(4)
    if head == _PARQUET:
        return "parquet"
    return next((name for magic, name in _PACKED.items() if head.startswith(magic)), "")


def _open(path: Path) -> IO[bytes]:
    kind = _kind(path)
    if not kind:
        return path.open("rb")
    unpacked: Any = pa.CompressedInputStream(cast(Any, path.open("rb")), cast(Any, kind))
    return io.BufferedReader(unpacked, _CHUNK)


def _line_blocks(block: Block) -> Iterator[tuple[int, bytes]]:
    """Whole lines, about ``PART_BYTES`` at a time, with the place where they begin."""
    start = block.start
    try:
        with _open(block.path) as file:
            if block.stop is not None:
                file.seek(start)
                yield start, file.read(block.stop - start)
                return
            while data := file.read(PART_BYTES):
                data += file.readline()
                yield start, data
                start += len(data)
    except (EOFError, pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        lines = _lines_before(block.path, start) + 1
        raise InputError(
            f"{block.path} is damaged or cut off somewhere after line {lines} — pack it again"
        ) from None


def _lines_before(path: Path, start: int) -> int:
    """How many lines end in the first *start* unpacked bytes."""
    lines = 0
    with _open(path) as file:
        while start > 0 and (chunk := file.read(min(_CHUNK, start))):
            lines += chunk.count(b"\n")
            start -= len(chunk)
    return lines


@dataclass(frozen=True)
class _Reader:
    """Makes parts of one file."""

    path: Path
    memo: Memo
    policy: NormalisationPolicy

    def json_part(self, start: int, data: bytes) -> Part:
        """The part of some whole lines that begin at *start*."""
        key = self._key(bytes=hashlib.sha256(data).hexdigest())
        return Part(self.path, start, self._recall(key, _json_records(self.path, start, data)))

    def parquet_parts(self) -> Iterator[Part]:
        """The parts of a Parquet file, cut between batches of rows."""
        source = sha256_file(self.path)
        try:
            with pq.ParquetFile(self.path) as file:
                _require_columns(self.path, file.schema_arrow)
                rows = _Rows(file.iter_batches(batch_size=_ROWS))
                start = 0
                while start < file.metadata.num_rows:
                    key = self._key(file=source, row=start)
                    part = Part(self.path, start, self._recall(key, rows.part(self.path, start)))
                    yield part
                    start += part.documents
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise InputError(f"{self.path} is no readable Parquet file — write it again") from None

    def _key(self, **source: Any) -> dict[str, Any]:
        return {
            "read": CODE_VERSION,
            "normalise": normalisation.CODE_VERSION,
            "policy": self.policy.model_dump(mode="json"),
            **source,
        }

    def _recall(self, key: dict[str, Any], records: Iterable[_Record]) -> Made:
        return self.memo.recall(key, lambda maker: _write(maker, records, self.policy))


def _json_records(path: Path, start: int, data: bytes) -> Iterator[_Record]:
    if start == 0 and data.startswith(_MARK):
        data = data[len(_MARK) :]
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield _record(orjson.loads(line), number)
        except orjson.JSONDecodeError as error:
            problem = f"is not valid JSON: {error.msg}"
        except _Unfit as unfit:
            problem = str(unfit)
        else:
            continue
        line_number = _lines_before(path, start) + number
        raise InputError(f"{path} line {line_number} {problem}")


class _Unfit(Exception):
    """A record that is no document; says what is wrong with it, as the rest of a sentence."""


def _record(record: Any, number: int) -> _Record:
    if not isinstance(record, dict):
        raise _Unfit("is not a JSON object with id and text")
    for name in ("id", "text"):
        if name not in record:
            names = ", ".join(sorted(map(str, record))[:8]) or "no"
            raise _Unfit(f"has no field {name} (it has {names}) — each document needs id and text")
    doc_id, text = record.pop("id"), record.pop("text")
    if isinstance(doc_id, int) and not isinstance(doc_id, bool):
        doc_id = str(doc_id)
    if not isinstance(doc_id, str) or not doc_id:
        raise _Unfit("has an id that is neither a text nor a whole number")
    if not isinstance(text, str):
        raise _Unfit("has a text that is not a text (null?)")
    fields = orjson.dumps(record, default=str).decode() if record else None
    return _Record(doc_id, text, number, fields)


def _require_columns(path: Path, schema: pa.Schema) -> None:
    for name in ("id", "text"):
        if name not in schema.names:
            raise InputError(
                f"{path} has no column {name} (it has {', '.join(schema.names)}) — "
                "each document needs id and text"
            )


class _Rows:
    """The rows of a Parquet file, read once from front to back."""

    def __init__(self, batches: Iterator[pa.RecordBatch]):
        self._batches = batches
        self._at = 0

    def part(self, path: Path, start: int) -> Iterator[_Record]:
        """The records from row *start* to the end of the batch in which the part is full."""
        size = 0
        for batch in self._batches:
            self._at += batch.num_rows
            if self._at <= start:
                continue
            first = self._at - batch.num_rows
            try:
                read = batch.to_pylist()
            except UnicodeDecodeError:
                raise InputError(
                    f"{path} holds text that is no UTF-8 in rows {first} to {self._at - 1} — "
                    "write it again"
                ) from None
            for number, row in enumerate(read, first - start):
                try:
                    record = _record(row, number)
                except _Unfit as unfit:
                    raise InputError(f"{path} row {start + number} {unfit}") from None
                size += len(record.text.encode())
                yield record
            if size >= PART_BYTES:
                return


def _write(maker: Maker, records: Iterable[_Record], policy: NormalisationPolicy) -> dict[str, Any]:
    """Write a part; its documents and characters, and how often normalisation changed a text."""
    totals: Counter[str] = Counter(documents=0, characters=0)
    changes: Counter[str] = Counter()

    def tables() -> Iterator[pa.Table]:
        yield SCHEMA.empty_table()
        for some in _batched(records):
            ids, texts, numbers, fields = zip(*some, strict=True)
            normal = normalisation.normalise_texts(pl.Series(texts, dtype=pl.String), policy)
            totals["documents"] += normal.height
            totals["characters"] += int(normal["text"].str.len_chars().sum())
            changes.update({kind: int(normal[kind].sum()) for kind in normalisation.KINDS})
            columns = {
                "doc_id": pa.array(ids, pa.string()),
                "donation_id": pa.array([""] * len(ids), pa.string()),
                "text": normal["text"].to_arrow().cast(pa.string()),
                "record": pa.array(numbers, pa.int64()),
                "fields": pa.array(fields, pa.string()),
            }
            yield pa.table(columns, schema=SCHEMA)

    maker.table("parts", tables())
    return {**totals, "normalised": dict(changes)}


def _batched(records: Iterable[_Record]) -> Iterator[list[_Record]]:
    """Records about :data:`_BATCH` characters at a time."""
    held: list[_Record] = []
    size = 0
    for record in records:
        held.append(record)
        size += len(record.text)
        if size >= _BATCH:
            yield held
            held, size = [], 0
    if held:
        yield held
