"""A ZIP archive: each member is a source of its own."""

from collections.abc import Iterator
from functools import partial

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item
from dsk_assets.intake.sources import Source, open_zip


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The members of *source*, named ``<name>!/<member>``; nothing is unpacked to the disk."""
    with open_zip(source) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield Source(
                    f"{source.name}!/{member.filename}",
                    partial(archive.open, member),
                    member.file_size,
                )
