"""The demonstration consortium: complete, lawful to pass on, something for every filter."""

import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from dsk_assets.consortium import registers
from dsk_assets.consortium.agreements import Agreement, load_agreements
from dsk_assets.consortium.licences import REGISTERED, canonical_licence
from dsk_assets.consortium.members import load_members
from dsk_assets.consortium.policy import Policy, load_policies
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.filters.ruleset import for_policy
from dsk_assets.intake.manifest import Manifest
from dsk_assets.intake.manifest_file import read_manifest
from dsk_assets.lake.digests import sha256_bytes
from dsk_assets.privacy.entities import INDIRECT
from dsk_assets.settings import PROJECT_ROOT

CONSORTIUM = PROJECT_ROOT / "examples" / "consortium"
FOLDERS = sorted(path.parent for path in CONSORTIUM.glob("donations/*/donation.yaml"))
DAY = "2026-11-23"
"""The day as of which the demonstration's approvals were written."""


@pytest.fixture(scope="module")
def manifests() -> dict[str, Manifest]:
    return {folder.name: read_manifest(folder) for folder in FOLDERS}


@pytest.fixture(scope="module")
def agreements() -> dict[str, Agreement]:
    return {entry.agreement_id: entry for entry in load_agreements(CONSORTIUM)}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_files_are_those_of_the_manifest(folder: Path) -> None:
    listed = {file.path: (file.sha256, file.bytes) for file in read_manifest(folder).files}
    found = {
        path.relative_to(folder).as_posix(): (sha256_bytes(path.read_bytes()), path.stat().st_size)
        for path in folder.glob("files/**/*")
    }
    assert found == listed
    assert (folder / "SOURCE.md").is_file()


def test_ids_are_unique_and_the_whole_is_small(manifests: dict[str, Manifest]) -> None:
    keys = [one.key for one in manifests.values()]
    assert len(keys) == len(set(keys)) >= 8
    assert sum(file.bytes for one in manifests.values() for file in one.files) < 10_000_000


def test_terms_of_manifest_and_agreement_are_the_same(
    manifests: dict[str, Manifest], agreements: dict[str, Agreement]
) -> None:
    for one in manifests.values():
        assert one.rights.agreement_ref is not None
        agreement = agreements[one.rights.agreement_ref]
        approval = one.rights.approval
        assert agreement.licence_code == one.rights.licence_spdx
        assert agreement.member_cvr == one.donor.cvr
        assert agreement.valid_to == approval.expires_on
        assert agreement.approved_on == approval.approved_on
        assert tuple(agreement.purposes) == approval.scope
        assert [paper.sha256 for paper in approval.evidence] == [agreement.evidence_sha256]


def test_every_licence_has_a_text_and_none_is_gpl(agreements: dict[str, Agreement]) -> None:
    for entry in agreements.values():
        assert canonical_licence(entry.licence_code) == entry.licence_code
        assert "GPL" not in entry.licence_code
    references = {path.stem for path in CONSORTIUM.glob("licences/LicenseRef-*.md")}
    assert references == set(REGISTERED)
    overview = (CONSORTIUM / "licences" / "README.md").read_text("utf-8")
    assert all(f"`{entry.licence_code}`" in overview for entry in agreements.values())
    for folder in FOLDERS:
        assert "GPL" not in (folder / "SOURCE.md").read_text("utf-8")


def test_one_forbids_publishing_its_text(
    manifests: dict[str, Manifest], agreements: dict[str, Agreement]
) -> None:
    closed = [one for one in manifests.values() if one.rights.open_source_wish == "closed"]
    assert closed
    for one in closed:
        agreement = agreements[str(one.rights.agreement_ref)]
        assert (agreement.licence_code, agreement.may_publish_data) == ("LicenseRef-DSK-1", False)
        assert agreement.may_train


def test_one_is_to_be_open_sourced(
    manifests: dict[str, Manifest], agreements: dict[str, Agreement]
) -> None:
    wished = [one for one in manifests.values() if one.rights.open_source_wish == "open-source"]
    assert wished
    assert all(agreements[str(one.rights.agreement_ref)].may_publish_data for one in wished)


def test_one_approval_has_expired_and_the_others_hold_for_years(
    manifests: dict[str, Manifest],
) -> None:
    ends = {
        name: str(one.rights.approval.expires_on)
        for name, one in manifests.items()
        if one.rights.approval.expires_on is not None
    }
    assert [name for name, end in ends.items() if end < DAY] == ["museum-laesestykker"]
    assert all(end < DAY or end >= "2030" for end in ends.values())


def test_one_holds_documents_in_other_languages(manifests: dict[str, Manifest]) -> None:
    languages = set(manifests["forlag-nyheder"].dataset.languages)
    assert {"da", "nb", "sv", "de", "en"} <= languages
    table = pq.read_table(
        CONSORTIUM / "donations" / "forlag-nyheder" / "files" / "artikler.parquet"
    )
    texts = table["text"].to_pylist()
    assert any("nicht" in text for text in texts)
    assert any("inte" in text.split() for text in texts)
    assert any("the" in text.split() for text in texts)


