"""A small lake whose evidence is whole: every input named, every gate passed, everything logged.

Two donations go from landing to a checkpoint; 150 parts go into one whole. What is written is
tiny, and what a gate decides is given.
"""

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa

from dsk_assets.defs import metadata
from dsk_assets.evidence import admission, log, sequencer
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot, asset_partitions
from dsk_assets.evidence.statements import Source
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.digests import sha256_json
from dsk_assets.lake.store import Zone
from dsk_assets.settings import Settings, load_settings
from tests.gating import MANIFEST, changed
from tests.support import admit

DONATIONS = ("dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0")
RELEASE = "1.0.0"
CHECKPOINT = "demo-1.0.0.step-000100"
PARTS = 150
TEXT = "Hemmelig tekst"
RUN = str(uuid.UUID(int=7))
"""Dagster's name for the run that made all but the whole of 150 parts."""

REACHED = (f"corpus/release[{RELEASE}]", f"training/checkpoint[{CHECKPOINT}]")


@dataclass(frozen=True)
class Home:
    """A folder that holds a lake, the keys, and what was remembered of its log."""

    path: Path

    @cached_property
    def settings(self) -> Settings:
        """Settings for this home alone."""
        return load_settings(home=self.path, lake="", workers=1)

    def catalog(self, run: str = RUN) -> Catalog:
        """The lake of this home."""
        return Catalog(self.settings, run_id=run)

    @property
    def lake(self) -> Path:
        """The lake's folder."""
        return self.path / "lake"

    @property
    def log(self) -> Path:
        """The folder of the log."""
        return self.lake / "evidence" / "log"

    @property
    def memory(self) -> Path:
        """What this machine remembers of the log."""
        return log.memory(self.settings, log.SIGNED)

    def statement(self, asset: str, partition: str | None = None, number: int = 1) -> Path:
        """Where a statement lies."""
        folder = self.lake / "evidence" / "statements" / asset / (partition or "_")
        return folder / f"{number:06d}.json"

    def copy(self, target: Path) -> "Home":
        """The same home elsewhere."""
        shutil.copytree(self.path, target)
        return Home(target)


def make(
    catalog: Catalog,
    asset: str,
    partition: str | None = None,
    *inputs: Snapshot | Source,
    zone: Zone = Zone.CURATED,
    files: dict[str, Any] | None = None,
    table: pa.Table | None = None,
    **counts: int,
) -> Snapshot:
    """Materialise *asset* from *inputs*: one small file, or those given, and a *table*."""

    files = files or {"content.json": [asset, partition]}

    def produce(out: Output) -> None:
        for name, content in files.items():
            out.json(name, content)
        if table is not None:
            out.table("table", [table], table.schema)
        out.count(**counts)

    return catalog.materialise(
        asset,
        partition,
        zone=zone,
        inputs=inputs,
        config={"content": sha256_json(files), "ratio": 0.1, "small": 1e-7},
        code_version="1",
        produce=produce,
    )


