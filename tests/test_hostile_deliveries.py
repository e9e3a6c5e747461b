"""Deliveries that are meant to do harm: to the reader, or to another donor's donation."""

from pathlib import Path

import pytest

from dsk_assets.errors import DonationError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.intake import landing
from dsk_assets.intake.manifest_file import read_manifest
from tests.support_donations import make_donation


def test_a_deeply_nested_manifest_is_refused(tmp_path: Path):
    path = tmp_path / "donation.yaml"
    path.write_text("x: " + "[" * 100_000)
    with pytest.raises(DonationError, match="nested too deeply"):
        read_manifest(path)


def test_a_link_to_itself_is_refused(tmp_path: Path):
    folder = make_donation(tmp_path / "d", {"files/a.txt": b"tekst"})
    (folder / "files" / "a.txt").unlink()
    (folder / "files" / "a.txt").symlink_to("a.txt")
    with pytest.raises(DonationError):
        landing.check(folder)


def test_a_donation_is_revised_by_its_own_donor_only(tmp_path: Path, catalog: Catalog):
    landing.land(catalog, make_donation(tmp_path / "a", {"files/a.txt": b"tekst"}))
    stranger = {"version": "2.0.0", "donor__cvr": "20202020"}
    with pytest.raises(DonationError, match="was given by another donor"):
        landing.land(catalog, make_donation(tmp_path / "b", {"files/a.txt": b"x"}, **stranger))
    own = make_donation(tmp_path / "c", {"files/a.txt": b"ny tekst"}, version="2.0.0")
    landing.land(catalog, own)
    assert landing.landed(catalog) == ["dsk-2026-0001@1.0.0", "dsk-2026-0001@2.0.0"]
