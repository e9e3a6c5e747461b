"""What the tests of the gates share: a donation at each stage of the flow."""

import copy
import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from dsk_assets.evidence import admission
from dsk_assets.evidence.admission import Decision, Finding
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.gates.admitted import SCREENING, admitted
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.digests import sha256_bytes
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings
from tests.support import DONATION, admit, documents, seed

TODAY = dt.date(2026, 11, 23)
EVIDENCE = "a" * 64
FILE = "f" * 64

MANIFEST: dict[str, Any] = {
    "donation_id": "dsk-2026-0001",
    "version": "1.0.0",
    "donor": {"cvr": "60101010"},
    "rights": {
        "approval": {
            "evidence": [{"kind": "signed-agreement", "reference": "a.md", "sha256": EVIDENCE}],
            "approved_on": "2026-08-31",
            "expires_on": "2031-08-31",
            "scope": ["pre-training", "evaluation"],
        },
        "licence_spdx": "CC0-1.0",
        "agreement_ref": "aftale-1",
    },
    "purpose": {
        "code": "urn:dsk:purpose:danish-language-model-development",
        "other_uses_prohibited": True,
    },
    "personal_data": {"expected": True, "legal_basis": ["A6-1-e"]},
    "storage": {"allowed_countries": ["DK", "FI"], "encryption_at_rest": True},
    "files": [{"path": "a.txt", "sha256": FILE}],
    "opt_out": {"status": "no-reservation-found"},
    "withdrawal": {"notice_days": 30},
    "declaration": {"declared_on": "2026-08-31"},
}
AGREEMENT: dict[str, Any] = {
    "agreement_id": "aftale-1",
    "member_cvr": "60101010",
    "licence_code": "CC0-1.0",
    "evidence_sha256": EVIDENCE,
    "may_train": True,
    "may_release_model": True,
    "purposes": ["pre-training"],
    "valid_from": "2026-09-01",
    "valid_to": "2030-12-31",
}


def on(catalog: Catalog, day: dt.date = TODAY) -> Catalog:
    """The same lake, judged on *day*."""
    return Catalog(load_settings(home=catalog.settings.home, today=day, workers=1))


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """*base* with the fields that dotted names point to set to other values."""
    made = copy.deepcopy(dict(base))
    for name, value in changes.items():
        *parents, last = name.split(".")
        place = made
        for parent in parents:
            place = place[parent]
        place[last] = value
    return made


def failed(snapshot: Snapshot) -> dict[str, Finding]:
    """The findings of a decision that failed, by measure."""
    found = admission.decision(snapshot).findings
    return {finding.measure: finding for finding in found if not finding.passed}


def judged(catalog: Catalog, gate: str, key: str = DONATION) -> Decision:
    return admission.decision(GATES[gate].judge(catalog, key))


def land(
    catalog: Catalog,
    manifest: Mapping[str, Any] | None = None,
    agreement: Mapping[str, Any] | None = None,
    donation: str = DONATION,
) -> Snapshot:
    """A landing, with registers of one agreement and one member."""
    entry = changed(AGREEMENT, agreement or {})
    agreements = pa.Table.from_pylist([entry, changed(entry, {"agreement_id": "aftale-2"})])
    seed(catalog, "consortium/agreements", tables={"agreement": agreements}, zone=Zone.EVIDENCE)
    members = pa.table({"cvr": ["60101010"]})
    seed(catalog, "consortium/members", tables={"member": members}, zone=Zone.EVIDENCE)
    identifier, _, version = donation.partition("@")
    named = {"donation_id": identifier, "version": version, **(manifest or {})}
    files = {"manifest.json": changed(MANIFEST, named)}
    return seed(catalog, "donations/landing", donation, zone=Zone.RESTRICTED, files=files)


TEXTS = {
    "d1": "Den gamle bro fører over åen, og bag den ligger møllen.",
    "d2": "Sognets protokol blev ført af præsten indtil århundredskiftet.",
    "d3": "Byrådet vedtog forslaget med tolv stemmer mod ni i december.",
}


def read(catalog: Catalog, table: pa.Table | None = None, **source_file: list[Any]) -> Snapshot:
    """Documents of a landed donation, and what became of its files."""
    land(catalog)
    documents_table = documents(TEXTS) if table is None else table
    files = pa.table(
        {"file_id": [FILE], "outcome": ["ok"], "documents": [documents_table.num_rows]}
        | source_file
    )
    return seed(
        catalog,
        "donations/documents",
        DONATION,
        zone=Zone.RESTRICTED,
        tables={"document": documents_table, "source_file": files},
    )


