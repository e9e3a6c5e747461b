"""What is done with each part: tags, verdicts, and the files of what is kept.

Every function is pure, runs in a worker process and keeps its result in the memo, each under what
it depends on alone: another threshold decides anew and never reads a text again to tag it.
"""

import gzip
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import IO, Any, Literal

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from dsk_assets.consortium.policy import Policy
from dsk_assets.errors import CorruptedError
from dsk_assets.filters import decontamination, language, quality, signatures
from dsk_assets.filters.decisions import decide
from dsk_assets.filters.decontamination import Evaluations, load_evaluations, overlap_part
from dsk_assets.filters.lines import without
from dsk_assets.filters.parts import Work, tables_of
from dsk_assets.filters.ruleset import Rule, for_policy
from dsk_assets.filters.run.inputs import Part
from dsk_assets.filters.verdicts import judge
from dsk_assets.lake.digests import sha256_file
from dsk_assets.lake.memo import Made, Maker, Memo
from dsk_assets.lake.tables import read_batches

CODE_VERSION = "2"
TAGGER = "dsk"
"""The name of the attributes in the Dolma layout."""

DOCUMENTS, ATTRIBUTES = "documents", "attributes"
"""The folders of the Dolma layout."""

PACKED = ".work/packed"
"""Where they lie until all in them is of one run."""

Compression = Literal["zst", "gz"]


@dataclass(frozen=True)
class Chain:
    """What to do: the policy, where results go, and how kept documents are packed.

    *evaluations* is a folder of evaluation sets to look for, *evaluations_digest* that of its
    files.
    """

    folder: Path
    policy: Policy
    compression: Compression
    evaluations: Path | None = None
    evaluations_digest: str = ""


@dataclass(frozen=True)
class Tagged:
    """A part with its tags and the verdicts on its documents alone."""

    part: Part
    language: Made
    quality: Made
    signature: Made
    overlaps: Made | None
    judged: Made

    @property
    def made(self) -> list[Made]:
        """Everything that was made for the part."""
        made = [self.part.made, self.language, self.quality, self.signature, self.judged]
        return [*made, self.overlaps] if self.overlaps else made


@dataclass(frozen=True)
class Decided:
    """A part with the decisions on its documents."""

    tagged: Tagged
    decisions: Made
    documents: Made

    @property
    def made(self) -> list[Made]:
        """Everything that was made for the part."""
        return [*self.tagged.made, self.decisions, self.documents]


def tag(part: Part, chain: Chain) -> Tagged:
    """Language, quality, signature and verdict of each document of *part*."""
    memo = Memo(chain.folder)
    path = memo.path(part.made)
    if sha256_file(path) != part.digest:
        raise CorruptedError(f"{path} has changed while it was worked on — run again")
    policy = chain.policy

    def tagged(
        kind: str, work: Callable[[Path], pa.Table], code: str, schema: pa.Schema, config: Any
    ) -> Made:
        key = {
            "part": part.digest,
            "kind": kind,
            "code": code,
            "columns": schema.names,
            "config": config,
        }
        return memo.recall(key, lambda maker: maker.table(kind, [work(path)]))

    found = tagged(
        "language",
        partial(language.tag_part, policy=policy.language),
        language.CODE_VERSION,
        language.SCHEMA,
        policy.language.model_dump(mode="json", exclude={"min_share"}),
    )
    lines = policy.duplicates.most_repeated_lines is not None

    @cache
    def by_words() -> dict[str, pa.Table]:
        sign = partial(signatures.sign_batch, lines=lines)
        works: dict[str, Work] = {
            "quality": (quality.SCHEMA, quality.measure_batch),
            "signature": (signatures.SCHEMA, sign),
        }
        return tables_of(path, ["doc_id", "donation_id", "text"], works)

    measured = tagged(
        "quality", lambda _: by_words()["quality"], quality.CODE_VERSION, quality.SCHEMA, None
    )
    signed = tagged(
        "signature",
        lambda _: by_words()["signature"],
        signatures.CODE_VERSION,
        signatures.SCHEMA,
        signatures.lines_config(lines),
    )
    overlaps = None
    if chain.evaluations:
        sets = _evaluations(chain.evaluations, chain.evaluations_digest)
        overlaps = tagged(
            "overlaps",
            partial(overlap_part, evaluations=sets),
            decontamination.CODE_VERSION,
            decontamination.SCHEMA,
            {"words": decontamination.NGRAM_WORDS, "sets": chain.evaluations_digest},
        )
    judged = memo.recall(
        {
            "judge": CODE_VERSION,
            "language": found.key,
            "quality": measured.key,
            "overlaps": overlaps and overlaps.key,
            "most": policy.decontamination.max_overlaps,
            "least": policy.language.min_share,
            "rules": [rule.model_dump(mode="json") for rule in _rules(policy)],
        },
        lambda maker: maker.table("judged", [_judge(memo, found, measured, overlaps, policy)]),
    )
    return Tagged(part, found, measured, signed, overlaps, judged)


@lru_cache(maxsize=1)
def _evaluations(folder: Path, digest: str) -> Evaluations:
    """The evaluation sets; read again when their *digest* is another."""
    return load_evaluations(folder)


