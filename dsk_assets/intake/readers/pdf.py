"""PDF: the text layer of all pages; one document a file."""

import re
from collections.abc import Iterator

import pypdfium2
from pypdfium2 import PdfiumError

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item
from dsk_assets.intake.sources import Source, Unreadable

_BROKEN_WORD = re.compile("[\ufffe\x02](\r?\n)?")
"""How PDFium marks a hyphen that only stands at the end of a line."""


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of the PDF in *source*; :class:`Unreadable` where it is encrypted or damaged."""
    data = source.read()
    try:
        document = pypdfium2.PdfDocument(data)
    except PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise Unreadable("the PDF is encrypted — deliver it without a password") from None
        raise Unreadable("the PDF is damaged or cut off — deliver it again") from None
    with document:
        pages = []
        for page in document:
            text = page.get_textpage()
            pages.append(_BROKEN_WORD.sub("", text.get_text_range()))
            text.close()
            page.close()
    yield "\n".join(pages)
