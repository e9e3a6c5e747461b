"""What a donation's policy says of each of its documents alone, before duplicates are looked for.

Duplicates are looked for among the documents that pass here, so that none is dropped in favour of
a document that is dropped itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from dsk_assets.consortium.policy import Policy, policy_for
from dsk_assets.errors import MissingInputError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.filters.ruleset import Rule, for_policy

LANGUAGE_RULE = "accepted-language"
EVALUATION_RULE = "evaluation-overlap"


@dataclass(frozen=True)
class Tagged:
    """A donation's tags, each cut down to the files that verdicts read."""

    documents: Snapshot
    language: Snapshot
    personal_data: Snapshot
    quality: Snapshot
    contamination: Snapshot
    policy: Policy

    @property
    def inputs(self) -> list[Snapshot]:
        """All that :func:`verdicts` reads."""
        return [
            self.documents,
            self.personal_data,
            self.language,
            self.quality,
            self.contamination,
        ]

    @property
    def config(self) -> dict[str, Any]:
        """All settings that change what :func:`verdicts` says."""
        return {
            "min_share": self.policy.language.min_share,
            "max_overlaps": self.policy.decontamination.max_overlaps,
            "rule_set": self.policy.quality.rules,
            "rules": [
                rule.model_dump(mode="json", include={"id", "measure", "min", "max"})
                for rule in for_policy(self.policy.quality).rules
            ],
        }


def tagged(catalog: Catalog, donation: str) -> Tagged:
    """The newest tags of *donation*; :class:`MissingInputError` where a stage has not run."""
    return Tagged(
        documents=catalog.require("donations/documents", donation).only("document/"),
        language=catalog.require("filtering/language", donation),
        personal_data=catalog.require("filtering/personal_data", donation).only("pii_outcome/"),
        quality=catalog.require("filtering/quality", donation),
        contamination=catalog.require("filtering/contamination", donation),
        policy=policy_for(catalog.settings.consortium, donation.partition("@")[0]),
    )


def verdicts(tags: Tagged) -> Iterator[pl.DataFrame]:
    """One row for each document of the donation, in its order, a part of its documents at a time.

    Columns ``doc_id``, ``donation_id``, ``n_char`` and, of the first stage and rule that drop the
    document, ``stage``, ``rule``, ``value`` and ``threshold``; both names are empty where none
    does. All stages write part for part, so that part 3 of each table is about the same documents.
    Raises :class:`MissingInputError` where a stage has lost a document.
    """
    rules = for_policy(tags.policy.quality).rules
    withheld = _reason(
        "personal_data", pl.coalesce("reason", pl.lit("withheld")), pl.col("findings"), None
    )
    reasons = [(pl.col("outcome") != "kept", withheld), *_reasons(tags.policy, rules)]
    columns = {
        "document": ["doc_id", "donation_id", "n_char"],
        "pii_outcome": ["doc_id", "outcome", "reason", "findings"],
        "language": ["doc_id", "accepted_share"],
        "attribute": list(dict.fromkeys(["doc_id", *(rule.measure for rule in rules)])),
        "contamination": ["doc_id", "overlaps"],
    }
    paths = [one.paths(table) for one, table in zip(tags.inputs, columns, strict=True)]
    if len({len(parts) for parts in paths}) > 1:
        raise MissingInputError(
            f"the tags of {tags.documents.partition} are not of the same parts — "
            "materialise them again"
        )
    for part in zip(*paths, strict=True):
        rows, *tagged = (
            pl.read_parquet(path, columns=names)
            for path, names in zip(part, columns.values(), strict=True)
        )
        documents = rows.rename({"n_char": "document_n_char"})
        tagged[2] = tagged[2].with_columns(measured=True)
        for table in tagged:
            documents = documents.join(table, on="doc_id", how="left", maintain_order="left")
        _demand_all(tags, documents)
        n_char = pl.col("document_n_char").alias("n_char")
        yield documents.select("doc_id", "donation_id", n_char, _first(reasons)).unnest("reason")


def judge(tags: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The verdicts of *policy* on documents of which personal data is no question.

    *tags* has one row a document: ``doc_id``, ``donation_id``, ``accepted_share``, the quality
    measures and, where evaluation sets were looked for, ``overlaps``. Returns what
    :func:`verdicts` does, in the order of *tags*.
    """
    if "overlaps" not in tags.columns:
        tags = tags.with_columns(overlaps=pl.lit(None, pl.Int64))
    reasons = _reasons(policy, for_policy(policy.quality).rules)
    columns = ["doc_id", "donation_id", pl.col("n_char").cast(pl.Int64), _first(reasons)]
    return tags.select(columns).unnest("reason")


def _first(reasons: list[tuple[pl.Expr, pl.Expr]]) -> pl.Expr:
    """The first reason whose condition holds, as the struct ``reason``."""
    broken = [pl.when(condition).then(reason) for condition, reason in reasons]
    return pl.coalesce(*broken, _reason("", "", pl.lit(None), None)).alias("reason")


def _reasons(policy: Policy, rules: tuple[Rule, ...]) -> list[tuple[pl.Expr, pl.Expr]]:
    """Conditions on the text that drop a document, in the order of judgement."""
    share, least = pl.col("accepted_share"), policy.language.min_share
    overlaps, most = pl.col("overlaps"), policy.decontamination.max_overlaps
    return [
        (share < least, _reason("language", LANGUAGE_RULE, share, least)),
        *(
            (
                rule.broken(),
                _reason("quality", rule.id, pl.col(rule.measure), rule.threshold),
            )
            for rule in rules
        ),
        (
            overlaps > most,
            _reason("decontamination", EVALUATION_RULE, overlaps, most),
        ),
    ]


def _reason(stage: str, rule: str | pl.Expr, value: pl.Expr, threshold: float | None) -> pl.Expr:
    return pl.struct(
        stage=pl.lit(stage),
        rule=pl.lit(rule) if isinstance(rule, str) else rule,
        value=value.cast(pl.Float64),
        threshold=pl.lit(threshold, pl.Float64),
    )


def _demand_all(tags: Tagged, documents: pl.DataFrame) -> None:
    unmeasured = pl.col("measured").is_null() & (pl.col("outcome") == "kept")
    lost = {
        tags.personal_data.key: documents["outcome"].null_count(),
        tags.language.key: documents["accepted_share"].null_count(),
        tags.quality.key: documents.select(unmeasured.sum()).item(),
    }
    for key, count in lost.items():
        if count:
            raise MissingInputError(
                f"{key} lacks {count} of the donation's {documents.height} documents — "
                "materialise it again"
            )
