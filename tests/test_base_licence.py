"""A base model is taken under the licence that its own files say, and under no other."""

from pathlib import Path
from typing import Any

import pytest

from dsk_assets.errors import MissingInputError, SettingsError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import PROJECT_ROOT
from dsk_assets.training.base_licence import said_in
from dsk_assets.training.base_model import FILE, base_model
from dsk_assets.training.config import load_training
from tests.corpora import TRAINING, open_catalog, write

APACHE = (PROJECT_ROOT / "LICENSE").read_text()
MIT = (
    "MIT License\n\nCopyright (c) 2026 Somebody\n\nPermission is hereby granted, free of charge, "
    "to any person\nobtaining a copy of this software and associated documentation files, to deal …"
)
BSD = "Redistribution and use in source and binary forms, with or without modification, …"
LLAMA = "LLAMA 3.1 COMMUNITY LICENSE AGREEMENT\n\nLlama 3.1 Version Release Date: July 23, 2024"
NON_COMMERCIAL = "Creative Commons Attribution-NonCommercial 4.0 International Public License"


def card(licence: str) -> str:
    return f"---\n{licence}\n---\n# A model\n\nlicense: none, says its text\n"


def fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def choose(catalog: Catalog, files: dict[str, str], **change: Any) -> None:
    """Name a model with these files as the base model."""
    folder = catalog.settings.consortium / "models" / "base"
    folder.mkdir(parents=True, exist_ok=True)
    fill(folder, {"config.json": "{}", "model.safetensors": ""} | files)
    named = {"name": "org/base", "folder": "models/base", "licence": "Apache-2.0"}
    chosen = named | {"training_data_known": "partly"} | change
    settings = {name: value for name, value in TRAINING.items() if name != "model"}
    write(catalog.settings.consortium / "training.yaml", settings | {"base_model": chosen})


@pytest.mark.parametrize(
    ("licence", "files", "found"),
    [
        ("Apache-2.0", {"README.md": card("license: apache-2.0")}, ["README.md"]),
        ("Apache-2.0", {"README.md": card("license: [Apache-2.0]")}, ["README.md"]),
        ("Apache-2.0", {"LICENSE": APACHE}, ["LICENSE"]),
        ("Apache-2.0", {"LICENSE": APACHE, "README.md": card("tags: [da]")}, ["LICENSE"]),
        ("MIT", {"LICENCE.txt": MIT}, ["LICENCE.txt"]),
        ("BSD-2-Clause", {"COPYING": BSD}, ["COPYING"]),
        ("BSD-3-Clause", {"license.md": f"{BSD} Neither the name of …"}, ["license.md"]),
    ],
)
def test_what_its_files_say_is_taken(
    tmp_path: Path, licence: str, files: dict[str, str], found: list[str]
) -> None:
    fill(tmp_path, files)
    assert said_in(tmp_path, "org/base", licence) == found


def test_what_its_files_say_is_recorded(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path)
    choose(catalog, {"LICENCE": MIT, "README.md": card("license: mit")}, licence="mit")
    made = base_model(catalog)
    assert made.counts["licence_said_in"] == "LICENCE, README.md"
    content = made.json(FILE)
    assert content["licence"] == "MIT"
    assert {one["name"] for one in content["files"]} == {
        "LICENCE", "README.md", "config.json", "model.safetensors",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no file of org/base says so"),
        ({"README.md": "# A model\n\nUnder Apache-2.0, says its text."}, "no file of org/base"),
        ({"README.md": card("license: cc-by-nc-4.0")}, "README.md of org/base says 'cc-by-nc-4.0'"),
        ({"README.md": card("license: mit")}, "README.md of org/base says 'mit'"),
        ({"README.md": card("license: [apache-2.0, llama3.1]")}, "says 'llama3.1'"),
        ({"README.md": card("license: other\nlicense_name: qwen")}, "README.md .*says 'qwen'"),
        ({"README.md": card("license: [")}, "card .*README.md cannot be read: .*Error"),
        ({"LICENSE": LLAMA}, "LICENSE of org/base says 'LLAMA 3.1 COMMUNITY LICENSE AGREEMENT"),
        ({"LICENSE": LLAMA, "README.md": card("license: apache-2.0")}, "LICENSE .*says 'LLAMA"),
        ({"LICENSE": APACHE, "README.md": card("license: other")}, "README.md .*says 'other'"),
        ({"LICENSE": APACHE, "LICENSE-MODEL": NON_COMMERCIAL}, "LICENSE-MODEL .*NonCommercial"),
        ({"LICENSE": ""}, "LICENSE of org/base says '…'"),
    ],
)
def test_what_its_files_do_not_say_is_refused(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    fill(tmp_path, files)
    with pytest.raises(SettingsError, match=message):
        said_in(tmp_path, "org/base", "Apache-2.0")


def test_a_base_model_is_not_described_against_its_card(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path)
    choose(catalog, {"README.md": card("license: cc-by-nc-4.0")})
    with pytest.raises(SettingsError, match=r"base_model.licence is Apache-2.0, but README.md"):
        base_model(catalog)
    with pytest.raises(MissingInputError):
        catalog.require("training/base_model")


def test_a_card_in_which_the_licence_changes_is_read_again(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path)
    choose(catalog, {"README.md": card("license: apache-2.0")})
    base_model(catalog)
    choose(catalog, {"README.md": card("license: gemma")})
    with pytest.raises(SettingsError, match="says 'gemma'"):
        base_model(catalog)


@pytest.mark.parametrize(
    "licence", ["CC-BY-NC-4.0", "other", "unknown", "", "MIT OR LicenseRef-X", "GPL-3.0-only"]
)
def test_principle_1_comes_first(tmp_path: Path, licence: str) -> None:
    catalog = open_catalog(tmp_path)
    choose(catalog, {"README.md": card(f"license: {licence}")}, licence=licence)
    with pytest.raises(SettingsError, match=r"training.yaml: base_model.licence is "):
        base_model(catalog)


@pytest.mark.parametrize(
    ("written", "known"), [("yes", "yes"), ("no", "no"), ("partly", "partly"), ("'no'", "no")]
)
def test_what_is_known_of_its_training_data_is_recorded(
    tmp_path: Path, written: str, known: str
) -> None:
    """Also where YAML reads a plain yes or no as something else."""
    catalog = open_catalog(tmp_path)
    choose(catalog, {"LICENSE": APACHE}, training_data_known="PLACE")
    path = catalog.settings.consortium / "training.yaml"
    text = path.read_text()
    assert "PLACE" in text
    path.write_text(text.replace('"PLACE"', written).replace("PLACE", written))
    assert base_model(catalog).json(FILE)["trainingDataKnown"] == known


@pytest.mark.parametrize("value", [None, "maybe", 1, "drop"])
def test_what_is_known_of_its_training_data_must_be_said(tmp_path: Path, value: Any) -> None:
    catalog = open_catalog(tmp_path)
    choose(catalog, {"LICENSE": APACHE}, training_data_known=value)
    path = catalog.settings.consortium / "training.yaml"
    if value == "drop":
        lines = [line for line in path.read_text().splitlines() if "training_data" not in line]
        path.write_text("\n".join(lines))
    with pytest.raises(SettingsError, match=r"base_model.training_data_known is "):
        load_training(catalog.settings.consortium)


def test_files_below_the_models_folder_say_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "original").mkdir()
    (tmp_path / "original" / "LICENSE").write_text(LLAMA)
    (tmp_path / "LICENSE").write_text(APACHE)
    assert said_in(tmp_path, "base", "Apache-2.0") == ["LICENSE"]
