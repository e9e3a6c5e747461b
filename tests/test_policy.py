"""Policies: strict reading, and which one judges a donation."""

from pathlib import Path

import pytest

from dsk_assets.consortium.policy import load_policies, policy_for
from dsk_assets.errors import SettingsError


@pytest.fixture
def consortium(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    write(tmp_path, "default", "name: default\nversion: '1'\n")
    return tmp_path


def write(consortium: Path, name: str, text: str) -> None:
    (consortium / "policies" / f"{name}.yaml").write_text(text)


def test_a_named_donation_gets_its_own_policy(consortium: Path):
    write(consortium, "law", "name: law\nversion: '2'\napplies_to: [dsk-2026-0002]\n")
    assert policy_for(consortium, "dsk-2026-0002").name == "law"
    assert policy_for(consortium, "dsk-2026-0003").name == "default"


def test_a_changed_file_is_read_again(consortium: Path):
    assert policy_for(consortium, "x").language.min_share == 0.5
    write(consortium, "default", "name: default\nversion: '2'\nlanguage: {min_share: 0.9}\n")
    assert policy_for(consortium, "x").language.min_share == 0.9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: law\nversion: '1'\nlangauge: {}\n", "langauge"),
        ("name: law\nversion: '1'\npersonal_data: {max_density: -1}\n", "max_density"),
        ("name: [", "law.yaml is not readable YAML"),
        ("name: law\nversion: '1'\nweight: 2\nweight: 3\n", "field weight is given twice"),
    ],
)
def test_a_policy_with_a_mistake_is_refused(consortium: Path, text: str, message: str):
    write(consortium, "law", text)
    with pytest.raises(SettingsError, match=message):
        load_policies(consortium)


def test_a_donation_has_one_policy(consortium: Path):
    for name in ("a", "b"):
        write(consortium, name, f"name: {name}\nversion: '1'\napplies_to: [dsk-2026-0002]\n")
    with pytest.raises(SettingsError, match="two policies name donation dsk-2026-0002"):
        load_policies(consortium)


def test_a_default_must_be_there(tmp_path: Path):
    with pytest.raises(SettingsError, match="no policy named default"):
        load_policies(tmp_path)
