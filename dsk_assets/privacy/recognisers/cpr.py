"""Danish personal identity numbers (CPR), replacement numbers and electronic ones (eCPR)."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar

from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit, after_name, explained
from dsk_assets.privacy.recognisers.checks import birth_year, is_date, passes_modulus_11

_POSITIVE = re.compile(
    r"cpr|c\.p\.r|person(?:nummer|nr|\s?nr|-nr|-?id)|pers\.?\s?nr|fødselsnummer", re.IGNORECASE
)
_STEMS = ("cpr", "c.p.r", "pers", "fødselsn")
_NEGATIVE = re.compile(
    r"ordre|faktura|vare-?n|isbn|issn|\bp-?n|produktionsenhed|konto|\blog\b|batch|\bean|serie"
    r"|referencen|sagsn|journaln|bilag|cvr|timestamp|tlf|telefon|matr|kunden|policen",
    re.IGNORECASE,
)
_SHAPE = re.compile(
    r"(?P<d>\d(?<!\d\d)(?<!\d[./-]\d)\d)(?P<mark>[ ./-]?)(?P<m>\d\d)(?P=mark)(?P<y>\d\d(?:\d\d)?)"
    r"(?P<sep> ?- ?\n?|\n-|[ ./_\n]|)(?P<s>\d{4})(?!\d)(?![./-]\d)"
)
_SPACED = re.compile(r"\d(?<!\d\d)(?<!\d \d) (?:\d ){4}\d(?: - | ?-| )(?:\d ){3}\d(?! ?\d)")
_ECPR = re.compile(
    r"(?P<d>\d(?<![^\W_]\d)\d)(?P<m>\d\d)(?P<y>\d\d)(?P<sep>-?)(?P<s>[01567][A-Z]{2}\d)(?![^\W_])"
)
_MISREAD = re.compile(
    r"(?i:cpr|personn)[^\n\d]{0,20}?"
    r"(?P<v>[0-9OoIiLlBbSsZz]{6} ?-? ?[0-9OoIiLlBbSs]{4})(?![^\W_])"
)
_LOOSE = re.compile(
    r"\d(?<!\d\d)\d[ ./-]?\d\d[ ./-]?\d\d(?: ?-{1,2} ?|[ ./])\d\d ?\d\d(?!\d)(?![./-]\d)"
)
"""Ten digits cut up in ways that only the word CPR explains."""
_SHORT = re.compile(
    r"(?i:cpr|personn)[^\n\d]{0,20}"
    r"(?P<v>(?P<d>\d\d?)[./-](?P<m>\d\d?)[./-]\d\d[- ]{1,3}\d{4})(?![^\W_])"
)
"""Day or month without a leading zero, after the word CPR."""
_RUN_TOGETHER = re.compile(r"\d(?<!\d\d)\d{5}-?\d{4}(?:\d{6}-?\d{4})+(?![-\d])")
_DIGITS = str.maketrans("OoIiLlBbSsZz", "001111885522")


@lru_cache(maxsize=4)
def _mentioned(text: str) -> bool:
    """Whether a word for a CPR number stands anywhere in *text*."""
    lower = text.lower()
    return any(stem in lower for stem in _STEMS) and _POSITIVE.search(text) is not None


class CprRecognizer(DanishRecognizer):
    """CPR numbers: DDMMYY-SSSS, where digit 7 and the year give the century.

    Sources: cpr.dk, "Opbygning af CPR-nummeret", "Personnumre uden kontrolciffer" (numbers since
    October 2007 need not pass modulus 11, so it promotes and is never required) and
    "Erstatningspersonnummer" (day plus 60); nspop.dk and MedCom for eCPR (DDMMYYCAAG).

    Of random ten-digit numbers 3.6 % begin with a date and 0.33 % also pass modulus 11; another
    3.7 % have a day plus 60. So a hyphen and a date suffice, as do a date and a space before
    the last four; ten digits together need modulus 11, an explaining word or a name right before
    them; a replacement number needs an explaining word, or one elsewhere in the
    text and modulus 11 or a hyphen. A word such as *ordrenummer* vetoes only what neither a
    hyphen nor modulus 11 supports. An ISBN-10 of group 87 never passes modulus 11 as a CPR.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("DK_CPR",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        r"\d\d[ ./-]?\d\d[ ./-]?\d\d(?:\d\d)?(?: ?- ?\n?|\n-|[ ./_\n]|)\d{4}",
        r"(?i)(?:cpr|personn)[^\n\d]{0,20}\d\d?[./-]\d\d?[./-]\d\d",
        r"\d (?:\d ){4}\d(?: - | ?-| )(?:\d ){3}\d",
        r"\d{6}-?[01567][A-Z]{2}\d",
        r"\d\d[ ./-]?\d\d[ ./-]?\d\d(?: ?-{1,2} ?|[ ./])\d\d ?\d\d",
        r"(?i)(?:cpr|personn)[^\n\d]{0,20}[0-9oilbsz]{6} ?-? ?[0-9oilbs]{4}",
    )
    COUNTRY_CODE: ClassVar[str] = "dk"

    def find(self, text: str) -> Iterator[Hit]:
        """The numbers in *text*."""
        return self._find(text, _mentioned(text))

    def within(self, text: str, start: int, end: int) -> Iterator[Hit]:
        """The numbers in ``start:end``: a word far away in *text* may explain them."""
        return self._find(text[start:end], _mentioned(text))

    def _find(self, text: str, mentioned: bool) -> Iterator[Hit]:
        for match in _SHAPE.finditer(text):
            score = self._score(text, match, mentioned)
            if score:
                yield Hit("DK_CPR", match.start(), match.end(), score)
        for match in _SPACED.finditer(text):
            ten = re.sub(r"\D", "", match.group())
            supported = "-" in match.group() or passes_modulus_11(ten)
            if _dated(ten) and (supported or explained(text, match.start(), _POSITIVE) == 1):
                yield Hit("DK_CPR", match.start(), match.end(), 0.7)
        for match in _ECPR.finditer(text):
            near = explained(text, match.start(), _POSITIVE, _NEGATIVE)
            if near >= 0 and is_date(int(match["d"]), int(match["m"]), 2000 + int(match["y"])):
                sure = near == 1 or match["sep"]
                yield Hit("DK_CPR", match.start(), match.end(), 0.85 if sure else 0.5)
        for match in _LOOSE.finditer(text) if mentioned else ():
            dated = _dated(re.sub(r"\D", "", match.group()))
            if dated and explained(text, match.start(), _POSITIVE, _NEGATIVE) == 1:
                yield Hit("DK_CPR", match.start(), match.end(), 0.8)
        for match in _SHORT.finditer(text) if mentioned else ():
            if is_date(int(match["d"]), int(match["m"]), 2000):
                yield Hit("DK_CPR", match.start("v"), match.end("v"), 0.8)
        for match in _RUN_TOGETHER.finditer(text):
            numbers = re.findall(r"\d{6}-?\d{4}", match.group())
            plain = [number.replace("-", "") for number in numbers]
            sure = all(map(passes_modulus_11, plain)) or all("-" in number for number in numbers)
            if all(map(_dated, plain)) and (sure or mentioned):
                yield Hit("DK_CPR", match.start(), match.end(), 0.8)
        for match in _MISREAD.finditer(text) if mentioned else ():
            value = match["v"]
            ten = re.sub(r"[ -]", "", value.translate(_DIGITS))
            letters = len(re.sub(r"[\d -]", "", value))
            if 0 < letters <= 4 and _dated(ten):
                yield Hit("DK_CPR", match.start("v"), match.end("v"), 0.7)

    def _score(self, text: str, match: re.Match[str], mentioned: bool) -> float:
        day, month, serial = int(match["d"]), int(match["m"]), match["s"]
        replacement = day > 60
        two = int(match["y"][-2:])
        year = int(match["y"]) if len(match["y"]) == 4 else birth_year(two, int(serial[0]))
        if not is_date(day - 60 if replacement else day, month, year) or not 1857 < year < 2058:
            return 0.0
        near = explained(text, match.start(), _POSITIVE, _NEGATIVE)
        checked = passes_modulus_11(f"{day:02}{month:02}{two:02}{serial}")
        whole_year = len(match["y"]) == 4
        hyphen = "-" in match["sep"] and not (whole_year and match["mark"])
        if near == 1:
            return 1.0 if checked or hyphen else 0.9
        if replacement:
            named = mentioned or after_name(text, match.start())
            return 0.6 if named and (checked or hyphen) else 0.0
        if hyphen:
            return 1.0 if checked else 0.85
        if whole_year:
            return 0.0
        if checked:
            return 0.75
        grouped = match["sep"] == " " and not match["mark"]
        supported = mentioned or grouped or after_name(text, match.start())
        return 0.5 if near == 0 and supported and not match["mark"] else 0.0


def _dated(ten: str) -> bool:
    day = int(ten[:2])
    year = birth_year(int(ten[4:6]), int(ten[6]))
    return is_date(day - 60 if day > 60 else day, int(ten[2:4]), year)
