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
    rf"(?<![\w.,/-])(?:\d{{1,2}}\.?[ \n]?{_MONTHS}\.?[ \n](?:1[89]|20)\d\d"
    r"|\d{1,2}[./-] ?\d{1,2}(?:[./-] ?|[ \n])(?:(?:1[89]|20)\d\d|\d\d)"
    r"|(?:1[89]|20)\d\d-\d\d-\d\d)(?![\w]|[./-]\d)",
    re.IGNORECASE,
)
_BORN = re.compile(
    r"\bf(?:ø|oe|o)dt|f(?:ø|oe)dsels|\bf\.\s*$|f\.d\.|\bfdt|\bdob\b|birth|\bdøbte?\b|fødedag|\*\s?$",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"født (?:før|efter|senest|tidligst|mellem|fra|i perioden)"
    r"|dato(?<!fødselsdato)\b|henvist|modtaget|sendt"
    r"|indmeldt|ansat|oprettet|begravet|viet|(?<!født )(?<!f\. )\bd\."
    r"|død|møde",
    re.IGNORECASE,
)
_MASKED = re.compile(r"(?P<d>\d(?<!\d\d)\d)(?P<m>\d\d)(?P<y>\d\d)[- ]?[xX*]{4}(?![\w*])")


class BirthDateRecognizer(DanishRecognizer):
    """A date after *født*, *fødselsdato*, *f.* or *døbt*, or in a column so headed.

    A date alone is no personal data; what makes it so is the word. A CPR number whose last four
    digits are masked (``010203-xxxx``) is a date of birth.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("DATE_OF_BIRTH",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        r"(?i)(?:f(?:ø|oe|o)d|fdt|f\.|dob|birth|døb|\*)[\s\S]{0,50}\d{1,4}[./ \n-]",
        r"(?i)(?:f(?:ø|oe|o)d|fdt|f\.|dob|birth|døb|\*)[\s\S]{0,50}\d{1,2}\.?[jfmasond]",
        r"(?i)\d{6}[- ]?[x*]{4}",
    )
    HEADINGS: ClassVar[bool] = True

    def find(self, text: str) -> Iterator[Hit]:
        """The dates in *text*."""
        for match in _DATE.finditer(text):
            if explained(text, match.start(), _BORN, _OTHER, 45) == 1:
                yield Hit("DATE_OF_BIRTH", match.start(), match.end(), 0.85)
        for match in _MASKED.finditer(text):
            if is_date(int(match["d"]), int(match["m"]), 2000):
                yield Hit("DATE_OF_BIRTH", match.start(), match.end(), 0.8)
        for cell in cells(text):
            if _BORN.search(cell.heading) and any(c.isdigit() for c in text[cell.start : cell.end]):
                yield Hit("DATE_OF_BIRTH", cell.start, cell.end, 0.8)
