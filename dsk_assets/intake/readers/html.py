"""HTML: the main text of a page, without navigation, cookie bars and footers."""

import re
from collections.abc import Iterator

import trafilatura
from lxml import etree
from lxml import html as lxml_html

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item, whole_text
from dsk_assets.intake.sources import Source

MIN_MAIN = 250
"""Characters of main text below which trafilatura has given up and cuts words at each tag."""

# fmt: off
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset",
    "figcaption", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li",
    "main", "nav", "ol", "p", "pre", "section", "table", "td", "th", "title", "tr", "ul",
))
_INLINE = (
    "abbr", "acronym", "b", "big", "em", "font", "i", "mark", "small", "span", "strong", "sub",
    "sup", "u",
)
# fmt: on
_UNSEEN = ("script", "style", "template", "noscript", "iframe", "svg", "title")
_AROUND = ("nav", "footer", "aside", "form", "button")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The main text of the page in *source*."""
    yield main_text(whole_text(source, encoding))


def main_text(page: str) -> str:
    """The main text of *page*; of a short page all visible text but navigation and footer."""
    page = _DECLARATION.sub("", page.replace("\x00", ""))
    try:
        root = lxml_html.document_fromstring(page, parser=lxml_html.HTMLParser(no_network=True))
    except (etree.ParserError, etree.XMLSyntaxError):
        return ""
    etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction, *_INLINE)
    found = trafilatura.extract(
        lxml_html.tostring(root, encoding="unicode"),
        favor_recall=True,
        include_comments=False,
        include_tables=True,
        deduplicate=False,
    )
    if found and len(found) >= MIN_MAIN:
        return str(found)
    etree.strip_elements(root, *_UNSEEN, with_tail=False)
    everything = _visible_text(root)
    etree.strip_elements(root, *_AROUND, with_tail=False)
    return _visible_text(root) or everything


def _visible_text(root: etree._Element) -> str:
    """The text below *root*, blocks on lines of their own."""
    pieces: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if element.tag in _BLOCKS:
            pieces.append("\n")
        text = element.text if event == "start" else element.tail
        pieces.append(re.sub(r"\s+", " ", text or ""))
    lines = (line.strip() for line in "".join(pieces).split("\n"))
    return "\n".join(line for line in lines if line)
