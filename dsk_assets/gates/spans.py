"""Gate ``spans``: does every token of a donation's shards belong to exactly one kept document?"""

import numpy as np
import polars as pl

from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates.judging import finished, judge, one_row, ratio, scan, started, unmatched
from dsk_assets.gates.suites import Measures

CODE_VERSION = "3"
REDACTION = "filtering/personal_data"
TOKENS = "tokens/"
"""Where the shard files lie in a materialisation of ``corpus/shards``."""


def spans(catalog: Catalog, donation: str) -> Snapshot:
    """Judge the shards of *donation* against their files, their spans and the decisions."""
    shards = catalog.require("corpus/shards", donation)
    decisions = catalog.require("filtering/decisions", donation)
    redaction = redaction_of(catalog, shards)

    def measure() -> Measures:
        left = pl.col("n_char") - pl.col("n_cut")
        kept = scan(decisions, "decision").filter("kept").select("doc_id", n_char=left)
        return {
            **file_measures(shards),
            **token_measures(scan(shards, "shard"), scan(shards, "shard_span")),
            **document_measures(shards, kept, donation.partition("@")[0]),
            **redaction_measures(shards, redaction),
        }

    return judge(
        catalog,
        "spans",
        shards,
        measure,
        code_version=CODE_VERSION,
        inputs=[decisions, *([redaction] if redaction else [])],
    )


def redaction_of(catalog: Catalog, shards: Snapshot) -> Snapshot | None:
    """The very search for personal data whose texts *shards* were made of, by their statement."""
    named = {
        one["annotations"]["statement"]
        for one in shards.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        if one["uri"] == f"dsk:{REDACTION}[{shards.partition}]"
    }
    history = reversed(catalog.history(REDACTION, shards.partition))
    found = next((one for one in history if one.statement_digest in named), None)
    return found.only("document/") if found else None


def redaction_measures(shards: Snapshot, redaction: Snapshot | None) -> Measures:
    """Documents in the shards that *redaction* did not search and keep, and whether it came first.

    A release is made of shards and training of a release, so what was redacted before its shards
    was redacted before training.
    """
    documents = scan(shards, "shard_span").select("doc_id").unique()
    if redaction is None:
        everything = one_row(documents, rows=pl.len())["rows"]
        return {"documents_not_redacted": everything, "redacted_too_late": None}
    redacted = scan(redaction, "document").select("doc_id")
    left = one_row(documents.join(redacted, on="doc_id", how="anti"), rows=pl.len())["rows"]
    return {
        "documents_not_redacted": left,
        "redacted_too_late": int(finished(redaction) > started(shards)),
    }


def file_measures(shards: Snapshot) -> Measures:
    """The shard files, each read and verified, against the table: digests, and tokens by size."""
    files = [file for file in shards.files if file.name.startswith(TOKENS)]
    for file in files:
        shards.path(file.name)
    sizes = {file.sha256: file.bytes for file in files}
    rows = shards.table("shard", ["sha256", "tokens", "dtype"]).to_pylist()
    unknown = sum(row["sha256"] not in sizes for row in rows)
    return {
        "shards_with_other_bytes": unknown + len(sizes.keys() - {row["sha256"] for row in rows}),
        "tokens_miscounted": sum(
            abs(sizes.get(row["sha256"], 0) // np.dtype(row["dtype"]).itemsize - row["tokens"])
            for row in rows
        ),
        "tokens": sum(row["tokens"] for row in rows),
    }


def token_measures(shards: pl.LazyFrame, spans: pl.LazyFrame) -> Measures:
    """How the spans cover the tokens of their shards.

    ``tokens_unmapped`` lie in no span, ``tokens_mapped_twice`` in more than one; a span is
    misplaced when it is empty, lies outside its shard, or its shard does not exist.
    """
    start, end, before = pl.col("start"), pl.col("end"), pl.col("before")
    placed = spans.join(shards.select("shard", "tokens"), on="shard", how="left")
    ordered = placed.sort("shard", "start", "end").with_columns(
        before=end.cum_max().shift(1).over("shard").fill_null(0)
    )
    inside = one_row(
        ordered,
        gaps=(start - before).clip(lower_bound=0).sum(),
        twice=(pl.min_horizontal(before, end) - start).clip(lower_bound=0).sum(),
        misplaced=(
            pl.col("tokens").is_null() | (start < 0) | (end <= start) | (end > pl.col("tokens"))
        ).sum(),
    )
    ends = spans.group_by("shard").agg(last=end.max())
    tail = (pl.col("tokens") - pl.col("last").fill_null(0)).clip(lower_bound=0)
    behind = one_row(shards.join(ends, on="shard", how="left"), tokens=tail.sum())
    return {
        "tokens_unmapped": inside["gaps"] + behind["tokens"],
        "tokens_mapped_twice": inside["twice"],
        "spans_misplaced": inside["misplaced"],
    }


def document_measures(shards: Snapshot, kept: pl.LazyFrame, donation_id: str) -> Measures:
    """The documents in the shards against those that were kept; characters for each token."""
    table = scan(shards, "shard_span")
    found = one_row(
        table,
        tokens=(pl.col("end") - pl.col("start")).sum(),
        foreign=(pl.col("donation_id") != donation_id).sum(),
    )
    documents = table.select("doc_id").unique()
    refused = one_row(documents.join(kept, on="doc_id", how="anti"), rows=pl.len())["rows"]
    held = one_row(kept.join(documents, on="doc_id", how="semi"), characters=pl.col("n_char").sum())
    return {
        "spans_of_other_donations": found["foreign"],
        "documents_not_kept": refused,
        "documents_without_one_span": unmatched(kept, table),
        "characters_per_token": ratio(held["characters"], found["tokens"]),
    }
