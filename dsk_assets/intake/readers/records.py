"""The text of a record: a JSON object, a row of a table.

Fields named as text are the text, together with titles, in the order of the record and at any
depth. A record without such a field is given as ``name: value`` lines, so that nothing vanishes.
"""

from collections.abc import Iterator
from typing import Any

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
    elif value is not None and not isinstance(value, bool):
        yield name, value
