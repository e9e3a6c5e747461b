"""Manifests: what is accepted, and how a donor is told what is wrong."""

import copy
import datetime as dt
import gzip
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dsk_assets.consortium.licences import canonical_licence
from dsk_assets.errors import DonationError
from dsk_assets.intake.manifest import Manifest
from dsk_assets.intake.manifest_file import describe_files, read_manifest, write_files_section
from dsk_assets.lake.digests import sha256_bytes
from tests.support_donations import MANIFEST, make_donation

FILE = {"path": "files/a.txt", "sha256": "a" * 64, "bytes": 1, "media_type": "text/plain"}
PERSONAL = {
    "expected": True,
    "categories": ["GeneralPersonalData"],
    "data_subjects": ["customers"],
    "legal_basis": ["A6-1-e"],
    "dpa_ref": "dpa-1",
    "retention_raw_event": "after-filtering",
}


def manifest(**overrides: Any) -> dict[str, Any]:
    content = copy.deepcopy(MANIFEST) | {"files": [FILE]}
    for path, value in overrides.items():
        *sections, name = path.split("__")
        section = content
        for inner in sections:
            section = section[inner]
        section[name] = value
        if value is None:
            del section[name]
    return content


def read(tmp_path: Path, content: object) -> Manifest:
    text = content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True)
    path = tmp_path / "donation.yaml"
    path.write_text(text, "utf-8")
    return read_manifest(path)


def refusal(tmp_path: Path, content: object) -> str:
    with pytest.raises(DonationError) as caught:
        read(tmp_path, content)
    return str(caught.value)


def test_a_valid_manifest_is_read(tmp_path: Path):
    found = read(tmp_path, manifest())
    assert found.key == "dsk-2026-0001@1.0.0"
    assert found.received == dt.date(2026, 11, 1)
    assert found.storage.allowed_countries == ("DK", "SE")
    assert Manifest.model_validate(found.as_json()) == found


def test_plain_scalars_are_what_the_donor_typed(tmp_path: Path):
    text = yaml.safe_dump(manifest(), allow_unicode=True)
    text = text.replace("'10101010'", "10101010").replace("'2019'", "2019")
    text = text.replace("- da\n", "- da\n  - no\n").replace("'0.1'", "0.1")
    found = read(tmp_path, text)
    assert found.donor.cvr == "10101010"
    assert found.dataset.period.content_start == "2019"
    assert found.dataset.languages == ("da", "no")


def test_no_manifest(tmp_path: Path):
    with pytest.raises(DonationError, match=r"there is no manifest: .*donation.yaml — write a"):
        read_manifest(tmp_path / "donation.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files: [", "not readable YAML"),
        ("", "holds no fields"),
        ("version: '1'\nversion: '2'\n", "the field version stands twice"),
        ("a: &x [1]\nb: [*x, *x]\n", "YAML aliases"),
        ("a: !!python/object/apply:os.system ['true']\n", "not readable YAML"),
    ],
)
def test_unreadable_yaml(tmp_path: Path, text: str, message: str):
    assert message in refusal(tmp_path, text)


def test_a_manifest_in_another_encoding(tmp_path: Path):
    (tmp_path / "donation.yaml").write_bytes("titel: rødgrød".encode("latin-1"))
    with pytest.raises(DonationError, match="is not UTF-8"):
        read_manifest(tmp_path)


