"""The registers of members, agreements and use cases: strict reading, tables and inputs."""

import datetime as dt
import re
import shutil
from pathlib import Path

import pytest

from dsk_assets.consortium import registers
from dsk_assets.consortium.agreements import Agreement, load_agreements
from dsk_assets.consortium.members import load_members
from dsk_assets.consortium.use_cases import load_use_cases
from dsk_assets.errors import SettingsError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.digests import sha256_bytes, sha256_file
from dsk_assets.settings import load_settings

EVIDENCE = b"Aftale / agreement\n"

MEMBER = """\
- member_id: eksempel-arkiv
  legal_name: Eksempel Arkiv
  cvr: "60101010"
  sector: public
  joined_on: 2026-02-02
  page_url: https://arkiv.example.org
  principles_version: "1.0"
  declared_on: 2026-02-02
"""

AGREEMENT = f"""\
- agreement_id: aftale-1
  party: Eksempel Arkiv
  member_cvr: "60101010"
  licence_code: LicenseRef-DSK-1
  evidence_kind: signed-agreement
  evidence_file: agreements/aftale-1.md
  evidence_sha256: {sha256_bytes(EVIDENCE)}
  may_train: true
  may_release_model: true
  may_publish_data: false
  purposes: [pre-training]
  valid_from: 2026-09-01
  valid_to: 2031-08-31
  approved_by_role: arkivchef
  approved_on: 2026-08-31
"""

USE_CASE = """\
- use_case_id: soegning
  member_id: eksempel-arkiv
  title_da: Søgning
  title_en: Search
  description: Readers search in old texts.
  date: 2026-09-21
  url: https://arkiv.example.org/soegning
"""


@pytest.fixture
def consortium(tmp_path: Path) -> Path:
    folder = tmp_path / "consortium"
    (folder / "agreements").mkdir(parents=True)
    (folder / "agreements" / "aftale-1.md").write_bytes(EVIDENCE)
    (folder / "members.yaml").write_text(MEMBER, "utf-8")
    (folder / "agreements.yaml").write_text(AGREEMENT, "utf-8")
    (folder / "use_cases.yaml").write_text(USE_CASE, "utf-8")
    return folder


@pytest.fixture
def catalog(consortium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.delenv("DSK_LAKE", raising=False)
    settings = load_settings(home=tmp_path / "dsk", consortium=consortium, workers=1)
    return Catalog(settings, run_id="test")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_agreements_become_a_table(catalog: Catalog) -> None:
    snapshot = registers.agreements(catalog)
    assert snapshot.table("agreement").to_pylist() == [
        {
            "agreement_id": "aftale-1",
            "party": "Eksempel Arkiv",
            "member_cvr": "60101010",
            "licence_code": "LicenseRef-DSK-1",
            "evidence_kind": "signed-agreement",
            "evidence_file": "agreements/aftale-1.md",
            "evidence_sha256": sha256_bytes(EVIDENCE),
            "may_train": True,
            "may_release_model": True,
            "may_publish_data": False,
            "purposes": ["pre-training"],
            "valid_from": "2026-09-01",
            "valid_to": "2031-08-31",
            "approved_by_role": "arkivchef",
            "approved_on": "2026-08-31",
            "supersedes": None,
        }
    ]
    assert snapshot.folder.startswith("evidence/")
    assert snapshot.counts == {"entries": 1}


def test_members_and_use_cases_become_tables(catalog: Catalog) -> None:
    member = registers.members(catalog).table("member").to_pylist()
    use_case = registers.use_cases(catalog).table("use_case").to_pylist()
    assert [(row["cvr"], row["joined_on"]) for row in member] == [("60101010", "2026-02-02")]
    assert [(row["member_id"], row["date"]) for row in use_case] == [
        ("eksempel-arkiv", "2026-09-21")
    ]


def test_every_file_that_was_read_is_an_input(catalog: Catalog, consortium: Path) -> None:
    statement = registers.agreements(catalog).statement
    inputs = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {entry["uri"]: entry["digest"]["sha256"] for entry in inputs} == {
        f"dsk-source:consortium/{name}": sha256_file(consortium / name)
        for name in ("agreements.yaml", "members.yaml", "agreements/aftale-1.md")
    }


def test_a_register_is_made_again_only_when_it_changed(catalog: Catalog, consortium: Path) -> None:
    first = registers.members(catalog)
    assert registers.members(catalog).statement_digest == first.statement_digest
    change(consortium / "members.yaml", "Eksempel Arkiv", "Eksempel Rigsarkiv")
    second = registers.members(catalog)
    assert second.table("member")["legal_name"].to_pylist() == ["Eksempel Rigsarkiv"]


def test_open_end_is_null(catalog: Catalog, consortium: Path) -> None:
    change(consortium / "agreements.yaml", "valid_to: 2031-08-31", "valid_to: null")
    assert registers.agreements(catalog).table("agreement")["valid_to"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("may_train: true", "may_trian: true", "may_train is missing — add it"),
        (
            "may_publish_data: false",
            "may_publish_data: 'no'",
            "may_publish_data is neither true nor false: 'no' — write true or false",
        ),
        (
            "valid_to: 2031-08-31",
            "valid_to: next year",
            "valid_to is not a date: 'next year' — write it as 2026-11-23, without quotes",
        ),
        (
            'member_cvr: "60101010"',
            "member_cvr: 60101010",
            "member_cvr is not text: 60101010 — put it in quotes",
        ),
        (
            "purposes: [pre-training]",
            "purposes: [marketing]",
            "purposes.0 input should be 'pre-training', 'alignment'",
        ),
        (
            "party: Eksempel Arkiv",
            "party: Eksempel Arkiv\n  note: x",
            "note is not a field of this register: 'x' — remove it or correct its spelling",
        ),
    ],
)
def test_errors_name_file_entry_field_value_and_remedy(
    consortium: Path, old: str, new: str, expected: str
) -> None:
    change(consortium / "agreements.yaml", old, new)
    with pytest.raises(
        SettingsError,
        match=re.escape("agreements.yaml, entry 1 (aftale-1): ") + ".*" + re.escape(expected),
    ):
        load_agreements(consortium)


