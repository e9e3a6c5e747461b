"""The redacted documents of a donation, and the gates that let a filter read them."""

from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Snapshot


def redacted_documents(catalog: Catalog, donation: str) -> tuple[Snapshot, list[Snapshot]]:
    """``filtering/personal_data`` of *donation*, and the decisions that admit reading it.

    Demands gates ``approval`` and ``personal_data``; raises :class:`NotAdmittedError` or
    :class:`MissingInputError`.
    """
    landing = catalog.require("donations/landing", donation)
    redacted = catalog.require("filtering/personal_data", donation)
    return redacted, [
        admission.require(catalog, "approval", landing),
        admission.require(catalog, "personal_data", redacted),
    ]
