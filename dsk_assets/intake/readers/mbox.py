"""A mailbox (RFC 4155): its mails one after the other, read as they come."""

from collections.abc import Iterator

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item, Skipped
from dsk_assets.intake.limits import MAX_RECORD, megabytes
from dsk_assets.intake.readers.mail import read_message
from dsk_assets.intake.sources import Source


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The documents of all mails in *source*; attachments are named ``<name>!/<number>!/…``."""
    for number, message in enumerate(_messages(source), start=1):
        if message is None:
            yield Skipped(f"mail {number} is longer than {megabytes(MAX_RECORD)}")
        else:
            yield from read_message(message, f"{source.name}!/{number}")


def _messages(source: Source) -> Iterator[bytes | None]:
    """The bytes of each mail, None for one beyond ``MAX_RECORD``."""
    lines: list[bytes] = []
    size, blank, begun = 0, True, False
    with source.open() as stream:
        while line := stream.readline(MAX_RECORD):
            if blank and line.startswith(b"From "):
                if begun:
                    yield b"".join(lines) if size <= MAX_RECORD else None
                lines, size, begun = [], 0, True
            else:
                size += len(line)
                if size <= MAX_RECORD:
                    quoted = line.startswith(b">") and line.lstrip(b">").startswith(b"From ")
                    lines.append(line[1:] if quoted else line)
            blank = not line.strip()
    if begun:
        yield b"".join(lines) if size <= MAX_RECORD else None