def _judge(
    memo: Memo, found: Made, measured: Made, overlaps: Made | None, policy: Policy
) -> pa.Table:
    tags = read(memo, measured).with_columns(
        read(memo, found, ["accepted_share"])["accepted_share"], donation_id=pl.lit("")
    )
    if overlaps:
        marked = read(memo, overlaps, ["doc_id", "overlaps"])
        tags = tags.join(marked, on="doc_id", how="left", maintain_order="left")
    return judge(tags, policy).to_arrow()


def read(memo: Memo, made: Made, columns: list[str] | None = None) -> pl.DataFrame:
    """The table that *made* stands for."""
    frame = pl.from_arrow(pq.ParquetFile(memo.path(made)).read(columns))
    assert isinstance(frame, pl.DataFrame)
    return frame


def finish(work: tuple[Tagged, pa.Table, pa.Table], chain: Chain) -> Decided:
    """Decide on each document of a part and write what is kept.

    Its duplicates and the lines to be cut out of it are given.
    """
    tagged, duplicates, found_cuts = work
    memo = Memo(chain.folder)
    rows, cuts = pl.DataFrame(duplicates), pl.DataFrame(found_cuts)
    redundant = rows.filter(pl.col("doc_id") != pl.col("survivor_id")).sort("doc_id")
    policy = chain.policy.duplicates
    decisions = memo.recall(
        {
            "decide": CODE_VERSION,
            "judged": tagged.judged.key,
            "duplicates": redundant.rows(),
            "most": policy.most_repeated_lines,
            "cuts": cuts.rows(),
        },
        lambda maker: maker.table(
            "decisions", [decide(read(memo, tagged.judged), rows, policy, cuts).to_arrow()]
        ),
    )
    documents = memo.recall(
        {
            "write": CODE_VERSION,
            "part": tagged.part.digest,
            "language": tagged.language.key,
            "quality": tagged.quality.key,
            "decisions": decisions.key,
            "attributes": [rule.measure for rule in _rules(chain.policy)],
            "compression": chain.compression,
        },
        lambda maker: _write_kept(maker, memo, tagged, decisions, cuts, chain),
    )
    return Decided(tagged, decisions, documents)


def _write_kept(
    maker: Maker, memo: Memo, tagged: Tagged, decisions: Made, cuts: pl.DataFrame, chain: Chain
) -> None:
    """Documents and attributes of a part as the Dolma toolkit reads them, line for line alike."""
    decided = read(memo, decisions, ["kept", "n_cut"])
    kept = decided["kept"]
    if not kept.any():
        return
    spans: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for doc_id, start, end in cuts.select("doc_id", "start", "end").iter_rows():
        spans[doc_id].append((start, end))
    lengths: list[int] = []
    name = f"{tagged.part.digest[:16]}.jsonl.{chain.compression}"
    with (
        maker.file(f"{PACKED}/{DOCUMENTS}/{name}") as path,
        _packing(path, chain.compression) as out,
    ):
        at = 0
        for batch in read_batches(memo.path(tagged.part.made), ["doc_id", "text", "fields"], 256):
            for row in batch.filter(kept[at : at + batch.num_rows].to_arrow()).to_pylist():
                fields = orjson.loads(row["fields"]) if row["fields"] else {}
                text = without(row["text"], spans[row["doc_id"]])
                lengths.append(len(text))
                out.write(_line({"id": row["doc_id"], "text": text, **fields}))
            at += batch.num_rows
    measures = list(dict.fromkeys(["n_char", *(rule.measure for rule in _rules(chain.policy))]))
    tags = read(memo, tagged.language, ["doc_id", "language", "confidence", "accepted_share"])
    tags = tags.hstack(read(memo, tagged.quality, measures))
    if chain.policy.duplicates.cut_repeated_lines:
        tags = tags.with_columns(decided["n_cut"])
    tags = tags.filter(kept)
    with (
        maker.file(f"{PACKED}/{ATTRIBUTES}/{TAGGER}/{name}") as path,
        _packing(path, chain.compression) as out,
    ):
        for values, length in zip(tags.iter_rows(named=True), lengths, strict=True):
            out.write(_line(_attributes(values, length)))


def _rules(policy: Policy) -> tuple[Rule, ...]:
    return for_policy(policy.quality).rules


def _attributes(values: dict[str, Any], length: int) -> dict[str, Any]:
    """Each value as a span over a document of *length*; the language with its confidence."""
    doc_id = values.pop("doc_id")
    named = {f"language_{values.pop('language')}": values.pop("confidence"), **values}
    return {
        "id": doc_id,
        "attributes": {
            f"{TAGGER}__{TAGGER}__{name}": [[0, length, round(value, 6)]]
            for name, value in named.items()
        },
    }


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


@contextmanager
def _packing(path: Path, compression: Compression) -> Iterator[IO[bytes]]:
    with path.open("wb") as file:
        if compression == "zst":
            with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as out:
                yield out  # type: ignore[misc]
        else:
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as out:
                yield out  # type: ignore[misc]
