"""Excel workbooks: one document a row, from every sheet, hidden ones too."""

from collections.abc import Iterator
from typing import Any

import openpyxl

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item
from dsk_assets.intake.readers.table import texts_of_rows
from dsk_assets.intake.sources import Source, document_zip


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of each row, as for CSV; formulas give the value that was last computed."""
    with document_zip(source) as stream:
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        for sheet in book.worksheets:
            rows = ([_cell(value) for value in row] for row in sheet.iter_rows(values_only=True))
            yield from texts_of_rows(_trimmed(row) for row in rows)
        book.close()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _trimmed(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row.pop()
    return row
