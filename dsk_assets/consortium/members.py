"""The register of members: organisations with their public page and their declaration."""

import datetime as dt
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import Field

from dsk_assets.consortium.reading import Entry, read_register

FILE = "members.yaml"

SCHEMA = pa.schema(
    [
        ("member_id", pa.string()),
        ("legal_name", pa.string()),
        ("cvr", pa.string()),
        ("sector", pa.string()),
        ("joined_on", pa.string()),
        ("page_url", pa.string()),
        ("principles_version", pa.string()),
        ("declared_on", pa.string()),
    ]
)


class Member(Entry):
    """An organisation of the consortium."""

    member_id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    legal_name: str = Field(min_length=2)
    cvr: str = Field(pattern=r"^[1-9][0-9]{7}$")
    """Number in the Central Business Register."""
    sector: Literal["public", "private", "association", "research"]
    joined_on: dt.date
    page_url: str = Field(pattern=r"^https://")
    """The member's public page about taking part."""
    principles_version: str = Field(pattern=r"^[0-9]+\.[0-9]+$")
    """The version of the principles (``PRINCIPLES.md``) that the member declared to follow."""
    declared_on: dt.date


def load_members(consortium: Path) -> list[Member]:
    """The entries of ``members.yaml``; :class:`SettingsError` where one is not right."""
    return read_register(consortium / FILE, Member, "member_id")
