"""Reading the consortium's YAML files: registers and settings that people keep.

They are taken at their word or refused. Unknown fields, missing fields, fields given twice and ids
used twice are errors: a misspelt permission must never read as a default.
"""

from collections.abc import Hashable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from dsk_assets.errors import SettingsError


class Entry(BaseModel):
    """One entry of a register; values are taken as they stand, never converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


AnyEntry = TypeVar("AnyEntry", bound=Entry)
AnyModel = TypeVar("AnyModel", bound=BaseModel)

REMEDIES = {
    "missing": ("is missing", "add it"),
    "extra_forbidden": ("is not a field of this register", "remove it or correct its spelling"),
    "string_type": ("is not text", "put it in quotes"),
    "date_type": ("is not a date", "write it as 2026-11-23, without quotes"),
    "bool_type": ("is neither true nor false", "write true or false, without quotes"),
}
"""What is wrong and what to do, by pydantic's name of the error."""


class _Loader(yaml.SafeLoader):
    """YAML in which a field given twice is an error instead of the last one winning."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"field {name} is given twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; :class:`SettingsError` where it is missing or unreadable."""
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)
    except FileNotFoundError:
        raise SettingsError(
            f"{path.name} is not in {path.parent} — add it, or set DSK_CONSORTIUM to the folder "
            "that holds it"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise SettingsError(
            f"{path.name} is not readable YAML in UTF-8: {detail} — correct it"
        ) from None


def read_config(path: Path, kind: type[AnyModel]) -> AnyModel:
    """The YAML file *path* as a *kind*.

    Raises :class:`SettingsError` naming file, field and value: unknown fields are refused.
    """
    try:
        return kind.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    wrong = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error" and isinstance(first["input"], dict | list):
        raise SettingsError(": ".join(filter(None, (path.name, field, wrong))) + " — correct it")
    field = field or "its content"
    value = "missing" if first["type"] == "missing" else repr(first["input"])
    raise SettingsError(f"{path.name}: {field} is {value}: {wrong} — correct it")


def read_register(path: Path, kind: type[AnyEntry], key: str) -> list[AnyEntry]:
    """The entries of the register *path*, each a *kind*, sorted by their field *key*.

    Raises :class:`SettingsError` that names file, entry, field and value, and says what to do.
    """
    content = read_yaml(path)
    if not isinstance(content, list):
        raise SettingsError(
            f"{path.name} holds {type(content).__name__} — write a list, one entry for each {key}"
        )
    entries = [_entry(path.name, kind, key, n, item) for n, item in enumerate(content, start=1)]
    entries.sort(key=lambda entry: str(getattr(entry, key)))
    for before, after in pairwise(entries):
        if getattr(before, key) == getattr(after, key):
            raise SettingsError(
                f"{path.name}: two entries have {key} {getattr(after, key)!r} — give each its own"
            )
    return entries


def _entry(file: str, kind: type[AnyEntry], key: str, number: int, item: object) -> AnyEntry:
    try:
        return kind.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
    name = item.get(key) if isinstance(item, dict) else None
    place = f"{file}, entry {number}" + (f" ({name})" if name else "")
    field = ".".join(str(part) for part in first["loc"]) or "the entry"
    wrong, remedy = REMEDIES.get(
        first["type"], (first["msg"][:1].lower() + first["msg"][1:], "correct it")
    )
    value = "" if first["type"] == "missing" else f": {first['input']!r}"
    raise SettingsError(f"{place}: {field} {wrong}{value} — {remedy}")
