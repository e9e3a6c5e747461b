"""Duplicates over all donations in force: ``filtering/duplicates``."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from dsk_assets.errors import MissingInputError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.clusters import CANDIDATE, THRESHOLD, find_duplicates
from dsk_assets.filters.lines import repeated_lines
from dsk_assets.filters.sketches import sketches_in
from dsk_assets.filters.verdicts import Tagged, tagged, verdicts
from dsk_assets.gates.admitted import admitted_donations, require_admitted
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Zone

ASSET = "filtering/duplicates"
CODE_VERSION = "4"
COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "cluster_id": pa.string(),
    "survivor_id": pa.string(),
    "kind": pa.string(),
    "similarity": pa.float64(),
}
SCHEMA = pa.schema(COLUMNS)


@dataclass(frozen=True)
class _Source:
    """All that is read of one donation."""

    donation: str
    tags: Tagged
    signatures: Snapshot
    landing: Snapshot
    admitted: Snapshot

    @property
    def inputs(self) -> list[Snapshot]:
        return [*self.tags.inputs, self.signatures, self.landing, self.admitted]


def duplicates(catalog: Catalog) -> Snapshot:
    """Find the duplicates among the documents of all admitted donations that their policies keep.

    Tables ``duplicate/<donation>``, one for each donation that was considered, with the rows of
    its own documents: ``cluster_id``, ``survivor_id``, ``kind`` (exact, near, lines) and
    ``similarity`` to the survivor; of kind lines it is the share of the document's characters
    that stand in lines of other documents (:mod:`dsk_assets.filters.lines`). Only documents that
    have a duplicate have a row; the survivor's own row, where it has one, is exact with similarity
    1. A donation whose measures or signatures are missing, or older than its redacted text, is
    left out until they are made again.
    """
    sources = [
        source
        for donation in admitted_donations(catalog)
        if (source := _source(catalog, donation)) is not None
    ]

    def produce(out: Output) -> None:
        columns = {**CANDIDATE, "donation": pl.String}
        parts = [_candidates(source) for source in track(sources, "signatures", unit="donations")]
        candidates = pl.concat([pl.DataFrame(schema=columns), *parts])
        paths = [path for source in sources for path in source.signatures.paths("signature")]
        found = find_duplicates(candidates.drop("donation"), partial(sketches_in, paths))
        parts = [_by_lines(source, candidates, found["doc_id"]) for source in sources]
        found = pl.concat([found, *parts])
        placed = found.join(candidates.select("doc_id", "donation"), on="doc_id", how="left")
        for source in sources:
            rows = placed.filter(pl.col("donation") == source.donation).select(SCHEMA.names)
            out.table(table_of(source.donation), [rows.sort("doc_id").to_arrow()], SCHEMA)
        dropped = found.filter(pl.col("doc_id") != pl.col("survivor_id"))
        out.count(
            donations=len(sources),
            documents=candidates.height,
            clusters=found["cluster_id"].n_unique(),
            exact=dropped.filter(pl.col("kind") == "exact").height,
            near=dropped.filter(pl.col("kind") == "near").height,
            lines=dropped.filter(pl.col("kind") == "lines").height,
        )

    return catalog.materialise(
        ASSET,
        zone=Zone.CURATED,
        inputs=[snapshot for source in sources for snapshot in source.inputs],
        config={
            "threshold": THRESHOLD,
            "policies": {source.donation: policy_config(source.tags) for source in sources},
        },
        code_version=CODE_VERSION,
        produce=produce,
    )


def table_of(donation: str) -> str:
    """The name of a donation's table in ``filtering/duplicates``."""
    return f"duplicate/{donation}"


def policy_config(tags: Tagged) -> dict[str, Any]:
    """What a donation's policy has to say on which of its documents are considered, and how."""
    return {**tags.config, **tags.policy.duplicates.model_dump(mode="json")}


def require_considered(catalog: Catalog, donation: str, tags: Tagged) -> Snapshot:
    """The donation's file of the newest duplicates, if they were found among its present tags.

    Raises :class:`MissingInputError` when they were not: they would name survivors that are
    dropped today.
    """
    snapshot = catalog.require(ASSET)
    build: Mapping[str, Any] = snapshot.statement["predicate"]["buildDefinition"]
    policies = build["internalParameters"]["config"]["policies"]
    current = [one.dependency() for one in tags.inputs]
    if policies.get(donation) != policy_config(tags) or any(
        snapshot.inputs.get(one["uri"]) != one["digest"]["sha256"] for one in current
    ):
        raise MissingInputError(
            f"{ASSET} has not considered the present tags and policy of {donation} — "
            "materialise it again"
        )
    return snapshot.only(f"{table_of(donation)}/")


def _source(catalog: Catalog, donation: str) -> _Source | None:
    try:
        tags = tagged(catalog, donation)
        signatures = catalog.require("filtering/signatures", donation)
    except MissingInputError:
        return None
    redacted = catalog.require("filtering/personal_data", donation).only("document/")
    for made in (tags.quality, tags.contamination, signatures):
        build = made.statement["predicate"]["buildDefinition"]
        digests = {one["digest"]["sha256"] for one in build["resolvedDependencies"]}
        if redacted.digest not in digests:
            return None
    return _Source(
        donation,
        tags,
        signatures,
        catalog.require("donations/landing", donation).only("manifest.json"),
        require_admitted(catalog, donation),
    )


def _candidates(source: _Source) -> pl.DataFrame:
    """The donation's documents that its policy keeps, as :func:`find_duplicates` wants them."""
    rights = source.landing.json("manifest.json")["rights"]
    is_open = rights["open_source_wish"] == "open-source" and bool(rights.get("licence_spdx"))
    kept = verdicts(source.tags).filter(pl.col("stage") == "").select("doc_id")
    columns = ["doc_id", "text_sha256", "bands"]
    table = pl.from_arrow(source.signatures.table("signature", columns))
    assert isinstance(table, pl.DataFrame)
    return table.join(kept, on="doc_id", how="semi", maintain_order="left").with_columns(
        drop_exact=pl.lit(source.tags.policy.duplicates.exact),
        drop_near=pl.lit(source.tags.policy.duplicates.near),
        open=pl.lit(is_open),
        approved_on=pl.lit(rights["approval"]["approved_on"]),
        donation=pl.lit(source.donation),
    )


def _by_lines(source: _Source, candidates: pl.DataFrame, clustered: pl.Series) -> pl.DataFrame:
    """The rows of the donation's documents that repeat others line by line, if its policy asks.

    A document that has duplicates is either dropped already or stands for others, and stays.
    """
    most = source.tags.policy.duplicates.max_repeated_lines
    if most is None:
        return pl.DataFrame(schema=_FOUND)
    table = pl.from_arrow(source.signatures.table("signature", ["doc_id", "n_char", "lines"]))
    assert isinstance(table, pl.DataFrame)
    kept = candidates.filter(pl.col("donation") == source.donation).select("doc_id")
    documents = table.join(kept, on="doc_id", how="semi").with_columns(
        droppable=~pl.col("doc_id").is_in(clustered.implode())
    )
    return repeated_lines(documents, most).select(
        "doc_id", cluster_id="survivor_id", survivor_id="survivor_id",
        kind=pl.lit("lines"), similarity="similarity",
    )  # fmt: skip


_FOUND = {name: pl.Float64 if name == "similarity" else pl.String for name in SCHEMA.names}
