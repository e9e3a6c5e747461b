"""Delimited tables inside a text, so that a column's heading can explain the values below it."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple


class Cell(NamedTuple):
    """A cell below a heading; ``start`` and ``end`` are places in the text, without quotes."""

    heading: str
    start: int
    end: int


_FIELD = {
    ";": re.compile(r'"[^"\n]*"|[^;\n]*'),
    "\t": re.compile(r"[^\t\n]*"),
    "|": re.compile(r"[^|\n]*"),
    ",": re.compile(r'"[^"\n]*"|[^,\n]*'),
}
_HEADING = re.compile(r'["\w][^\d;\t|,\n]{0,30}')
_LONGEST_HEADING = 36
_LINE = re.compile(r"[^\n]*(?:\n|\Z)")


@lru_cache(maxsize=64)
def cells(text: str) -> tuple[Cell, ...]:
    """All cells of all tables in *text*, in order.

    A table is a line of at least two short fields without digits, split by ``;``, tab, ``|`` or
    ``,``, and the following lines with as many fields.
    """
    if not any(f"{mark}" in text for mark in _FIELD):
        return ()
    return tuple(_cells(text))


def open_heading(text: str) -> str:
    """The line of headings of the table that the end of *text* stands in, or an empty string."""
    last = max((cell.end for cell in cells(text)), default=-1)
    if last < len(text.rstrip("\n")):
        return ""
    lines = list(_lines_of_headings(text))
    return lines[-1] if lines else ""


def _lines_of_headings(text: str) -> Iterator[str]:
    found = cells(text)
    rows = {text.rfind("\n", 0, cell.start) for cell in found}
    for row in sorted(rows):
        above = text.rfind("\n", 0, max(row, 0))
        if row >= 0 and above not in rows:
            yield text[above + 1 : row + 1]


def _cells(text: str) -> Iterator[Cell]:
    headings: list[str] = []
    mark = ""
    for match in _LINE.finditer(text):
        line, offset = match.group().rstrip("\n"), match.start()
        if headings:
            fields = list(_fields(line, mark))
            if len(fields) == len(headings):
                for heading, (start, end) in zip(headings, fields, strict=True):
                    yield Cell(heading, offset + start, offset + end)
                continue
            headings = []
        mark = next((m for m in _FIELD if line.count(m) >= (3 if m == "," else 2)), "")
        if mark and line.lstrip().find(mark) < _LONGEST_HEADING:
            names = (line[start:end].strip() for start, end in _fields(line, mark))
            headings = []
            for name in names:
                if name and not _HEADING.fullmatch(name):
                    headings = []
                    break
                headings.append(name.lower())


def _fields(line: str, mark: str) -> Iterator[tuple[int, int]]:
    place = 0
    while place <= len(line):
        match = _FIELD[mark].match(line, place)
        if match is None:
            break
        start, end = match.span()
        if end - start >= 2 and line[start] == line[end - 1] == '"':
            start, end = start + 1, end - 1
        yield start, end
        place = match.end() + 1


def header_at(text: str, place: int) -> str | None:
    """The heading of the column that *place* stands in, or None outside tables."""
    found = cells(text)
    index = bisect_right(found, place, key=lambda cell: cell.start) - 1
    if index >= 0 and place < found[index].end:
        return found[index].heading
    return None
