"""Asset ``filtering/personal_data``: documents that are personoplysningsfiltreret.

Personal data is found and replaced as the donation's policy says (principle 3). A document whose
search failed is withheld, never passed on unsearched. What is recorded are counts, types and
places in the redacted text: no value and no digest of one, since the digest of a CPR number is
reversed in minutes.
"""

import functools
import importlib.metadata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dsk_assets.consortium.policy import PersonalDataPolicy, policy_for
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.lake.digests import sha256_text
from dsk_assets.lake.engine import Engine, map_parts
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Zone
from dsk_assets.lake.tables import read_batches
from dsk_assets.privacy.analyser import analyser, digest
from dsk_assets.privacy.entities import PRIORITY
from dsk_assets.privacy.redact import Treatment, check, treat

CODE_VERSION = "1"

_DOCUMENT: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "donation_id": pa.string(),
    "ordinal": pa.int32(),
    "text": pa.string(),
    "text_sha256": pa.string(),
    "n_char": pa.int64(),
    "n_word": pa.int64(),
    "added": pa.string(),
    "created": pa.string(),
}
DOCUMENT = pa.schema(_DOCUMENT)
"""A document that is kept, with redacted text; its digest and sizes are those of that text."""

_PII_SPAN: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "entity_type": pa.string(),
    "start": pa.int64(),
    "end": pa.int64(),
    "recogniser": pa.string(),
    "score": pa.float64(),
    "action": pa.string(),
}
PII_SPAN = pa.schema(_PII_SPAN)
"""A finding in a kept document; ``start`` and ``end`` are places in the redacted text."""

_PII_OUTCOME: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "outcome": pa.string(),
    "reason": pa.string(),
    "findings": pa.int64(),
    "residual": pa.int64(),
}
PII_OUTCOME = pa.schema(_PII_OUTCOME)
"""One row for every document that was searched; ``reason`` is null where it is kept."""

_WORD = r"[\pL\pM\pN]+(?:['’\-][\pL\pM\pN]+)*"
_ROWS = 256
_PARALLEL_FROM = 2_000_000
"""Characters of text below which starting worker processes costs more than it saves."""


@dataclass(frozen=True)
class _Worked:
    document: pa.RecordBatch
    span: pa.RecordBatch
    outcome: pa.RecordBatch
    counts: dict[str, Counter[str]]


def personal_data(catalog: Catalog, donation: str) -> Snapshot:
    """The donation's documents without personal data, and what was found and done.

    Tables ``document``, ``pii_span`` and ``pii_outcome``. Counts: ``documents``, ``kept``,
    ``withheld`` by reason, ``findings`` by type, ``actions``, ``recognisers``,
    ``special_categories`` (documents), ``residual`` and ``words`` (of the redacted text).
    Raises :class:`~dsk_assets.errors.NotAdmittedError` where a gate has not admitted the
    documents, and :class:`~dsk_assets.errors.SettingsError` for a policy that cannot be followed.
    """
    landing = catalog.require("donations/landing", donation)
    documents = catalog.require("donations/documents", donation)
    admissions = [
        admission.require(catalog, "approval", landing),
        admission.require(catalog, "statistics", documents),
    ]
    policy = policy_for(catalog.settings.consortium, donation.split("@")[0]).personal_data
    check(policy)
    source = documents.only("document/")

    def produce(out: Output) -> None:
        _write(out, source, policy, Engine.of(catalog.settings))

    return catalog.materialise(
        "filtering/personal_data",
        donation,
        zone=Zone.CURATED,
        inputs=[source, *admissions],
        config={
            "policy": policy.model_dump(mode="json"),
            "entities": list(PRIORITY),
            "digests": digest(),
            "presidio": importlib.metadata.version("presidio-analyzer"),
        },
        code_version=CODE_VERSION,
        produce=produce,
    )