def test_one_holds_synthetic_personal_data_in_every_office_format(
    manifests: dict[str, Manifest],
) -> None:
    one = manifests["kommune-sager"]
    assert one.personal_data.expected
    assert "CivilRegistrationNumberData" in one.personal_data.categories
    synthetic = one.dataset.provenance.synthetic
    assert synthetic is not None
    assert synthetic.used
    suffixes = {Path(file.path).suffix for file in one.files}
    assert suffixes == {".docx", ".rtf", ".pdf", ".eml", ".mbox", ".xlsx", ".csv"}


def test_no_personal_number_could_be_that_of_a_living_person() -> None:
    """A right check digit stands only with births of 1858-1899 (7th digit 5-8, year 58-99)."""
    files = [
        path
        for folder in ("kommune-sager", "forsyning-kundeservice", "forening-nyhedsbreve")
        for path in (CONSORTIUM / "donations" / folder / "files").iterdir()
        if path.suffix in {".csv", ".rtf", ".eml", ".mbox", ".html", ".md", ".gz"}
    ]
    found = 0
    for path in files:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for match in re.finditer(rb"(?<!\d)(\d{6})[- ]?(\d{4})(?!\d)", data):
            digits = (match[1] + match[2]).decode()
            if not 1 <= int(digits[:2]) <= 31 or not 1 <= int(digits[2:4]) <= 12:
                continue
            found += 1
            weights = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
            total = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))
            assert total % 11 or (digits[6] in "5678" and int(digits[4:6]) >= 58), path.name
    assert found > 20


def statutes() -> list[dict[str, Any]]:
    folder = CONSORTIUM / "donations" / "ministerium-love" / "files"
    packed = (folder / "love-2006-2015.jsonl.zst").read_bytes()
    lines = io.TextIOWrapper(
        zstandard.ZstdDecompressor().stream_reader(packed), "utf-8"
    ).readlines()
    lines += (
        gzip.decompress((folder / "love-2016-2026.jsonl.gz").read_bytes()).decode().splitlines()
    )
    return [json.loads(line) for line in lines]


def test_two_donations_share_texts() -> None:
    pages = CONSORTIUM / "donations" / "styrelse-regler" / "files"
    shared = [
        row for row in statutes() if (pages / f"regel-{row['id'].replace(':', '-')}.html").is_file()
    ]
    assert len(shared) == 16


def test_text_comes_in_several_encodings() -> None:
    folder = CONSORTIUM / "donations" / "bibliotek-prosa" / "files"
    texts = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert texts["larsenk_03.txt"].startswith(b"\xef\xbb\xbf")
    assert not texts["hjort_05.txt"].startswith(b"\xef\xbb\xbf")
    assert texts["hjort_05.txt"].decode("utf-8")
    with pytest.raises(UnicodeDecodeError):
        texts["brandesed_10.txt"].decode("utf-8")
    assert "—" in texts["brandesed_10.txt"].decode("cp1252")


def test_formats(manifests: dict[str, Manifest]) -> None:
    names = {file.path for one in manifests.values() for file in one.files}
    for suffix in (".jsonl.gz", ".jsonl.zst", ".parquet", ".txt", ".tsv", ".html", ".xml", ".md"):
        assert any(name.endswith(suffix) for name in names), suffix


def test_members_are_invented() -> None:
    for member in load_members(CONSORTIUM):
        assert member.legal_name.startswith("Eksempel ")
        weighted = sum(
            int(digit) * weight
            for digit, weight in zip(member.cvr, (2, 7, 6, 5, 4, 3, 2, 1), strict=True)
        )
        assert weighted % 11 != 0
        assert re.fullmatch(r"https://[a-z]+\.example\.org/.*", member.page_url)


def test_policies_name_donations_that_exist(manifests: dict[str, Manifest]) -> None:
    ids = {one.donation_id for one in manifests.values()}
    named = {name for policy in load_policies(CONSORTIUM) for name in policy.applies_to}
    assert named
    assert named <= ids


@pytest.mark.parametrize("policy", load_policies(CONSORTIUM), ids=lambda policy: policy.name)
def test_policies_name_rules_and_entities_that_exist(policy: Policy) -> None:
    assert for_policy(policy.quality).rules
    assert set(policy.personal_data.actions) <= INDIRECT


def test_the_registers_can_be_materialised(catalog: Catalog) -> None:
    assert registers.members(catalog).counts["entries"] >= 8
    assert registers.agreements(catalog).counts["entries"] == len(FOLDERS)
    assert registers.use_cases(catalog).counts["entries"] > 0
