"""Check digits and dates, as the rules for each number give them."""

_WEIGHTS = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def birth_year(two_digits: int, seventh: int) -> int:
    """The year of birth, from the table of cpr.dk (seventh digit and year together)."""
    if seventh <= 3:
        return 1900 + two_digits
    if seventh in (4, 9):
        return (2000 if two_digits <= 36 else 1900) + two_digits
    return (2000 if two_digits <= 57 else 1800) + two_digits


def is_date(day: int, month: int, year: int) -> bool:
    """Whether *day*, *month* and *year* are a date of the Gregorian calendar."""
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]):
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return leap or (day, month) != (29, 2)


def passes_modulus_11(ten: str) -> bool:
    """The check that CPR numbers passed until October 2007; later ones need not."""
    return sum(int(d) * w for d, w in zip(ten, _WEIGHTS, strict=True)) % 11 == 0


def passes_mod_97(iban: str) -> bool:
    """Whether an IBAN's check digits are right; a Danish one must have 18 characters."""
    if len(iban) < 15 or (iban.startswith("DK") and len(iban) != 18):
        return False
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def passes_luhn(digits: str) -> bool:
    """Whether the last of *digits* is their Luhn check digit (ISO/IEC 7812-1)."""
    doubled = (int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits)))
    return len(set(digits)) > 1 and sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0
