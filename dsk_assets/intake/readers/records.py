"""The text of a record: a JSON object, a row of a table.

Fields named as text are the text, together with titles, in the order of the record and at any
depth. A record without such a field is given as ``name: value`` lines, so that nothing vanishes.
"""

import json
from collections.abc import Iterator
from typing import Any

from dsk_assets.intake.encoding import MIXED

# fmt: off
TEXT_NAMES = frozenset((
    "text", "tekst", "content", "indhold", "body", "broedtekst", "brødtekst", "raw_content",
    "article", "artikel", "fulltext", "full_text", "fuldtekst", "document", "dokument",
    "message", "besked", "abstract",
))
TITLE_NAMES = frozenset((
    "title", "titel", "headline", "overskrift", "rubrik", "subject", "emne", "heading",
))
# fmt: on


def is_text_name(name: str) -> bool:
    """Whether a field of this name holds text or its title."""
    return name.strip().lower() in TEXT_NAMES


def parse_record(text: str) -> Any:
    """The JSON value in *text*; of a field that is given twice, both values, as a list.

    Raises ``ValueError`` or ``RecursionError`` where it is not JSON, or nests too deeply.
    """
    return json.loads(text, object_pairs_hook=_with_repeated)


def _with_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        fields = {name: [value for one, value in pairs if one == name] for name in fields}
    return fields


def record_text(record: Any) -> str:
    """The text of *record*, empty where it holds none."""
    leaves = list(_leaves("", record))
    if any(is_text_name(name) for name, value in leaves if isinstance(value, str)):
        kept = (
            value.strip()
            for name, value in leaves
            if isinstance(value, str) and name.strip().lower() in TEXT_NAMES | TITLE_NAMES
        )
        return "\n\n".join(value for value in kept if value)
    lines = ((name, str(value).strip()) for name, value in leaves)
    return "\n".join(f"{name}: {value}" if name else value for name, value in lines if value)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Names and scalar values; values in a list bear the name of the list."""
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _leaves(str(inner), item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(name, item)
    elif isinstance(value, bytes):
        yield from _of_bytes(name, value)
    elif value is not None and not isinstance(value, bool):
        yield name, value


def _of_bytes(name: str, value: bytes) -> Iterator[tuple[str, str]]:
    """Text that was stored without being marked as text; other bytes, such as pictures, are none.

    Fields that are named as text hold text in any case.
    """
    try:
        yield name, value.decode()
    except UnicodeDecodeError:
        if is_text_name(name) or name.strip().lower() in TITLE_NAMES:
            yield name, value.decode("utf-8", MIXED)
