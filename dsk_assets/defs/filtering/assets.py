"""From documents to decisions: language, personal data, quality, duplicates."""

from dsk_assets.defs.partitions import DONATION
from dsk_assets.defs.stage import Stage
from dsk_assets.filters import (
    decisions,
    decontamination,
    duplicates,
    language,
    quality,
    signatures,
)
from dsk_assets.gates import admitted
from dsk_assets.gates.screening import RECALL as RECALL_ASSET
from dsk_assets.gates.screening import REVIEW as REVIEW_ASSET
from dsk_assets.privacy import recall, review
from dsk_assets.privacy import stage as privacy

LANGUAGE = Stage(
    "filtering/language",
    language.language,
    language.CODE_VERSION,
    deps=("donations/documents",),
    kinds=frozenset({"python", "parquet"}),
    partitions=DONATION,
    keys=admitted.current_donations,
    gate="language",
    principle="4",
)
RECALL = Stage(
    RECALL_ASSET,
    recall.recall,
    recall.CODE_VERSION,
    kinds=frozenset({"json"}),
    principle="3",
)
PERSONAL_DATA = Stage(
    "filtering/personal_data",
    privacy.personal_data,
    privacy.CODE_VERSION,
    deps=("donations/documents",),
    kinds=frozenset({"presidio", "parquet"}),
    partitions=DONATION,
    keys=admitted.current_donations,
    gate="personal_data",
    principle="3",
    see_also=RECALL_ASSET,
)
REVIEW = Stage(
    REVIEW_ASSET,
    review.recorded,
    review.CODE_VERSION,
    deps=("filtering/personal_data",),
    kinds=frozenset({"json"}),
    partitions=DONATION,
    keys=lambda catalog: catalog.partitions(REVIEW_ASSET),
    principle="3",
)
QUALITY = Stage(
    "filtering/quality",
    quality.quality,
    quality.CODE_VERSION,
    deps=("filtering/personal_data",),
    kinds=frozenset({"polars", "parquet"}),
    partitions=DONATION,
    keys=admitted.current_donations,
    principle="4",
)
SIGNATURES = Stage(
    "filtering/signatures",
    signatures.signatures,
    signatures.CODE_VERSION,
    deps=("filtering/personal_data",),
    partitions=DONATION,
    keys=admitted.current_donations,
    principle="4",
)
CONTAMINATION = Stage(
    "filtering/contamination",
    decontamination.contamination,
    decontamination.CODE_VERSION,
    deps=("filtering/personal_data",),
    partitions=DONATION,
    keys=admitted.current_donations,
    principle="4",
)
ADMITTED = Stage(
    "filtering/admitted",
    admitted.admitted,
    admitted.CODE_VERSION,
    deps=("donations/landing", "filtering/language", "filtering/personal_data"),
    kinds=frozenset({"greatexpectations", "json"}),
    partitions=DONATION,
    keys=admitted.current_donations,
    principle="3",
)
DUPLICATES = Stage(
    "filtering/duplicates",
    duplicates.duplicates,
    duplicates.CODE_VERSION,
    deps=(
        "filtering/admitted*",
        "filtering/language*",
        "filtering/personal_data*",
        "filtering/quality*",
        "filtering/signatures*",
        "filtering/contamination*",
    ),
    principle="4",
)
DECISIONS = Stage(
    "filtering/decisions",
    decisions.decisions,
    decisions.CODE_VERSION,
    deps=(
        "filtering/admitted",
        "filtering/language",
        "filtering/personal_data",
        "filtering/quality",
        "filtering/contamination",
        "filtering/duplicates",
    ),
    kinds=frozenset({"duckdb", "parquet"}),
    partitions=DONATION,
    keys=admitted.admitted_donations,
    principle="4",
)
