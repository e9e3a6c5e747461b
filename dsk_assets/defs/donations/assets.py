"""Donations as they arrive, and the documents that are in them."""

from dsk_assets.defs.partitions import DONATION
from dsk_assets.defs.stage import Stage
from dsk_assets.gates.admitted import current_donations
from dsk_assets.intake import documents, landing

LANDING = Stage(
    "donations/landing",
    landing.verify,
    landing.CODE_VERSION,
    deps=("consortium/members", "consortium/agreements"),
    kinds=frozenset({"file"}),
    partitions=DONATION,
    keys=current_donations,
    gate="approval",
    principle="3",
)
DOCUMENTS = Stage(
    "donations/documents",
    documents.documents,
    documents.CODE_VERSION,
    deps=("donations/landing",),
    partitions=DONATION,
    keys=current_donations,
    gate="statistics",
    principle="3",
)
