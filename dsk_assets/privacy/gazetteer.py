"""Name lists: which words are given names, surnames, places or ordinary words.

The lists are built by :mod:`dsk_assets.privacy.names_build`, which says what they are made of.
"""

import gzip
import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

DATA = Path(__file__).parent / "data"

_SPELLINGS = str.maketrans(
    {"æ": "ae", "ø": "oe", "å": "aa", "ö": "oe", "ä": "ae", "ü": "y", "ı": "i", "ł": "l"}
    | {"đ": "d", "ð": "d", "þ": "th", "ə": "e", "’": "'", "œ": "oe"}
)
_MARKS = re.compile(r"[\u0300-\u036f'-]")
_GENITIVE = re.compile(r"['’´]?s$|['’´]$", re.IGNORECASE)
_PREFIX = re.compile(r"^(?:el|al|ad|as|ash|at|an|ul|bin|ibn)-", re.IGNORECASE)


@lru_cache(maxsize=65536)
def key(name: str) -> str:
    """*name* in the form it is looked up: lower case, without accents, hyphens or apostrophes.

    Danish letters become ae, oe and aa, so that *Søren* and *Soeren* meet.
    """
    folded = unicodedata.normalize("NFC", name).casefold().translate(_SPELLINGS)
    return _MARKS.sub("", unicodedata.normalize("NFD", folded))


@cache
def word_list(section: str) -> frozenset[str]:
    """The words of one section of ``data/words.txt``, in lower case."""
    text = (DATA / "words.txt").read_text("utf-8").split(f"[{section}]\n", 1)[1]
    return frozenset(text.split("\n\n", 1)[0].split())


@cache
def names() -> dict[str, str]:
    """Marks by name key; see :mod:`dsk_assets.privacy.names_build` for their meaning."""
    lines = (DATA / "names.tsv").read_text("utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


@lru_cache(maxsize=65536)
def marks(word: str) -> str:
    """The marks of *word*, of its parts when it is hyphenated, or of it without a genitive s."""
    found = _listed(word)
    bare = _GENITIVE.sub("", word)
    if not found and len(bare) > 1 and bare != word:
        found = _listed(bare)
    return found


def _listed(word: str) -> str:
    found = names().get(key(word))
    if found is None and "-" in word:
        parts = [names().get(key(part), "") for part in word.split("-") if part]
        if len(parts) > 1 and all(parts):
            return "".join(sorted(set.intersection(*map(set, parts)) - {"w", "p"} | {"h"}))
        return names().get(key(_PREFIX.sub("", word)), "")
    return found or ""


@cache
def cities() -> frozenset[str]:
    """Danish post towns, in lower case."""
    return frozenset((DATA / "cities.txt").read_text("utf-8").lower().splitlines())


@cache
def lexicon() -> frozenset[str]:
    """Keys of words that are written in lower case in Danish text."""
    return frozenset(gzip.decompress((DATA / "lexicon.txt.gz").read_bytes()).decode().split())


def is_ordinary(word: str) -> bool:
    """Whether *word* is in the lexicon, with or without a genitive s."""
    bare = key(word)
    return bare in lexicon() or bare.removesuffix("s") in lexicon()


@cache
def places() -> dict[str, str]:
    """Keys of countries, states, cities and the like, marked as :func:`_marked` says."""
    listed = (DATA / "places.txt").read_text("utf-8").splitlines()
    return _marked([*listed, *_not_persons("places")], "P", "v")


@cache
def others() -> dict[str, str]:
    """Keys of names of firms, goods, media, clubs, works and the like, marked likewise."""
    return _marked(_not_persons("others"), "N", "n")


def is_elsewhere(word: str) -> bool:
    """Whether *word*, with or without a genitive s, is listed as the name of no person."""
    bare = key(word)
    return any(
        listed.get(b, "").isupper()
        for listed in (places(), others())
        for b in (bare, bare.removesuffix("s"))
    )


@cache
def whole_names() -> frozenset[str]:
    """All names of several words of places, firms and the like, in lower case."""
    listed = (DATA / "places.txt").read_text("utf-8").splitlines()
    every = (*listed, *_not_persons("places"), *_not_persons("others"))
    return frozenset(name.strip().lower() for name in every if " " in name.strip())


def _not_persons(section: str) -> list[str]:
    text = (DATA / "not_persons.txt").read_text("utf-8").split(f"[{section}]\n", 1)[1]
    lines = [line for line in text.split("\n[", 1)[0].splitlines() if not line.startswith("#")]
    return [name.strip() for line in lines for name in line.split(",") if name.strip()]


def _marked(listed: Iterable[str], whole: str, part: str) -> dict[str, str]:
    """The key of each word of names: *whole* where it is all of one, *part* elsewhere."""
    found: dict[str, str] = {}
    for name in listed:
        words = re.findall(r"[^\W\d_]{3,}", name)
        for word in words:
            found.setdefault(key(word), part)
        if len(words) == 1:
            found[key(words[0])] = whole
    return found


@cache
def public_figures() -> dict[str, tuple[str, ...]]:
    """Names of well-known people who died more than ten years ago, in lower case, by word.

    The Danish Data Protection Act protects the dead for ten years (§ 2(5)).
    """
    lines = (DATA / "public_figures.txt").read_text("utf-8").lower().splitlines()
    by_word: dict[str, list[str]] = {}
    for name in lines:
        if name and not name.startswith("#"):
            for word in re.findall(r"[^\W\d_]{2,}", name):
                by_word.setdefault(word, []).append(name)
    return {word: tuple(found) for word, found in by_word.items()}


def is_public_figure(text: str, start: int, end: int) -> bool:
    """Whether the name ``start:end`` of *text* is, or is part of, that of a public figure."""
    offset = max(0, start - 40)
    around = re.sub(r"\s", " ", text[offset : end + 40].lower())
    word = re.search(r"[^\W\d_]{2,}", around[start - offset : end - offset])
    for name in public_figures().get(word.group(), ()) if word else ():
        place = around.find(name)
        if 0 <= place <= start - offset and end - offset <= place + len(name) + 2:
            return True
    return False
