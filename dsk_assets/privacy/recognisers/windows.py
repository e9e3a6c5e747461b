"""Where in a text a structured recogniser can find anything, so that the rest is not searched.

A value with digits stands where digits are: many of them close together, or few beside a word or
a form that explains them. :func:`windows` looks at each run of digits once and gives the stretches
round those that could matter, with enough text on both sides for the context that rules look at.
It errs on the side of too many; a test compares findings with and without it.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from dsk_assets.privacy.gazetteer import cities, word_list

MARGIN = 250
"""Characters of context on each side of a window's core."""
_BEFORE, _AFTER = 160, 40
"""How far before and after its digits a value may begin."""

_DIGITS = re.compile(r"\d+")
_GAP = re.compile(r"[ ./_\n()+<-]{0,4}")
_ENOUGH = 6
"""Digits close together that make a number worth a look by themselves."""
_CODE = re.compile(r"[A-ZÆØÅ]{2} ?$")
_SECTION = re.compile(r"(?:§|, nr\.) $")
_LINKS = frozenset(("er", "på", "lyder", "#", "-", "="))
_NUMBER_WORDS = ("nr", "nummer", "nummeret", "no", "id", "id'et")
"""What stands right before a number that an organisation gave a person or a case."""
_NUMBERED = re.compile(
    r"[^\W\d_]\.?[- _]?(?:n(?:umme)?r(?:et)?|no|id(?:'et)?)\b.{0,22}$|(?:ref|sag)\w*\W.{0,20}$",
    re.IGNORECASE | re.DOTALL,
)
_DATE = re.compile(
    r"\d{1,2}(?:[./-] ?\d|\.?[ \n]?(?:jan|feb|mar|apr|maj|jun|jul|aug|sep|okt|nov|dec))"
    r"|(?:1[89]|20)\d\d-",
    re.IGNORECASE,
)
_BORN = re.compile(r"f(?:ø|oe|o)d|fdt|f\.|dob|birth|døb|\*\s?$", re.IGNORECASE)
LARGE = ("københavn", "frederiksberg", "odense", "aarhus", "århus", "aalborg")
_STREETS = tuple(sorted(word_list("streets")))
_LIVES = re.compile(r"adresse|bopæl|bor på|boende|bor i|flyttet til|leveres|sendt til", re.I)
_TOWN = re.compile(r"[ \n]([^\W\d_][\w.-]*)")
_NEAR_DIGIT = re.compile(r"\d[^\n]*(?:\n[^\n]*)?,[^\d]*$")
_COLONS = re.compile(
    r"::|[:-][\da-fA-F]{1,4}[:-][\da-fA-F]{1,4}[:-]|\.[\da-fA-F]{4}\.[\da-fA-F]{4}(?!\w)|°"
)
"""In every IPv6 and MAC address, whose digits may stand alone, and in coordinates."""
_RARE = {
    "cpr": re.compile(r"cpr", re.I),
    "personn": re.compile(r"personn", re.I),
    "mitid": re.compile(r"mitid", re.I),
    "nemid": re.compile(r"nemid", re.I),
    "stel": re.compile(r"stel", re.I),
    "vin": re.compile(r"\bvin\b", re.I),
    "chassis": re.compile(r"chassis", re.I),
}


class Window(NamedTuple):
    """A stretch to search; findings that begin within its core count."""

    start: int
    end: int
    core_start: int
    core_end: int


@lru_cache(maxsize=2)
def windows(text: str) -> tuple[Window, ...]:
    """The stretches of *text* in which a structured recogniser may find a value, in order.

    The whole text where they would make up more than half of it.
    """
    found: list[Window] = []
    places = _places(text)
    if not places:
        return ()
    core_start, core_end = places[0][0] - _BEFORE, places[0][1] + _AFTER
    for start, end in (*places[1:], (len(text) * 2 + 9999, 0)):
        if start - _BEFORE <= core_end + 2 * MARGIN:
            core_end = max(core_end, end + _AFTER)
            continue
        found.append(
            Window(
                max(0, core_start - MARGIN),
                min(len(text), core_end + MARGIN),
                max(0, core_start),
                min(len(text), core_end),
            )
        )
        core_start, core_end = start - _BEFORE, end + _AFTER
    if 2 * sum(window.end - window.start for window in found) > len(text):
        return (Window(0, len(text), 0, len(text)),)
    return tuple(found)


def _places(text: str) -> list[tuple[int, int]]:
    """Runs of digits that may be part of a value."""
    runs = [match.span() for match in _DIGITS.finditer(text)]
    colons = [match.span() for match in _COLONS.finditer(text)]
    if not runs:
        return colons
    lower = text.lower()
    rare = [pattern for word, pattern in _RARE.items() if word in lower]
    marked: list[tuple[int, int]] = []
    index = 0
    while index < len(runs):
        last, digits = index, runs[index][1] - runs[index][0]
        while last + 1 < len(runs) and _close(text, runs[last][1], runs[last + 1][0]):
            last += 1
            digits += runs[last][1] - runs[last][0]
        if digits >= _ENOUGH or last - index >= 3:
            marked.append((runs[index][0], runs[last][1]))
        else:
            marked += [run for run in runs[index : last + 1] if _explained(text, *run, rare)]
        index = last + 1
    return sorted(marked + colons) if colons else marked


def _close(text: str, end: int, start: int) -> bool:
    return start - end <= 4 and _GAP.fullmatch(text, end, start) is not None


def _explained(text: str, start: int, end: int, rare: list[re.Pattern[str]]) -> bool:
    """Whether a word or a form beside the few digits ``start:end`` may make them a value."""
    spaced = text[start - 1 : start] in (" ", "\n")
    word = _word_before(text, start - 1) if spaced else ""
    lower = word.lower().rstrip(".:#=)")
    linked = not spaced or not lower or word.isupper() or lower in _LINKS
    if (
        (linked or lower.endswith(_NUMBER_WORDS) or lower.startswith(("ref", "sag")))
        and not _SECTION.search(text, max(0, start - 6), start)
        and (
            _CODE.search(text, max(0, start - 4), start)
            or _NUMBERED.search(text, max(0, start - 32), start)
        )
    ):
        return True
    if any(pattern.search(text, max(0, start - 70), start) for pattern in rare):
        return True
    if _DATE.match(text, start) and _BORN.search(text, max(0, start - 50), start):
        return True
    if text[start] == "0":
        return False
    if end - start <= 3 and spaced:
        if lower == "nr":
            lower = _word_before(text, start - 1 - len(word) - 1).lower()
        return lower.endswith(_STREETS) or (
            word[:1].isupper() and _LIVES.search(text, max(0, start - 120), start) is not None
        )
    town = _TOWN.match(text, end) if end - start == 4 else None
    if town is None:
        return False
    return town[1].lower().rstrip(".,") in _first_words() or (
        "," in text[max(0, start - 60) : start]
        and _NEAR_DIGIT.search(text, max(0, start - 90), start) is not None
    )


def _word_before(text: str, end: int) -> str:
    """What stands between the last space and *end*."""
    head = max(0, end - 40)
    return text[max(text.rfind(" ", head, end), text.rfind("\n", head, end), head - 1) + 1 : end]


@lru_cache(maxsize=1)
def _first_words() -> frozenset[str]:
    return frozenset(city.split()[0] for city in (*cities(), *LARGE))
