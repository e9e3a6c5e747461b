"""Word documents: headers, body with tables, notes, comments, footers; one document a file."""

from collections.abc import Iterator

import docx
from docx.oxml.ns import qn
from lxml import etree

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item
from dsk_assets.intake.readers.markup import safe_parser
from dsk_assets.intake.sources import Source, document_zip

_ORDER = ("header", "officeDocument", "footnotes", "endnotes", "comments", "footer")
_BREAKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of the document in *source*, without tracked deletions."""
    with document_zip(source) as stream:
        main = docx.Document(stream).part
    parts: dict[str, list[bytes]] = {"officeDocument": [main.blob]}
    for _, relation in sorted(main.rels.items()):
        kind = relation.reltype.rsplit("/", 1)[-1]
        if not relation.is_external and kind in _ORDER:
            parts.setdefault(kind, []).append(relation.target_part.blob)
    texts = []
    for kind in _ORDER:
        for blob in parts.get(kind, []):
            text = "\n".join(_blocks(etree.fromstring(blob, safe_parser())))
            if text.strip() and (kind == "officeDocument" or text not in texts):
                texts.append(text)
    yield "\n\n".join(texts)


def _blocks(element: etree._Element) -> Iterator[str]:
    """Lines of text: one a paragraph, one a row of a table with its cells apart by tabs."""
    for child in element:
        if child.tag == qn("w:p"):
            yield _paragraph(child)
            for box in _text_boxes(child):
                yield from _blocks(box)
        elif child.tag == qn("w:tr"):
            cells = [" ".join(_blocks(cell)) for cell in child.iterchildren(qn("w:tc"))]
            yield "\t".join(cells)
        elif isinstance(child.tag, str):
            yield from _blocks(child)


def _paragraph(paragraph: etree._Element) -> str:
    pieces = []
    for element in _inline(paragraph):
        if element.tag == qn("w:t"):
            pieces.append(element.text or "")
        else:
            pieces.append(_BREAKS.get(element.tag, ""))
    return "".join(pieces).strip()


def _inline(element: etree._Element) -> Iterator[etree._Element]:
    for child in element:
        if child.tag in (qn("w:txbxContent"), _FALLBACK, qn("w:pPr")):
            continue
        yield child
        yield from _inline(child)


def _text_boxes(paragraph: etree._Element) -> Iterator[etree._Element]:
    for box in paragraph.iter(qn("w:txbxContent")):
        if not any(parent.tag == _FALLBACK for parent in box.iterancestors()):
            yield box
