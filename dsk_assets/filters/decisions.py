"""The decision on each document of a donation: ``filtering/decisions``."""

from collections import Counter

import polars as pl
import pyarrow as pa

from dsk_assets.consortium.policy import DuplicatesPolicy
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.clusters import THRESHOLD
from dsk_assets.filters.duplicates import (
    cuts_of,
    policy_config,
    require_considered,
    table_of,
)
from dsk_assets.filters.lines import CUT
from dsk_assets.filters.verdicts import tagged, verdicts
from dsk_assets.gates.admitted import require_admitted
from dsk_assets.lake.store import Zone

ASSET = "filtering/decisions"
CODE_VERSION = "4"
COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "donation_id": pa.string(),
    "kept": pa.bool_(),
    "stage": pa.string(),
    "rule": pa.string(),
    "value": pa.float64(),
    "threshold": pa.float64(),
    "survivor_id": pa.string(),
    "n_char": pa.int64(),
    "n_cut": pa.int64(),
}
SCHEMA = pa.schema(COLUMNS)


def decisions(catalog: Catalog, donation: str) -> Snapshot:
    """Decide on each document of *donation*: kept, or the first reason why not.

    Table ``decision``, exactly one row for each row of ``document``: ``stage`` (personal_data,
    language, quality, decontamination, duplicates, in this order; empty where kept), ``rule``, its
    ``value`` and ``threshold``, ``survivor_id`` of a duplicate, ``n_char`` of the donated text, and
    ``n_cut``: how many characters are cut out of the redacted text of a kept document. Table
    ``cut``: which (``doc_id``, ``start``, ``end``), and who has the same line (``survivor_id``).
    Tags are read, never made: another threshold only decides again. Demands an admission in force.
    """
    admitted = require_admitted(catalog, donation)
    tags = tagged(catalog, donation)
    duplicates = require_considered(catalog, donation, tags)

    def produce(out: Output) -> None:
        totals: Counter[str] = Counter()
        stages: Counter[str] = Counter()
        rules: Counter[str] = Counter()
        found = duplicates.paths(table_of(donation)), duplicates.paths(cuts_of(donation))
        for part, (judged, *paths) in enumerate(zip(verdicts(tags), *found, strict=True)):
            rows, cuts = map(pl.read_parquet, paths)
            decided = decide(judged, rows, tags.policy.duplicates, cuts)
            out.table("decision", [decided.to_arrow()], SCHEMA, part)
            out.table("cut", [cuts.to_arrow()], CUT, part)
            dropped, kept = decided.filter(~pl.col("kept")), decided.filter("kept")
            totals.update(
                documents=decided.height,
                kept=kept.height,
                characters=int(decided["n_char"].sum()),
                characters_kept=int(kept["n_char"].sum()),
                characters_cut=int(kept["n_cut"].sum()),
            )
            stages.update(dropped["stage"])
            rules.update(dropped["rule"])
        out.count(
            **totals,
            dropped_by_stage=dict(sorted(stages.items())),
            dropped_by_rule=dict(sorted(rules.items())),
        )

    return catalog.materialise(
        ASSET,
        donation,
        zone=Zone.CURATED,
        inputs=[*tags.inputs, duplicates, admitted],
        config=policy_config(tags),
        code_version=CODE_VERSION,
        produce=produce,
    )


def decide(
    judged: pl.DataFrame,
    duplicates: pl.DataFrame,
    policy: DuplicatesPolicy,
    cuts: pl.DataFrame,
) -> pl.DataFrame:
    """The ``decision`` rows: *judged* (see :func:`verdicts`), then *duplicates* where it passed.

    *cuts* are the lines that are to be cut out of these documents.
    """
    threshold = pl.col("kind").replace_strict(
        {"exact": 1.0, "near": THRESHOLD, "lines": policy.most_repeated_lines},
        return_dtype=pl.Float64,
    )
    redundant = duplicates.filter(pl.col("doc_id") != pl.col("survivor_id"))
    sizes = cuts.group_by("doc_id").agg(n_cut=(pl.col("end") - pl.col("start")).sum())
    passed = pl.col("stage") == ""
    duplicate = passed & pl.col("survivor_id").is_not_null()
    return (
        judged.join(redundant, on="doc_id", how="left", maintain_order="left")
        .join(sizes, on="doc_id", how="left", maintain_order="left")
        .select(
            "doc_id",
            "donation_id",
            (passed & ~duplicate).alias("kept"),
            pl.when(duplicate).then(pl.lit("duplicates")).otherwise("stage").alias("stage"),
            pl.when(duplicate)
            .then(pl.col("kind") + pl.lit("-duplicate"))
            .otherwise("rule")
            .alias("rule"),
            pl.when(duplicate).then("similarity").otherwise("value").alias("value"),
            pl.when(duplicate).then(threshold).otherwise("threshold").alias("threshold"),
            pl.when(duplicate).then("survivor_id").alias("survivor_id"),
            "n_char",
            pl.col("n_cut").fill_null(0),
        )
    )
