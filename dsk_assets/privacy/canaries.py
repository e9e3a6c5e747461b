"""Canaries: invented identifiers planted in copies of a donation's documents, to be found again.

Each form of each identifier stands in a sentence of its own, put between the sentences and lines
of a copy; the copy is treated exactly as the donation was. A canary is missed where a letter or
digit of it is left standing. With none of at least 300 missed, fewer than one in a hundred such
identifiers is missed (95 %, rule of three: Hanley and Lippman-Hand 1983), as far as the donation
holds such forms: canaries are well-formed, and what people write is not always.

The copies are never stored. Nobody in them exists; see :mod:`dsk_assets.privacy.synthetic`.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from dsk_assets.consortium.policy import PersonalDataPolicy
from dsk_assets.privacy.gazetteer import names
from dsk_assets.privacy.recognisers.checks import passes_luhn
from dsk_assets.privacy.redact import KEEP, Treatment
from dsk_assets.privacy.synthetic import cpr

COPIES = 12
EACH = 6
LEAST = 300
CHARACTERS = 800
"""Of each document that is copied, so many characters from a random place are."""

_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_BREAK = re.compile(r"(?<=[.!?]) |\n")
_STREETS = ("Prøvevej", "Mønstergade", "Øvelsesvænget", "Attrapbakken")
_TOWNS = ("Aarhus C", "Roskilde", "Odense", "Aalborg", "Næstved")

Make = Callable[[random.Random], str]


@dataclass(frozen=True)
class Form:
    """One way of writing one type of identifier, and the sentence it stands in."""

    entity: str
    name: str
    sentence: str
    make: Make


@dataclass(frozen=True)
class Planted:
    """A canary in a copy."""

    form: Form
    start: int
    end: int


Treat = Callable[[Iterable[str], PersonalDataPolicy], Iterable[Treatment]]
Tally = dict[tuple[str, str], Counter[str]]
"""Counts ``planted`` and ``missed`` by entity type and form."""


def measure(documents: Sequence[str], policy: PersonalDataPolicy, treat: Treat, seed: str) -> Tally:
    """Plant canaries in copies of *documents*, *treat* these, and count.

    The same *seed* plants the same. The rule on density does not apply to copies: it would
    withhold them, and nothing would be shown. A copy that is withheld for another reason counts
    as missed. Types that the policy keeps are not planted.
    """
    open_policy = policy.model_copy(update={"max_density": float("inf")})
    kept = {one.entity for one in policy.keep}
    tally: Tally = {}
    copies = list(plant(documents, kept, seed))
    treatments = treat((text for text, _ in copies), open_policy)
    for (text, planted), treatment in zip(copies, treatments, strict=True):
        covered = _covered(treatment)
        for one in planted:
            missed = treatment.text is None or any(
                text[place].isalnum() and place not in covered
                for place in range(one.start, one.end)
            )
            counts = tally.setdefault((one.form.entity, one.form.name), Counter())
            counts.update(planted=1, missed=int(missed))
    return dict(sorted(tally.items()))


def plant(
    documents: Sequence[str], kept: set[str | None], seed: str
) -> Iterator[tuple[str, list[Planted]]]:
    """:data:`COPIES` copies of parts of *documents*, with :data:`EACH` canaries of every form.

    Where *kept* types leave fewer than :data:`LEAST`, every form is planted more often.
    """
    rng = random.Random(seed)
    forms = [form for form in FORMS if form.entity not in kept]
    forms *= max(EACH, -(-LEAST // len(forms)))
    rng.shuffle(forms)
    for number in range(COPIES):
        carrier = documents[number % len(documents)] if documents else ""
        yield _planted(_part(carrier, rng), forms[number::COPIES], rng)


def _part(text: str, rng: random.Random) -> str:
    start = rng.randrange(max(1, len(text) - CHARACTERS))
    return text[start : start + CHARACTERS]


def _planted(carrier: str, forms: Sequence[Form], rng: random.Random) -> tuple[str, list[Planted]]:
    places = sorted(
        rng.choices([match.end() for match in _BREAK.finditer(carrier)] or [len(carrier)],
                    k=len(forms))
    )  # fmt: skip
    text, read = "", 0
    planted = []
    for place, form in zip(places, forms, strict=True):
        before, after = form.sentence.split("{}")
        value = form.make(rng)
        text += carrier[read:place] + "\n" + before
        planted.append(Planted(form, len(text), len(text) + len(value)))
        text += value + after + "\n"
        read = place
    return text + carrier[read:], planted


def _covered(treatment: Treatment) -> set[int]:
    return {
        place
        for span in treatment.spans
        if span.action != KEEP
        for place in range(span.source_start, span.source_end)
    }


def _joined(separator: str, checked: bool = False) -> Make:
    def make(rng: random.Random) -> str:
        ten = cpr(rng, checked)
        return ten[:6] + separator + ten[6:]

    return make


def _dated(date: str) -> Make:
    def make(rng: random.Random) -> str:
        ten = cpr(rng, False)
        return date.format(ten[:2], ten[2:4], ten[4:6]) + "-" + ten[6:]

    return make


def _in_digits(make: Make, table: dict[int, int]) -> Make:
    return lambda rng: make(rng).translate(table)


def _phone(form: str) -> Make:
    def make(rng: random.Random) -> str:
        digits = f"{rng.choice((67, 68))}{rng.randint(0, 999999):06}"
        return form.format(*(digits[i : i + 2] for i in range(0, 8, 2)))

    return make


def _digits(number: int) -> Make:
    return lambda rng: str(rng.randint(10 ** (number - 1), 10**number - 1))


def _email(form: str) -> Make:
    def make(rng: random.Random) -> str:
        return form.format(f"{rng.choice(('anna', 'bo', 'ida'))}.proeve{rng.randint(1, 99)}")

    return make


def _iban(separator: str) -> Make:
    def make(rng: random.Random) -> str:
        account = f"{rng.randint(0, 99999999999999):014}"
        value = f"DK{98 - int(f'{account}132000') % 97:02}{account}"
        return separator.join(value[i : i + 4] for i in range(0, len(value), 4))

    return make


def _card(separator: str) -> Make:
    def make(rng: random.Random) -> str:
        base = f"400000{rng.randint(0, 999999999):09}"
        value = next(f"{base}{last}" for last in range(10) if passes_luhn(f"{base}{last}"))
        return separator.join(value[i : i + 4] for i in range(0, 16, 4))

    return make


def _date(form: str) -> Make:
    months = ("januar", "februar", "marts", "april", "maj", "juni", "juli")
    return lambda rng: form.format(
        day=rng.randint(2, 28),
        month=rng.randint(1, 7),
        name=rng.choice(months),
        year=rng.randint(1935, 2005),
    )


def _address(form: str) -> Make:
    return lambda rng: form.format(
        street=rng.choice(_STREETS),
        number=rng.randint(2, 180),
        code=rng.randint(3000, 9900),
        town=rng.choice(_TOWNS),
    )


@cache
def _listed(mark: str) -> list[str]:
    return [name for name, marks in names().items() if marks == mark and len(name) > 4]


def _person(form: str) -> Make:
    def make(rng: random.Random) -> str:
        given, surname = rng.choice(_listed("dg")), rng.choice(_listed("ds"))
        return form.format(given=given.title(), initial=given[0].upper(), surname=surname.title())

    return make


FORMS = (
    Form("DK_CPR", "hyphen", "Nummeret er {}.", _joined("-")),
    Form("DK_CPR", "hyphen, passes modulus 11", "Nummeret er {}.", _joined("-", True)),
    Form("DK_CPR", "spaced hyphen", "Nummeret er {}.", _joined(" - ")),
    Form("DK_CPR", "no-break hyphen", "Nummeret er {}.", _joined("\u2011")),
    Form("DK_CPR", "en dash", "Nummeret er {}.", _joined("–")),
    Form("DK_CPR", "minus sign", "Nummeret er {}.", _joined("−")),
    Form("DK_CPR", "soft hyphen", "Nummeret er {}.", _joined("-\u00ad")),
    Form("DK_CPR", "zero-width space", "Nummeret er {}.", _joined("\u200b-")),
    Form("DK_CPR", "HTML entity", "Nummeret er {}.", _joined("&#8209;")),
    Form("DK_CPR", "line break", "Nummeret er {}.", _joined("-\n")),
    Form("DK_CPR", "together", "Cpr-nr. {} er noteret.", _joined("")),
    Form("DK_CPR", "together, passes modulus 11", "Nummeret er {}.", _joined("", True)),
    Form("DK_CPR", "space", "Cpr-nr. {} er noteret.", _joined(" ")),
    Form("DK_CPR", "no-break space", "Cpr-nr. {} er noteret.", _joined("\u00a0")),
    Form("DK_CPR", "dots", "Personnummer {} er noteret.", _dated("{}.{}.{}")),
    Form("DK_CPR", "spaced date", "Personnummer {} er noteret.", _dated("{} {} {}")),
    Form("DK_CPR", "full-width", "Nummeret er {}.", _in_digits(_joined("-"), _WIDE)),
    Form("DK_CPR", "Arabic-Indic", "Nummeret er {}.", _in_digits(_joined("-"), _ARABIC)),
    Form("DK_CPR", "glued", "Filen hedder notat_{}_endelig.pdf.", _joined("-")),
    Form("DK_CPR", "spaced digits", "Cpr-nr. {} er noteret.", lambda r: " ".join(_joined("-")(r))),
    Form("PHONE_NUMBER", "pairs", "Ring på {} i dag.", _phone("{} {} {} {}")),
    Form("PHONE_NUMBER", "no-break spaces", "Ring på {} i dag.",
         _phone("{}\u00a0{}\u00a0{}\u00a0{}")),
    Form("PHONE_NUMBER", "together", "Tlf.: {}.", _phone("{}{}{}{}")),
    Form("PHONE_NUMBER", "fours", "Mobil {}.", _phone("{}{} {}{}")),
    Form("PHONE_NUMBER", "country code", "Ring på {} i dag.", _phone("+45 {} {} {} {}")),
    Form("PHONE_NUMBER", "dots", "Telefon {} svarer.", _phone("{}.{}.{}.{}")),
    Form("EMAIL_ADDRESS", "plain", "Skriv til {} i dag.", _email("{}@example.dk")),
    Form("EMAIL_ADDRESS", "internal domain", "Skriv til {} i dag.", _email("{}@kommune.local")),
    Form("EMAIL_ADDRESS", "at in words", "Skriv til {} i dag.", _email("{} (at) example.dk")),
    Form("EMAIL_ADDRESS", "full-width", "Skriv til {} i dag.", _email("{}＠example.dk")),
    Form("IBAN_CODE", "groups", "IBAN {} er oplyst.", _iban(" ")),
    Form("IBAN_CODE", "together", "IBAN {} er oplyst.", _iban("")),
    Form("CREDIT_CARD", "groups", "Kortet {} er spærret.", _card(" ")),
    Form("CREDIT_CARD", "together", "Kortnummer {} er spærret.", _card("")),
    Form("DK_BANK_ACCOUNT", "number", "Udbetales til konto {}.",
         lambda r: f"{_digits(4)(r)} {_digits(10)(r)}"),
    Form("DATE_OF_BIRTH", "words", "Hun er født den {}.", _date("{day}. {name} {year}")),
    Form("DATE_OF_BIRTH", "digits", "Fødselsdato: {}.", _date("{day:02}.{month:02}.{year}")),
    Form("ADDRESS", "whole", "Hun bor {}.", _address("{street} {number}, {code} {town}")),
    Form("ADDRESS", "floor", "Hun bor {}.", _address("{street} {number}, 2. tv., {code} {town}")),
    Form("PERSON_ID", "customer", "Kundenummer: {}.", _digits(7)),
    Form("CASE_NUMBER", "case", "Sagsnr. {} er afsluttet.",
         lambda r: f"{r.randint(15, 26)}/{_digits(5)(r)}"),
    Form("DK_PASSPORT", "number", "Pasnr. {} er udløbet.", lambda r: f"2{_digits(8)(r)}"),
    Form("DK_DRIVING_LICENCE", "number", "Kørekort nr. {} er inddraget.", _digits(8)),
    Form("DK_MITID", "user", "MitID bruger-id {} er spærret.",
         lambda r: "-".join(_digits(4)(r) for _ in range(3))),
    Form("DK_LICENSE_PLATE", "car", "Bilen har nummerplade {}.",
         lambda r: f"{r.choice('ABC')}Q {r.randint(10, 99)} {_digits(3)(r)}"),
    Form("IP_ADDRESS", "version 4", "Login fra {} i går.",
         lambda r: f"192.0.2.{r.randint(1, 254)}"),
    Form("IP_ADDRESS", "version 6", "Login fra {} i går.",
         lambda r: f"2001:db8::{r.randint(4096, 65535):x}"),
    Form("DK_HEALTH_CARD", "number", "Sundhedskort nr. {} er spærret.",
         lambda r: f"8027{_digits(8)(r)}"),
    Form("FOREIGN_ID", "residence card", "Opholdskort nr. {} er udløbet.", _digits(9)),
    Form("PHONE_NUMBER", "Swedish", "Ring på {} i dag.", lambda r: f"+46 70 {_digits(3)(r)} 45 67"),
    Form("DK_CVR", "sole trader", "Enkeltmandsvirksomhed, CVR {}.", lambda r: "10000009"),
    Form("VIN", "car", "Stelnr. {} er noteret.", lambda r: f"WVWZZZ1JZXW{_digits(6)(r)}"),
    Form("GEO", "place", "Mødested {} er aftalt.",
         lambda r: f"55.{_digits(5)(r)}, 12.{_digits(5)(r)}"),
    Form("MAC", "colons", "Enheden {} er set.",
         lambda r: "00:1B:44:" + ":".join(f"{r.randint(16, 255):02X}" for _ in range(3))),
    Form("USER_HANDLE", "login", "login bruger={} ok", lambda r: f"proeve{_digits(3)(r)}"),
    Form("URL_PERSONAL", "profile", "Se linkedin.com/in/{} for mere.",
         lambda r: f"anna-{_digits(3)(r)}"),
    Form("PERSON", "after a title", "Sagen er afgjort af hr. {}.", _person("{given} {surname}")),
    Form("PERSON", "initial", "Sagen er afgjort af {}.", _person("{initial}. {surname}")),
    Form("PERSON", "full", "Det fortalte {} i går.", _person("{given} {surname}")),
    Form("PERSON", "genitive", "Det var {} bil.", _person("{given} {surname}s")),
)  # fmt: skip
"""All forms; none of them needs luck to be found."""
