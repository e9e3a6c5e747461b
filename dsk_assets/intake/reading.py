"""From a source to its documents: sniff, find the encoding, read, normalise, keep the outcome."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from dsk_assets.consortium.policy import NormalisationPolicy
from dsk_assets.filters.normalisation import Normalised, normalise
from dsk_assets.intake import sniff
from dsk_assets.intake.encoding import Encoding, NotText, detect
from dsk_assets.intake.items import Item, Skipped
from dsk_assets.intake.limits import MAX_DEPTH
from dsk_assets.intake.readers import READERS, TEXTUAL, reader
from dsk_assets.intake.readers.markup import declared_charset
from dsk_assets.intake.sources import Source, Unreadable, stored_sha256
from dsk_assets.lake.digests import canonical_json, sha256_bytes, sha256_text

MAX_REASONS = 5
"""How many skipped records of a file are named one by one in its reason."""

_EDGES = "\ufeff" + "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_BYTES = Encoding("binary")
"""Stands for the encoding of formats that say themselves how their text is encoded."""


@dataclass(frozen=True)
class Document:
    """A document's text and identity."""

    doc_id: str
    file_id: str
    ordinal: int
    text: str
    text_sha256: str
    normalised: Normalised


@dataclass
class FileOutcome:
    """A row of ``source_file``, filled in while the file is read."""

    file_id: str
    rel_path: str
    bytes: int
    media_type: str = ""
    encoding: str | None = None
    reader: str | None = None
    outcome: str = "ok"
    reason: str | None = None
    documents: int = 0


class Reading:
    """Reads the sources of one donation and keeps what became of each."""

    def __init__(self, donation_id: str, policy: NormalisationPolicy):
        self.donation_id = donation_id
        self.policy = policy
        self.files: list[FileOutcome] = []
        self.without_text = 0
        self.skipped = 0

    def read(self, source: Source, file_id: str, depth: int = 0) -> Iterator[Document]:
        """The documents of *source* and of what lies inside it.

        Nothing that a source holds raises: what cannot be read is an outcome.
        """
        row = FileOutcome(file_id, source.name, source.size)
        self.files.append(row)
        members: set[str] = set()
        reasons: list[str] = []
        position = skipped = 0
        for item in self._outcome_of(self._items(source, row), row):
            if isinstance(item, Source):
                yield from self._member(item, members, depth)
                continue
            if isinstance(item, Skipped):
                skipped += 1
                reasons = [*reasons, item.reason][:MAX_REASONS]
            elif document := self._document(row, position, item):
                row.documents += 1
                yield document
            else:
                self.without_text += 1
            position += 1
        self.skipped += skipped
        _conclude(row, skipped, reasons, bool(members))

    def _outcome_of(self, items: Iterator[Item], row: FileOutcome) -> Iterator[Item]:
        """*items*, with whatever stops them turned into the outcome ``error``."""
        try:
            yield from items
        except Unreadable as error:
            _fail(row, str(error))
        except MemoryError:
            raise
        except Exception as error:
            _fail(row, f"the reader failed ({type(error).__name__}) — check the file")

    def _items(self, source: Source, row: FileOutcome) -> Iterator[Item]:
        if source.size == 0:
            row.media_type, row.outcome = sniff.EMPTY, "empty"
            row.reason = "the file has no bytes"
            return
        row.media_type = sniff.sniff(source)
        row.reader = READERS.get(row.media_type)
        encoding = _BYTES
        if row.media_type in TEXTUAL:
            try:
                declared = source.charset or declared_charset(source.head(4096))
                encoding = detect(source.chunks(), declared)
            except NotText:
                raise Unreadable(
                    "the bytes are no text in a known encoding — deliver the file in UTF-8"
                ) from None
            row.encoding, row.reason = encoding.name, encoding.note
        elif source.compression != "none":
            for _ in source.chunks():
                pass
        if row.reader is None:
            row.outcome = "empty" if row.media_type == sniff.EMPTY else "unsupported"
            row.reason = f"files of type {row.media_type} are not read"
            return
        yield from reader(row.reader)(source, encoding)

    def _member(self, member: Source, seen: set[str], depth: int) -> Iterator[Document]:
        name = given = clean(member.name)
        number = 1
        while name in seen:
            number += 1
            name = f"{given}#{number}"
        seen.add(name)
        member = member.named(name)
        try:
            if depth >= MAX_DEPTH:
                raise Unreadable(f"it lies more than {MAX_DEPTH} containers deep — unpack it")
            file_id = stored_sha256(member)
        except Unreadable as error:
            row = FileOutcome("", name, member.size)
            _fail(row, str(error))
            self.files.append(row)
            return
        yield from self.read(member, file_id, depth + 1)

    def _document(self, row: FileOutcome, position: int, text: str) -> Document | None:
        normalised = normalise(text, self.policy)
        text = normalised.text
        if not text:
            return None
        identity = sha256_bytes(canonical_json([self.donation_id, row.rel_path, position]))
        digest = sha256_text(text)
        return Document(identity[:32], row.file_id, position, text, digest, normalised)


def _fail(row: FileOutcome, reason: str) -> None:
    row.outcome = "error"
    kept = f"; {row.documents} documents before it were kept" if row.documents else ""
    row.reason = reason + kept


def _conclude(row: FileOutcome, skipped: int, reasons: list[str], has_members: bool) -> None:
    """The outcome of a file, from how many records were skipped in it and why the first were."""
    if skipped:
        more = f"; and {skipped - len(reasons)} more" if skipped > len(reasons) else ""
        left_out = f"records left out: {skipped} ({'; '.join(reasons)}{more})"
        row.reason = f"{row.reason}; {left_out}" if row.reason else left_out
    if row.outcome == "ok" and not row.documents and not has_members:
        row.outcome = "error" if skipped else "empty"
        row.reason = row.reason or "the file holds no text (a scan must be OCR-read before)"


def clean(text: str) -> str:
    """*text* as a document keeps it: NFC, line ends LF, no NUL or lone surrogates, stripped."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return unicodedata.normalize("NFC", text).strip(_EDGES)
