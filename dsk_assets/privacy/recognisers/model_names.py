"""Names of people by the sequence model, which needs neither a list nor a rule for them."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar

from dsk_assets.privacy.gazetteer import (
    is_elsewhere,
    is_ordinary,
    is_public_figure,
    marks,
    word_list,
)
from dsk_assets.privacy.name_model import search
from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit
from dsk_assets.privacy.recognisers.name_words import FIRM, NOT_NAMES, organisation, sentence_start
from dsk_assets.privacy.recognisers.things import names_a_thing

THRESHOLD = 0.3
"""Least probability of a name. Low, since a leak weighs more than a false find."""

_UNLISTED, _SURE, _ORDINARY, _NEVER = 0.55, 0.6, 0.9, 2.0
_SHOP = 0.6
"""Least probability of a surname after a trade with a capital, a shop more often than a person."""
_TRADES = word_list("trades")
_LONGEST_TRADE = 20
_LEAST_SCORE = 0.4
_ABBREVIATION = 5
"""Letters of a word in capitals that is as likely an abbreviation (IBAN) as a name."""
_GLUE = {"@", "_", "/", "\\"}
"""What joins a word to an address or a path."""
_ALONE = re.compile(r"[^\W\d_]+['’´]?")
_COMPOUND = re.compile(r"([^\W\d_]{1,3}|([^\W\d_]+))-[a-zæøå]{3,}")
"""Such as *S-tog* and *Berlin-muren*."""
_FIRST_WORD = re.compile(r"[^\W\d_]+ (?=[^\W\d_])")
_SURNAMES = frozenset(
    ("gade", "bank", "bro", "have", "kirke", "park", "plads", "torv", "vang", "vej")
)
_NEXT = re.compile(r"['’´]?s? ?([^\s,.;:<()]{1,40})")


class CrfNameRecognizer(DanishRecognizer):
    """Names that the conditional random field of :mod:`dsk_assets.privacy.name_model` finds.

    It reads the words round a name, so it also finds names that no list has. Its card,
    ``data/name_model.json``, states what it was trained on and how well it does alone.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("PERSON",)

    def find(self, text: str) -> Iterator[Hit]:
        """The names in *text*."""
        yield from by_model(text)


@lru_cache(maxsize=2)
def by_model(text: str) -> tuple[Hit, ...]:
    """The names that the model finds in *text*."""
    found = []
    for start, end, probability in search(text).spans(THRESHOLD):
        start = _without_title(text, start, end)
        if probability >= _least(text, start, end) and _personal(text, start, end):
            score = _LEAST_SCORE + (1 - _LEAST_SCORE) * probability
            found.append(Hit("PERSON", start, end, score))
    return tuple(found)


def _least(text: str, start: int, end: int) -> float:
    """How probable a name must be here: more where capitals say nothing or abbreviate."""
    name = text[start:end]
    compound = _COMPOUND.fullmatch(name)
    if compound is not None and not (compound[2] and marks(compound[2])):
        return _NEVER
    if _ALONE.fullmatch(name) is None:
        return THRESHOLD
    before = text[max(0, start - _LONGEST_TRADE) : start].split()
    if before and before[-1].istitle() and before[-1].lower() in _TRADES:
        return _SHOP
    found = marks(name)
    if name.islower():
        return _ORDINARY if found else _NEVER
    if name.isupper() and len(name) <= _ABBREVIATION:
        return _SURE
    if not sentence_start(text, start):
        return _SURE if not found and is_elsewhere(name) else THRESHOLD
    heading = text[end : end + 1] in ("\n", ":", "")
    if "w" in found:
        return _NEVER
    if not found and is_ordinary(name):
        return _ORDINARY
    if heading:
        return _SURE
    return THRESHOLD if found else _UNLISTED


def _without_title(text: str, start: int, end: int) -> int:
    """Where the name begins after an ordinary word that only its sentence gives a capital."""
    first = _FIRST_WORD.match(text, start, end)
    if first is None or not sentence_start(text, start):
        return start
    word = first.group()[:-1]
    return first.end() if is_ordinary(word) and not marks(word) else start


def _personal(text: str, start: int, end: int) -> bool:
    """Whether the name is a person's, and not that of a thing, a firm or someone long dead."""
    words = text[start:end].lower().split()
    if sum(c.isalpha() for c in text[start:end]) < 2:
        return False
    if any(map(organisation, words)) and not _surname(words):
        return False
    if words[0] in NOT_NAMES and len(words) == 1:
        return False
    if {text[end : end + 1], text[max(0, start - 1) : start]} & _GLUE:
        return False
    following = _NEXT.match(text, end)
    if (following is not None and organisation(following[1].lower())) or FIRM.match(text, end):
        return False
    return not (is_public_figure(text, start, end) or names_a_thing(text, start, end))


def _surname(words: list[str]) -> bool:
    """Whether *words* are a full name whose surname also means a place, as in *Niels Gade*."""
    return (
        len(words) == 2
        and set(marks(words[0])) >= {"d", "g"}
        and not {"w", "p"} & set(marks(words[0]))
        and words[1].removesuffix("s") in _SURNAMES
    )