def donation(catalog: Catalog, key: str) -> tuple[Snapshot, list[Snapshot]]:
    """From landing to shards; returns the shards, and what admits them to a release."""
    identifier, _, version = key.partition("@")
    manifest = changed(
        MANIFEST,
        {"donation_id": identifier, "version": version, "rights.open_source_wish": True},
    )
    source = Source(f"delivery/{key}", "d" * 64)
    landing = make(
        catalog, "donations/landing", key, source,
        zone=Zone.RESTRICTED, files={"manifest.json": manifest},
    )  # fmt: skip
    member = Source(f"consortium/members#{manifest['donor']['cvr']}", "e" * 64)
    approval = admit(catalog, "approval", landing, inputs=[member])
    texts = {"document/part-0.json": [TEXT], "source_file/part-0.json": []}
    read = make(
        catalog, "donations/documents", key, landing, approval.only("verdict.json"),
        zone=Zone.RESTRICTED, files=texts,
    )  # fmt: skip
    statistics = admit(catalog, "statistics", read)
    so_far = [one.only("verdict.json") for one in (approval, statistics)]
    language = make(catalog, "filtering/language", key, read, *so_far)
    search = make(
        catalog, "filtering/personal_data", key, read.only("document/"), *so_far,
        files={"document/part-0.json": [TEXT], "pii_span/part-0.json": []},
    )  # fmt: skip
    gates = [
        approval,
        statistics,
        admit(catalog, "language", language),
        admit(catalog, "personal_data", search),
    ]
    screening = zip(("approval", "statistics", "language", "personal_data"), gates, strict=True)
    judged = (landing, read, language, search)
    admission = {
        "donation": key,
        "principle": "3",
        "validUntil": None,
        "gates": [
            {"gate": gate, "judged": one.key, "judgedDigest": one.digest}
            for (gate, _), one in zip(screening, judged, strict=True)
        ],
    }
    admitted = make(
        catalog, "filtering/admitted", key, *(one.only("verdict.json") for one in gates),
        zone=Zone.EVIDENCE, files={"admission.json": admission},
    )  # fmt: skip
    redacted = search.only("document/")
    rows = pa.table({"doc_id": ["d1", "d2"], "kept": [True, False]})
    decisions = make(catalog, "filtering/decisions", key, redacted, admitted, table=rows)
    shards = make(
        catalog, "corpus/shards", key, decisions, redacted, admitted,
        files={"tokens/00000.bin": [1, 2, 3], "shard/part-0.json": [0]}, tokens=3,
    )  # fmt: skip
    spans = admit(catalog, "spans", shards)
    return shards, [spans.only("verdict.json"), admitted]


def release(catalog: Catalog, donations: Sequence[str] = DONATIONS) -> Snapshot:
    """A release of *donations* and a checkpoint trained on it."""
    inputs = []
    for key in donations:
        shards, verdicts = donation(catalog, key)
        inputs += [shards, *verdicts]
    made = make(
        catalog, "corpus/release", RELEASE, *inputs,
        files={"release.json": {"name": "dsk-demo", "version": RELEASE}},
        donations=len(donations),
    )  # fmt: skip
    composition = admit(catalog, "composition", made)
    checkpoint = make(
        catalog, "training/checkpoint", CHECKPOINT, made, composition.only("verdict.json"),
        files={"model/model.safetensors": [0.5]},
    )  # fmt: skip
    admit(catalog, "checkpoint", checkpoint)
    return made


def show(catalog: Catalog, instance: dg.DagsterInstance) -> None:
    """Tell Dagster of all that its run made and decided."""
    for gate in GATES.values():
        decisions = [
            (key, admission.decision(catalog.require(f"gate/{gate.name}", key)))
            for key in catalog.partitions(f"gate/{gate.name}")
        ]
        if decisions:
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey(gate.asset.split("/")),
                    check_name=gate.name,
                    passed=True,
                    metadata=metadata.of_decisions(decisions),
                )
            )
    for asset, partition in asset_partitions(catalog):
        if not asset.startswith(("gate/", "study/")):
            snapshot = catalog.require(asset, partition)
            event = dg.AssetMaterialization(
                dg.AssetKey(asset.split("/")),
                partition=partition,
                metadata=metadata.recorded(snapshot),
                tags={"dagster/data_version": f"sha256:{snapshot.digest}"},
            )
            instance.report_runless_asset_event(event)


def whole(catalog: Catalog) -> Snapshot:
    """One whole of 150 parts."""
    parts = [make(catalog, "study/part", f"p{number:03d}") for number in range(PARTS)]
    return make(catalog, "study/whole", None, *parts)


def build(path: Path) -> Home:
    """A home with a release, a checkpoint and a whole of 150 parts, logged in two batches."""
    home = Home(path)
    catalog = home.catalog()
    release(catalog)
    sequencer.append_new(catalog)
    shutil.copytree(home.log, path / "earlier-log")
    whole(home.catalog("by hand"))
    sequencer.append_new(catalog)
    return home
