"""A JSON file: each element of its list is a document, else the whole file is one."""

from collections.abc import Iterator

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item, whole_text
from dsk_assets.intake.readers.records import parse_record, record_text
from dsk_assets.intake.sources import Source, Unreadable


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of each record; :class:`Unreadable` where the file is not JSON."""
    try:
        content = parse_record(whole_text(source, encoding).lstrip("\ufeff"))
    except (ValueError, RecursionError):
        raise Unreadable("the file is not readable JSON — correct it, or use JSON Lines") from None
    for record in content if isinstance(content, list) else [content]:
        yield record_text(record)
