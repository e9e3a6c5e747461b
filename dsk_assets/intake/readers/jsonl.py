"""JSON Lines (also packed): one document a line, read line by line."""

from collections.abc import Iterator
from typing import TextIO

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item, Skipped, open_text
from dsk_assets.intake.limits import CHUNK, MAX_RECORD, megabytes
from dsk_assets.intake.readers.records import parse_record, record_text
from dsk_assets.intake.sources import Source


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of each line's record; a line that cannot be read is skipped, the rest goes on."""
    with open_text(source, encoding) as stream:
        for number, line in enumerate(_lines(stream), start=1):
            if line is None:
                yield Skipped(f"line {number} is longer than {megabytes(MAX_RECORD)}")
            elif line.strip():
                try:
                    yield record_text(parse_record(line))
                except (ValueError, RecursionError):
                    yield Skipped(f"line {number} is not JSON")


def _lines(stream: TextIO) -> Iterator[str | None]:
    """The lines of *stream*, None for one beyond ``MAX_RECORD`` characters."""
    while line := stream.readline(MAX_RECORD + 1):
        if len(line) <= MAX_RECORD or line.endswith("\n"):
            yield line
            continue
        while (rest := stream.readline(CHUNK)) and not rest.endswith("\n"):
            pass
        yield None
