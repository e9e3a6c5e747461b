"""A small lake from donations to a checkpoint, written by hand: numbers a reader can add up.

Four donations of the demonstration: the archive (two documents kept, one dropped), the
municipality (personal data; one kept, one withheld), the museum (refused: its approval has
expired), and an older version of the archive's donation.
"""

import math
from collections import Counter
from typing import Any

import pyarrow as pa

from dsk_assets.corpus.release import RELEASE_SHARD
from dsk_assets.corpus.shards import SHARD, SHARD_SPAN
from dsk_assets.evidence.admission import Decision, Finding, record
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.filters.decisions import SCHEMA as DECISION
from dsk_assets.filters.language import SCHEMA as LANGUAGE
from dsk_assets.intake.manifest_file import read_manifest
from dsk_assets.lake.store import Zone
from dsk_assets.privacy.stage import CANARY, PII_OUTCOME, PII_SPAN
from dsk_assets.records.stage import materialisations
from dsk_assets.settings import PROJECT_ROOT
from dsk_assets.training.exposure import EXPOSURE
from dsk_assets.training.run import HELD_OUT, LOSS
from tests.support import admit, documents, seed

ARCHIVE = "dsk-2026-0001@1.0.0"
OLD_ARCHIVE = "dsk-2026-0001@0.9.0"
MUNICIPALITY = "dsk-2026-0005@1.0.0"
MUSEUM = "dsk-2026-0009@1.0.0"
FOLDERS = {
    ARCHIVE: "arkiv-litteratur",
    OLD_ARCHIVE: "arkiv-litteratur",
    MUNICIPALITY: "kommune-sager",
    MUSEUM: "museum-laesestykker",
}
CHECKPOINTS = ("demo-1.0.0.step-000100", "demo-1.0.0.step-000200")
BOUND = 41.5
"""Leaks for each 100,000 words that the review of the archive's donation leaves possible."""
SECRET = "Hemmelig tekst om Karen Vestergaard"
"""Stands in documents; must be found in nothing that records and SQL show."""


RECALL = {
    "digests": {},
    "sets": {
        "invented": {
            "types": {
                "DK_CPR": {"spans": 250, "found": 248},
                "MAC": {"spans": 0, "found": 0},
                "PERSON": {"spans": 500, "found": 500},
            },
            "groups": {},
        },
        "names": {
            "types": {"PERSON": {"spans": 1000, "found": 900}},
            "groups": {"Turkish": {"spans": 20, "found": 19}},
        },
    },
}
"""How much a search found of labelled text, as ``filtering/recall`` holds it."""


def small_lake(catalog: Catalog) -> None:
    """Fill *catalog* from donations to checkpoints."""
    for donation in FOLDERS:
        land(catalog, donation)
    seed(
        catalog, "filtering/recall", zone=Zone.EVIDENCE, files={"scores.json": RECALL},
        counts={"recall": {"DK_CPR": 0.992, "PERSON": 0.9}, "recall_by_group": {"Turkish": 0.95}},
    )  # fmt: skip
    screened(catalog, ARCHIVE, {"a1": "kept", "a2": "kept", "a3": "dropped"})
    screened(catalog, MUNICIPALITY, {"k1": "kept", "k2": "withheld"})
    refuse(catalog, MUSEUM)
    members = [shards(catalog, ARCHIVE, {"a1": 600, "a2": 400})]
    members.append(shards(catalog, MUNICIPALITY, {"k1": 500}))
    release(catalog, "1.0.0", members, {ARCHIVE: 1.0, MUNICIPALITY: 2.0})
    training(catalog, "1.0.0")


def land(catalog: Catalog, donation: str, **changes: Any) -> Snapshot:
    """A landing with the manifest of the demonstration's donation."""
    folder = PROJECT_ROOT / "examples/consortium/donations" / FOLDERS[donation]
    manifest = read_manifest(folder).as_json()
    manifest |= {"version": donation.partition("@")[2], **changes}
    return seed(catalog, "donations/landing", donation, files={"manifest.json": manifest})


def refuse(catalog: Catalog, donation: str) -> None:
    """An approval that has expired, after one that had not."""
    landing = catalog.require("donations/landing", donation)
    reasons = ("The approval has expired.", "Godkendelsen er udløbet.")
    finding = Finding("approval_in_force", "at least 1", 0, False, "critical", *reasons)
    record(
        catalog,
        "approval",
        landing,
        config={"refused": True},
        code_version="test",
        decide=lambda: Decision(
            "approval", "3", landing.key, landing.digest, False, (finding,), None
        ),
    )


