"""Gates ``statistics``, ``language`` and ``personal_data``: what the screening made of a donation.

They read ids, lengths and counts, never a text.
"""

from typing import Any

import polars as pl

from dsk_assets.consortium.policy import policy_for
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates.judging import judge, one_row, ratio, scan, unmatched
from dsk_assets.gates.suites import Measures

CODE_VERSION = "2"
OUTCOMES = ("ok", "empty", "unsupported", "error")
UNREAD = ("unsupported", "error")
FAILED = ("recogniser-error", "recogniser-stopped")
"""Reasons for which a document is withheld because its search failed."""
REVIEW = "filtering/review"
REVIEW_FILE = "review.json"
RECALL = "filtering/recall"
RECALL_FILE = "scores.json"
PERSON = "PERSON"


def statistics(catalog: Catalog, donation: str) -> Snapshot:
    """Judge the documents of *donation*: each landed file accounted for, ids unique, lengths."""
    landing = catalog.require("donations/landing", donation).only("manifest.json")
    documents = catalog.require("donations/documents", donation)

    def measure() -> Measures:
        landed = {file["sha256"] for file in landing.json("manifest.json")["files"]}
        return file_measures(landed, documents) | document_measures(documents)

    return judge(
        catalog, "statistics", documents, measure, code_version=CODE_VERSION, inputs=[landing]
    )


def file_measures(landed: set[str], documents: Snapshot) -> dict[str, float | int | None]:
    """What became of the files with the digests *landed*."""
    rows = scan(documents, "source_file").select("file_id", "outcome", "documents").collect()
    known = rows.filter(pl.col("outcome").is_in(OUTCOMES))
    counted = int(rows["documents"].sum())
    written = one_row(scan(documents, "document"), rows=pl.len())["rows"]
    return {
        "files_without_outcome": len(landed - set(known["file_id"])) + rows.height - known.height,
        "share_of_files_unread": ratio(
            rows.filter(pl.col("outcome").is_in(UNREAD)).height, rows.height
        ),
        "documents_unaccounted": abs(counted - written),
    }


def document_measures(documents: Snapshot) -> dict[str, float | int | None]:
    """Number, ids and lengths (in characters) of the documents."""
    length = pl.col("n_char")
    found = one_row(
        scan(documents, "document"),
        documents=pl.len(),
        ids=pl.col("doc_id").n_unique(),
        characters=length.sum(),
        characters_min=length.min(),
        characters_median=length.median(),
        characters_max=length.max(),
        empty=(length == 0).sum(),
    )
    empty = found.pop("empty")
    return {
        "duplicate_ids": found["documents"] - found.pop("ids"),
        "share_of_empty_documents": ratio(empty, found["documents"]),
        **found,
    }


def language(catalog: Catalog, donation: str) -> Snapshot:
    """Judge the languages of *donation*: the share of its characters in an accepted language."""
    documents = catalog.require("donations/documents", donation).only("document/")
    languages = catalog.require("filtering/language", donation)

    def measure() -> Measures:
        rows = scan(languages, "language")
        found = one_row(
            rows,
            characters=pl.col("n_char").sum(),
            accepted=(pl.col("accepted_share") * pl.col("n_char")).sum(),
        )
        return {
            "documents_without_one_language": unmatched(scan(documents, "document"), rows),
            "accepted_share_of_characters": ratio(found["accepted"], found["characters"]),
        }

    return judge(
        catalog, "language", languages, measure, code_version=CODE_VERSION, inputs=[documents]
    )


