"""XML, parsed so that a hostile file can neither grow nor reach out."""

import re
from html.entities import html5

from lxml import etree

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import whole_text
from dsk_assets.intake.sources import Source, Unreadable

_CHARSET = re.compile(rb"""(?i)(?:encoding|charset)\s*=\s*["']?([\w.:-]+)""")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]*;)")
_DECLARATION = re.compile(r"\A\ufeff?\s*<\?xml[^>]*\?>")


def declared_charset(head: bytes) -> str | None:
    """The encoding that an XML or HTML file names for itself in its first bytes."""
    found = _CHARSET.search(head) if head.lstrip().startswith(b"<") else None
    return found[1].decode("ascii", "replace") if found else None


def safe_parser() -> etree.XMLParser:
    """A parser without external entities, entity expansion, network and oversized nodes."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def parse(source: Source, encoding: Encoding) -> etree._Element:
    """The root element of an XML *source*, read in *encoding* whatever it declares.

    Entities that HTML names are letters (``&aelig;``); those that the file defines give nothing.
    Raises :class:`Unreadable` where it is not well-formed.
    """
    text = _DECLARATION.sub("", whole_text(source, encoding))
    text = _ENTITY.sub(lambda found: html5[found[1]] if found[1] in html5 else found[0], text)
    try:
        return etree.fromstring(text.encode("utf-8", "replace"), safe_parser())
    except etree.XMLSyntaxError:
        raise Unreadable(
            "the file is not well-formed XML, or nests deeper than is safe — correct it"
        ) from None


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace, empty for an entity."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
