"""Gates ``statistics``, ``language`` and ``personal_data``: what the screening made of a donation.

They read ids, lengths and counts, never a text.
"""

import polars as pl

from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates.judging import judge, one_row, ratio, scan, unmatched
from dsk_assets.gates.suites import Measures

CODE_VERSION = "1"
OUTCOMES = ("ok", "empty", "unsupported", "error")
UNREAD = ("unsupported", "error")
RECOGNISER_ERROR = "recogniser-error"


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
    """Judge the search for personal data: what is left in the text that is kept, what failed."""
    documents = catalog.require("donations/documents", donation).only("document/")
    screened = catalog.require("filtering/personal_data", donation)

    def measure() -> Measures:
        outcomes = scan(screened, "pii_outcome")
        kept = pl.col("outcome") == "kept"
        failed = pl.col("reason").fill_null("") == RECOGNISER_ERROR
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
            "documents_against_outcome": unmatched(
                outcomes.filter(kept), scan(screened, "document")
            ),
            "documents_kept": found["kept"],
            "residual_findings": found["residual"],
            "recogniser_errors": found["errors"],
            "recogniser_errors_kept": found["errors_kept"],
            "share_withheld": ratio(found["documents"] - found["kept"], found["documents"]),
        }

    return judge(
        catalog, "personal_data", screened, measure, code_version=CODE_VERSION, inputs=[documents]
    )
