"""Which encoding a text is in, decided from its bytes; what a file declares is only a hint.

Order of belief: a byte order mark; valid UTF-8; UTF-8 with a few foreign bytes; then the encoding
among those that Danish archives hold (Windows-1252, CP850 of DOS, Mac Roman, and the declared one)
under which the letters æ, ø, å and their neighbours look most like words. charset-normalizer is
asked where none of them does, as for Cyrillic: on Danish text in CP850 or Mac Roman it often
answers with a wrong code page.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from charset_normalizer import from_bytes

SAMPLE = 1024 * 1024
"""Bytes of stretches with letters outside ASCII that are looked at."""
HEAD = 4096
MIXED = "dsk-windows-1252"

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CERTAIN = 2.5
"""A score at which nearly all letters outside ASCII stand as they do in Danish words."""
_CANDIDATES = ("windows-1252", "cp850", "mac_roman")
_LATIN_1 = frozenset({"iso8859-1", "iso8859-15", "latin_1", "cp1252", "ascii"})
_AROUND = re.compile(r"(?s)(?<=(.))([^\x00-\x7f])(?=(.))")
_DANISH = frozenset("æøåÆØÅ")
_MARKS = frozenset("§«»“”„‘’‚–—…°½¼¾·£€´©®²³•×\u00a0\u00ad")


@dataclass(frozen=True)
class Encoding:
    """A codec's name, how to treat bytes that it cannot read, and a note for the file's row."""

    name: str
    errors: str = "replace"
    note: str | None = None


class NotText(Exception):
    """The bytes are no text in any encoding that is known."""


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data = error.object[error.start : error.end]
    return data.decode("windows-1252", "replace"), error.end


codecs.register_error(MIXED, _as_windows_1252)


def detect(chunks: Iterable[bytes], declared: str | None = None) -> Encoding:
    """The encoding of the bytes in *chunks*, all of which are read.

    *declared* is what the file or mail says; it is believed where the bytes bear it out. Raises
    :class:`NotText` where they are no text.
    """
    utf8 = codecs.getincrementaldecoder("utf-8")()
    valid, ascii_only = True, True
    head, sample = bytearray(), bytearray()
    for chunk in chunks:
        if len(head) < HEAD:
            head += chunk
        if valid:
            try:
                utf8.decode(chunk)
            except UnicodeDecodeError:
                valid = False
        if not chunk.isascii():
            ascii_only = False
            if len(sample) < SAMPLE:
                sample += chunk
    if valid:
        try:
            utf8.decode(b"", final=True)
        except UnicodeDecodeError:
            valid = False
    marked = _by_mark(bytes(head[:HEAD]))
    if marked is not None:
        return marked
    if valid:
        return Encoding("ascii" if ascii_only else "utf-8")
    return _among_old(bytes(sample), declared)


def _by_mark(head: bytes) -> Encoding | None:
    for mark, name in _BOMS:
        if head.startswith(mark):
            return Encoding(name, errors=MIXED if name == "utf-8-sig" else "replace")
    if len(head) >= 8:
        for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
            if zeros.count(0) > 0.6 * len(zeros) and head.count(0) < 0.6 * len(head):
                return Encoding(name)
    return None


def _among_old(sample: bytes, declared: str | None) -> Encoding:
    sequences = len(re.findall(rb"[\xc2-\xf4][\x80-\xbf]+", sample))
    foreign = sample.decode("utf-8", "replace").count("\ufffd")
    if sequences > 2 * foreign:
        return Encoding(
            "utf-8", MIXED, "some bytes are not UTF-8 and were read as Windows-1252 — check them"
        )
    if sum(sample.count(byte) for byte in range(9)) > len(sample) / 200:
        raise NotText
    hint = _single_byte(declared)
    scores = {
        name: _score(sample, name) + (1.0 if name == hint else 0.0)
        for name in dict.fromkeys((hint, *_CANDIDATES))
        if name is not None
    }
    best = max(scores, key=lambda name: scores[name])
    if scores[best] <= 0 or (_dense(sample) and scores[best] < CERTAIN):
        guess = from_bytes(sample[: SAMPLE // 4]).best()
        if guess is None and scores[best] <= 0:
            raise NotText
        if guess is not None and _single_byte(guess.encoding) != "windows-1252":
            best = guess.encoding
    if best == "windows-1252" and _codec(declared) != "cp1252":
        best = best if re.search(rb"[\x80-\x9f]", sample) else "iso-8859-1"
    return Encoding(best)


def _codec(declared: str | None) -> str | None:
    """Python's name of the codec that a file declares, None where there is none of that name."""
    try:
        return codecs.lookup((declared or "").strip("\"' ")).name
    except (LookupError, ValueError):
        return None


def _single_byte(declared: str | None) -> str | None:
    """The declared code page where it is one, with Latin-1 read as browsers do."""
    name = _codec(declared)
    if name in _LATIN_1:
        return "windows-1252"
    return None if name is None or name.startswith("utf") else name


def _score(sample: bytes, encoding: str) -> float:
    """How much the letters outside ASCII look like Danish words: 3 at best, below 0 is nonsense."""
    text = sample.decode(encoding, "replace")
    around = Counter(_AROUND.findall(text))
    total = sum(around.values())
    points = sum(_points(*letters) * times for letters, times in around.items())
    return points / total if total else 0.0


def _points(before: str, letter: str, after: str) -> float:
    in_word = before.isalpha() or after.isalpha()
    if letter.isalpha() and ord(letter) < 0x250:
        if letter.isupper() and before.islower():
            return -3.0
        if letter in _DANISH:
            return 3.0 if in_word or letter in "åø" else 1.0
        return 1.0 if in_word and letter not in "ºªµƒþðÞÐ" else -1.0
    if letter in _MARKS:
        return -2.0 if before.isalpha() and after.isalpha() and letter not in "’´–\u00ad" else 0.5
    return -3.0


def _dense(sample: bytes) -> bool:
    """Whether letters outside ASCII are far more frequent than in a Western language."""
    high = sum(1 for byte in sample if byte >= 0x80)
    letters = sum(1 for byte in sample if byte >= 0x41)
    return high > 0.4 * letters
