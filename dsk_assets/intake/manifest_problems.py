"""What is wrong with a manifest, in plain words: field, value, remedy."""

import difflib
from collections.abc import Iterator, Sequence
from functools import cache

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

PERSONAL = frozenset(
    {
        "donor.contact",
        "donor.contact.name",
        "donor.contact.email",
        "donor.dpo_email",
        "rights.holder",
        "rights.holder.name",
        "rights.approval.approved_by_role",
        "withdrawal.contact",
        "declaration.declared_by",
    }
)
"""Fields that may name a person: their values are never shown."""

EXPECTED = {
    "donation_id": "an id such as dsk-2026-0001",
    "version": "a version such as 1.0.0",
    "supersedes": "the donation that is replaced, such as dsk-2026-0001 or dsk-2026-0001@1.0.0",
    "cvr": "a company number of eight digits",
    "email": "an e-mail address",
    "dpo_email": "an e-mail address",
    "withdrawal.contact": "an e-mail address",
    "url": "a web address such as https://example.dk",
    "source_urls": "a web address such as https://example.dk",
    "art14_notice": "a web address such as https://example.dk",
    "sha256": "a SHA-256 digest of 64 hexadecimal digits",
    "languages": "a language tag such as da",
    "geography": "a country code of two capital letters, such as DK",
    "content_start": "a day, month or year such as 1998 or 1998-04-30, or 'unknown'",
    "content_end": "a day, month or year such as 1998 or 1998-04-30, or 'unknown'",
    "collected_start": "a day, month or year such as 2024 or 2024-04-30, or 'unknown'",
    "collected_end": "a day, month or year such as 2024 or 2024-04-30, or 'unknown'",
    "bytes": "a whole number of bytes, zero or more",
    "records": "a whole number, zero or more",
    "notice_days": "a whole number of days, zero or more",
    "title": "a text in Danish (da) and one in English (en)",
    "description": "a text in Danish (da) and one in English (en)",
}
"""What a field expects, by the last name (or last two names) in its path."""


def problems_of(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """One line for each problem that pydantic found in a manifest."""
    details = error.errors()
    inner = {detail["loc"][:-1] for detail in details} | {d["loc"][:-2] for d in details}
    for detail in details:
        if detail["type"] != "too_short" or detail["loc"] not in inner:
            yield from _lines(detail, model)


def _lines(detail: ErrorDetails, model: type[BaseModel]) -> Iterator[str]:
    field = _path(detail["loc"])
    names = [part for part in detail["loc"] if isinstance(part, str)]
    name = names[-1] if names else ""
    value = "" if ".".join(names) in PERSONAL else f"{_short(detail['input'])} "
    expected = EXPECTED.get(".".join(names[-2:])) or EXPECTED.get(name)
    kind = detail["type"]
    if kind == "missing":
        yield f"{field}: is missing — add it" + (f": {expected}" if expected else "")
    elif kind == "extra_forbidden":
        close = difflib.get_close_matches(name, _known(model), 1)
        yield f"{field}: unknown field — remove it" + (f", or write {close[0]}" if close else "")
    elif kind == "value_error":
        for line in str(detail["ctx"]["error"]).splitlines():
            whole = isinstance(detail["input"], dict)
            yield (f"{field}.{line}" if field else line) if whole else f"{field}: {line}"
    elif kind == "literal_error":
        yield f"{field}: {value}is not allowed — use {detail['ctx']['expected']}"
    elif kind in ("tuple_type", "too_short") and not isinstance(detail["input"], str):
        yield f"{field}: is not a list with at least one value — add one"
    else:
        message = expected or detail["msg"].removeprefix("Input should be ")
        yield f"{field}: {value}is not what belongs here — give {message}"


def _path(loc: Sequence[int | str]) -> str:
    path = ""
    for part in loc:
        path += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


@cache
def _known(model: type[BaseModel]) -> list[str]:
    """Every field name of *model* and its sections."""
    schema = model.model_json_schema()
    sections = [schema, *schema["$defs"].values()]
    return sorted({name for section in sections for name in section.get("properties", {})})
