"""Duplicates over all donations in force: ``filtering/duplicates``."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from dsk_assets.errors import MissingInputError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.clusters import THRESHOLD
from dsk_assets.filters.join import SCHEMA, Source, find_duplicates
from dsk_assets.filters.lines import CUT
from dsk_assets.filters.verdicts import Tagged, tagged, verdicts
from dsk_assets.gates.admitted import admitted_donations, require_admitted
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Zone

ASSET = "filtering/duplicates"
CODE_VERSION = "5"


@dataclass(frozen=True)
class _Donation:
    """All that is read of one donation."""

    key: str
    tags: Tagged
    signatures: Snapshot
    landing: Snapshot
    admitted: Snapshot

    @property
    def inputs(self) -> list[Snapshot]:
        return [*self.tags.inputs, self.signatures, self.landing, self.admitted]


def duplicates(catalog: Catalog) -> Snapshot:
    """Find the duplicates among the documents of all admitted donations that their policies keep.

    Tables ``duplicate/<donation>``, one for each donation that was considered and part for part
    as its documents, with the rows of its own documents: ``cluster_id``, ``survivor_id``, ``kind``
    (exact, near, lines) and ``similarity`` to the survivor; of kind lines it is the share of the
    document's characters that stand in lines of other documents (:mod:`dsk_assets.filters.lines`).
    Only documents that have a duplicate have a row; the survivor's own row, where it has one, is
    exact with similarity 1. Tables ``cut/<donation>``: the lines to be cut out of its documents. A
    donation whose measures or signatures are missing, or older than its redacted text, is left
    out until they are made again.
    """
    donations = [
        donation
        for key in admitted_donations(catalog)
        if (donation := _donation(catalog, key)) is not None
    ]

    def produce(out: Output) -> None:
        tracked = track(donations, "signatures", unit="donations")
        sources = (source for donation in tracked for source in _sources(donation))
        scratch = catalog.settings.home.resolve() / "tmp" / "duplicates"
        shutil.rmtree(scratch, ignore_errors=True)
        with find_duplicates(sources, scratch, catalog.settings.workers) as found:
            number = 0
            for donation in donations:
                for part, _ in enumerate(donation.signatures.paths("signature")):
                    out.table(table_of(donation.key), [found.of(number)], SCHEMA, part)
                    out.table(cuts_of(donation.key), [found.cuts_of(number)], CUT, part)
                    number += 1
            out.count(donations=len(donations), **found.counts)

    return catalog.materialise(
        ASSET,
        zone=Zone.CURATED,
        inputs=[snapshot for donation in donations for snapshot in donation.inputs],
        config={
            "threshold": THRESHOLD,
            "policies": {donation.key: policy_config(donation.tags) for donation in donations},
        },
        code_version=CODE_VERSION,
        produce=produce,
    )


def table_of(donation: str) -> str:
    """The name of a donation's table in ``filtering/duplicates``."""
    return f"duplicate/{donation}"


def cuts_of(donation: str) -> str:
    """The name of the table of what is cut out of a donation's documents."""
    return f"cut/{donation}"


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
    return snapshot.only(f"{table_of(donation)}/", f"{cuts_of(donation)}/")


def _donation(catalog: Catalog, donation: str) -> _Donation | None:
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
    return _Donation(
        donation,
        tags,
        signatures,
        catalog.require("donations/landing", donation).only("manifest.json"),
        require_admitted(catalog, donation),
    )


def _sources(donation: _Donation) -> Iterator[Source]:
    """The donation's parts, each with what its policy keeps before duplicates are looked for."""
    rights = donation.landing.json("manifest.json")["rights"]
    is_open = rights["open_source_wish"] == "open-source" and bool(rights.get("licence_spdx"))
    approved_on = rights["approval"]["approved_on"]
    policy = donation.tags.policy.duplicates
    parts = donation.signatures.paths("signature")
    for path, judged in zip(parts, verdicts(donation.tags), strict=True):
        kept = judged.filter(pl.col("stage") == "")["doc_id"]
        signed = pl.Series(pq.ParquetFile(path).read(["doc_id"])["doc_id"])
        yield Source(path, signed.is_in(kept.implode()), policy, is_open, approved_on)
