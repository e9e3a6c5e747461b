"""The stage ``donations/documents``: what landed files say, as documents.

Every landed file, and every member or attachment inside one, gets a row in ``source_file`` with
an outcome: nothing vanishes. Documents are written as they are read, so memory does not grow with
the donation.
"""

from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from itertools import chain, count
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dsk_assets.consortium.policy import policy_for
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.normalisation import KINDS
from dsk_assets.intake.fields import first_day, last_day
from dsk_assets.intake.landing import manifest_of
from dsk_assets.intake.limits import as_config
from dsk_assets.intake.manifest import Manifest
from dsk_assets.intake.reading import Document, Reading
from dsk_assets.intake.sources import Source
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Zone
from dsk_assets.lake.tables import PART_BYTES

ASSET = "donations/documents"
CODE_VERSION = "3"
LIBRARIES = (
    "charset-normalizer",
    "ftfy",
    "lxml",
    "openpyxl",
    "pypdfium2",
    "python-docx",
    "striprtf",
    "trafilatura",
)
"""Libraries whose version decides what text comes out of a file."""

_DOCUMENT_COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "donation_id": pa.string(),
    "file_id": pa.string(),
    "ordinal": pa.int32(),
    "text": pa.string(),
    "text_sha256": pa.string(),
    "n_char": pa.int64(),
    "n_word": pa.int64(),
    "added": pa.string(),
    "created": pa.string(),
}
DOCUMENT = pa.schema(_DOCUMENT_COLUMNS)
"""One document. ``n_word`` counts words of letters and digits, without punctuation; ``added`` is
the day of receipt, ``created`` the period of the content ("from, to")."""

_SOURCE_FILE_COLUMNS: dict[str, pa.DataType] = {
    "file_id": pa.string(),
    "donation_id": pa.string(),
    "rel_path": pa.string(),
    "media_type": pa.string(),
    "bytes": pa.int64(),
    "encoding": pa.string(),
    "reader": pa.string(),
    "outcome": pa.string(),
    "reason": pa.string(),
    "documents": pa.int64(),
}
SOURCE_FILE = pa.schema(_SOURCE_FILE_COLUMNS)
"""One file, or member of a file (``archive.zip!/member.txt``), and what became of it."""

_STRETCH = ("start", "original", "length")
_NORMALISATION_COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    **dict.fromkeys(KINDS, pa.int64()),
    "length": pa.int64(),
    "stretches": pa.list_(pa.struct([(name, pa.int64()) for name in _STRETCH])),
}
NORMALISATION = pa.schema(_NORMALISATION_COLUMNS)
"""A document that was changed: how often in each way, the ``length`` of the text that the reader
found, and the ``stretches`` that are the same in both; all between them was changed."""

_WORD = r"[\pL\pM\pN]+(?:['’\-][\pL\pM\pN]+)*"
_BATCH_BYTES = 4 * 1024 * 1024
_BATCH_ROWS = 4096


def documents(catalog: Catalog, donation: str) -> Snapshot:
    """The documents of a landed donation, and the outcome of each of its files.

    Text is normalised as the donation's policy says (:mod:`dsk_assets.filters.normalisation`).
    Demands the gate ``approval``. Writes the tables ``document``, ``source_file`` and
    ``normalisation`` and the counts ``documents``, ``characters``, ``words``, ``files`` (by
    outcome), ``encodings``, ``normalised`` (changes by kind), ``records_without_text`` and
    ``records_skipped``.
    """
    landing = catalog.require("donations/landing", donation)
    approval = admission.require(catalog, "approval", landing)
    policy = policy_for(catalog.settings.consortium, donation.partition("@")[0]).normalisation

    def produce(out: Output) -> None:
        manifest = manifest_of(landing)
        reading = Reading(manifest.donation_id, policy)
        totals: Counter[str] = Counter()
        changed: list[pa.RecordBatch] = []
        found = _read(landing, manifest, reading)
        _write_documents(out, _noted(found, changed, totals), manifest, totals)
        out.table("normalisation", changed, NORMALISATION)
        out.table("source_file", [_source_files(reading, manifest)], SOURCE_FILE)
        out.count(
            documents=totals["documents"],
            characters=totals["characters"],
            words=totals["words"],
            files=_sorted(Counter(row.outcome for row in reading.files)),
            normalised={kind: totals[kind] for kind in KINDS},
            encodings=_sorted(Counter(row.encoding for row in reading.files if row.encoding)),
            records_without_text=reading.without_text,
            records_skipped=reading.skipped,
        )

    return catalog.materialise(
        ASSET,
        donation,
        zone=Zone.RESTRICTED,
        inputs=[landing, approval],
        config={
            "limits": as_config(),
            "normalisation": policy.model_dump(mode="json"),
            "partBytes": PART_BYTES,
            "libraries": {name: version(name) for name in LIBRARIES},
        },
        code_version=CODE_VERSION,
        produce=produce,
    )


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))


