"""Dates of birth, known by the words round them."""

import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit, explained
from dsk_assets.privacy.recognisers.checks import is_date
from dsk_assets.privacy.recognisers.tables import cells

_MONTHS = (
    r"(?:jan(?:uar)?|feb(?:ruar)?|mar(?:ts)?|apr(?:il)?|maj|jun(?:i)?|jul(?:i)?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|okt(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DATE = re.compile(
    rf"(?<![\w.,/-])(?:\d{{1,2}}(?:\.|[ds]?te|de)?[ \n]?{_MONTHS}[.,]?[ \n]"
    r"(?:(?:1[89]|20)\d\d|['’]?\d\d)"
    r"|\d{1,2}[./-] ?(?:\d{1,2}|[IVX]{1,4})(?:[./-] ?|[ \n])(?:(?:1[89]|20)\d\d|\d\d)"
    r"|\d\d? \d\d? (?:1[89]|20)\d\d"
    r"|(?:1[89]|20)\d\d(?P<mark>[./-])\d\d(?P=mark)\d\d)(?![\w]|[./-]\d)",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(?<![\w.,/-])(?:\d{8}|\d{6})(?![\w]|[./ -]{1,3}\d)")
"""A date without marks: DDMMYY, DDMMYYYY or YYYYMMDD."""
_BORN = re.compile(
    r"\bf(?:ø|oe|o)dt|f(?:ø|oe)dsels|\bf\.\s*$|f\.d\.|\bfdt|\bdob\b|\bborn\b|\bgeb\b|birth|\bdøbte?\b|fødedag|\bfød\.|\*\s?$",
    re.IGNORECASE,
)
_START = r"(?:f(?:ø|oe|o)d|fdt|f\.|dob|born|geb|birth|døb|\*)[\s\S]{0,50}"
_OTHER = re.compile(
    r"født (?:før|efter|senest|tidligst|mellem|fra|i perioden)"
    r"|dato(?<!fødselsdato)(?<!fød\. dato)(?<!fød\.dato)\b|henvist|modtaget|sendt"
    r"|indmeldt|ansat|oprettet|begravet|viet|(?<!født )(?<!f\. )\bd\."
    r"|død|møde|dåb|†",
    re.IGNORECASE,
)
_MASKED = re.compile(r"(?P<d>\d(?<!\d\d)\d)(?P<m>\d\d)(?P<y>\d\d)[- ]?[xX*]{4}(?![\w*])")


class BirthDateRecognizer(DanishRecognizer):
    """A date after *født*, *fødselsdato*, *f.* or *døbt*, or in a column so headed.

    A date alone is no personal data; what makes it so is the word. Six or eight digits together
    are one only where a date can be read in them, and no more digits follow. A CPR number whose
    last four digits are masked (``010203-xxxx``) is a date of birth.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("DATE_OF_BIRTH",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        rf"(?i){_START}\d{{1,4}}[./ \n-]",
        rf"(?i){_START}\d{{1,2}}\.?[jfmasond]",
        rf"(?i){_START}(?:\d{{6}}|\d[ds]?[td]e ?\w)",
        r"(?i)\d{6}[- ]?[x*]{4}",
    )
    HEADINGS: ClassVar[bool] = True

    def find(self, text: str) -> Iterator[Hit]:
        """The dates in *text*."""
        for match in _DATE.finditer(text):
            if explained(text, match.start(), _BORN, _OTHER, 45) == 1:
                yield Hit("DATE_OF_BIRTH", match.start(), match.end(), 0.85)
        for match in _COMPACT.finditer(text):
            born = explained(text, match.start(), _BORN, _OTHER, 30) == 1
            if born and _reads_as_date(match.group()):
                yield Hit("DATE_OF_BIRTH", match.start(), match.end(), 0.8)
        for match in _MASKED.finditer(text):
            if is_date(int(match["d"]), int(match["m"]), 2000):
                yield Hit("DATE_OF_BIRTH", match.start(), match.end(), 0.8)
        for cell in cells(text):
            if _BORN.search(cell.heading) and any(c.isdigit() for c in text[cell.start : cell.end]):
                yield Hit("DATE_OF_BIRTH", cell.start, cell.end, 0.8)


def _reads_as_date(digits: str) -> bool:
    """Whether *digits* are DDMMYY, DDMMYYYY or YYYYMMDD, born in 1850 to 2099."""
    day, month, year = int(digits[:2]), int(digits[2:4]), digits[4:]
    if is_date(day, month, 2000) and (len(year) == 2 or 1850 <= int(year) < 2100):
        return True
    backwards = len(digits) == 8 and 1850 <= int(digits[:4]) < 2100
    return backwards and is_date(int(digits[6:]), int(digits[4:6]), 2000)