MISTAKES = [
    ({"donor__cvr": "1234"}, "donor.cvr: '1234' is not what belongs here — give a company number"),
    ({"donor__cvrr": "1"}, "donor.cvrr: unknown field — remove it, or write cvr"),
    ({"purpose": None}, "purpose: is missing — add it"),
    ({"purpose__code": "urn:other"}, "purpose.code: 'urn:other' is not allowed — use 'urn:dsk"),
    ({"purpose__other_uses_prohibited": False}, "purpose.other_uses_prohibited: False is not"),
    ({"manifest_version": "9"}, "manifest_version: '9' is not allowed — use '0.1'"),
    ({"donation_id": "abc"}, "donation_id: 'abc' is not what belongs here — give an id such as"),
    ({"version": "1"}, "version: '1' is not what belongs here — give a version such as 1.0.0"),
    ({"received": "1.11.2026"}, "received: '1.11.2026' is not a date — write it as 2026-10-31"),
    ({"received": "20261101"}, "received: '20261101' is not a date"),
    ({"dataset__period__content_end": "1998-4"}, "dataset.period.content_end: '1998-4' is not"),
    ({"dataset__languages": []}, "dataset.languages: is not a list with at least one value"),
    ({"dataset__title": "Breve"}, "dataset.title: 'Breve' is not what belongs here — give a text"),
    (
        {"rights__licence_spdx": "WTF-9"},
        "rights.licence_spdx: 'WTF-9' is not a known licence — use",
    ),
    ({"rights__licence_spdx": None}, "rights.licence_spdx: neither it nor agreement_ref is given"),
    (
        {"rights__licence_spdx": None, "rights__agreement_ref": "a-1"},
        "rights.licence_spdx: is missing although open_source_wish is 'open-source'",
    ),
    ({"rights__approval__evidence": []}, "rights.approval.evidence: is not a list with at least"),
    (
        {"rights__approval__scope": ["pre-training", "pre-training"]},
        "rights.approval.scope: names a use twice",
    ),
    ({"storage__region": "us-east-1"}, "storage.region: 'us-east-1' is not a known region inside"),
    ({"storage__region": "eu-west-2"}, "'eu-west-2' is not a known region inside the EU"),
    ({"storage__region": "uksouth"}, "'uksouth' is not a known region inside the EU"),
    ({"storage__region": "Virginia"}, "'Virginia' is not a known region inside the EU"),
    ({"storage__region": "GB London"}, "or name another place after its EU country, such as"),
    ({"dataset__period__content_end": "2021-00"}, "content_end: '2021-00' is not in the calendar"),
    ({"dataset__period__content_start": "2019-02-30"}, "'2019-02-30' is not in the calendar"),
    ({"dataset__period__content_start": "2021"}, "content_end: 2020-02 lies before content_start"),
    ({"dataset__period__collected_end": "2025"}, "collected_end: 2025 lies before collected_start"),
    ({"rights__approval__expires_on": "2026-09-30"}, "expires_on: 2026-09-30 lies before approved"),
    ({"supersedes": "den gamle"}, "supersedes: 'den gamle' is not what belongs here — give the"),
    ({"files": [FILE | {"path": "a\u202etxt.b"}]}, "files[1].path: 'a\\u202etxt.b' holds"),
    ({"storage__allowed_countries": ["NO"]}, "[1]: 'NO' is not an EU member state"),
    ({"storage__allowed_countries": ["DK", "GB"]}, "[2]: 'GB' is not an EU member state"),
    ({"storage__encryption_at_rest": False}, "storage.encryption_at_rest: False is not allowed"),
    ({"opt_out__status": "reserved"}, "opt_out.status: is 'reserved': the rights holder has opted"),
    ({"files": []}, "files: is not a list with at least one value"),
    ({"files": [FILE, dict(FILE)]}, "files: 'files/a.txt' is listed 2 times"),
    ({"files": [FILE | {"sha256": "x"}]}, "files[1].sha256: 'x' is not what belongs here"),
    ({"files": [FILE | {"bytes": -1}]}, "files[1].bytes: '-1' is not what belongs here"),
    (
        {"personal_data__categories": ["GeneralPersonalData"]},
        "personal_data.categories: must be [NonPersonalData] where expected is false",
    ),
    (
        {"personal_data": PERSONAL | {"categories": ["NonPersonalData"]}},
        "personal_data.categories: holds NonPersonalData although expected is true",
    ),
    (
        {"personal_data": PERSONAL | {"legal_basis": []}},
        "personal_data.legal_basis: is missing, and expected: true demands it",
    ),
    (
        {"personal_data": {k: v for k, v in PERSONAL.items() if k != "retention_raw_event"}},
        "personal_data.retention_raw_until: neither it nor retention_raw_event is given",
    ),
    (
        {"personal_data": PERSONAL | {"categories": ["SensitivePersonalData"]}},
        "personal_data.dpia_ref: is missing, and SensitivePersonalData demands it",
    ),
    (
        {"personal_data": PERSONAL | {"categories": ["CivilRegistrationNumberData"]}},
        "personal_data.national_basis: is missing, and CivilRegistrationNumberData demands it",
    ),
    (
        {"personal_data": PERSONAL | {"categories": ["DataAboutCriminalOffences"]}},
        "personal_data.national_basis: is missing, and DataAboutCriminalOffences demands it",
    ),
]


@pytest.mark.parametrize(("change", "message"), MISTAKES, ids=lambda value: str(value)[:50])
def test_a_mistake_is_told_with_field_value_and_remedy(
    tmp_path: Path, change: dict[str, Any], message: str
):
    assert message in refusal(tmp_path, manifest(**change))


def test_all_mistakes_are_told_at_once(tmp_path: Path):
    told = refusal(tmp_path, manifest(version="1", donor__cvr="x", storage__region="us-east-1"))
    assert len(told.splitlines()) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"personal_data": PERSONAL},
        {"rights__agreement_ref": "aftale-1"},
        {
            "rights__licence_spdx": None,
            "rights__agreement_ref": "aftale-1",
            "rights__open_source_wish": "closed",
        },
        {"rights__licence_spdx": "LicenseRef-DK-Copyright-Act-9 AND MIT"},
        {"opt_out__status": "reserved-but-licensed"},
        {"storage__region": "DK Eksempelkælderen"},
        {"supersedes": "dsk-2026-0001"},
        {"supersedes": "dsk-2026-0001@1.0.0"},
        {"dataset__period__content_end": "unknown"},
        {"dataset__period__content_start": "2020"},
    ],
)
def test_what_the_rules_allow_is_accepted(tmp_path: Path, change: dict[str, Any]):
    read(tmp_path, manifest(**change))


def test_the_first_line_names_the_fields_for_the_log(tmp_path: Path):
    told = refusal(tmp_path, manifest(version="1", donor__cvr="x", donor__cvrr="y"))
    assert told.splitlines()[0].endswith(" — correct version, donor:")


