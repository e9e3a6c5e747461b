"""CSV and TSV: one document a row."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item, Skipped, open_text
from dsk_assets.intake.limits import CHUNK, MAX_RECORD, megabytes
from dsk_assets.intake.readers.records import record_text
from dsk_assets.intake.sniff import row_widths
from dsk_assets.intake.sources import Source

if TYPE_CHECKING:
    import _csv

_SEPARATOR = re.compile(r"\ufeff?sep=(.)\r?\n", re.IGNORECASE)
"""A first line that tells Excel the delimiter."""
_VALUE = re.compile(r"[-+]?[\d.,:/ -]*\d[\d.,:/ %-]*|.*@.*|.{61,}", re.DOTALL)


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of each row: its text columns, else ``header: value`` lines."""
    csv.field_size_limit(MAX_RECORD)
    with open_text(source, encoding, newline="") as stream:
        head = stream.read(CHUNK)
    named = _SEPARATOR.match(head)
    delimiter = named[1] if named else _delimiter(head)
    with open_text(source, encoding, newline="") as stream:
        if named:
            stream.readline()
        yield from texts_of_rows(_rows(csv.reader(stream, delimiter=delimiter)))


def _rows(reader: "_csv.Reader") -> Iterator[list[str] | Skipped]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Skipped(
                f"the row before line {reader.line_num + 1} has a cell longer than "
                f"{megabytes(MAX_RECORD)} or an unclosed quote"
            )
        else:
            yield row


def texts_of_rows(rows: Iterable[Sequence[str] | Skipped]) -> Iterator[str | Skipped]:
    """The text of each row that holds anything, with names of columns from a header row."""
    cells: Iterator[Sequence[str] | Skipped] = (
        row for row in rows if isinstance(row, Skipped) or any(cell.strip() for cell in row)
    )
    first = next(cells, None)
    if first is None:
        return
    header: Sequence[str] = ()
    if not isinstance(first, Skipped) and is_header(first):
        header = [cell.strip() for cell in first]
    else:
        cells = chain([first], cells)
    for row in cells:
        if isinstance(row, Skipped):
            yield row
        elif header:
            names = zip_longest(header, row[: len(header)], fillvalue="")
            yield record_text([dict([pair]) for pair in names] + list(row[len(header) :]))
        else:
            yield "\t".join(cell.strip() for cell in row)


def is_header(row: Sequence[str]) -> bool:
    """Whether *row* looks like names of columns: short, filled, different, no values."""
    names = [cell.strip().lower() for cell in row]
    return (
        all(names)
        and len(set(names)) == len(names)
        and not any(_VALUE.fullmatch(name) for name in names)
    )


def _delimiter(head: str) -> str:
    """The delimiter under which the first rows are widest in the most regular way."""
    lines = head.splitlines()[:100]

    def regularity(delimiter: str) -> tuple[float, int]:
        widths = row_widths(lines, delimiter) or [1]
        common = max(set(widths), key=lambda width: (widths.count(width), width))
        return (widths.count(common) / len(widths) if common > 1 else 0.0, common)

    return max(("\t", ";", ",", "|"), key=regularity)
