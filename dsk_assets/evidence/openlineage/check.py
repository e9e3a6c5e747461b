"""Check events against the schemas they name, without a network.

The event is checked against its ``schemaURL`` and every facet against its own ``_schemaURL``: the
schema of the event alone accepts nearly any facet. A facet must also stand under the name that its
schema gives it.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urldefrag

import jsonschema_rs


@cache
def schemas() -> Mapping[str, Any]:
    """All schemas that are shipped, by their ``$id``."""
    folder = resources.files("dsk_assets.evidence.openlineage") / "schemas"
    contents = [
        json.loads(file.read_text("utf-8"))
        for group in ("openlineage", "dsk")
        for file in (folder / group).iterdir()
        if file.name.endswith(".json")
    ]
    return {content["$id"]: content for content in contents}


@cache
def _registry() -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry(list(schemas().items()), retriever=_not_shipped)


def _not_shipped(url: str) -> Any:
    raise LookupError(url)


@cache
def _validator(url: str) -> jsonschema_rs.Draft202012Validator | None:
    """The validator of the schema behind *url*; None where it is not shipped."""
    try:
        return jsonschema_rs.Draft202012Validator(
            {"$ref": url}, registry=_registry(), validate_formats=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return None


@cache
def _names(url: str) -> frozenset[str]:
    """The facet names that the schema document behind *url* provides for."""
    return frozenset(schemas()[urldefrag(url).url].get("properties", {}))


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
    validator = _validator(url)
    if validator is None:
        yield f"{place}: its schema {url} is not shipped"
        return
    if name is not None and name not in _names(url):
        yield f"{place}: its schema is for {', '.join(sorted(_names(url))) or 'another facet'}"
    for error in validator.iter_errors(value):
        at = "/".join(map(str, error.instance_path)) or "the whole"
        yield f"{place}: {at}: {error.kind.name} is not met"


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
