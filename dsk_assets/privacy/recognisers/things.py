"""Names of diseases, medicines, places, feasts, ships and the like, which are written as persons'.

The sequence model learnt from news, where such names are rare, and takes many of them for names of
persons. They are told apart by what they are made of or by what stands beside them; lists in
``data/things.txt`` hold what is known by nothing else. Whoever bears a usual given name before the
doubtful word stays a person: *Per Sø*, *Merethe Skov*.
"""

import re
from functools import cache

from dsk_assets.privacy.gazetteer import DATA, marks, whole_names

_SUBSTANCE = re.compile(
    r"(?:statin|prolol|mycin|micin|cillin|april|sartan|azol|prazol|azepam|xaban|gatran|tinib"
    r"|umab|zumab|ximab|dipin|gliptin|gliflozin|glutid|triptan|oxetin|pramin|triptylin|profen"
    r"|ovir|cyclin|floxacin|parin|thiazid|semid|solon|terol|tropium|azin|apin|idon|codon|morfin)s?$"
)
"""Endings of international names of medical substances (WHO, "The use of stems", 2018)."""
_HEAD = re.compile(
    r"(?:Skov|Sø|Klint|Torv|Bakke|Bakker|All[eé]|Platz|Fjord|Bugt|Strand|Mose|Hede|By|Kirke|Have|Slot"
    r"|Kirkeplads|Hospice|Plantage|Klit|Å|Odde|Rev|Sund|Bælt|Havn|Station|Camping|Enge|Kloster"
    r"|Plads|Bro|Havnegade|Gymnasium|Efterskole|Friskole|Vandrerhjem|Naturpark)['’]?s?"
)
_SAINT = re.compile(r"(?:Sankt|Skt\.|Sct\.|Saint|St\.) ?$")
_SAINTED = re.compile(r"(?:Sankt|Skt|Sct)\b")
_SAINTLY = frozenset(("san", "santa", "são", "saint", "los", "las", "new"))
_KIND = re.compile(r"(?<![^\W_])([^\W\d_]+|M/[FS]) [\"'»“„]?$")
_REGENTS = frozenset(
    (
        *("christian", "frederik", "margrete", "margrethe", "knud", "erik", "valdemar", "oluf"),
        *("svend", "harald", "christoffer", "gustav", "karl", "carl", "ludvig", "louis", "henrik"),
        *("edward", "george", "philip", "pius", "wilhelm", "nikolaj", "elizabeth", "elisabeth"),
        *("johannes paul", "benedikt", "haakon", "olav", "katarina", "leo"),
    )
)
_NUMBERED = re.compile(
    r" (?:1?\d\.|[IVX]{1,4}\b)(?!\d)"
    r"(?! (?:jan|feb|mar|apr|maj|jun|jul|aug|sep|okt|nov|dec|klasse|sal|plads|[A-ZÆØÅ][a-zæøå]))"
)
_MEDICAL = re.compile(
    r"(?:sygdom|syndrom|lymfom|fænomen|sarkom|test|tegn|skala|score|anæmi|kontraktur|thyr?eoiditis"
    r"|cyste|øsofagus|træning|disease)|\b(?:positiv|negativ|neg|pos|i\.a|mb|morbus|mod|type)\b",
    re.IGNORECASE,
)
_SURE = ("drugs", "days")
_NUMBER = re.compile(r"[^\W\d_]+nr")


@cache
def _things() -> dict[str, frozenset[str]]:
    """The lists of ``data/things.txt`` by section, in lower case."""
    sections: dict[str, frozenset[str]] = {}
    for part in re.split(r"^\[", (DATA / "things.txt").read_text("utf-8"), flags=re.M)[1:]:
        section, _, listed = part.partition("]\n")
        lines = (line for line in listed.lower().splitlines() if not line.startswith("#"))
        sections[section] = frozenset(
            word.strip() for line in lines for word in line.split(",") if word.strip()
        )
    return sections


def names_a_thing(text: str, start: int, end: int) -> bool:
    """Whether ``start:end`` of *text*, written like a person's name, is that of a thing."""
    name = re.sub(r"\s+", " ", text[start:end])
    before, words = text[max(0, start - 24) : start], name.split(" ")
    if _SAINT.search(before) or (len(words) > 1 and _SAINTED.match(name)):
        return True
    kind = _KIND.search(before)
    said = [words[0]] if kind is None else [words[0], kind[1].replace("/", "")]
    if any(word.lower() in _things()["kinds"] for word in said):
        return True
    if _listed(name, f"{before} {text[end : end + 24]}"):
        return True
    if len(words) == 1:
        return _one_word(name, text[end : end + 12])
    return _place(words) or (name.lower() in whole_names() and not _personal(words))


def _listed(name: str, around: str) -> bool:
    """Whether a list has *name*; one that people also bear must have its kind beside it."""
    lower = name.lower().rstrip("'’")
    forms = {lower, lower.removesuffix("s")}
    borne = " " not in name and bool(marks(name))
    return any(
        not forms.isdisjoint(listed)
        and (
            name.isupper()
            if section == "forms"
            else not borne or section in _SURE or (section == "eponyms" and _MEDICAL.search(around))
        )
        for section, listed in _things().items()
        if section != "kinds"
    )


def _one_word(name: str, following: str) -> bool:
    lower = name.lower()
    if lower in _REGENTS and _NUMBERED.match(following):
        return True
    if _NUMBER.fullmatch(lower):
        return True
    return not marks(name) and (lower.endswith("sø") or bool(_SUBSTANCE.search(lower)))


def _place(words: list[str]) -> bool:
    """Whether the last of *words* means a kind of place, and none before it is a given name."""
    if not _HEAD.fullmatch(words[-1]):
        return False
    owner = words[-2]
    if owner.endswith("s") and "g" not in marks(owner):
        return True
    return not any("g" in marks(word) for word in words[:-1]) and not marks(owner)


def _personal(words: list[str]) -> bool:
    """Whether all of *words* are on the name lists, as in *Hoàng Mai*, also a district of Hanoi."""
    return all(map(marks, words)) and words[0].lower() not in _SAINTLY
