"""A second search for CPR numbers, which shares nothing with the recognisers.

It reads redacted text character by character and counts what is surely a CPR number: a date of
birth, a hyphen and four digits, or ten digits that begin with a date and pass modulus 11. The
gate on personal data demands that it finds none.
"""

import calendar
import unicodedata

_FORMS = frozenset(("DDDDDD-DDDD", "DD.DD.DD-DDDD", "DD DD DD-DDDD", "DD/DD/DD-DDDD"))
_UNHYPHENATED = frozenset(("DDDDDDDDDD", "DDDDDD DDDD"))


def count_cpr(text: str) -> int:
    """How many CPR numbers *text* holds."""
    return sum(_holds_cpr(token) for token in _tokens(text))


def _plain(character: str) -> str:
    if character.isascii():
        return character
    kind = unicodedata.category(character)
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    if kind == "Cf":
        return ""
    return "-" if kind == "Pd" or character == "−" else " " if kind == "Zs" else character


def _tokens(text: str) -> list[str]:
    """Stretches of digits with single marks between them, spaces round hyphens dropped."""
    tokens, current = [], ""
    if not text.isascii():
        text = "".join(map(_plain, text))
    for character in text:
        if character in "0123456789 -./":
            current += character
        elif current:
            tokens.append(current)
            current = ""
    tokens.append(current)
    wide = (token for token in tokens if sum(map(str.isdigit, token)) >= 10)
    return [token.strip(" -./").replace(" - ", "-").replace(" -", "-") for token in wide]


def _holds_cpr(token: str) -> bool:
    """Whether one of the token's stretches has the shape, a date and, unhyphenated, the check."""
    parts = token.replace("- ", "-").split(" ")
    for first in range(len(parts)):
        for last in range(first + 1, min(first + 3, len(parts)) + 1):
            stretch = " ".join(parts[first:last]).strip("./-")
            shape = "".join("D" if character.isdigit() else character for character in stretch)
            ten = "".join(character for character in stretch if character.isdigit())
            if shape in _FORMS and _has_date(ten):
                return True
            if shape in _UNHYPHENATED and _has_date(ten) and _checks(ten):
                return True
    return False


def _has_date(ten: str) -> bool:
    day, month, year, seventh = int(ten[:2]), int(ten[2:4]), int(ten[4:6]), int(ten[6])
    if seventh < 4:
        year += 1900
    elif seventh in (4, 9):
        year += 2000 if year < 37 else 1900
    else:
        year += 2000 if year < 58 else 1800
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def _checks(ten: str) -> bool:
    factors = [4, 3, 2, 7, 6, 5, 4, 3, 2, 1]
    total = 0
    for position, factor in enumerate(factors):
        total += factor * int(ten[position])
    return total % 11 == 0
