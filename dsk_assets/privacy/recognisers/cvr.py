"""Company numbers of sole traders."""

import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit

_NUMBER = re.compile(
    r"(?<![^\W_])(?i:cvr|se)(?:(?i:-?n(?:umme)?r\b|\b)[^\n\d]{0,12}|_)?"
    r"(?P<v>(?:DK)?\d{2} ?\d{2} ?\d{2} ?\d{2})(?![^\W_])"
)
_SOLE = re.compile(r"[Ee]nkeltmand|[Pp]ersonligt ejet|\bv/ ?[A-ZÆØÅ]|[Ii]ndehaver|[Ss]elvstændig")
_WEIGHTS = (2, 7, 6, 5, 4, 3, 2, 1)


class CvrSoleTraderRecognizer(DanishRecognizer):
    """CVR numbers near a word for a business that is one person's.

    A company is no person, but a sole trader's number leads to name and home address in the CVR
    register (CVR-loven § 18). All CVR numbers pass modulus 11 (Erhvervsstyrelsen); 9.2 % of
    random eight-digit strings do, so the word CVR and a word for a sole trader within 120
    characters are needed too.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("DK_CVR",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        r"(?i)(?:cvr|se)(?:n(?:umme)?r)?[^\w\n][^\n\d]{0,14}\d\d",
        r"(?i)(?:cvr|se)(?:n(?:umme)?r)?_?(?:dk)?\d\d",
    )
    COUNTRY_CODE: ClassVar[str] = "dk"

    def find(self, text: str) -> Iterator[Hit]:
        """The numbers in *text*."""
        for match in _NUMBER.finditer(text):
            digits = [int(c) for c in match["v"] if c.isdigit()]
            passes = sum(d * w for d, w in zip(digits, _WEIGHTS, strict=True)) % 11 == 0
            around = text[max(0, match.start() - 120) : match.end() + 120]
            if passes and _SOLE.search(around):
                yield Hit("DK_CVR", match.start("v"), match.end("v"), 0.7)
