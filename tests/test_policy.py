"""Policies: strict reading, and which one judges a donation."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.consortium.policy import load_policies, policy_for
from dsk_assets.errors import SettingsError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.intake import landing
from dsk_assets.settings import PROJECT_ROOT, load_settings


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


BROKEN = "personal_data: {actions: {DK_CPR: keep}}\n"


def test_a_broken_policy_holds_up_only_what_it_is_meant_for(consortium: Path):
    write(consortium, "law", "name: law\nversion: '1'\napplies_to: [a]\n" + BROKEN)
    with pytest.raises(SettingsError, match=r"law\.yaml: personal_data\.actions\.DK_CPR is 'keep'"):
        policy_for(consortium, "a")
    assert policy_for(consortium, "b").name == "default"


@pytest.mark.parametrize("named", ["", "aplies_to: [b]\n", "applies_to: [1]\n", "applies_to: b\n"])
def test_where_it_is_not_said_for_whom_it_may_be_for_all(consortium: Path, named: str):
    write(consortium, "law", "name: law\nversion: '1'\napplies_to: [a]\n")
    write(consortium, "other", "name: other\nversion: '1'\n" + named + BROKEN)
    with pytest.raises(SettingsError, match=r"other\.yaml"):
        policy_for(consortium, "b")
    assert policy_for(consortium, "a").name == "law"


def test_a_broken_default_holds_up_what_no_other_names(consortium: Path):
    write(consortium, "default", "name: default\nversion: '1'\n" + BROKEN)
    write(consortium, "law", "name: law\nversion: '1'\napplies_to: [a]\n")
    with pytest.raises(SettingsError, match=r"default\.yaml"):
        policy_for(consortium, "b")
    assert policy_for(consortium, "a").name == "law"


def test_the_dry_run_names_each_broken_policy_once(
    consortium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(PROJECT_ROOT / "examples" / "consortium", tmp_path / "c")
    shutil.copytree(consortium / "policies", tmp_path / "c/policies", dirs_exist_ok=True)
    monkeypatch.setenv("DSK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DSK_CONSORTIUM", str(tmp_path / "c"))
    head = "version: '1'\napplies_to: [dsk-2026-0001]\n"
    for name, rest in (
        ("a", BROKEN),
        ("b", "personal_data: {actions: {PERSONN: pseudonym}}\n"),
        ("c", "quality: {disabled: [no-such-rule]}\n"),
    ):
        write(tmp_path / "c", name, f"name: {name}\n{head}{rest}")
    landing.land(Catalog(load_settings()), tmp_path / "c/donations/arkiv-litteratur")
    done = CliRunner().invoke(main, ["nightly", "--dry-run"])
    assert done.exit_code == 1
    assert "filtering/recall" in done.output, "what is stale is named, too"
    for told in ("a.yaml: personal_data.actions.DK_CPR", "policy b names type PERSONN", "no-such"):
        assert done.output.count(told) == 1