def personal_data(catalog: Catalog, donation: str) -> Snapshot:
    """Judge the search for personal data: what is left in the text that is kept, what failed.

    What is left is measured three times: CPR numbers that a second implementation finds, invented
    identifiers planted in copies that were missed, and, where a person has reviewed a sample of
    these very texts, the upper bound on leaks against the limit of the donation's policy. How much
    the recognisers find of labelled text is told where it was measured with these very ones.
    """
    documents = catalog.require("donations/documents", donation).only("document/")
    screened = catalog.require("filtering/personal_data", donation)
    reviewed = review_of(catalog, screened)
    recall = catalog.latest(RECALL)
    limit = policy_for(catalog.settings.consortium, donation.split("@")[0]).residual_risk.max_leaks

    def measure() -> Measures:
        return {
            **search_measures(documents, screened),
            **canary_measures(screened),
            **review_measures(reviewed, limit),
            **recall_measures(recall, screened),
        }

    return judge(
        catalog,
        "personal_data",
        screened,
        measure,
        code_version=CODE_VERSION,
        inputs=[documents, *(one for one in (reviewed, recall) if one)],
        config={"maxLeaks": limit},
    )


def search_measures(documents: Snapshot, screened: Snapshot) -> Measures:
    """Documents by outcome, and what the second search found in those that are kept."""
    outcomes = scan(screened, "pii_outcome")
    kept = pl.col("outcome") == "kept"
    failed = pl.col("reason").fill_null("").is_in(FAILED)
    found = one_row(
        outcomes,
        documents=pl.len(),
        kept=kept.sum(),
        residual=pl.col("residual").filter(kept).fill_null(1).sum(),
        errors=failed.sum(),
        errors_kept=(failed & kept).sum(),
    )
    return {
        "documents_without_one_outcome": unmatched(scan(documents, "document"), outcomes),
        "documents_against_outcome": unmatched(outcomes.filter(kept), scan(screened, "document")),
        "documents_kept": found["kept"],
        "residual_findings": found["residual"],
        "recogniser_errors": found["errors"],
        "recogniser_errors_kept": found["errors_kept"],
        "share_withheld": ratio(found["documents"] - found["kept"], found["documents"]),
    }


def canary_measures(screened: Snapshot) -> Measures:
    """Invented identifiers planted in copies of the documents, and those left standing."""
    found = one_row(
        scan(screened, "canary"), planted=pl.col("planted").sum(), missed=pl.col("missed").sum()
    )
    return {"canaries_planted": found["planted"], "canaries_missed": found["missed"]}


def review_measures(reviewed: Snapshot | None, limit: float) -> Measures:
    """Whether a person has reviewed a sample, and the upper bound that gave; None without one."""
    bound = None if reviewed is None else reviewed.json(REVIEW_FILE)["bound"]
    return {
        "reviewed": int(reviewed is not None),
        "leaks_at_most": bound,
        "leaks_against_limit": None if bound is None else round(bound / limit, 6),
    }


def recall_measures(recall: Snapshot | None, screened: Snapshot) -> Measures:
    """Lowest measured recall of names, of name groups and of all other types.

    None where it was not measured with the recognisers, lists and models of *screened*.
    """
    if recall is None or recall.json(RECALL_FILE)["digests"] != _searched_with(screened):
        types: dict[str, float] = {}
        groups: dict[str, float] = {}
    else:
        types, groups = dict(recall.counts["recall"]), dict(recall.counts["recall_by_group"])
    return {
        "recall_measured": int(bool(types)),
        "recall_of_names": types.pop(PERSON, None),
        "recall_of_identifiers": min(types.values(), default=None),
        "recall_of_name_groups": min(groups.values(), default=None),
    }


def _searched_with(screened: Snapshot) -> Any:
    build = screened.statement["predicate"]["buildDefinition"]
    return build["internalParameters"]["config"].get("digests")


def review_of(catalog: Catalog, screened: Snapshot) -> Snapshot | None:
    """The finished review of the very texts of *screened*, or None."""
    newest = catalog.latest(REVIEW, screened.partition)
    if newest is None or newest.json(REVIEW_FILE)["documents"] != reviewed_texts(screened).digest:
        return None
    return newest


def reviewed_texts(screened: Snapshot) -> Snapshot:
    """The part of *screened* that a review reads."""
    return screened.only("document/")