def screened(catalog: Catalog, donation: str, fates: dict[str, str]) -> None:
    """Everything from reading to decisions for documents with these *fates*."""
    identifier = donation.partition("@")[0]
    texts = documents(dict.fromkeys(fates, SECRET), identifier)
    source_file = {
        "file_id": "0" * 64, "donation_id": identifier, "rel_path": f"{SECRET}.txt",
        "media_type": "text/plain", "bytes": 100, "encoding": "utf-8", "reader": "text",
        "outcome": "ok", "reason": "", "documents": len(fates),
    }  # fmt: skip
    read = seed(
        catalog, "donations/documents", donation,
        tables={"document": texts, "source_file": pa.Table.from_pylist([source_file])},
        counts={"documents": len(fates)},
    )  # fmt: skip
    rows = [
        {"doc_id": doc_id, "language": "da", "confidence": 0.9, "accepted_share": 1.0, "n_char": 10}
        for doc_id in fates
    ]
    language = seed(
        catalog, "filtering/language", donation,
        tables={"language": pa.Table.from_pylist(rows, LANGUAGE)},
    )  # fmt: skip
    tables = _personal_data(identifier, fates)
    withheld = list(fates.values()).count("withheld")
    personal = seed(
        catalog, "filtering/personal_data", donation, tables=tables,
        counts={
            "findings": Counter(tables["pii_span"]["entity_type"].to_pylist()),
            "withheld": {"too-dense": withheld} if withheld else {},
        },
    )  # fmt: skip
    decision = [_decision(identifier, doc_id, fate) for doc_id, fate in fates.items()]
    seed(
        catalog, "filtering/decisions", donation,
        tables={"decision": pa.Table.from_pylist(decision, DECISION)},
        counts={
            "documents": len(fates),
            "kept": list(fates.values()).count("kept"),
            "dropped_by_stage": Counter(row["stage"] for row in decision if row["stage"]),
            "dropped_by_rule": Counter(row["rule"] for row in decision if row["rule"]),
        },
    )  # fmt: skip
    landing = catalog.require("donations/landing", donation)
    judged = {"approval": landing, "statistics": read, "language": language}
    for gate, snapshot in judged.items():
        admit(catalog, gate, snapshot)
    _judge_personal_data(catalog, personal, BOUND if donation == ARCHIVE else None)


def _judge_personal_data(catalog: Catalog, personal: Snapshot, bound: float | None) -> None:
    """The gate's decision, with a review by a person where there is a *bound*."""
    measures = {
        "canaries_planted": 324, "canaries_missed": 0, "residual_findings": 0,
        "reviewed": int(bound is not None), "leaks_at_most": bound,
        "recall_measured": int(bound is not None),
    }  # fmt: skip
    findings = tuple(
        Finding(name, "", actual, name != "reviewed" or bool(actual), "warning", name, name)
        for name, actual in measures.items()
    )
    record(
        catalog,
        "personal_data",
        personal,
        config={"bound": bound},
        code_version="test",
        decide=lambda: Decision(
            "personal_data", "3", personal.key, personal.digest, True, findings, None
        ),
    )


def _personal_data(identifier: str, fates: dict[str, str]) -> dict[str, pa.Table]:
    kept = [doc_id for doc_id, fate in fates.items() if fate != "withheld"]
    span = {"start": 0, "end": 8, "recogniser": "cpr", "score": 1.0, "action": "placeholder"}
    spans = [{"doc_id": doc_id, "entity_type": "DK_CPR", **span} for doc_id in kept]
    spans += [{"doc_id": kept[0], "entity_type": "PERSON", **span} for _ in range(3)]
    canary = {"entity_type": "DK_CPR", "form": "hyphen", "planted": 324, "missed": 0}
    outcomes = [
        {
            "doc_id": doc_id,
            "outcome": "withheld" if fate == "withheld" else "kept",
            "reason": "too-dense" if fate == "withheld" else None,
            "findings": 1,
            "residual": 0,
        }
        for doc_id, fate in fates.items()
    ]
    return {
        "document": documents(dict.fromkeys(kept, SECRET), identifier).drop_columns(["file_id"]),
        "pii_span": pa.Table.from_pylist(spans, PII_SPAN),
        "pii_outcome": pa.Table.from_pylist(outcomes, PII_OUTCOME),
        "canary": pa.Table.from_pylist([canary], CANARY),
    }


def _decision(identifier: str, doc_id: str, fate: str) -> dict[str, Any]:
    stages = {"kept": "", "dropped": "quality", "withheld": "personal_data"}
    rules = {"kept": "", "dropped": "few-words", "withheld": "too-dense"}
    return {
        "doc_id": doc_id, "donation_id": identifier, "kept": fate == "kept",
        "stage": stages[fate], "rule": rules[fate], "value": 1.0, "threshold": 2.0,
        "survivor_id": None, "n_char": 10, "n_cut": 0,
    }  # fmt: skip