def _write(out: Output, source: Snapshot, policy: PersonalDataPolicy, engine: Engine) -> None:
    paths = source.paths("document")
    characters = sum(
        pc.sum(batch.column("n_char")).as_py() or 0
        for path in paths
        for batch in read_batches(path, ["n_char"])
    )
    totals: dict[str, Counter[str]] = {}
    work = functools.partial(_work, policy=policy)
    with engine.pool(None if characters > _PARALLEL_FROM else 1) as executor:
        for number, path in enumerate(track(paths, "personal data", unit="parts")):
            batches = list(read_batches(path, rows=_ROWS))
            worked = list(map_parts(work, batches, executor))
            for name, schema in (
                ("document", DOCUMENT),
                ("pii_span", PII_SPAN),
                ("pii_outcome", PII_OUTCOME),
            ):
                rows = [getattr(part, name.removeprefix("pii_")) for part in worked]
                out.table(name, rows, schema, part=number)
            for part in worked:
                for name, counts in part.counts.items():
                    totals.setdefault(name, Counter()).update(counts)
    plain = totals.pop("totals", Counter())
    out.count(
        **{name: plain[name] for name in ("documents", "kept", "residual", "words")},
        **{
            name: dict(sorted(totals.get(name, Counter()).items()))
            for name in ("withheld", "findings", "actions", "recognisers", "special_categories")
        },
    )


def _work(batch: pa.RecordBatch, policy: PersonalDataPolicy) -> _Worked:
    """Treat the documents of *batch*; runs in a worker process."""
    engine = analyser()
    treatments = [treat(text or "", policy, engine) for text in batch.column("text").to_pylist()]
    identities = batch.column("doc_id").to_pylist()
    kept = _kept(batch, treatments)
    return _Worked(
        kept,
        pa.RecordBatch.from_pylist(list(_spans(identities, treatments)), schema=PII_SPAN),
        pa.RecordBatch.from_pylist(list(_outcomes(identities, treatments)), schema=PII_OUTCOME),
        _counts(treatments, pc.sum(kept.column("n_word")).as_py() or 0),
    )


def _kept(batch: pa.RecordBatch, treatments: Sequence[Treatment]) -> pa.RecordBatch:
    mask = pa.array([treatment.text is not None for treatment in treatments])
    texts = [treatment.text for treatment in treatments if treatment.text is not None]
    text = pa.array(texts, pa.string())
    rows = batch.filter(mask)
    columns = {
        name: rows.column(name) for name in ("doc_id", "donation_id", "ordinal", "added", "created")
    }
    columns |= {
        "text": text,
        "text_sha256": pa.array([sha256_text(value) for value in texts], pa.string()),
        "n_char": pc.utf8_length(text).cast(pa.int64()),
        "n_word": pc.count_substring_regex(text, _WORD).cast(pa.int64()),
    }
    return pa.RecordBatch.from_arrays(
        [columns[name].cast(DOCUMENT.field(name).type) for name in DOCUMENT.names], schema=DOCUMENT
    )


def _spans(
    identities: Sequence[str | None], treatments: Sequence[Treatment]
) -> Iterator[dict[str, str | int | float | None]]:
    for identity, treatment in zip(identities, treatments, strict=True):
        for span in treatment.spans:
            yield {
                "doc_id": identity,
                "entity_type": span.entity,
                "start": span.start,
                "end": span.end,
                "recogniser": span.recogniser,
                "score": span.score,
                "action": span.action,
            }


def _outcomes(
    identities: Sequence[str | None], treatments: Sequence[Treatment]
) -> Iterator[dict[str, str | int | None]]:
    for identity, treatment in zip(identities, treatments, strict=True):
        yield {
            "doc_id": identity,
            "outcome": "kept" if treatment.reason is None else "withheld",
            "reason": treatment.reason,
            "findings": sum((treatment.findings or {}).values()),
            "residual": treatment.residual,
        }


def _counts(treatments: Sequence[Treatment], words: int) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {
        "totals": Counter(documents=len(treatments), words=words),
        "withheld": Counter(t.reason for t in treatments if t.reason),
        "findings": Counter(),
        "actions": Counter(span.action for t in treatments for span in t.spans),
        "recognisers": Counter(span.recogniser for t in treatments for span in t.spans),
        "special_categories": Counter(name for t in treatments for name in t.categories),
    }
    for treatment in treatments:
        counts["findings"].update(treatment.findings or {})
        counts["totals"].update(kept=treatment.reason is None, residual=treatment.residual)
    return counts
