"""Asset ``filtering/personal_data``: documents that are personoplysningsfiltreret.

Personal data is found and replaced as the donation's policy says (principle 3). A document whose
search failed is withheld, never passed on unsearched. What is recorded are counts, types and
places in the redacted text: no value and no digest of one, since the digest of a CPR number is
reversed in minutes.
"""

import functools
import heapq
import importlib.metadata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dsk_assets.consortium.policy import PersonalDataPolicy, policy_for
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.gates.admitted import policy_digest
from dsk_assets.lake.digests import sha256_text
from dsk_assets.lake.engine import Engine, map_parts
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Zone
from dsk_assets.lake.tables import read_batches
from dsk_assets.privacy import canaries
from dsk_assets.privacy.analyser import digest
from dsk_assets.privacy.entities import PRIORITY
from dsk_assets.privacy.guarded import guarded
from dsk_assets.privacy.redact import Treatment, check

CODE_VERSION = "2"

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

_CANARY: dict[str, pa.DataType] = {
    "entity_type": pa.string(),
    "form": pa.string(),
    "planted": pa.int64(),
    "missed": pa.int64(),
}
CANARY = pa.schema(_CANARY)
"""Invented identifiers planted in copies of the documents, by how they were written."""

SCORE_BANDS = (0.0, 0.5, 0.65, 0.8, 0.95)
"""Findings are counted by the band of their score that begins with one of these."""

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

    Tables ``document``, ``pii_span``, ``pii_outcome`` and ``canary``. Counts: ``documents``,
    ``kept``, ``withheld`` by reason, ``findings`` by type, ``actions``, ``recognisers``,
    ``scores`` by band, ``special_categories`` (documents), ``residual``, ``words`` (of the
    redacted text), ``canaries`` and ``canaries_missed``. The statement's configuration holds the
    policy with its digest, and the digests of the recognisers, lists and models.
    Raises :class:`~dsk_assets.errors.NotAdmittedError` where a gate has not admitted the
    documents, and :class:`~dsk_assets.errors.SettingsError` for a policy that cannot be followed.
    """
    landing = catalog.require("donations/landing", donation)
    documents = catalog.require("donations/documents", donation)
    admissions = [
        admission.require(catalog, "approval", landing),
        admission.require(catalog, "statistics", documents),
    ]
    chosen = policy_for(catalog.settings.consortium, donation.split("@")[0])
    policy = chosen.personal_data
    check(policy, f"policy {chosen.name}")
    source = documents.only("document/")

    def produce(out: Output) -> None:
        carriers = _write(out, source, policy, Engine.of(catalog.settings))
        _write_canaries(out, carriers, policy, donation)

    return catalog.materialise(
        "filtering/personal_data",
        donation,
        zone=Zone.CURATED,
        inputs=[source, *admissions],
        config={
            "policy": policy.model_dump(mode="json"),
            "policyDigest": policy_digest(policy),
            "entities": list(PRIORITY),
            "digests": digest(),
            "presidio": importlib.metadata.version("presidio-analyzer"),
        },
        code_version=CODE_VERSION,
        produce=produce,
    )


def _write(out: Output, source: Snapshot, policy: PersonalDataPolicy, engine: Engine) -> list[str]:
    """Write the tables of documents; returns the texts that canaries are to be planted in."""
    paths = source.paths("document")
    characters = sum(
        pc.sum(batch.column("n_char")).as_py() or 0
        for path in paths
        for batch in read_batches(path, ["n_char"])
    )
    carriers: list[tuple[str, str]] = []
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
            carriers = _first(carriers, batches)
    plain = totals.pop("totals", Counter())
    out.count(
        **{name: plain[name] for name in ("documents", "kept", "residual", "words")},
        **{name: dict(sorted(totals.get(name, Counter()).items())) for name in _TALLIES},
    )
    return [text for _, text in carriers]


_TALLIES = ("withheld", "findings", "actions", "recognisers", "scores", "special_categories")


def _first(
    carriers: list[tuple[str, str]], batches: Sequence[pa.RecordBatch]
) -> list[tuple[str, str]]:
    """The documents with the first ids, which are digests, so that these are a random sample."""
    for batch in batches:
        identities = enumerate(map(str, batch.column("doc_id").to_pylist()))
        first = heapq.nsmallest(canaries.COPIES, ((name, row) for row, name in identities))
        found = [(name, batch.column("text")[row].as_py() or "") for name, row in first]
        carriers = heapq.nsmallest(canaries.COPIES, [*carriers, *found])
    return carriers


def _write_canaries(
    out: Output, carriers: Sequence[str], policy: PersonalDataPolicy, donation: str
) -> None:
    tally = canaries.measure(carriers, policy, guarded().treat, donation)
    rows = [
        {"entity_type": entity, "form": form, "planted": n["planted"], "missed": n["missed"]}
        for (entity, form), n in tally.items()
    ]
    out.table("canary", [pa.Table.from_pylist(rows, CANARY)], CANARY)
    missed = Counter[str]()
    for (entity, _), counts in tally.items():
        missed[entity] += counts["missed"]
    out.count(
        canaries=sum(counts["planted"] for counts in tally.values()),
        canaries_missed={entity: number for entity, number in missed.items() if number},
    )


def _work(batch: pa.RecordBatch, policy: PersonalDataPolicy) -> _Worked:
    """Treat the documents of *batch*; runs in a worker process."""
    texts = (text or "" for text in batch.column("text").to_pylist())
    treatments = list(guarded().treat(texts, policy))
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
        "scores": Counter(_band(span.score) for t in treatments for span in t.spans),
        "special_categories": Counter(name for t in treatments for name in t.categories),
    }
    for treatment in treatments:
        counts["findings"].update(treatment.findings or {})
        counts["totals"].update(kept=treatment.reason is None, residual=treatment.residual)
    return counts


def _band(score: float) -> str:
    number = bisect_right(SCORE_BANDS, score) - 1
    above = SCORE_BANDS[number + 1] if number + 1 < len(SCORE_BANDS) else 1.0
    return f"{SCORE_BANDS[number]:.2f}–{above:.2f}"
