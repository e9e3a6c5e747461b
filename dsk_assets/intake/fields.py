"""The kinds of values that fields of a donation manifest hold, and what is wrong with others."""

import datetime as dt
import re
from calendar import monthrange
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from dsk_assets.consortium.licences import canonical_licence
from dsk_assets.settings import EU_COUNTRIES, EU_REGIONS

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
"""Control characters, and those that turn a name's direction or have no width."""


def _day(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError(f"{value!r} is not a date — write it as 2026-10-31")
    return value


def _inside(path: str) -> str:
    parts = path.split("/")
    plain = PurePosixPath(path)
    if "\\" in path or plain.is_absolute() or ".." in parts or str(plain) != path or path == ".":
        raise ValueError(
            f"{path!r} does not stay inside the donation's folder — write it relative to the "
            "folder, with / between its parts and without .. or \\"
        )
    if _UNSEEN.search(path):
        raise ValueError(f"{path!a} holds characters that cannot be seen — rename the file")
    return path


def _eu(country: str) -> str:
    if country not in EU_COUNTRIES:
        raise ValueError(
            f"{country!r} is not an EU member state — donated data may not leave the EU; name "
            "EU countries only, such as DK"
        )
    return country


def _region(region: str) -> str:
    if region not in EU_REGIONS and region.partition(" ")[0] not in EU_COUNTRIES:
        raise ValueError(
            f"{region!r} is not a known region inside the EU — donated data may not leave the "
            f"EU; use one of {', '.join(sorted(EU_REGIONS))}, or name another place after its EU "
            "country, such as 'DK Eksempelkælderen'"
        )
    return region


def first_day(date: str) -> str:
    """The first day of a day, month or year; ``unknown`` stays."""
    return date if date == "unknown" else (date + "-01-01")[:10]


def last_day(date: str) -> str:
    """The last day of a day, month or year; ``unknown`` stays."""
    if date == "unknown" or len(date) == 10:
        return date
    year, month = int(date[:4]), int(date[5:] or 12)
    return f"{year:04d}-{month:02d}-{monthrange(year, month)[1]}"


def _in_calendar(date: str) -> str:
    if date != "unknown":
        try:
            dt.date.fromisoformat(first_day(date))
        except ValueError:
            raise ValueError(f"{date!r} is not in the calendar — correct it") from None
    return date


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Day = Annotated[dt.date, BeforeValidator(_day)]
PartialDate = Annotated[
    str,
    Field(pattern=r"^([0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?|unknown)$"),
    AfterValidator(_in_calendar),
]
Cvr = Annotated[str, Field(pattern=r"^[1-9][0-9]{7}$")]
Sha256 = Annotated[str, Field(pattern=r"^[a-f0-9]{64}$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
Url = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")]
LanguageTag = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
EuCountry = Annotated[str, AfterValidator(_eu)]
StorageRegion = Annotated[str, AfterValidator(_region)]
Supersedes = Annotated[str, Field(pattern=r"^dsk-[0-9]{4}-[0-9]{4,6}(@[0-9]+\.[0-9]+\.[0-9]+)?$")]
RelativePath = Annotated[Text, AfterValidator(_inside)]
Licence = Annotated[str, AfterValidator(canonical_licence)]
