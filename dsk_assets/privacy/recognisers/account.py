"""Bank accounts, IBAN and payment cards."""

import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit, explained
from dsk_assets.privacy.recognisers.checks import passes_luhn, passes_mod_97
from dsk_assets.privacy.recognisers.tables import cells

_POSITIVE = re.compile(
    r"konto|\bkto\b|\breg\b|reg\.|bank|overfør|udbetal|indsæt|sættes? ind|indbetal|\bgiro"
    r"|betal(?:es|ing)",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"ordre|faktura|vare-?n|isbn|\bean\b|cvr|tlf|telefon|mobil|cpr|sagsn|\bp-?n|stregkode|gln",
    re.IGNORECASE,
)
_CELL = re.compile(r"\W{0,2}(?P<v>\d{4}[ -]?\d{6,10})\W{0,2}")
_ACCOUNT = re.compile(
    r"(?<![\w])(?<!\d[.,/-])(?:reg(?:istrerings)?\.?(?: ?n(?:umme)?r?\.?)?:? ?)?\d{4}"
    r"(?P<sep>[ ,/-]{1,3}|\n|)"
    r"(?P<label>,? ?(?:og )?(?:konto(?:[- ]?n(?:umme)?r)?|kto?)\.?:?[ \n]?)?"
    r"(?:\d{6,10}|\d{2,4}(?: \d{2,4}){1,4})(?![^\W_])(?![.,/-]\d)",
    re.IGNORECASE,
)
_FI = re.compile(r"\+(?:71|73|75|04|15)<[\d ]{0,20}\+\d{7,8}<?")
_ALONE = re.compile(
    r"(?i:konton(?:umme)?r|kontonummeret)(?: er|[.: ]){1,3}(?P<v>\d{5,10})(?![^\W_]|[ .,-]?\d)"
)
"""An account without its registration number, which may stand behind it or nowhere."""
_GIRO = re.compile(
    r"(?i:giro)(?:konto)?(?:n(?:umme)?r)?[.: ]{1,3}(?P<v>\d(?: ?\d|-\d){5,7})(?![^\W_]|[ .,-]?\d)"
)
_LOWER_IBAN = re.compile(r"(?<![^\W_])dk\d\d(?: ?\d){14}(?![^\W_])")
_IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}\d\d(?:[ \n]?[A-Z0-9]){11,30}(?![^\W_])")
_CARD = re.compile(r"\d(?<!\w\d)(?<!\d[ .-]\d)(?:[ -]?\d){12,18}(?![^\W_])(?![ .-]\d)")
_CARD_WORDS = re.compile(r"kort|dankort|visa|mastercard|amex|maestro|kontokort", re.IGNORECASE)


class BankDkRecognizer(DanishRecognizer):
    """Danish bank accounts: a registration number of 4 digits and an account of up to 10.

    Banks do not publish their checksums, so ten to fourteen digits are an account only where a
    word such as *konto* or *udbetales* explains them. Payment slips (+71<..., +73<..., +75<...)
    are known by their form (FI-kort, Finans Danmark).
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("DK_BANK_ACCOUNT",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        r"\d{4}[ ,/\n-]{0,3}\d(?: ?\d){5}",
        r"(?i)\d{4}[ ,/\n-]{0,5}(?:og )?konto",
        r"\+(?:71|73|75|04|15)<",
        r"(?i)(?:giro|konton)[a-z.: ]{1,12}\d",
        r"\d{4} kto?\b",
    )
    COUNTRY_CODE: ClassVar[str] = "dk"

    def find(self, text: str) -> Iterator[Hit]:
        """The accounts in *text*."""
        for match in _ACCOUNT.finditer(text):
            digits = len(re.sub(r"\D", "", match.group()))
            labelled = bool(match["label"]) or match.group()[:1].lower() == "r"
            near = explained(text, match.start(), _POSITIVE, _NEGATIVE)
            if 10 <= digits <= 14 and (labelled or near == 1):
                yield Hit("DK_BANK_ACCOUNT", match.start(), match.end(), 0.85)
        for cell in cells(text):
            if _POSITIVE.search(cell.heading) and not _NEGATIVE.search(cell.heading):
                number = _CELL.fullmatch(text, cell.start, cell.end)
                if number:
                    yield Hit("DK_BANK_ACCOUNT", number.start("v"), number.end("v"), 0.85)
        for pattern in (_ALONE, _GIRO):
            for match in pattern.finditer(text):
                yield Hit("DK_BANK_ACCOUNT", match.start("v"), match.end("v"), 0.75)
        for match in _FI.finditer(text):
            yield Hit("DK_BANK_ACCOUNT", match.start(), match.end(), 0.8)


class IbanRecognizer(DanishRecognizer):
    """IBAN (ISO 13616): country, two check digits (ISO 7064 MOD 97-10), up to 30 characters.

    One in 97 random strings of the form passes. DK and sixteen digits are taken even when they
    fail: nothing else is written so, and a misread digit still leads to the account.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("IBAN_CODE",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        r"[A-Z]{2}\d\d(?:[ \n]?[A-Z0-9]){11}",
        r"dk\d\d(?: ?\d){14}",
    )

    def find(self, text: str) -> Iterator[Hit]:
        """The numbers in *text*."""
        for match in _LOWER_IBAN.finditer(text):
            passes = passes_mod_97(match.group().replace(" ", "").upper())
            yield Hit("IBAN_CODE", match.start(), match.end(), 1.0 if passes else 0.6)
        for match in _IBAN.finditer(text):
            pieces = re.split(r"([ \n])", match.group())
            while pieces:
                value = "".join(pieces)
                if passes_mod_97(re.sub(r"\s", "", value)):
                    yield Hit("IBAN_CODE", match.start(), match.start() + len(value), 1.0)
                    break
                pieces = pieces[:-2]
            else:
                danish = re.match(r"DK\d\d(?:[ \n]?\d){14}", match.group())
                if danish:
                    yield Hit("IBAN_CODE", match.start(), match.start() + danish.end(), 0.6)


class PaymentCardRecognizer(DanishRecognizer):
    """Payment cards (ISO/IEC 7812): 13 to 19 digits with a Luhn check digit.

    One in ten random numbers passes Luhn, so a card word, or four groups of four and a known
    first digit (3 to 6), must support it.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("CREDIT_CARD",)
    ANCHORS: ClassVar[tuple[str, ...]] = (r"\d(?:[ -]?\d){12}",)

    def find(self, text: str) -> Iterator[Hit]:
        """The numbers in *text*."""
        for match in _CARD.finditer(text):
            digits = re.sub(r"\D", "", match.group())
            near = explained(text, match.start(), _CARD_WORDS, _NEGATIVE)
            grouped = re.fullmatch(r"[3-6]\d{3}([ -])\d{4}\1\d{4}\1\d{4}", match.group())
            known = match.group().isdigit() and len(digits) in (15, 16) and digits[0] in "3456"
            if passes_luhn(digits) and (near == 1 or (near == 0 and (grouped or known))):
                yield Hit("CREDIT_CARD", match.start(), match.end(), 0.9)
