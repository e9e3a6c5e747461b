"""Invented sentences with names of many groups, to see whether some are found less often.

    python -m dsk_assets.privacy.synthetic_names 100 1 > names.jsonl
    dsk privacy evaluate names.jsonl

A group is a locale of the ``faker`` library (MIT). Given names and surnames are drawn at random and
independently, so a full name is most likely nobody's. The lists are those that the recognisers look
words up in: this measures combinations never seen, not names never listed. Each span has a
``group``. The same arguments give the same bytes.
"""

import random
from collections.abc import Iterator
from typing import Any

from dsk_assets.privacy.names_build import faker_names
from dsk_assets.privacy.synthetic import write

GROUPS = {
    "Danish": ("da_DK",),
    "Nordic": ("no_NO", "sv_SE", "is_IS", "fi_FI"),
    "German": ("de_DE",),
    "English": ("en_GB", "en_US"),
    "Dutch": ("nl_NL",),
    "French": ("fr_FR",),
    "Spanish": ("es_ES",),
    "Italian": ("it_IT",),
    "Portuguese": ("pt_PT",),
    "Polish": ("pl_PL",),
    "Romanian": ("ro_RO",),
    "Hungarian": ("hu_HU",),
    "Croatian": ("hr_HR",),
    "Lithuanian": ("lt_LT",),
    "Turkish": ("tr_TR",),
    "Azerbaijani": ("az_AZ",),
    "Vietnamese": ("vi_VN",),
    "Indian": ("en_IN",),
    "Indonesian": ("id_ID",),
    "Yoruba": ("yo_NG",),
    "Ukrainian": ("uk_UA",),
}
_SENTENCES = (
    "På mødet fortalte {full}, at sagen var afsluttet.",
    "Vi har talt med {full} om det, og {given} kommer på torsdag.",
    "Ifølge {full} er der ikke noget nyt.",
    "{full} har boet i byen siden 2012.",
    "Brevet er fra {given} og handler om ferien.",
    "Det var {genitive} forslag, som blev vedtaget.",
    "Hr. {surname} ringede i går.",
    "Formanden, {full}, bød velkommen.",
    "Til stede var {initial} og to andre.",
    "Hej {given}\nTak for hjælpen i lørdags.\nVenlig hilsen\n{full}",
    "Deltagere: {full} og {other}.",
)


def names_of(group: str) -> tuple[list[str], list[str]]:
    """Given names and surnames on the lists of *group*."""
    lists: dict[str, set[str]] = {"g": set(), "s": set()}
    for locale, mark, name in faker_names():
        if locale in GROUPS[group] and name[0].isalpha() and len(name) > 2:
            lists[mark].add(name[0].upper() + name[1:])
    return sorted(lists["g"]), sorted(lists["s"])


def documents(number: int, seed: int) -> Iterator[dict[str, Any]]:
    """*number* labelled documents for each group; spans have a ``group`` besides."""
    for group in GROUPS:
        given, surnames = names_of(group)
        for index in range(number):
            rng = random.Random(f"{seed}:{group}:{index}")
            yield {
                "id": f"names-{seed}-{group.lower()}-{index:05d}",
                **_filled(rng, rng.choice(_SENTENCES), given, surnames, group),
            }


def _filled(
    rng: random.Random, template: str, given: list[str], surnames: list[str], group: str
) -> dict[str, Any]:
    first, last = rng.choice(given), rng.choice(surnames)
    full = f"{first} {last}"
    values = {
        "full": full,
        "given": first,
        "surname": last,
        "genitive": full + ("'" if full[-1] in "sxz" else "s"),
        "initial": f"{first[0]}. {last}",
        "other": f"{rng.choice(given)} {rng.choice(surnames)}",
    }
    text, spans = "", []
    for piece in template.replace("}", "{").split("{"):
        value = values.get(piece, piece)
        if piece in values:
            place = {"start": len(text), "end": len(text) + len(value)}
            spans.append({**place, "label": "PERSON", "group": group})
        text += value
    return {"text": text, "spans": spans, "decoys": []}


if __name__ == "__main__":
    write(documents, __doc__)
