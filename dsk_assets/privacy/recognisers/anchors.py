"""Where in a text a structured recogniser can find anything, so that the rest is not read.

Each of them names its anchors: patterns of which one stands in or right before every value of its
kind. All anchors together make one automaton (Hyperscan, or Vectorscan on other processors), which
reads a text once, at hundreds of megabytes a second, and tells where which anchor ends. A
recogniser then reads the stretches round its own anchors, with enough text on both sides for the
words it looks at. Anchors err on the side of too many; a test compares findings with and without
them.

The automaton reads one byte a character, so that its places are those of the text: characters
beyond Latin-1 are question marks to it. In the notation of an anchor ``(?i)`` comes first or not
at all, nothing looks ahead or behind, and ``\\w`` and ``\\b`` know the letters of ASCII alone.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import hyperscan

from dsk_assets.privacy.recognisers.tables import cells

if TYPE_CHECKING:
    from dsk_assets.privacy.recognisers.base import DanishRecognizer

MARGIN = 200
"""Characters of context on each side of a window's core."""
AFTER = 60
"""How far behind the end of its anchor a value may begin."""
_NAME = r"\s*\"?\s*[0-9]?[^0-9;\n,]{0,31}\s*"
_LONG_WORD = (r"[^\s]{100}",)
"""Several such in a row may be longer than a margin."""
_TABLE = (
    r"[\t|]",
    r";[^\n;]*;",
    rf"(?:^|\n){_NAME}[^0-9;\n,]{{0,5}},(?:{_NAME},){{2,}}{_NAME}(?:\n|$)",
)
"""One stands in every line of headings of a table; see :mod:`.tables`."""

_LETTER = re.compile(r"[^\x00-\x7f]")
_CLASS = re.compile(r"\[(?:\\.|[^\]\\])+\]")


class Window(NamedTuple):
    """A stretch to search; findings that reach into its core count."""

    start: int
    end: int
    core_start: int
    core_end: int


class Anchors:
    """The automaton of the anchors of several recognisers."""

    def __init__(self, recognisers: "Sequence[DanishRecognizer]") -> None:
        self._recognisers = recognisers
        anchors = [*(recogniser.ANCHORS for recogniser in recognisers), _TABLE, _LONG_WORD]
        patterns = [pattern for own in anchors for pattern in own]
        self._owners = [owner for owner, own in enumerate(anchors) for _ in own]
        self._automaton, self._lock = _automaton(tuple(patterns))

    def windows(self, text: str) -> "Iterator[tuple[DanishRecognizer, Sequence[Window]]]":
        """Each recogniser that may find a value in *text*, and the stretches it must read.

        All of the text where a table stands in it: a heading explains what is far below. Also where
        a stretch alone looks like a table, since it begins or ends in the middle of a line; and
        where words are so long that one might begin or end in the middle of a value.
        """
        *ends, table, long = self._ends(text)
        tabular = bool(table) and bool(cells(text))
        whole = [Window(0, len(text), 0, len(text))]
        for recogniser, own in zip(self._recognisers, ends, strict=True):
            if own and not (tabular or long or recogniser.WHOLE):
                stretches = _windows(own, len(text), recogniser.BEFORE)
                cut = any(cells(text[window.start : window.end]) for window in stretches)
                yield recogniser, whole if cut else stretches
            elif own or (tabular and recogniser.HEADINGS):
                yield recogniser, whole

    def _ends(self, text: str) -> list[list[int]]:
        """Where the anchors of each recogniser end in *text*, those of tables and long words."""
        found: list[list[int]] = [[] for _ in range(len(self._recognisers) + 2)]
        owners = self._owners

        def note(pattern: int, start: int, end: int, flags: int, context: object) -> None:
            found[owners[pattern]].append(end)

        with self._lock:
            self._automaton.scan(text.encode("latin-1", "replace"), match_event_handler=note)
        return found


@cache
def _automaton(patterns: tuple[str, ...]) -> tuple[hyperscan.Database, Lock]:
    """The automaton of *patterns*, and the lock of whoever reads with it."""
    automaton = hyperscan.Database()
    automaton.compile(
        expressions=[_bytes(pattern) for pattern in patterns],
        ids=list(range(len(patterns))),
        flags=[hyperscan.HS_FLAG_CASELESS * _caseless(pattern) for pattern in patterns],
    )
    return automaton, Lock()


def _windows(ends: Sequence[int], length: int, before: int) -> list[Window]:
    """The stretches of a text of *length* characters round anchors that end at *ends*, in order."""
    found: list[Window] = []
    places = sorted(ends)
    core_start, core_end = places[0] - before, places[0] + AFTER
    for end in (*places[1:], length + 2 * (MARGIN + AFTER + before)):
        if end - before <= core_end + 2 * MARGIN:
            core_end = end + AFTER
            continue
        found.append(
            Window(
                max(0, core_start - MARGIN),
                min(length, core_end + MARGIN),
                max(0, core_start),
                min(length, core_end),
            )
        )
        core_start, core_end = end - before, end + AFTER
    return found


def _caseless(pattern: str) -> bool:
    return pattern.startswith("(?i)")


def _bytes(pattern: str) -> bytes:
    """*pattern* for one byte a character; to the automaton only letters of ASCII have cases."""

    def cases(found: re.Match[str]) -> str:
        letter = found.group()
        both = {letter.lower(), letter.upper()} if _caseless(pattern) else {letter}
        return "".join(sorted(f"\\x{ord(case):02x}" for case in both))

    inside = _CLASS.sub(lambda found: _LETTER.sub(cases, found.group()), pattern)
    outside = _LETTER.sub(lambda found: f"[{cases(found)}]", inside)
    return outside.removeprefix("(?i)").encode("ascii")