def test_a_mistake_in_a_list_is_told_once(tmp_path: Path):
    told = refusal(tmp_path, manifest(files=[FILE | {"path": "../a"}]))
    assert len(told.splitlines()) == 2


def test_values_of_fields_about_persons_are_not_shown(tmp_path: Path):
    told = refusal(
        tmp_path,
        manifest(
            donor__contact={"role": "boss", "name": ["Bodil Prøve"], "email": "bodil at prøve"},
            withdrawal__contact="bodil at prøve",
            declaration__declared_by=["Bodil Prøve"],
        ),
    )
    assert "'boss'" in told
    assert "donor.contact.email: is not what belongs here" in told
    assert "odil" not in told


REQUIRED = sorted(set(MANIFEST) | {"files"})


@given(st.sampled_from(REQUIRED), st.sampled_from(["x", "", 3, [], {}, None]))
def test_any_wrong_section_is_refused_and_named(field: str, value: object):
    content = manifest() | {field: value}
    if field in ("received",) and value is None:
        Manifest.model_validate(content)
        return
    with pytest.raises(ValueError, match=field):
        Manifest.model_validate(content)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../a.txt", "files/../../a", "a\\b", "./a", "a//b", ".", ""]
)
def test_a_path_that_leaves_the_folder(tmp_path: Path, path: str):
    assert "files[1].path: " in refusal(tmp_path, manifest(files=[FILE | {"path": path}]))


@pytest.mark.parametrize(
    ("given_name", "spdx"),
    [("cc-by-4.0 and mit", "CC-BY-4.0 AND MIT"), ("LicenseRef-DSK-1", "LicenseRef-DSK-1")],
)
def test_licences_are_spelt_as_spdx_does(given_name: str, spdx: str):
    assert canonical_licence(given_name) == spdx


@pytest.mark.parametrize("name", ["", "Egen licens", "CC-BY-9.9", "LicenseRef-Other", "MIT AND"])
def test_unknown_licences_are_refused(name: str):
    with pytest.raises(ValueError, match="is not a known licence — use SPDX"):
        canonical_licence(name)


def test_files_are_described_from_their_bytes(tmp_path: Path):
    data = gzip.compress(b'{"text": "hej"}\n', mtime=0)
    folder = make_donation(tmp_path, {"files/b.dat": data, "files/a.md": "# Æ\n".encode()})
    (folder / "SOURCE.md").write_text("kilde")
    (folder / "files" / ".DS_Store").write_bytes(b"\0")
    first, second = describe_files(folder)
    assert (first.path, first.media_type, first.compression) == (
        "files/a.md",
        "text/markdown",
        "none",
    )
    assert (second.path, second.media_type, second.compression) == (
        "files/b.dat",
        "application/jsonl",
        "gzip",
    )
    assert (second.bytes, second.sha256) == (len(data), sha256_bytes(data))


def test_the_list_of_files_is_refreshed_and_the_rest_stays(tmp_path: Path):
    folder = make_donation(tmp_path, {"a.txt": b"a", "b.txt": b"b"})
    path = folder / "donation.yaml"
    path.write_text(
        path.read_text().replace("donor:", "# hvem\ndonor:") + "# slut\nsupersedes: null\n"
    )
    (folder / "b.txt").write_bytes(b"changed")
    (folder / "a.txt").rename(folder / "c.txt")
    write_files_section(folder)
    assert [file.path for file in read_manifest(folder).files] == ["b.txt", "c.txt"]
    assert read_manifest(folder).files[0].sha256 == sha256_bytes(b"changed")
    text = path.read_text()
    assert "# hvem\ndonor:" in text
    assert "\nsupersedes: null" in text
    assert text.count("files:") == 1
    write_files_section(folder)
    assert path.read_text() == text


@pytest.mark.parametrize("kind", ["link", "broken link", "folder link", "pipe"])
def test_what_is_no_plain_file_is_not_listed(tmp_path: Path, kind: str):
    folder = make_donation(tmp_path / "d", {"a.txt": b"a"})
    odd = folder / "odd"
    (tmp_path / "outside").write_bytes(b"secret")
    targets = {"link": "../outside", "broken link": "nowhere", "folder link": "."}
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to(targets[kind])
    before = (folder / "donation.yaml").read_text()
    with pytest.raises(DonationError, match=r"not a plain file: .*odd — put the file itself"):
        write_files_section(folder)
    assert (folder / "donation.yaml").read_text() == before


def test_a_file_name_that_is_not_unicode(tmp_path: Path):
    folder = make_donation(tmp_path, {"a.txt": b"a"})
    Path(os.fsdecode(os.fsencode(folder) + b"/r\xf8d.txt")).write_bytes(b"x")
    with pytest.raises(DonationError, match=r"'r\\udcf8d.txt' in .* — rename it"):
        write_files_section(folder)


def test_a_folder_without_files(tmp_path: Path):
    folder = make_donation(tmp_path, {"a.txt": b"a"})
    (folder / "a.txt").unlink()
    with pytest.raises(DonationError, match="there are no files to donate"):
        write_files_section(folder)
