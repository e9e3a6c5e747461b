"""The name lists are made of openly licensed sources alone, and their card says of which."""

import importlib.metadata
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from dsk_assets.errors import SettingsError
from dsk_assets.lake.digests import sha256_file
from dsk_assets.privacy import names_build
from dsk_assets.privacy.gazetteer import DATA, names
from dsk_assets.privacy.names_build import CARD, NAME_LISTS, TOWNS, Source, build, is_open


def listed(licence: str) -> Source:
    return Source("a list", licence, names=lambda: [("da", "g", "Xarquolf"), ("", "s", "Blimf")])


@pytest.mark.parametrize("licence", ["MIT", "CC0-1.0", "CC-BY-4.0", "LicenseRef-Public-Domain"])
def test_names_under_an_open_licence_are_taken(licence: str) -> None:
    assert build(Counter(), [listed(licence)]) == "blimf\ts\nxarquolf\tdg\n"


@pytest.mark.parametrize(
    "licence", ["GPL-3.0-only", "CC-BY-NC-4.0", "CC-BY-SA-4.0", "LicenseRef-DSK-1", "", "unknown"]
)
def test_names_under_another_licence_are_left_out_and_that_is_said(
    licence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = build(
        Counter(), [listed(licence), Source("other", "MIT", names=lambda: [("", "g", "Ib")])]
    )
    assert made == "ib\tg\n"
    assert f"left out: a list, since {licence} is not an open licence" in capsys.readouterr().err


def test_text_under_another_licence_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_build, "DATA", tmp_path)
    with pytest.raises(SettingsError, match=r"Danish text \(CC-BY-NC-4.0\)"):
        names_build.main(tmp_path, "CC-BY-NC-4.0")
    assert not list(tmp_path.iterdir())


def test_the_shipped_lists_are_those_of_the_card_and_of_the_sources_it_names() -> None:
    card = json.loads(CARD.read_bytes())
    assert {name: sha256_file(DATA / name) for name in card} == {
        name: one["sha256"] for name, one in card.items()
    }
    sources = [source for one in card.values() for source in one["sources"]]
    assert all(is_open(source["licence"]) for source in sources)
    made = dict(line.split("\t") for line in build(Counter()).splitlines())
    assert made.keys() == names().keys()
    plain = str.maketrans("", "", "w")
    assert {key: marks.translate(plain) for key, marks in made.items()} == {
        key: marks.translate(plain) for key, marks in names().items()
    }


@pytest.mark.parametrize("source", [one for one in (*NAME_LISTS, TOWNS) if one.package])
def test_a_package_is_under_the_licence_that_is_stated(source: Source) -> None:
    stated = importlib.metadata.metadata(source.package or "")
    said = stated.get("License-Expression") or stated.get("License") or ""
    assert re.sub(" License$", "", said) == source.licence
