"""The kinds of values that fields of a donation manifest hold, and what is wrong with others."""

import datetime as dt
import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from dsk_assets.intake.licences import canonical_licence
from dsk_assets.settings import EU_COUNTRIES, EU_REGIONS


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
    return path


def _eu(country: str) -> str:
    if country not in EU_COUNTRIES:
        raise ValueError(
            f"{country!r} is not an EU member state — donated data may not leave the EU; name "
            "EU countries only, such as DK"
        )
    return country


def _region(region: str) -> str:
    if re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region) and region not in EU_REGIONS:
        raise ValueError(
            f"{region!r} is not a known region inside the EU — donated data may not leave the "
            f"EU; use one of {', '.join(sorted(EU_REGIONS))}"
        )
    return region


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Day = Annotated[dt.date, BeforeValidator(_day)]
PartialDate = Annotated[str, Field(pattern=r"^([0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?|unknown)$")]
Cvr = Annotated[str, Field(pattern=r"^[1-9][0-9]{7}$")]
Sha256 = Annotated[str, Field(pattern=r"^[a-f0-9]{64}$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
Url = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")]
LanguageTag = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
EuCountry = Annotated[str, AfterValidator(_eu)]
StorageRegion = Annotated[str, AfterValidator(_region)]
RelativePath = Annotated[Text, AfterValidator(_inside)]
Licence = Annotated[str, AfterValidator(canonical_licence)]
