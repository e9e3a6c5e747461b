"""Landing: what is checked before a donation is kept, and that kept donations never change."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.errors import CorruptedError, DonationError, MissingInputError, SettingsError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.gates.admitted import current_donations
from dsk_assets.intake import landing
from dsk_assets.lake.digests import sha256_bytes
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings
from tests.object_store import ACCESS_KEY, REGION, SECRET_KEY, ObjectStore
from tests.support_donations import make_donation

FILES = {"files/Bodil Prøve.txt": "Kære læser".encode(), "files/b.txt": b"two"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_donation(tmp_path / "delivery", FILES)


def test_a_donation_is_landed_by_content(catalog: Catalog, folder: Path):
    (folder / "SOURCE.md").write_text("Kilde")
    (folder / "LICENSE.txt").write_text("CC0")
    made = landing.land(catalog, folder)
    digests = sorted(sha256_bytes(data) for data in FILES.values())
    assert [file.name for file in made.files] == [*(f"files/{d}" for d in digests), "manifest.json"]
    assert made.folder.startswith(f"{Zone.RESTRICTED}/donations/landing/dsk-2026-0001@1.0.0/")
    assert {made.path(f"files/{digest}").read_bytes() for digest in digests} == set(FILES.values())
    assert made.counts == {"files": 2, "bytes": sum(map(len, FILES.values()))}
    assert landing.manifest_of(made) == landing.check(folder)
    assert landing.landed(catalog) == ["dsk-2026-0001@1.0.0"]


def test_the_statement_names_no_file_and_no_person(catalog: Catalog, folder: Path):
    statement = json.dumps(landing.land(catalog, folder).statement)
    assert "odil" not in statement
    assert "@example.dk" not in statement


def test_landing_twice_is_landing_once(catalog: Catalog, folder: Path):
    first = landing.land(catalog, folder)
    assert landing.land(catalog, folder).statement_digest == first.statement_digest
    assert len(catalog.history("donations/landing", "dsk-2026-0001@1.0.0")) == 1


def test_the_command_says_whether_a_donation_was_landed_already(folder: Path, tmp_path: Path):
    def dsk() -> str:
        home = {"DSK_HOME": str(tmp_path / "dsk")}
        return CliRunner().invoke(main, ["donate", str(folder)], env=home).stdout

    assert dsk().startswith("landed dsk-2026-0001@1.0.0: 2 files")
    assert dsk().startswith("had been landed already: dsk-2026-0001@1.0.0: 2 files")


@pytest.mark.parametrize(
    ("files", "changes"),
    [(FILES | {"files/b.txt": b"other"}, {}), (FILES, {"rights__licence_spdx": "MIT"})],
)
def test_a_landed_version_never_changes(
    catalog: Catalog, folder: Path, tmp_path: Path, files: dict[str, bytes], changes: dict[str, str]
):
    first = landing.land(catalog, folder)
    other = make_donation(tmp_path / "other", files, **changes)
    with pytest.raises(DonationError, match=r"landed with other content: dsk-2026-0001@1\.0\.0 — "):
        landing.land(catalog, other)
    assert landing.verify(catalog, "dsk-2026-0001@1.0.0") == first
    next_version = make_donation(tmp_path / "next", files, version="1.0.1", **changes)
    assert landing.land(catalog, next_version).partition == "dsk-2026-0001@1.0.1"


def refusal(folder: Path) -> str:
    with pytest.raises(DonationError) as caught:
        landing.check(folder)
    return str(caught.value)


def test_no_manifest(tmp_path: Path):
    assert "there is no manifest" in refusal(tmp_path)


def test_changed_missing_and_unlisted_files_are_all_told(catalog: Catalog, tmp_path: Path):
    folder = make_donation(tmp_path, dict.fromkeys(("a", "b", "c", "d"), b"1234"))
    (folder / "a").write_bytes(b"4321")
    (folder / "b").write_bytes(b"12345")
    (folder / "c").unlink()
    (folder / "e").write_bytes(b"")
    first, *told = refusal(folder).splitlines()
    assert first.startswith("the files differ from the manifest: 4 problems in donation dsk-2026-")
    assert told[0].startswith("  a: has SHA-256 ")
    assert told[1].startswith("  b: has 5 bytes, listed are 4")
    assert told[2].startswith("  c: is listed but missing")
    assert told[3].startswith("  e: is not listed")
    with pytest.raises(DonationError):
        landing.land(catalog, folder)
    assert landing.landed(catalog) == []


def test_of_many_problems_the_first_are_told(tmp_path: Path):
    folder = make_donation(tmp_path, {"a": b"1"})
    for number in range(60):
        (folder / f"b{number:02}").write_bytes(b"x")
    first, *told = refusal(folder).splitlines()
    assert "60 problems" in first
    assert (len(told), told[-1]) == (51, "  … and 10 more")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path):
    outside = tmp_path / "secret"
    outside.write_bytes(b"secret")
    folder = make_donation(tmp_path / "delivery", FILES)
    (folder / "files" / "b.txt").unlink()
    (folder / "files" / "b.txt").symlink_to(outside)
    assert "files/b.txt: is a link that leaves the folder" in refusal(folder)


def test_a_path_that_leaves_the_folder_is_refused(folder: Path):
    text = (folder / "donation.yaml").read_text()
    (folder / "donation.yaml").write_text(text.replace("files/b.txt", "../delivery/files/b.txt"))
    assert "does not stay inside the donation's folder" in refusal(folder)


def test_changed_bytes_are_found_and_landed_again(catalog: Catalog, folder: Path):
    made = landing.land(catalog, folder)
    stored = made.path(made.files[0].name)
    stored.chmod(0o600)
    stored.write_bytes(b"tampered")
    with pytest.raises(CorruptedError, match="deliver it again"):
        landing.verify(catalog, "dsk-2026-0001@1.0.0")
    assert landing.land(catalog, folder).digest == made.digest
    landing.verify(catalog, "dsk-2026-0001@1.0.0")


@pytest.mark.parametrize("name", ["manifest.json", "files/"])
def test_a_landed_file_that_is_gone_is_damage(catalog: Catalog, folder: Path, name: str):
    made = landing.land(catalog, folder)
    next(made.path(file.name) for file in made.files if file.name.startswith(name)).unlink()
    with pytest.raises(CorruptedError, match="is gone, though its statement names it"):
        landing.verify(catalog, "dsk-2026-0001@1.0.0")
    assert current_donations(catalog) == ["dsk-2026-0001@1.0.0"]
    assert landing.land(catalog, folder).digest == made.digest
    landing.verify(catalog, "dsk-2026-0001@1.0.0")


def test_the_donor_is_told_what_is_not_used(catalog: Catalog, tmp_path: Path):
    def told(name: str, **changes: str) -> list[str]:
        made = landing.land(catalog, make_donation(tmp_path / name, FILES, **changes))
        return list(landing.remarks(catalog, made))

    assert told("new", version="2.0.0") == []
    (remark,) = told("old", version="1.9.0")
    assert remark.startswith("it is not used: a newer version")
    (remark,) = told("other", donation_id="dsk-2026-0002", supersedes="dsk-2026-0003")
    assert remark.startswith("it supersedes dsk-2026-0003, which has not been landed")
    assert told("third", donation_id="dsk-2026-0004", supersedes="dsk-2026-0001") == []


def test_what_has_not_been_landed(catalog: Catalog):
    with pytest.raises(MissingInputError):
        landing.verify(catalog, "dsk-2026-0001@1.0.0")


def test_current_is_the_newest_version_by_number(catalog: Catalog, tmp_path: Path):
    for donation, version in (
        ("dsk-2026-0001", "1.10.0"),
        ("dsk-2026-0001", "1.9.0"),
        ("dsk-2026-0002", "1.0.0"),
    ):
        folder = tmp_path / f"{donation}-{version}"
        landing.land(
            catalog, make_donation(folder, {"a": b"x"}, donation_id=donation, version=version)
        )
    assert current_donations(catalog) == ["dsk-2026-0001@1.10.0", "dsk-2026-0002@1.0.0"]
    assert len(landing.landed(catalog)) == 3


def test_deliveries_are_all_that_lies_in_the_inbox(tmp_path: Path):
    make_donation(tmp_path / "donations" / "b", {"a": b"x"})
    make_donation(tmp_path / "donations" / "a", {"a": b"x"})
    (tmp_path / "donations" / "half").mkdir()
    (tmp_path / "donations" / "loose.txt").write_bytes(b"x")
    (tmp_path / "donations" / ".hidden").mkdir()
    names = [path.name for path in landing.deliveries(tmp_path)]
    assert names == ["a", "b", "half", "loose.txt"]
    assert "there is no manifest" in refusal(tmp_path / "donations" / "half")
    assert "not a folder" in refusal(tmp_path / "donations" / "loose.txt")
    assert landing.deliveries(tmp_path / "nowhere") == []


@pytest.mark.parametrize("region", ["", "us-east-1", "eu-west-2"])
def test_an_address_outside_the_eu_is_refused(tmp_path: Path, region: str):
    catalog = Catalog(load_settings(home=tmp_path, s3_region=region))
    with pytest.raises(SettingsError, match="not a known EU region: donated data may not leave"):
        landing.land(catalog, "s3://bucket/prefix")


def test_other_addresses_are_refused(catalog: Catalog):
    with pytest.raises(DonationError, match="not a place to read from: https://"):
        landing.land(catalog, "https://example.dk/a")


@pytest.mark.servers
def test_a_donation_in_s3_is_landed_as_from_a_folder(
    store: ObjectStore, catalog: Catalog, folder: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    home = tmp_path / "there"
    there = Catalog(load_settings(home=home, s3_endpoint=store.endpoint, s3_region=REGION))
    bucket = store.bucket()
    on_s3 = Catalog(
        load_settings(
            home=home, lake=f"s3://{bucket}/x", s3_endpoint=store.endpoint, s3_region=REGION
        )
    )
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{bucket}/inbox/first/{path.relative_to(folder).as_posix()}"
            on_s3.lake.fs.pipe_file(key, path.read_bytes())
    made = landing.land(there, f"s3://{bucket}/inbox/first/")
    assert made.digest == landing.land(catalog, folder).digest
    assert list((home / "staging").iterdir()) == []
    with pytest.raises(DonationError, match="there is nothing to donate: s3://"):
        landing.land(there, f"s3://{bucket}/inbox/second")
    with pytest.raises(DonationError, match="could not be fetched: s3://nowhere"):
        landing.land(there, "s3://nowhere-at-all/inbox")
