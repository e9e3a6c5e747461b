"""Which language a piece of text is in: a fast detector first, careful ones where it is unsure.

CLD2 reads 8 MB a second and is nearly always right, except between Danish and the two written
forms of Norwegian: it calls a fifth of the paragraphs of a Bokmål Bible of 1930 Danish. There
common words decide, because *af*, *mod*, *gik* are Danish and *av*, *mot*, *gikk* are not. Where
these are silent too, or the piece is short, lingua weighs the likely languages.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

import pycld2

if TYPE_CHECKING:
    from lingua import LanguageDetector

UNDETERMINED = "und"
"""The code of ISO 639-2 for text in no language that can be told, such as a table of numbers."""

_CLD2_CODES = {"no": "nb", "un": UNDETERMINED}
_NEIGHBOURS = frozenset(("da", "nb", "nn"))
_LINGUA_CODES = ("DA", "NB", "NN", "SV", "IS", "DE", "EN", "NL", "FR")
_SURE_PERCENT = 80
_SURE_LETTERS = 60
_SURE_SHARE = 0.8
_SURE_WORDS = 2


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_DANISH = _words(
    "af mod imod ud uden ind inden os gik fik havde sagde blive bliver været tage tager give "
    "giver gør gøre sige nogle igen lidt end lige anden andet gerne hendes vores sidste thi ere "
    "naar saa paa ogsaa maa gaa faa staa haand endnu mand ad ret brug"
)
_NORWEGIAN = _words(
    "av mot ut uten utan inn oss gikk gjekk fikk fekk hadde sa sier seier bli ble blei blitt "
    "vart ta tok gi gir å sitt mitt ditt meg deg seg opp enn etter noen nokon noko vår våre mann "
    "aldri gjennom tatt gått vite vet annen annet frå ikkje eg ein eit dei"
)
_NYNORSK = _words(
    "ein eit dei ikkje eg frå blei vart meir då noko nokon nokre berre vere vera kva kvar kven "
    "korleis sjå sidan kjem fleire medan framleis sjølv mykje heile desse gjekk fekk saman òg "
    "utan gjer gjere seie hennar deira"
)
_BOKMAAL = _words(
    "jeg en ikke fra ble noen hun hva være hele gjøre gjør siden disse mer hvor hvem derfor gikk "
    "fikk uten sammen hvis selv noe hvordan kommer"
)


def detect(text: str) -> tuple[str, float]:
    """The language of *text* (ISO 639-1, or ``und``) and how sure that is, from 0 to 1."""
    language, confidence = _first_pass(text)
    if language in _NEIGHBOURS or language == UNDETERMINED:
        words = re.findall(r"\w+", text.lower())
        neighbour = _by_words(words, language)
        if neighbour is not None:
            return neighbour
    elif confidence >= _SURE_PERCENT / 100 and sum(map(str.isalpha, text)) >= _SURE_LETTERS:
        return language, confidence
    return _second_pass(text, language, confidence)


def _first_pass(text: str) -> tuple[str, float]:
    try:
        reliable, _, details = pycld2.detect(text, isPlainText=True)
    except pycld2.error:
        printable = "".join(char if char.isprintable() else " " for char in text)
        reliable, _, details = pycld2.detect(printable, isPlainText=True)
    _, code, percent, _ = details[0]
    return _CLD2_CODES.get(code, code), percent / 100 if reliable else 0.0


def _by_words(words: list[str], first: str) -> tuple[str, float] | None:
    """Danish, Bokmål or Nynorsk by the words that one has and the other has not."""
    danish = sum(word in _DANISH for word in words)
    norwegian = sum(word in _NORWEGIAN for word in words)
    share = max(danish, norwegian) / max(danish + norwegian, 1)
    confirmed = first == ("da" if danish > norwegian else "nb")
    if danish + norwegian < (1 if confirmed else _SURE_WORDS) or share < _SURE_SHARE:
        return None
    if danish > norwegian:
        return "da", share
    nynorsk = sum(word in _NYNORSK for word in words)
    bokmaal = sum(word in _BOKMAAL for word in words)
    if nynorsk == bokmaal:
        return ("nn" if first == "nn" else "nb"), share
    return ("nn" if nynorsk > bokmaal else "nb"), share


def _second_pass(text: str, first: str, confidence: float) -> tuple[str, float]:
    values = _lingua().compute_language_confidence_values(text)
    best = values[0]
    if best.value == 0 or (first != UNDETERMINED and first not in _lingua_knows()):
        return first, confidence
    language = best.language.iso_code_639_1.name.lower()
    if language == "is" and ("ø" in text or "Ø" in text) and not re.search("[þÞöÖ]", text):
        language = "fo"
    return language, best.value


@cache
def _lingua() -> "LanguageDetector":
    """Its models take 200 MB and are loaded by the first piece that needs them."""
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [getattr(IsoCode639_1, code) for code in _LINGUA_CODES]
    return LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build()


@cache
def _lingua_knows() -> frozenset[str]:
    return frozenset(code.lower() for code in _LINGUA_CODES)
