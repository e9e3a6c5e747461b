"""Numbers of identity documents: passport, driving licence, health card, MitID, Nordic ids."""

import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit, explained
from dsk_assets.privacy.recognisers.checks import is_date, passes_luhn

_FOREIGN_STEMS = (
    *(
        "henkilötunnus",
        "kennitala",
        "norsk fødselsnummer",
        "svensk personnummer",
        "steuer-id",
        "p-tal",
    ),
    *("steuernummer", "isikukood", "asmens kodas", "personas kods", "codice fiscale"),
    *("national insurance number", "social security number", "burgerservicenummer"),
)
_FOREIGN_SHORT = ("PESEL", "BSN", "EGN", "CNP", "NIE", "DNI", "SSN", "NINO", "INSZ")
"""What states call the numbers of their residents (European Commission, "TIN by country")."""
_FOREIGN_NUMBER = (
    r"(?:[A-Z]{1,3}[ -]?)?\d(?:[ .+-]?\d){4,12}(?:[ -]?[A-Z]|[-+A]\d{3}[0-9A-Z])?"
    r"|[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]"
)
_AFTER_WORD = (
    (
        "DK_PASSPORT",
        ("pas",),
        r"\bpass?(?:kopi|port|nr|nummer)?\b[^\n\d]{0,20}?",
        r"[A-Z]{0,2}\d{7,9}|[A-Z]{2} ?\d{6,7}|\d{3}(?: \d{3}){2}",
    ),
    ("DK_DRIVING_LICENCE", ("kørekort",), r"kørekort[^\n\d]{0,25}?", r"\d{8}|\d\d(?: \d\d){3}"),
    (
        "DK_HEALTH_CARD",
        ("sundhedskort", "sygesikring", "gule kort", "gul kort", "gulekort", "gulkort"),
        r"(?:sundhedskort|sygesikrings\w*|gule? kort)[^\n]{0,30}?",
        r"\d(?: ?\d){7,19}",
    ),
    (
        "DK_MITID",
        ("mitid", "nemid"),
        r"(?:mitid|nemid)[^\n\d]{0,25}?",
        r"(?:[A-Z]?\d{3}-\d{3}-\d{3}|\d{4}-?\d{4,8}(?:-\d{4})?|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})",
    ),
    (
        "DK_MITID",
        ("mitid", "nemid"),
        r"(?:mitid|nemid)(?:[- ]?(?:bruger-?(?:id|navn)(?:et)?|id))?(?: er|:|=| (?=\w*[\d_]))+ ?",
        r"(?=\w*[\d_])[^\W_][\w.-]{3,46}[^\W_]|(?<=: )[^\W\d_][\w.-]{4,46}[^\W_](?=\s|[.,]\s|$)",
    ),
    (
        "FOREIGN_ID",
        ("opholds", "udlændinge", "udl.", "id-kort", "idkort", "nationalt id"),
        r"(?:opholds(?:kort|tilladelse)|udl(?:ændinge-?|\. ?)(?:nr|nummer|id)|id-?kort"
        r"|nationalt id)[^\n\d]{0,25}?",
        r"[A-Z]{0,3}\d{6,12}|\d\d\d?(?:[ -]\d{1,3}){3,4}",
    ),
    (
        "FOREIGN_ID",
        _FOREIGN_STEMS,
        rf"\b(?:{'|'.join(_FOREIGN_STEMS)})[^\n\d]{{0,25}}?",
        _FOREIGN_NUMBER,
    ),
    (
        "FOREIGN_ID",
        _FOREIGN_SHORT,
        rf"\b(?-i:{'|'.join(_FOREIGN_SHORT)})\b[^\n\d]{{0,25}}?",
        _FOREIGN_NUMBER,
    ),
)
_WORDED = tuple(
    (entity, stems, re.compile(rf"(?i:{word})(?<![^\W_])(?P<v>{value})(?![^\W_])"))
    for entity, stems, word, value in _AFTER_WORD
)
_SWEDISH = re.compile(
    r"(?<!\d)(?P<c>19|20)?(?P<y>\d\d)(?P<m>\d\d)(?P<d>\d\d)[-+]?(?P<s>\d{4})(?!\d)"
)
_NORWEGIAN = re.compile(r"\d(?<!\d\d)\d{5} ?\d{5}(?!\d)")
_SWEDISH_AFTER = re.compile(
    r"[^\n\d]{0,20}(?:svensk|personn|samordning|sverige|swedish)", re.IGNORECASE
)
_FINNISH = re.compile(r"(?P<d>\d(?<!\w\d)\d{5})[-+A-FU-Y](?P<s>\d{3})(?P<c>[0-9A-Y])(?!\w)")
_ID_WORDS = re.compile(r"svensk|norsk|personn|fødselsn|samordning|id-?n", re.IGNORECASE)
_FIRST = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0)
_SECOND = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)


