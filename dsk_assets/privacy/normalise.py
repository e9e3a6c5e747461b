"""Folding of text before it is searched, with a map from folded places back to the original.

Personal data hides from patterns behind typography: no-break and thin spaces, line separators,
six kinds of dash, zero-width characters, full-width and Arabic-Indic digits, HTML entities,
combining accents, UTF-8 read as Windows-1252, quoted mail (``> ``), tags inside a number,
hyphenation at line ends, and the letters O, I and l that a scanner read in the middle of a number.
Each is folded to its plain form; a finding in the folded text is then mapped back to the
characters it came from.
"""

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

_SPACES = r"\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_LINES = r"\u0085\u2028\u2029"
_DASHES = r"\u2010-\u2015\u2212\ufe58\ufe63"
_INVISIBLE = r"\u00ad\u200b-\u200d\u2060\ufeff\u180e\u202a-\u202e\u2066-\u2069"
_COMBINING = r"\u0300-\u036f"


def _misread(letter: str) -> str:
    """The two characters that a UTF-8 *letter* becomes when it is read as Windows-1252."""
    return "".join(
        bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in letter.encode("utf-8")
    )


_MISREAD = {_misread(chr(code)): chr(code) for code in range(0xC0, 0x180)}

_TAGS = "b|i|u|em|strong|span|font|mark|wbr|a"
"""Mark-up that changes how a part of a number looks and not where it ends."""

_MARKS = "nbsp|shy|ndash|mdash|minus|hyphen|dash|thinsp|ensp|emsp|zwnj|zwj"
_DECIMAL = r"0*(?:8(?:19[2-9]|20[0-9]|21[0-3]|239|288|722)|65279|160|173|45|32)"
_HEXADECIMAL = r"0*(?:20(?:0[\da-fA-F]|1[0-5]|2[fF]|60)|2212|[fF]{2}[eE][fF]{2}|[aA][0dD]|2[0dD])"
_DAMAGED = (
    rf"(?:(?P<name>{_MARKS})(?: ?;)*|\# ?(?P<code>[xX] ?{_HEXADECIMAL}|{_DECIMAL})(?: ?;)*"
    rf"|(?P<bare>{_DECIMAL}) ?;+)"
)
"""An HTML entity for a dash or a space that lost its ``#`` or ``;``, or gained a space."""

_FOLDABLE = re.compile(
    rf"(?P<quote>(?:(?<=\n)|\A)(?:>[ ]?)+)"
    rf"|(?P<hyphenation>(?<=[a-zæøå])-\n(?=[a-zæøå]))"
    rf"|(?P<markup>(?:(?<=[\d.-])|(?<=\d ))(?:</?(?:{_TAGS})(?:\s[^<>\n]{{0,80}})?/?>)+"
    rf"(?=[\d.-]| \d))"
    rf"|(?P<damaged>(?:(?<=\d)|(?<=\d ))& ?(?:amp ?; ?)*{_DAMAGED}(?=[\s-]{{0,2}}\d))"
    rf"|(?P<entity>&(?:amp;)*(?:\#\d{{2,6}}|\#x[0-9a-fA-F]{{2,5}}|[A-Za-z]{{2,8}});)"
    rf"|(?P<misread>{'|'.join(sorted(map(re.escape, _MISREAD)))})"
    rf"|(?P<invisible>[{_INVISIBLE}]+)"
    rf"|(?P<space>[{_SPACES}])"
    rf"|(?P<line>[{_LINES}])"
    rf"|(?P<dash>[{_DASHES}])"
    rf"|(?P<wide>[\uff01-\uff5e])"
    rf"|(?P<digit>(?![0-9])\d)"
    rf"|(?P<combined>[^\W\d_][{_COMBINING}]+)"
    rf"|(?P<misdigit>(?<=\d)(?:[OoIl](?=[OoIl]?\d)|O(?=[ -]\d)))"
)
_SUSPECT = re.compile(
    r"[^\x00-\x25\x27-\x3b\x3d\x3f-\x7e\u00a1-\u00ac\u00ae-\u00c2\u00c6-\u02ff\u2018-\u201e…€]"
    r"|-(?=\n)"
)
"""Where something may have to be folded; plain text has no such place, and is not read further."""

_MISREAD_DIGIT = re.compile(r"\d(?:[OoIl](?=[OoIl]?\d)|O(?=[ -]\d))")

