"""Invented Danish documents with labelled personal data, so that the search can be measured.

    python -m dsk_assets.privacy.synthetic 600 1 > labelled.jsonl
    dsk privacy evaluate labelled.jsonl

Nobody in them exists: names are drawn at random from the lists, telephone numbers from the
reserve series 67 and 68, domains are example domains, and a CPR number either passes modulus 11
and is of somebody born before 1900, or fails it and is not of 1 January, so that it was never
given out. The same arguments give the same bytes. The documents show that each form is handled;
they say little about text as people write it.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dsk_assets.privacy.gazetteer import cities, names
from dsk_assets.privacy.recognisers.checks import passes_modulus_11

_GIVEN = ("Mette", "Lærke", "Søren", "Åse", "Bjørn", "Anne-Marie", "Jens", "Oksana", "Mehmet")
_SURNAME = ("Bundgaard", "Sørensen", "Yılmaz", "Kovalenko", "Al-Hassan", "Nguyen", "Krogh")
_STREETS = ["Prøvevej", "Mønstergade", "Øvelsesvænget", "Attrapbakken", "Skabelonstræde"]
_MONTHS = ("januar", "februar", "marts", "april", "maj", "juni", "juli", "august", "september")

_TEMPLATES = (
    "Borger: {PERSON}, cpr-nr. {DK_CPR}, bor {ADDRESS}. Telefon {PHONE_NUMBER}.",
    "Kære {PERSON}\n\nVi har den {date} modtaget din ansøgning om {kr}.\n\nVenlig hilsen\n{PERSON}",
    "Fra: {PERSON} <{EMAIL_ADDRESS}>\nEmne: Flytning\n\nMit kundenummer er {PERSON_ID}, og jeg kan "
    "træffes på {PHONE_NUMBER}.",
    "Pt.: {PERSON}, {DK_CPR}. Født {DATE_OF_BIRTH}. Henvist af dr. {PERSON} den {date}.",
    "Beløbet på {kr} udbetales til konto {DK_BANK_ACCOUNT}. Faktura {order} er betalt.",
    "navn;cprnr;adresse;telefon;email\n{PERSON};{DK_CPR};{ADDRESS};{PHONE_NUMBER};{EMAIL_ADDRESS}\n"
    "{PERSON};{DK_CPR};{ADDRESS};{PHONE_NUMBER};{EMAIL_ADDRESS}",
    "{time} login bruger={USER_HANDLE} ip={IP_ADDRESS} ok\n{time} login bruger={USER_HANDLE} "
    "ip={IP_ADDRESS} fejl",
    "Skadesag: bil med nummerplade {DK_LICENSE_PLATE} tilhører {PERSON}. Sagsnr. {CASE_NUMBER}.",
    "Overfør til IBAN {IBAN_CODE}. Paskopi: pasnr. {DK_PASSPORT}. Kørekort nr. "
    "{DK_DRIVING_LICENCE}.",
    "Faktura {order} af {date} lyder på {kr}. EAN {ean}. Læs lov nr. {law} om bøger, ISBN {isbn}.",
    "Hans bror svarede ikke. En bjørn gik i skoven, og grøn var lunden. Mødet er kl. {time} den "
    "{date}. Ring til kommunen på 70 10 20 30 eller skriv til info@example.org.",
)


def documents(number: int, seed: int) -> Iterator[dict[str, Any]]:
    """*number* labelled documents, ``{"id", "text", "spans", "decoys"}``."""
    for index in range(number):
        rng = random.Random(f"{seed}:{index}")
        template = rng.choice(_TEMPLATES)
        yield {"id": f"synthetic-{seed}-{index:05d}", **_filled(template, rng)}


def _filled(template: str, rng: random.Random) -> dict[str, Any]:
    text = ""
    spans: list[dict[str, Any]] = []
    decoys: list[dict[str, Any]] = []
    for piece in template.replace("}", "{").split("{"):
        make = _VALUES.get(piece)
        value = make(rng) if make else piece
        place = {"start": len(text), "end": len(text) + len(value)}
        if make and piece.isupper():
            spans.append({**place, "label": piece})
        elif make:
            decoys.append({**place, "kind": "order_no" if piece == "order" else piece})
        text += value
    return {"text": text, "spans": spans, "decoys": decoys}


def cpr(rng: random.Random, checked: bool) -> str:
    """Ten digits of a CPR number that belongs to nobody alive; see the module."""
    while True:
        day, month = rng.randint(2, 28), rng.randint(1, 12)
        if checked:
            year, seventh = rng.randint(58, 99), rng.randint(5, 8)
        else:
            year, seventh = rng.randint(37, 99), rng.randint(0, 3)
        ten = f"{day:02}{month:02}{year:02}{seventh}{rng.randint(0, 999):03}"
        if passes_modulus_11(ten) == checked:
            return ten


def _cpr(rng: random.Random) -> str:
    ten = cpr(rng, rng.random() < 0.4)
    separator = rng.choice(["-", "-", "-", "", " ", "\u2011", "\u00a0", " - "])
    date = rng.choice(["{}{}{}", "{}{}{}", "{}{}{}", "{}.{}.{}"]) if "-" in separator else "{}{}{}"
    return date.format(ten[:2], ten[2:4], ten[4:6]) + separator + ten[6:]


def _person(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return f"{rng.choice(_GIVEN)} {rng.choice(_SURNAME)}"
    return f"{rng.choice(_listed('g')).title()} {rng.choice(_listed('s')).title()}"


def _listed(mark: str) -> list[str]:
    return [name for name, marks in names().items() if marks in (f"d{mark}",) and len(name) > 3]


def _phone(rng: random.Random) -> str:
    digits = f"{rng.choice((67, 68))}{rng.randint(0, 999999):06}"
    pairs = " ".join(digits[i : i + 2] for i in range(0, 8, 2))
    return rng.choice([pairs, digits, f"+45 {pairs}", f"+45{digits}", f"{digits[:4]} {digits[4:]}"])


def _address(rng: random.Random) -> str:
    town = rng.choice(sorted(city.title() for city in cities() if city.isalpha()))
    floor = rng.choice(["", ", st. tv", ", 2. th.", ", 3. mf"])
    street = f"{rng.choice(_STREETS)} {rng.randint(1, 180)}{rng.choice(['', '', 'B'])}"
    return f"{street}{floor}, {rng.randint(3000, 9900)} {town}"


def _email(rng: random.Random) -> str:
    user = f"{rng.choice('abcdefgh')}{rng.choice(['.', '_', ''])}bruger{rng.randint(1, 99)}"
    return user + rng.choice(
        ["@example.dk", "@example.org", "@mail.example.com", " (at) example.dk"]
    )


def _iban(rng: random.Random) -> str:
    account = f"{rng.randint(0, 99999999999999):014}"
    check = 98 - int(f"{account}132000") % 97
    value = f"DK{check:02}{account}"
    spaced = " ".join(value[i : i + 4] for i in range(0, len(value), 4))
    return rng.choice([value, spaced])


def _digits(number: int) -> Callable[[random.Random], str]:
    return lambda rng: f"{rng.randint(10 ** (number - 1), 10**number - 1)}"


def _date(rng: random.Random, first: int = 2019, last: int = 2026) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 9), rng.randint(first, last)
    return rng.choice(
        [
            f"{day}. {_MONTHS[month - 1]} {year}",
            f"{day:02}.{month:02}.{year}",
            f"{day}/{month} {year}",
        ]
    )


_VALUES: dict[str, Callable[[random.Random], str]] = {
    "PERSON": _person,
    "DK_CPR": _cpr,
    "PHONE_NUMBER": _phone,
    "ADDRESS": _address,
    "EMAIL_ADDRESS": _email,
    "PERSON_ID": _digits(7),
    "DATE_OF_BIRTH": lambda rng: _date(rng, 1930, 2005),
    "DK_BANK_ACCOUNT": lambda rng: f"{rng.randint(1000, 9999)} {rng.randint(10**9, 10**10 - 1)}",
    "USER_HANDLE": lambda rng: f"bruger{rng.randint(10, 999)}",
    "IP_ADDRESS": lambda rng: f"{rng.choice(['192.0.2', '203.0.113'])}.{rng.randint(1, 254)}",
    "DK_LICENSE_PLATE": lambda rng: f"{rng.choice('ABC')}Q {rng.randint(10, 99)} {_digits(3)(rng)}",
    "CASE_NUMBER": lambda rng: f"{rng.randint(15, 26)}/{rng.randint(1000, 99999)}",
    "IBAN_CODE": _iban,
    "DK_PASSPORT": lambda rng: f"2{rng.randint(0, 99999999):08}",
    "DK_DRIVING_LICENCE": _digits(8),
    "date": _date,
    "kr": lambda rng: f"{rng.randint(1, 90)}.{rng.randint(100, 999)} kr.",
    "order": _digits(10),
    "time": lambda rng: f"{rng.randint(7, 21):02}:{rng.randint(10, 59)}",
    "ean": lambda rng: f"57980{rng.randint(0, 99999999):08}",
    "law": lambda rng: (
        f"{rng.randint(100, 1999)} af {rng.randint(1, 28)}. maj {rng.randint(1990, 2025)}"
    ),
    "isbn": lambda rng: (
        f"978-87-{rng.randint(10, 99)}-{rng.randint(10000, 99999)}-{rng.randint(0, 9)}"
    ),
}


def write(documents: Callable[[int, int], Iterator[dict[str, Any]]], description: str) -> None:
    """The command line of a generator: its *documents* as JSON lines on standard output."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}.{Path(sys.argv[0]).stem}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("number", type=int, help="how many documents, of each group where it has")
    parser.add_argument("seed", type=int, help="the same seed gives the same documents")
    chosen = parser.parse_args()
    for document in documents(chosen.number, chosen.seed):
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(documents, __doc__)
