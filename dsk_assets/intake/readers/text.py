"""Plain text: one document a file."""

from collections.abc import Iterator

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item, whole_text
from dsk_assets.intake.sources import Source


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of *source*."""
    yield whole_text(source, encoding)