def shards(catalog: Catalog, donation: str, tokens: dict[str, int]) -> Snapshot:
    """One shard with documents of so many tokens."""
    identifier = donation.partition("@")[0]
    spans, start = [], 0
    for seq, (doc_id, size) in enumerate(tokens.items()):
        place = {"shard": 0, "seq": seq, "start": start, "end": start + size}
        spans.append({**place, "doc_id": doc_id, "donation_id": identifier})
        start += size
    shard = {
        "shard": 0, "donation_id": identifier, "tokens": start, "documents": len(tokens),
        "sha256": identifier[-1] * 64, "dtype": "uint16",
    }  # fmt: skip
    snapshot = seed(
        catalog, "corpus/shards", donation,
        tables={
            "shard": pa.Table.from_pylist([shard], SHARD),
            "shard_span": pa.Table.from_pylist(spans, SHARD_SPAN),
        },
        counts={"documents": len(tokens), "tokens": start, "shards": 1, "characters": 3 * start},
    )  # fmt: skip
    admit(catalog, "spans", snapshot)
    return snapshot


def release(
    catalog: Catalog, version: str, members: list[Snapshot], weights: dict[str, float]
) -> Snapshot:
    """A corpus release of *members*, admitted by gate ``composition``."""
    names = ("tokens", "documents", "characters", "shards")
    entries = [
        {
            "donation": member.partition,
            "digest": member.digest,
            "weight": weights[str(member.partition)],
            **{name: member.counts[name] for name in names},
        }
        for member in members
    ]
    totals = {name: sum(entry[name] for entry in entries) for name in names}
    content = {
        "name": "dsk-demo", "version": version, "previous": None, "tokenizer": "7" * 64,
        "donations": entries, **totals,
    }  # fmt: skip
    rows = [
        {
            "donation": member.partition,
            "weight": weights[str(member.partition)],
            **member.table("shard", ["shard", "sha256", "tokens", "documents"]).to_pylist()[0],
        }
        for member in members
    ]
    snapshot = seed(
        catalog, "corpus/release", version,
        tables={"release_shard": pa.Table.from_pylist(rows, RELEASE_SHARD)},
        files={"release.json": content}, counts={"donations": len(entries), **totals},
    )  # fmt: skip
    admit(catalog, "composition", snapshot)
    return snapshot


def verified(catalog: Catalog, version: str) -> Snapshot:
    """A verification of what the records are made of, which is said to have found nothing."""
    snapshot = catalog.materialise(
        "transparency/verification", version, zone=Zone.EVIDENCE,
        inputs=materialisations(catalog, version), config={}, code_version="test",
        produce=lambda out: out.json("verification.json", {"faults": {}}),
    )  # fmt: skip
    admit(catalog, "evidence", snapshot)
    return snapshot


def training(catalog: Catalog, version: str) -> None:
    """A run of 200 steps of 8 times 128 tokens, with two checkpoints."""
    base = {"name": None, "origin": "none: trained from scratch", "licence": None}
    seed(catalog, "training/base_model", files={"base_model.json": base})
    origin = {
        "run": f"demo-{version}", "release": version, "baseModel": base, "tokenizer": "7" * 64,
        "order": {
            "name": "feistel-cyclic-v1", "seed": 7, "release": "9" * 64,
            "sequenceLength": 128, "batchSize": 8,
        },
    }  # fmt: skip
    made = []
    for step, key in zip((100, 200), CHECKPOINTS, strict=True):
        numbers = {"step": step, "tokens": step * 1024, "parameters": 5000, "loss": 600 / step}
        half = {"tokens_read": step * 512, "first_step": 1}
        exposure = [
            {"donation": donation, "tokens": tokens, **half}
            for donation, tokens in ((ARCHIVE, 900), (MUNICIPALITY, 500))
        ]
        snapshot = seed(
            catalog, "training/checkpoint", key,
            tables={"exposure": pa.Table.from_pylist(exposure, EXPOSURE)},
            files={
                "checkpoint.json": {**origin, **numbers, "previous": None, "libraries": {}},
                "model/config.json": {"vocab_size": 4096, "model_type": "llama"},
                "model/model.safetensors": {"weights": step},
            },
            counts=numbers,
        )  # fmt: skip
        admit(catalog, "checkpoint", snapshot)
        made.append({"checkpoint": key, "step": step, "digest": snapshot.digest})
    numbers = {
        "steps": 200, "tokens": 204800, "parameters": 5000, "flop": 6.0 * 5000 * 204800,
        "firstLoss": math.log(4096), "lastLoss": 3.0,
    }  # fmt: skip
    losses = [{"step": 200, "loss": 3.0, "learning_rate": 0.001, "tokens": 204800}]
    seed(
        catalog, "training/run", f"demo-{version}",
        tables={
            "loss": pa.Table.from_pylist(losses, LOSS),
            "held_out": pa.Table.from_pylist([], HELD_OUT),
        },
        files={
            "run.json": {
                **origin, **numbers, "passes": 102.4, "settings": {"steps": 200},
                "checkpoints": made,
            }
        },
        counts={"checkpoints": 2, **numbers},
    )  # fmt: skip
