"""The decision on each document of a donation: ``filtering/decisions``."""

from collections import Counter
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dsk_assets.consortium.policy import DuplicatesPolicy
from dsk_assets.errors import MissingInputError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.clusters import THRESHOLD
from dsk_assets.filters.duplicates import (
    cuts_of,
    policy_config,
    require_considered,
    table_of,
)
from dsk_assets.filters.lines import CUT
from dsk_assets.filters.ruleset import load
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


def why(catalog: Catalog, doc_id: str) -> str:
    """What was decided about the document *doc_id* and why, in English and in Danish.

    One paragraph for each donation version that has it. Raises :class:`MissingInputError` when
    no decision on such a document has been made.
    """
    told = []
    for donation in catalog.partitions(ASSET):
        snapshot = catalog.require(ASSET, donation)
        for batch in snapshot.batches("decision", rows=65_536):
            rows = pa.Table.from_batches([batch]).filter(pc.field("doc_id") == doc_id)
            told += [_explain(catalog, donation, snapshot, row) for row in rows.to_pylist()]
    if not told:
        raise MissingInputError(
            f"no decision on a document with the id {doc_id} — check the id, or materialise "
            f"{ASSET} of its donation"
        )
    return "\n\n".join(told)


def examples(catalog: Catalog) -> list[tuple[str, str]]:
    """One dropped document for each rule that dropped any: rule and doc_id, sorted by rule."""
    found: dict[str, str] = {}
    for donation in catalog.partitions(ASSET):
        for batch in catalog.require(ASSET, donation).batches("decision", ["rule", "doc_id"]):
            table = pa.Table.from_batches([batch]).filter(pc.field("rule") != "")
            for row in table.group_by("rule").aggregate([("doc_id", "min")]).to_pylist():
                found.setdefault(row["rule"], row["doc_id_min"])
    return sorted(found.items())


def _explain(catalog: Catalog, donation: str, snapshot: Snapshot, row: dict[str, Any]) -> str:
    english, danish = _reason(catalog, donation, snapshot, row)
    fate = ("kept", "beholdt") if row["kept"] else ("dropped", "frasorteret")
    size = row["n_char"]
    return (
        f"Document {row['doc_id']} of {donation} ({size:,} characters): {fate[0]}{english}\n"
        f"Dokument {row['doc_id']} i {donation} ({_danish(f'{size:,}')} tegn): {fate[1]}{danish}"
    )


def _reason(
    catalog: Catalog, donation: str, snapshot: Snapshot, row: dict[str, Any]
) -> tuple[str, str]:
    value, threshold = f"{row['value'] or 0:.4g}", f"{row['threshold'] or 0:.4g}"
    match row["stage"]:
        case "" if row.get("n_cut"):
            size, (lines, other) = f"{row['n_cut']:,}", _cut(snapshot, row["doc_id"])
            return (
                f", without the lines that other documents have too ({lines} of {size} characters "
                f"in all, most of them in {other}).",
                f", uden de linjer, som andre dokumenter også har ({lines} på i alt "
                f"{_danish(size)} tegn, de fleste i {other}).",
            )
        case "personal_data":
            return (
                f", because of the personal data in it ({row['rule']}).",
                f" på grund af personoplysninger i dokumentet ({row['rule']}).",
            )
        case "language":
            found = _tag(catalog, "filtering/language", donation, "language", row["doc_id"])
            return (
                f", because {value} of its letters are in accepted languages and at least "
                f"{threshold} must be; most of it is in {found}.",
                f", fordi {_danish(value)} af bogstaverne er på de tilladte sprog, og mindst "
                f"{_danish(threshold)} skal være det; det meste er på {found}.",
            )
        case "quality":
            build = snapshot.statement["predicate"]["buildDefinition"]
            return _broken(build["internalParameters"]["config"]["rule_set"], row)
        case "decontamination":
            found = _tag(catalog, "filtering/contamination", donation, "evaluation", row["doc_id"])
            return (
                f", because {value} of its sequences of 13 words also stand in evaluation sets, "
                f"most of them in {found}; at most {threshold} may.",
                f", fordi {_danish(value)} af dens rækker på 13 ord også står i evalueringssæt, "
                f"de fleste i {found}; højst {_danish(threshold)} må.",
            )
        case "duplicates" if row["rule"] == "lines-duplicate":
            survivor = row["survivor_id"]
            return (
                f", because {value} of its characters stand in lines of other documents that are "
                f"kept, most of them in {survivor}; at most {threshold} may.",
                f", fordi {_danish(value)} af tegnene står i linjer fra andre dokumenter, der "
                f"beholdes, de fleste i {survivor}; højst {_danish(threshold)} må.",
            )
        case "duplicates":
            survivor = row["survivor_id"]
            return (
                f", because document {survivor} is kept and has the same text "
                f"(similarity {value}, {row['rule']}).",
                f", fordi dokument {survivor} beholdes og har samme tekst "
                f"(lighed {_danish(value)}, {row['rule']}).",
            )
    return ".", "."


def _broken(rule_set: str, row: dict[str, Any]) -> tuple[str, str]:
    rule = next(rule for rule in load(rule_set).rules if rule.id == row["rule"])
    value, threshold = f"{row['value']:.4g}", f"{row['threshold']:.4g}"
    least = rule.min is not None
    return (
        f", because {rule.en}: {rule.measure} is {value}, {'least' if least else 'most'} allowed "
        f"{threshold} (rule {rule.id} of {rule_set}; {rule.source}).",
        f", fordi {rule.da}: {rule.measure} er {_danish(value)}, {'mindst' if least else 'højst'} "
        f"tilladt {_danish(threshold)} (regel {rule.id} i {rule_set}; {rule.source}).",
    )


def _cut(snapshot: Snapshot, doc_id: str) -> tuple[int, str]:
    """How many lines were cut out of a document, and the other one that has most of their text."""
    rows = [
        row
        for batch in snapshot.batches("cut", rows=65_536)
        for row in pa.Table.from_batches([batch]).filter(pc.field("doc_id") == doc_id).to_pylist()
    ]
    sizes: Counter[str] = Counter()
    for row in rows:
        sizes[row["survivor_id"]] += row["end"] - row["start"]
    return len(rows), min(sizes, key=lambda name: (-sizes[name], name))


def _tag(catalog: Catalog, asset: str, donation: str, name: str, doc_id: str) -> str:
    """The value *name* of a document in the table of *asset*, which has the asset's own name."""
    tags = catalog.require(asset, donation)
    table = tags.table(asset.partition("/")[2], ["doc_id", name])
    found = table.filter(pc.field("doc_id") == doc_id)[name].to_pylist()
    return str(found[0]) if found else "?"


def _danish(number: str) -> str:
    """A number as Danish writes it: a comma for the point and the other way round."""
    return number.translate(str.maketrans(".,", ",."))
