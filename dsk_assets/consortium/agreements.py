"""What each rights holder allowed: licence or contract, purposes, permissions and period.

The evidence of an agreement is a file in the consortium's folder. Its digest stands in the
register, so that evidence changed after the approval is refused.
"""

import datetime as dt
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import Field

from dsk_assets.consortium import members
from dsk_assets.consortium.reading import Entry, read_register
from dsk_assets.errors import SettingsError
from dsk_assets.lake.digests import sha256_file

FILE = "agreements.yaml"

Purpose = Literal[
    "pre-training", "alignment", "evaluation", "quality-assurance", "synthetic-data-generation"
]
"""Purposes by their names in the OASIS Data Provenance Metadata, as donation manifests use them."""

COLUMNS: list[tuple[str, pa.DataType]] = [
    ("agreement_id", pa.string()),
    ("party", pa.string()),
    ("member_cvr", pa.string()),
    ("licence_code", pa.string()),
    ("evidence_kind", pa.string()),
    ("evidence_file", pa.string()),
    ("evidence_sha256", pa.string()),
    ("may_train", pa.bool_()),
    ("may_release_model", pa.bool_()),
    ("may_publish_data", pa.bool_()),
    ("purposes", pa.list_(pa.string())),
    ("valid_from", pa.string()),
    ("valid_to", pa.string()),
    ("approved_by_role", pa.string()),
    ("approved_on", pa.string()),
    ("supersedes", pa.string()),
]
SCHEMA = pa.schema(COLUMNS)


class Agreement(Entry):
    """What one rights holder allowed."""

    agreement_id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    party: str = Field(min_length=2)
    """Legal name of the rights holder or of whoever may act for it."""
    member_cvr: str = Field(pattern=r"^[1-9][0-9]{7}$")
    """The member that donates under the agreement."""
    licence_code: str = Field(min_length=2)
    """SPDX licence, or ``LicenseRef-…`` of a text in the folder ``licences``."""
    evidence_kind: Literal[
        "signed-agreement", "email", "public-licence-page", "board-decision", "statute"
    ]
    evidence_file: str = Field(pattern=r"^[^/.][^/]*(/[^/.][^/]*)*$")
    """Path of the evidence below the consortium's folder."""
    evidence_sha256: str = Field(pattern=r"^[a-f0-9]{64}$")
    may_train: bool
    may_release_model: bool
    may_publish_data: bool
    purposes: list[Purpose] = Field(min_length=1)
    valid_from: dt.date
    valid_to: dt.date | None
    """The last day on which the agreement holds; null for an agreement without an end."""
    approved_by_role: str = Field(min_length=2)
    approved_on: dt.date
    supersedes: str | None = None


def load_agreements(consortium: Path) -> list[Agreement]:
    """The entries of ``agreements.yaml``, checked against their evidence and the members.

    Raises :class:`SettingsError` for an entry that is not right, evidence that is missing or
    changed, a period that ends before it begins, an unknown member or a superseded agreement
    that does not exist.
    """
    entries = read_register(consortium / FILE, Agreement, "agreement_id")
    known = {member.cvr for member in members.load_members(consortium)}
    ids = {entry.agreement_id for entry in entries}
    for entry in entries:
        place = f"{FILE}, {entry.agreement_id}"
        if entry.member_cvr not in known:
            raise SettingsError(
                f"{place}: no member has member_cvr {entry.member_cvr} — correct it, or add the "
                f"member to {members.FILE}"
            )
        if entry.valid_to is not None and entry.valid_to < entry.valid_from:
            raise SettingsError(
                f"{place}: valid_to {entry.valid_to} lies before valid_from {entry.valid_from} — "
                "correct one of them"
            )
        if entry.supersedes is not None and entry.supersedes not in ids:
            raise SettingsError(
                f"{place}: supersedes {entry.supersedes!r}, which is no agreement — correct it, "
                "or keep the older agreement in the register"
            )
        _check_evidence(place, entry, consortium)
    return entries


def _check_evidence(place: str, entry: Agreement, consortium: Path) -> None:
    path = consortium / entry.evidence_file
    if not path.is_file():
        raise SettingsError(
            f"{place}: evidence_file {entry.evidence_file} does not exist — put the evidence there"
        )
    found = sha256_file(path)
    if found != entry.evidence_sha256:
        raise SettingsError(
            f"{place}: {entry.evidence_file} has sha256 {found}, not evidence_sha256 "
            f"{entry.evidence_sha256} — restore the file that was approved, or have the changed "
            "one approved as a new agreement"
        )