def search(
    catalog: Catalog,
    written: list[str] | None = None,
    canaries: tuple[int, int] = (324, 0),
    config: Mapping[str, Any] | None = None,
    **outcome: list[Any],
) -> Snapshot:
    read(catalog)
    columns: dict[str, Any] = {
        "doc_id": list(TEXTS),
        "outcome": ["kept", "kept", "kept"],
        "reason": pa.array([None, None, None], pa.string()),
        "residual": pa.array([0, 0, 0], pa.int64()),
    }
    planted, missed = canaries
    return seed(
        catalog,
        "filtering/personal_data",
        DONATION,
        tables={
            "document": pa.table({"doc_id": list(TEXTS) if written is None else written}),
            "pii_outcome": pa.table(columns | outcome),
            "canary": pa.table({"planted": [planted, 0], "missed": [missed, 0]}),
        },
        config=config,
    )


SPANS = {"shard": [0, 0, 1], "start": [0, 20, 0], "end": [20, 40, 20], "doc_id": ["d1", "d2", "d3"]}


def redact(catalog: Catalog, donation: str, kept: list[str] | None = None) -> Snapshot:
    """A search for personal data that kept all documents, or those *kept*."""
    table = pa.table({"doc_id": pa.array(list(TEXTS) if kept is None else kept, pa.string())})
    return seed(catalog, "filtering/personal_data", donation, tables={"document": table})


def shard(
    catalog: Catalog,
    spans: Mapping[str, list[Any]] | None = None,
    *,
    kept: tuple[bool, ...] = (True, True, True),
    n_char: int = 60,
    n_cut: int = 0,
    tokens: tuple[int, int] = (40, 20),
    sha256: str | None = None,
    donation: str = DONATION,
    redacted: list[str] | None = None,
) -> Snapshot:
    """Shards of three documents, with the search and the decisions that kept them."""
    redaction = redact(catalog, donation, redacted)
    sizes = {"n_char": [n_char] * 3, "n_cut": [n_cut] * 3}
    decisions = pa.table({"doc_id": list(TEXTS), "kept": list(kept), **sizes})
    seed(catalog, "filtering/decisions", donation, tables={"decision": decisions})
    contents = [np.arange(40, dtype=np.uint16).tobytes(), np.ones(20, np.uint16).tobytes()]
    table = pa.table(
        {
            "shard": [0, 1],
            "tokens": list(tokens),
            "documents": [2, 1],
            "sha256": [sha256_bytes(contents[0]), sha256 or sha256_bytes(contents[1])],
            "dtype": ["uint16", "uint16"],
        }
    )
    columns = {**SPANS, "donation_id": ["dsk-2026-0001"] * 3, **(spans or {})}

    def produce(out: Output) -> None:
        for number, content in enumerate(contents):
            with out.file(f"tokens/{number:05d}.bin") as path:
                path.write_bytes(content)
        out.table("shard", [table], table.schema)
        spans_table = pa.table(columns)
        out.table("shard_span", [spans_table], spans_table.schema)

    return catalog.materialise(
        "corpus/shards",
        donation,
        zone=Zone.CURATED,
        inputs=[] if redacted == [] else [redaction.only("document/")],
        config={"tokens": list(tokens), "sha256": sha256, "spans": columns},
        code_version="test",
        produce=produce,
    )


OTHER = "dsk-2026-0002@1.0.0"


def released(
    catalog: Catalog, *donations: str, until: dt.date | None = None, manifest: Any = None
) -> Snapshot:
    """A release of donations that passed everything."""
    rows, entries = [], []
    for donation in donations:
        for gate, asset in SCREENING:
            judged_by_gate = (
                land(catalog, manifest, donation=donation)
                if asset == "donations/landing"
                else redact(catalog, donation)
                if asset == "filtering/personal_data"
                else seed(catalog, asset, donation, files={"a.json": 1})
            )
            admit(catalog, gate, judged_by_gate, valid_until=until)
        admitted(on(catalog), donation)
        shards = shard(catalog, donation=donation)
        admit(catalog, "spans", shards)
        entries.append({"donation": donation, "digest": shards.digest})
        for row in shards.table("shard").to_pylist():
            rows.append({"donation": donation, "sha256": row["sha256"], "tokens": row["tokens"]})
    return seed(
        catalog,
        "corpus/release",
        "1.0.0",
        files={"release.json": {"donations": entries}},
        tables={"release_shard": pa.Table.from_pylist(rows)},
    )
