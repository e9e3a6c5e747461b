"""Markdown: one document a file, without its YAML front matter."""

import re
from collections.abc import Iterator

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item, whole_text
from dsk_assets.intake.sources import Source

_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n.*?^(---|\.\.\.)[ \t]*(\r?\n|\Z)", re.DOTALL | re.M)


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of *source* from the end of its front matter."""
    yield _FRONT_MATTER.sub("", whole_text(source, encoding), count=1)
