"""Readers: one module a format, each with ``read(source, encoding) -> Iterator[Item]``.

A new format is one module and one line in ``READERS`` (and its signature in
:mod:`dsk_assets.intake.sniff`). Modules are imported when the first file of their format comes.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import cast

from dsk_assets.intake import sniff
from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item
from dsk_assets.intake.sources import Source

Reader = Callable[[Source, Encoding], Iterator[Item]]

READERS = {
    sniff.JSONL: "jsonl",
    sniff.JSON: "json",
    sniff.PARQUET: "parquet",
    sniff.CSV: "table",
    sniff.TSV: "table",
    sniff.TEXT: "text",
    sniff.MARKDOWN: "markdown",
    sniff.HTML: "html",
    sniff.DOCX: "docx",
    sniff.XLSX: "xlsx",
    sniff.PDF: "pdf",
    sniff.RTF: "rtf",
    sniff.TEI: "tei",
    sniff.ALTO: "alto",
    sniff.MAIL: "mail",
    sniff.MBOX: "mbox",
    sniff.GETTEXT: "gettext",
    sniff.ZIP: "archive",
}
"""The reader module for each media type that is read."""

TEXTUAL = frozenset(
    {
        sniff.JSONL,
        sniff.JSON,
        sniff.CSV,
        sniff.TSV,
        sniff.TEXT,
        sniff.MARKDOWN,
        sniff.HTML,
        sniff.TEI,
        sniff.ALTO,
        sniff.GETTEXT,
    }
)
"""Media types whose bytes are one text, so that its encoding must be found first."""


def reader(name: str) -> Reader:
    """The function ``read`` of the reader module *name*."""
    return cast(Reader, import_module(f"{__name__}.{name}").read)
