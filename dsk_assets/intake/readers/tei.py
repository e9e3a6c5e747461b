"""TEI XML (https://tei-c.org): one document for each text, without its header."""

import re
from collections.abc import Iterator

from lxml import etree

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item
from dsk_assets.intake.readers.markup import local_name, parse
from dsk_assets.intake.sources import Source

# fmt: off
_PARAGRAPHS = frozenset((
    "p", "ab", "head", "lg", "sp", "div", "div1", "div2", "div3", "list", "table", "quote",
    "note", "titlePage", "front", "body", "back", "group", "epigraph", "argument", "trailer",
    "postscript",
))
_LINES = frozenset((
    "l", "item", "row", "speaker", "stage", "titlePart", "docAuthor", "docImprint", "publisher",
    "pubPlace", "docDate", "docEdition", "byline", "dateline", "salute", "signed", "opener",
    "closer", "lb", "title",
))
# fmt: on
_PARAGRAPH, _LINE = "\f", "\v"
_LEFT_OUT = frozenset(["teiHeader", "facsimile", "fw", "del", "surplus", "figDesc"])
_PREFERRED = (("corr", "sic"), ("orig", "reg"), ("expan", "abbr"))
"""Of two readings the first: misprints corrected, old spelling kept, abbreviations expanded."""


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of each TEI document in *source*; page breaks vanish, words across them stay whole.

    Notes stand after the paragraph that they belong to, running heads are left out.
    """
    root = parse(source, encoding)
    for text in root.iter("{*}text"):
        if not any(local_name(parent) == "text" for parent in text.iterancestors()):
            yield _plain(text)


def _plain(text: etree._Element) -> str:
    notes: list[str] = []
    joined = "".join([*_pieces(text, notes), *notes])
    joined = re.sub(r"\s*\f[\s\f]*", "\n\n", joined)
    return re.sub(r" {2,}", " ", re.sub(r"\s*\v\s*", "\n", joined))


def _pieces(element: etree._Element, notes: list[str]) -> Iterator[str]:
    name = local_name(element)
    if name == "note":
        notes.append("".join([_PARAGRAPH, *_inner(element, notes), _PARAGRAPH]))
        return
    if not name or name in _LEFT_OUT or element.get("break") == "no":
        return
    apart = _PARAGRAPH if name in _PARAGRAPHS else _LINE if name in _LINES else ""
    yield apart
    yield from _inner(element, notes)
    yield "\t" if name == "cell" else apart
    if name in _PARAGRAPHS and notes:
        yield from notes
        notes.clear()


def _inner(element: etree._Element, notes: list[str]) -> Iterator[str]:
    yield _spaced(element.text)
    names = {local_name(child) for child in element}
    refused = {second for first, second in _PREFERRED if first in names}
    for child in element:
        if local_name(element) != "choice" or local_name(child) not in refused:
            yield from _pieces(child, notes)
        yield _spaced(child.tail)


def _spaced(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "")
