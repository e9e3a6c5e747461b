"""What readers give: texts of documents, records left out, and sources inside the source."""

import io
from dataclasses import dataclass
from typing import TextIO, cast

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.sources import Source


@dataclass(frozen=True)
class Skipped:
    """A record that is left out, with the reason in plain words and without its content."""

    reason: str


Item = str | Skipped | Source
"""One thing found in a source. Texts and skipped records count as positions in it."""


def whole_text(source: Source, encoding: Encoding) -> str:
    """The decoded text of a source that is read whole."""
    return source.read().decode(encoding.name, encoding.errors)


def open_text(source: Source, encoding: Encoding, newline: str | None = None) -> TextIO:
    """The decoded text of a source as a stream; *newline* as in :func:`open`."""
    stream = cast(io.BufferedReader, source.open())
    return io.TextIOWrapper(stream, encoding.name, encoding.errors, newline)
