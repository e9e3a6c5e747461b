"""What the members use Danish language models for: shared openly, shown in the model cards."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from dsk_assets.consortium import members
from dsk_assets.consortium.reading import Entry, read_register
from dsk_assets.errors import SettingsError

FILE = "use_cases.yaml"

SCHEMA = pa.schema(
    [
        ("use_case_id", pa.string()),
        ("member_id", pa.string()),
        ("title_da", pa.string()),
        ("title_en", pa.string()),
        ("description", pa.string()),
        ("date", pa.string()),
        ("url", pa.string()),
    ]
)


class UseCase(Entry):
    """One use that a member shares with the others."""

    use_case_id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    member_id: str
    title_da: str = Field(min_length=1)
    title_en: str = Field(min_length=1)
    description: str = Field(min_length=1)
    date: dt.date
    url: str = Field(pattern=r"^https://")


def load_use_cases(consortium: Path) -> list[UseCase]:
    """The entries of ``use_cases.yaml``; :class:`SettingsError` where one is not right."""
    entries = read_register(consortium / FILE, UseCase, "use_case_id")
    known = {member.member_id for member in members.load_members(consortium)}
    for entry in entries:
        if entry.member_id not in known:
            raise SettingsError(
                f"{FILE}, {entry.use_case_id}: no member has member_id {entry.member_id!r} — "
                f"correct it, or add the member to {members.FILE}"
            )
    return entries