def test_a_field_given_twice_is_refused(consortium: Path) -> None:
    change(
        consortium / "agreements.yaml",
        "may_publish_data: false",
        "may_publish_data: false\n  may_publish_data: true",
    )
    with pytest.raises(SettingsError, match="field may_publish_data is given twice"):
        load_agreements(consortium)


def test_an_id_used_twice_is_refused(consortium: Path) -> None:
    (consortium / "members.yaml").write_text(MEMBER + MEMBER, "utf-8")
    with pytest.raises(SettingsError, match="two entries have member_id 'eksempel-arkiv'"):
        load_members(consortium)


def test_changed_evidence_is_refused(consortium: Path) -> None:
    (consortium / "agreements" / "aftale-1.md").write_bytes(EVIDENCE + b"and more")
    with pytest.raises(SettingsError, match=r"aftale-1\.md has sha256 .* not evidence_sha256"):
        load_agreements(consortium)


def test_missing_evidence_is_refused(consortium: Path) -> None:
    shutil.rmtree(consortium / "agreements")
    with pytest.raises(SettingsError, match=r"agreements/aftale-1\.md does not exist"):
        load_agreements(consortium)


@pytest.mark.parametrize("path", ["../outside.md", "/etc/hostname", "agreements/../../x"])
def test_evidence_stays_inside_the_folder(consortium: Path, path: str) -> None:
    change(consortium / "agreements.yaml", "agreements/aftale-1.md", path)
    with pytest.raises(SettingsError, match="evidence_file"):
        load_agreements(consortium)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("60101010", "61111111", "no member has member_cvr 61111111"),
        ("2031-08-31", "2025-08-31", "valid_to 2025-08-31 lies before valid_from 2026-09-01"),
        ("approved_on: 2026-08-31", "approved_on: 2026-08-31\n  supersedes: aftale-0", "aftale-0"),
    ],
)
def test_entries_are_checked_against_each_other(
    consortium: Path, old: str, new: str, expected: str
) -> None:
    change(consortium / "agreements.yaml", old, new)
    with pytest.raises(SettingsError, match=re.escape(expected)):
        load_agreements(consortium)


def test_a_use_case_of_no_member_is_refused(consortium: Path) -> None:
    change(consortium / "use_cases.yaml", "eksempel-arkiv\n", "eksempel-anden\n")
    with pytest.raises(SettingsError, match="no member has member_id 'eksempel-anden'"):
        load_use_cases(consortium)


def test_a_missing_file_and_broken_yaml_are_told(consortium: Path) -> None:
    (consortium / "use_cases.yaml").unlink()
    with pytest.raises(SettingsError, match=r"use_cases\.yaml is not in .*DSK_CONSORTIUM"):
        load_use_cases(consortium)
    (consortium / "members.yaml").write_text("- [", "utf-8")
    with pytest.raises(SettingsError, match=r"members\.yaml is not readable YAML"):
        load_members(consortium)
    (consortium / "members.yaml").write_text("members: 3", "utf-8")
    with pytest.raises(SettingsError, match="holds dict — write a list"):
        load_members(consortium)


def test_agreements_are_values(consortium: Path) -> None:
    (agreement,) = load_agreements(consortium)
    assert isinstance(agreement, Agreement)
    assert agreement.valid_from == dt.date(2026, 9, 1)