class DocumentNumberRecognizer(DanishRecognizer):
    """Identity documents by the word before the number; Nordic identity numbers by check digit.

    No authority publishes the format of Danish passports and driving licences; nine characters
    and eight digits are what documents show, and the word decides. Swedish (Luhn), Norwegian
    (two modulus-11 digits, 0.8 % of random numbers) and Finnish numbers (one of 31 characters)
    are checked; the Swedish one needs an explaining word beside it, or its twelve-digit form.
    After what a state calls its numbers (*PESEL*, *henkilötunnus*) any number will do.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = (
        "DK_PASSPORT",
        "DK_DRIVING_LICENCE",
        "DK_HEALTH_CARD",
        "DK_MITID",
        "FOREIGN_ID",
    )
    ANCHORS: ClassVar[tuple[str, ...]] = (
        r"(?i)(?:pass?(?:kopi|port|nr|nummer)?[^\w]|kørekort|sundhedskort|sygesikring|gule? kort"
        r"|opholds|udlændinge|udl\.|id-?kort|nationalt id)[^\n]{0,70}\d\d",
        r"(?i)mitid|nemid",
        rf"(?i)(?:{'|'.join(_FOREIGN_STEMS)})[^\n]{{0,30}}\d",
        rf"(?:{'|'.join(_FOREIGN_SHORT)})[^\n]{{0,30}}\d",
        r"\d{6,8}[-+]?\d{4}",
        r"\d{6} ?\d{5}",
        r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]",
    )

    def find(self, text: str) -> Iterator[Hit]:
        """The numbers in *text*."""
        lower = text.lower()
        for entity, stems, pattern in _WORDED:
            read = text if stems[0].isupper() else lower
            if not any(stem in read for stem in stems):
                continue
            for match in pattern.finditer(text):
                yield Hit(entity, match.start("v"), match.end("v"), 0.75)
        for match in _SWEDISH.finditer(text):
            ten = match["y"] + match["m"] + match["d"] + match["s"]
            dated = is_date(int(match["d"]) % 60, int(match["m"]), 2000)
            sure = (
                match["c"]
                or explained(text, match.start(), _ID_WORDS, None, 30) == 1
                or _SWEDISH_AFTER.match(text, match.end())
            )
            if dated and sure and passes_luhn(ten):
                yield Hit("FOREIGN_ID", match.start(), match.end(), 0.6)
        for match in _NORWEGIAN.finditer(text):
            digits = [int(c) for c in match.group() if c.isdigit()]
            dated = is_date(digits[0] % 4 * 10 + digits[1], digits[2] % 4 * 10 + digits[3], 2000)
            if dated and not _weighted(digits, _FIRST) and not _weighted(digits, _SECOND):
                yield Hit("FOREIGN_ID", match.start(), match.end(), 0.6)
        for match in _FINNISH.finditer(text):
            day, month = int(match["d"][:2]), int(match["d"][2:4])
            check = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(match["d"] + match["s"]) % 31]
            if check == match["c"] and is_date(day, month, 2000):
                yield Hit("FOREIGN_ID", match.start(), match.end(), 0.7)


def _weighted(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(d * w for d, w in zip(digits, weights, strict=True)) % 11
