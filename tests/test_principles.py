"""PRINCIPLES.md says only what the code holds."""

import re

import pytest

from dsk_assets.gates import suites
from dsk_assets.settings import PROJECT_ROOT

TEXT = (PROJECT_ROOT / "PRINCIPLES.md").read_text("utf-8")
GATES = re.findall(r"gate `([a-z_]+)`((?:[:,] `[a-z_]+`)*)", TEXT)


@pytest.mark.parametrize(("gate", "measures"), GATES)
def test_gates_and_measures_exist(gate: str, measures: str) -> None:
    taken = {item.kwargs["column"] for item in suites.load(gate).expectations}
    assert set(re.findall(r"`([a-z_]+)`", measures)) <= taken


def test_files_exist() -> None:
    paths = re.findall(r"`(dsk_assets/[\w/.]+|LICENSE|members\.yaml)`", TEXT)
    assert len(paths) > 5
    roots = (PROJECT_ROOT, PROJECT_ROOT / "examples" / "consortium")
    assert all(any((root / path).exists() for root in roots) for path in paths)


def test_every_principle_is_held_by_a_gate_of_its_own_or_another() -> None:
    sections = re.split(r"^## ([1-5])\. ", TEXT, flags=re.MULTILINE)[1:]
    assert sections[::2] == list("12345")
    assert all("gate `" in section for section in sections[1::2])