_LATIN = [chr(code) for code in range(256)]
_PLAIN = "".join(c for c in _LATIN if not _SUSPECT.match(c) and not "\xa0" <= c < "\xc0").encode(
    "latin-1"
)
_FIRST, _SECOND = "ÃÄÅ".encode("latin-1"), bytes({*range(0xA1, 0xC0)} - {0xAD})
"""What a misread letter begins with, and what else than a suspect may follow."""
_NUMERIC = bytes(
    ord("0" if c.isdecimal() else "l" if c in "OoIl" else " " if c in " -" else ".") for c in _LATIN
)


def _folded(match: re.Match[str]) -> str:
    kind, found = match.lastgroup, match.group()
    if kind == "damaged":
        code = match["code"] or match["bare"]
        found = f"&#{code.replace(' ', '')};" if code else f"&{match['name']};"
        kind = "entity"
    if kind == "entity":
        character = html.unescape(found.replace("amp;", ""))
        inner = None if character in (">", found) else _FOLDABLE.fullmatch(character)
        return _folded(inner) if inner else character
    if kind == "misread":
        return _MISREAD[found]
    if kind == "combined":
        return unicodedata.normalize("NFC", found)
    if kind == "wide":
        return chr(ord(found) - 0xFEE0)
    if kind == "digit":
        return str(unicodedata.decimal(found))
    if kind == "misdigit":
        return "0" if found in "Oo" else "1"
    return {"space": " ", "line": "\n", "dash": "-"}.get(kind or "", "")


@dataclass(frozen=True)
class Folded:
    """A folded text and where its parts came from.

    ``starts`` holds folded places where the offset changes, ``origins`` the original place of
    each, and ``exact`` whether the stretch from there is the same text in both.
    """

    text: str
    length: int
    starts: tuple[int, ...] = (0,)
    origins: tuple[int, ...] = (0,)
    exact: tuple[bool, ...] = (True,)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that the folded span ``start:end`` came from."""
        return self._origin(start, False), self._origin(end - 1, True)

    def _origin(self, place: int, end: bool) -> int:
        stretch = bisect_right(self.starts, place) - 1
        if self.exact[stretch]:
            return self.origins[stretch] + place - self.starts[stretch] + end
        if not end:
            return self.origins[stretch]
        after = stretch + 1
        return self.origins[after] if after < len(self.origins) else self.length


def _is_plain(text: str) -> bool:
    """Whether a look at single characters already shows that nothing in *text* is folded."""
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    rest = data.translate(None, _PLAIN)
    if rest.strip(_FIRST) and rest.strip(_SECOND):
        return False
    numeric = data.translate(_NUMERIC)
    return b"-\n" not in data and not any(m in numeric for m in (b"0l0", b"0ll0", b"0l 0"))


def _foldable(text: str) -> Iterator[re.Match[str]]:
    """The places to fold, as ``_FOLDABLE.finditer`` gives them, but trying only suspects."""
    places = [match.start() for match in _SUSPECT.finditer(text)]
    letters = [match.start() + 1 for match in _MISREAD_DIGIT.finditer(text)]
    end = 0
    for place in sorted(places + letters) if letters else places:
        if place < end:
            continue
        combines = place > end and "\u0300" <= text[place] <= "\u036f"
        match = _FOLDABLE.match(text, place - 1) if combines else None
        match = match or _FOLDABLE.match(text, place)
        if match is not None:
            end = match.end()
            yield match


def fold(text: str) -> Folded:
    """*text* in plain form, with the map back. Plain text is returned as it is."""
    if _is_plain(text):
        return Folded(text, len(text))
    pieces: list[str] = []
    stretches: list[tuple[int, int, bool]] = []
    written = read = 0
    for match in _foldable(text):
        replacement = _folded(match)
        if replacement == match.group():
            continue
        if match.start() > read:
            stretches.append((written, read, True))
            pieces.append(text[read : match.start()])
            written += match.start() - read
        if replacement:
            stretches.append((written, match.start(), False))
            pieces.append(replacement)
            written += len(replacement)
        read = match.end()
    if not read:
        return Folded(text, len(text))
    if read < len(text):
        stretches.append((written, read, True))
        pieces.append(text[read:])
    if not stretches:
        return Folded("", len(text))
    return Folded("".join(pieces), len(text), *zip(*stretches, strict=True))
