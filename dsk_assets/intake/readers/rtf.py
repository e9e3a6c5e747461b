"""Rich Text Format: one document a file."""

from collections.abc import Iterator

from striprtf.striprtf import rtf_to_text

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item
from dsk_assets.intake.sources import Source


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of *source*; letters are read in the code page that the file names."""
    text = source.read().decode("latin-1")
    yield str(rtf_to_text(text, errors="replace"))  # type: ignore[no-untyped-call]
