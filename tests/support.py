"""What tests of different stages share: materialisations and gate decisions made to order."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from dsk_assets.evidence import admission
from dsk_assets.evidence.admission import Decision, Finding
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.lake.digests import sha256_json, sha256_text
from dsk_assets.lake.store import Zone

DONATION = "dsk-2026-0001@1.0.0"


def seed(
    catalog: Catalog,
    asset: str,
    partition: str | None = None,
    *,
    zone: Zone = Zone.CURATED,
    tables: Mapping[str, pa.Table] | None = None,
    files: Mapping[str, Any] | None = None,
    counts: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Snapshot:
    """Materialise *asset* with given *tables* and JSON *files*, whatever it would read itself."""
    tables, files = tables or {}, files or {}

    def produce(out: Output) -> None:
        for name, table in tables.items():
            out.table(name, [table], table.schema)
        for name, value in files.items():
            out.json(name, value)
        out.count(**(counts or {}))

    content = {name: repr(table.to_pylist()) for name, table in tables.items()}
    return catalog.materialise(
        asset,
        partition,
        zone=zone,
        inputs=[],
        config={
            "seed": sha256_json([content, {name: repr(v) for name, v in files.items()}]),
            **(config or {}),
        },
        code_version="test",
        produce=produce,
    )


def admit(
    catalog: Catalog,
    gate: str,
    judged: Snapshot,
    *,
    admitted: bool = True,
    valid_until: dt.date | None = None,
    inputs: Sequence[Snapshot | Source] = (),
) -> Snapshot:
    """A decision of *gate* on *judged*, without evaluating its suite."""
    finding = Finding("test", "to pass", int(admitted), admitted, "critical", "refused by the test")
    return admission.record(
        catalog,
        gate,
        judged,
        inputs=inputs,
        config={
            "admitted": admitted,
            "validUntil": valid_until.isoformat() if valid_until else None,
        },
        code_version="test",
        decide=lambda: Decision(
            gate, "3", judged.key, judged.digest, admitted, (finding,), valid_until
        ),
    )


def documents(texts: Mapping[str, str], donation_id: str = "dsk-2026-0001") -> pa.Table:
    """A `document` table (see docs/architecture.md) holding *texts* by doc_id."""
    return pa.table(
        {
            "doc_id": pa.array(list(texts), pa.string()),
            "donation_id": pa.array([donation_id] * len(texts), pa.string()),
            "file_id": ["0" * 64] * len(texts),
            "ordinal": pa.array(range(len(texts)), pa.int32()),
            "text": pa.array(list(texts.values()), pa.string()),
            "text_sha256": [sha256_text(text) for text in texts.values()],
            "n_char": pa.array([len(text) for text in texts.values()], pa.int64()),
            "n_word": pa.array([len(text.split()) for text in texts.values()], pa.int64()),
            "added": ["2026-11-01"] * len(texts),
            "created": ["2020-01-01, 2020-12-31"] * len(texts),
        }
    )
