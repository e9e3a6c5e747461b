"""Text in the form in which everything later reads it, with a map back to what was delivered.

In this order: halves of surrogate pairs, text that was decoded by the wrong table (*fÃ¸lge* for
*følge*; ftfy, Speer 2019), line ends, control characters, where the policy asks for it words that
a scan divides at the end of a line, Unicode's composed form (NFC, UAX 15) and white space round
the text. Clean text, which nearly all is, costs one search.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from dsk_assets.consortium.policy import NormalisationPolicy

CODE_VERSION = "1"
KINDS = ("surrogates", "mojibake", "line_ends", "control", "hyphenation", "nfc")
"""What is counted where it is changed, in this order."""

_LEADS = "ÂÃÄÅÆÇÐÑâãð"
_TAILS = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_MISREAD = rf"[{_LEADS}][{_TAILS}]"
_CONTROLS = r"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\ufeff\ufffe\uffff"
_LINE_ENDS = r"\x0b\x0c\x85\u2028\u2029"

_PATTERNS = {
    "surrogates": re.compile(r"[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]"),
    "mojibake": re.compile(rf"[^ \t\r\n]*{_MISREAD}[^ \t\r\n]*"),
    "line_ends": re.compile(rf"\r\n?|[{_LINE_ENDS}]"),
    "control": re.compile(rf"[{_CONTROLS}]"),
    "hyphenation": re.compile(r"(?<=[a-zæøåéöü])[-¬][ \t]*\n[ \t]*(?=[a-zæøåéöü])"),
    "nfc": re.compile("[^\\n]?[\u0300-\U0010ffff]+"),
}
_LETTERS = {
    letter.encode().decode(table): letter
    for letter in "æøåéöäüÆØÅ"
    for table in ("cp1252", "latin-1")
}
_NORDIC = re.compile("|".join(map(re.escape, _LETTERS)))
"""Letters that ftfy leaves in a word with nothing else to go by; no Nordic word has these pairs."""
_EDGES = re.compile(r"\A\s+|\s+\Z")
_SUSPECT = (
    rf"{_MISREAD}|[\r{_LINE_ENDS}{_CONTROLS}]|\pM"
    r"|[\x{0340}-\x{0387}\x{0958}-\x{0FFF}\x{1100}-\x{11FF}\x{1F00}-\x{2001}\x{2126}-\x{212B}]"
    r"|[\x{2329}\x{232A}\x{2ADC}\x{F900}-\x{FB4F}\x{10000}-\x{10FFFF}]"
)
_DIVIDED = r"[-¬][ \t]*\n"


@dataclass(frozen=True)
class Normalised:
    """A text and where it came from.

    ``changes`` counts what was changed, by kind. ``stretches`` are the parts that are the same in
    both texts: start, start in the original and length, rising; all between them was changed.
    ``length`` is that of the original. Places count characters (Unicode code points).
    """

    text: str
    length: int
    changes: dict[str, int] = field(default_factory=dict)
    stretches: tuple[tuple[int, int, int], ...] = ()

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that the span ``start:end``, which is not empty, came from."""
        return self._place(start, 0), self._place(end - 1, 1)

    def _place(self, place: int, after: int) -> int:
        number = bisect_right(self.stretches, place, key=lambda stretch: stretch[0]) - 1
        start, original, length = self.stretches[number] if number >= 0 else (0, 0, 0)
        if place < start + length:
            return original + place - start + after
        if not after:
            return original + length
        following = self.stretches[number + 1 : number + 2]
        return following[0][1] if following else self.length


def normalise(text: str, policy: NormalisationPolicy) -> Normalised:
    """*text* in normal form, with what was changed and the map back."""
    changes: dict[str, int] = {}
    length = len(text)
    stretches = [(0, 0, length)] if length else []
    for kind, replace in _REPLACE.items():
        if getattr(policy, kind, True):
            text, edits = _edited(text, _PATTERNS[kind], replace)
            if edits:
                changes[kind] = len(edits)
                stretches = _composed(stretches, edits, len(text))
    text, edits = _edited(text, _EDGES, lambda _: "")
    stretches = _composed(stretches, edits, len(text)) if edits else stretches
    return Normalised(text, length, changes, tuple(stretches))


def normalise_texts(texts: pl.Series, policy: NormalisationPolicy) -> pl.DataFrame:
    """``text`` in normal form, and one column for each of :data:`KINDS`: how often it changed."""
    texts = texts.fill_null("")
    suspect = texts.str.contains(_SUSPECT)
    if policy.hyphenation:
        suspect |= texts.str.contains(_DIVIDED)
    rows = suspect.arg_true()
    made = [normalise(text, policy) for text in texts.gather(rows)]
    counts = {
        kind: pl.zeros(len(texts), pl.Int64, eager=True).scatter(
            rows, [one.changes.get(kind, 0) for one in made]
        )
        for kind in KINDS
    }
    repaired = texts.scatter(rows, [one.text for one in made]).str.strip_chars()
    return pl.DataFrame({"text": repaired, **counts})


Edit = tuple[int, int, int]
"""Start and end of what is replaced, and the length of what stands for it."""


def _edited(
    text: str, pattern: re.Pattern[str], replace: Callable[[str], str]
) -> tuple[str, list[Edit]]:
    pieces: list[str] = []
    edits: list[Edit] = []
    read = 0
    for match in pattern.finditer(text):
        replacement = replace(match.group())
        if replacement != match.group():
            pieces += (text[read : match.start()], replacement)
            edits.append((match.start(), match.end(), len(replacement)))
            read = match.end()
    return ("".join([*pieces, text[read:]]) if edits else text), edits


def _composed(
    stretches: list[tuple[int, int, int]], edits: list[Edit], size: int
) -> list[tuple[int, int, int]]:
    """The stretches that are still the same after *edits*, in a text of *size* characters."""
    kept: list[tuple[int, int, int]] = []
    shift = read = 0
    number = 0
    for begin, end, length in [*edits, (size + sum(e[1] - e[0] - e[2] for e in edits), -1, 0)]:
        while number < len(stretches) and stretches[number][0] < begin:
            start, original, span = stretches[number]
            first, last = max(start, read), min(start + span, begin)
            if last > first:
                kept.append((first + shift, original + first - start, last - first))
            if start + span > begin:
                break
            number += 1
        shift += length - (end - begin)
        read = end
    return kept


def _joined(pair: str) -> str:
    return pair.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _repaired(word: str) -> str:
    import ftfy

    return _NORDIC.sub(lambda found: _LETTERS[found.group()], ftfy.fix_encoding(word))


_REPLACE: dict[str, Callable[[str], str]] = {
    "surrogates": _joined,
    "mojibake": _repaired,
    "line_ends": lambda _: "\n",
    "control": lambda found: "\ufffd" if found == "\x00" else "",
    "hyphenation": lambda _: "",
    "nfc": lambda found: unicodedata.normalize("NFC", found),
}