def _read(landing: Snapshot, manifest: Manifest, reading: Reading) -> Iterator[Document]:
    files = sorted(manifest.files, key=lambda file: file.path)
    for file in track(files, "Reading files", unit="files"):
        path = landing.path(f"files/{file.sha256}")
        yield from reading.read(Source.of_file(path, file.path), file.sha256)


def _noted(
    found: Iterator[Document], changed: list[pa.RecordBatch], totals: Counter[str]
) -> Iterator[Document]:
    """*found*, with a row of ``normalisation`` added to *changed* for each that was changed."""
    rows: list[dict[str, Any]] = []
    for document in found:
        made = document.normalised
        if made.changes:
            totals.update(made.changes)
            stretches = [dict(zip(_STRETCH, one, strict=True)) for one in made.stretches]
            row = {"doc_id": document.doc_id, **dict.fromkeys(KINDS, 0), **made.changes}
            rows.append({**row, "length": made.length, "stretches": stretches})
        if len(rows) == _BATCH_ROWS:
            changed.append(pa.RecordBatch.from_pylist(rows, schema=NORMALISATION))
            rows = []
        yield document
    changed.append(pa.RecordBatch.from_pylist(rows, schema=NORMALISATION))


def _write_documents(
    out: Output, found: Iterator[Document], manifest: Manifest, totals: Counter[str]
) -> None:
    """The table ``document`` in parts of at most ``PART_BYTES`` of text; one part if empty."""
    for part in count():
        first = next(found, None)
        if first is None and part > 0:
            return
        rest = chain([first], found) if first is not None else iter(())
        out.table("document", _batches(rest, manifest, totals), DOCUMENT, part=part)


def _batches(
    found: Iterator[Document], manifest: Manifest, totals: Counter[str]
) -> Iterator[pa.RecordBatch]:
    """Batches of rows until ``PART_BYTES`` of text have been given."""
    batch: list[Document] = []
    batch_bytes = part_bytes = 0
    for document in found:
        batch.append(document)
        size = len(document.text.encode())
        batch_bytes += size
        part_bytes += size
        full = part_bytes >= PART_BYTES
        if full or batch_bytes >= _BATCH_BYTES or len(batch) == _BATCH_ROWS:
            yield _record_batch(batch, manifest, totals)
            batch, batch_bytes = [], 0
        if full:
            return
    if batch:
        yield _record_batch(batch, manifest, totals)


def _record_batch(
    batch: list[Document], manifest: Manifest, totals: Counter[str]
) -> pa.RecordBatch:
    text = pa.array([document.text for document in batch], pa.string())
    characters = pc.utf8_length(text)
    words = pc.count_substring_regex(text, _WORD)
    totals["documents"] += len(batch)
    totals["characters"] += pc.sum(characters).as_py()
    totals["words"] += pc.sum(words).as_py()
    columns: dict[str, Any] = {
        "doc_id": [document.doc_id for document in batch],
        "donation_id": [manifest.donation_id] * len(batch),
        "file_id": [document.file_id for document in batch],
        "ordinal": pa.array([document.ordinal for document in batch], pa.int32()),
        "text": text,
        "text_sha256": [document.text_sha256 for document in batch],
        "n_char": characters.cast(pa.int64()),
        "n_word": words.cast(pa.int64()),
        "added": [_added(manifest)] * len(batch),
        "created": [_created(manifest)] * len(batch),
    }
    return pa.RecordBatch.from_pydict(columns, schema=DOCUMENT)


def _source_files(reading: Reading, manifest: Manifest) -> pa.RecordBatch:
    rows = [{"donation_id": manifest.donation_id, **vars(row)} for row in reading.files]
    return pa.RecordBatch.from_pylist(rows, schema=SOURCE_FILE)


def _added(manifest: Manifest) -> str:
    return (manifest.received or manifest.rights.approval.approved_on).isoformat()


def _created(manifest: Manifest) -> str:
    """The period of the content, months and years widened to days: ``1871-01-01, 1871-12-31``."""
    period = manifest.dataset.period
    return f"{first_day(period.content_start)}, {last_day(period.content_end)}"
