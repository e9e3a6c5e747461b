"""ALTO XML (https://www.loc.gov/standards/alto/): the lines that OCR read on a page."""

from collections.abc import Iterator

from lxml import etree

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item
from dsk_assets.intake.readers.markup import parse
from dsk_assets.intake.sources import Source


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of the file's pages: blocks apart by an empty line, broken words made whole.

    A word that the OCR marked as broken over two lines (``HypPart1``) stands on the first.
    """
    blocks = []
    for block in parse(source, encoding).iter("{*}TextBlock"):
        lines = (" ".join(_words(line)) for line in block.iter("{*}TextLine"))
        blocks.append("\n".join(line for line in lines if line))
    yield "\n\n".join(block for block in blocks if block)


def _words(line: etree._Element) -> Iterator[str]:
    for word in line.iter("{*}String"):
        part, whole = word.get("SUBS_TYPE"), word.get("SUBS_CONTENT")
        if part == "HypPart2" and whole:
            continue
        yield whole if part == "HypPart1" and whole else word.get("CONTENT", "")
