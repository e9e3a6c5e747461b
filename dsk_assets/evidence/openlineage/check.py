"""Check events against the schemas they name, without a network.

The event is checked against its ``schemaURL`` and every facet against its own ``_schemaURL``: the
schema of the event alone accepts nearly any facet. A facet must also stand under the name that its
schema gives it.
"""

import datetime as dt
import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urldefrag, urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.protocols import Validator
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable


def _is_date_time(value: object) -> bool:
    """RFC 3339: a date, a time and an offset."""
    if not isinstance(value, str):
        return True
    moment = dt.datetime.fromisoformat(value)
    return "T" in value.upper() and moment.tzinfo is not None


def _is_uri(value: object) -> bool:
    """RFC 3986: something with a scheme, and no white space."""
    if not isinstance(value, str):
        return True
    parts = urlsplit(value)
    return bool(parts.scheme and (parts.netloc or parts.path)) and not any(map(str.isspace, value))


FORMATS = FormatChecker()
"""What jsonschema checks by itself (dates, UUIDs), and two formats that it leaves to packages."""
FORMATS.checks("date-time", ValueError)(_is_date_time)
FORMATS.checks("uri", ValueError)(_is_uri)


@cache
def schemas() -> Registry[Any]:
    """All schemas that are shipped, by their ``$id``."""
    folder = resources.files("dsk_assets.evidence.openlineage") / "schemas"
    contents = [
        json.loads(file.read_text("utf-8"))
        for group in ("openlineage", "dsk")
        for file in (folder / group).iterdir()
        if file.name.endswith(".json")
    ]
    return Registry().with_resources(
        [(content["$id"], Resource.from_contents(content)) for content in contents]
    )


@cache
def _validator(url: str) -> Validator:
    schemas().resolver().lookup(url)
    return Draft202012Validator({"$ref": url}, registry=schemas(), format_checker=FORMATS)


@cache
def _names(url: str) -> frozenset[str]:
    """The facet names that the schema document behind *url* provides for."""
    document = schemas().contents(urldefrag(url).url)
    return frozenset(document.get("properties", {}))


def problems(event: Any) -> list[str]:
    """What is wrong with *event*, each with its place; empty for a good one."""
    if not isinstance(event, dict):
        return ["is not a JSON object"]
    found = list(_problems(event, event.get("schemaURL"), "event"))
    for place, name, facet in _facets(event):
        url = facet.get("_schemaURL") if isinstance(facet, dict) else None
        found += _problems(facet, url, f"{place}.{name}", name)
    return found


def _problems(value: Any, url: Any, place: str, name: str | None = None) -> Iterator[str]:
    if not isinstance(url, str):
        yield f"{place}: names no schema"
        return
    try:
        validator = _validator(url)
    except Unresolvable:
        yield f"{place}: its schema {url} is not shipped"
        return
    if name is not None and name not in _names(url):
        yield f"{place}: its schema is for {', '.join(sorted(_names(url))) or 'another facet'}"
    for error in validator.iter_errors(value):
        yield f"{place}: {error.json_path}: {_reason(error)}"


def _reason(error: Any) -> str:
    return f"{error.validator} is not met: {json.dumps(error.validator_value)[:120]}"


def _facets(event: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for part in ("run", "job"):
        owner = event.get(part)
        if isinstance(owner, dict):
            yield from _of(owner, "facets", part)
    for side, own in (("inputs", "inputFacets"), ("outputs", "outputFacets")):
        datasets = event.get(side)
        for number, dataset in enumerate(datasets if isinstance(datasets, list) else ()):
            if isinstance(dataset, dict):
                yield from _of(dataset, "facets", f"{side}[{number}]")
                yield from _of(dataset, own, f"{side}[{number}]")


def _of(owner: dict[str, Any], field: str, place: str) -> Iterator[tuple[str, str, Any]]:
    facets = owner.get(field)
    if isinstance(facets, dict):
        for name, facet in facets.items():
            yield f"{place}.{field}", name, facet
