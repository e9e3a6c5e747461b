"""Gettext PO: one document for each translated message."""

import re
from collections.abc import Iterator

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item, Skipped, whole_text
from dsk_assets.intake.sources import Source

_STRING = re.compile(r'^(msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)?\s*"(.*)"\s*$')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The translations in *source*, without its header; unconfirmed ("fuzzy") ones are skipped."""
    for entry in re.split(r"\r?\n[ \t]*\r?\n", whole_text(source, encoding)):
        strings = _strings(entry)
        if strings.get("msgid"):
            text = "\n".join(v for k, v in strings.items() if k.startswith("msgstr") and v)
            if text and re.search(r"(?m)^#,.*\bfuzzy\b", entry):
                yield Skipped("a message's translation is marked as fuzzy")
            elif text:
                yield text


def _strings(entry: str) -> dict[str, str]:
    """The strings of one entry by keyword, lines joined and escapes undone."""
    strings: dict[str, str] = {}
    keyword = ""
    for line in entry.splitlines():
        found = _STRING.match(line)
        if found:
            keyword = found[1] or keyword
            strings[keyword] = strings.get(keyword, "") + found[2]
    return {
        name: _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), value)
        for name, value in strings.items()
    }
