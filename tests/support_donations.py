"""A valid donation in a folder, for tests that deliver, land or read one."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.intake.documents import documents
from dsk_assets.intake.landing import land
from dsk_assets.intake.manifest_file import write_files_section
from tests.support import admit

MANIFEST: dict[str, Any] = {
    "manifest_version": "0.1",
    "donation_id": "dsk-2026-0001",
    "version": "1.0.0",
    "received": "2026-11-01",
    "donor": {
        "legal_name": "Eksempelarkivet",
        "cvr": "10101010",
        "sector": "public",
        "contact": {"role": "data-steward", "email": "data@example.dk"},
    },
    "rights": {
        "holder": {"name": "Eksempelarkivet", "relation": "donor-is-rightsholder"},
        "approval": {
            "evidence": [
                {"kind": "signed-agreement", "reference": "aftale.md", "sha256": "0" * 64}
            ],
            "approved_on": "2026-10-01",
            "approved_by_role": "arkivchef",
            "scope": ["pre-training"],
        },
        "licence_spdx": "CC0-1.0",
        "open_source_wish": "open-source",
    },
    "dataset": {
        "title": {"da": "Prøver", "en": "Samples"},
        "description": {"da": "Nogle tekster.", "en": "Some texts."},
        "languages": ["da"],
        "modality": ["text"],
        "content_types": ["sample"],
        "period": {
            "content_start": "2019",
            "content_end": "2020-02",
            "collected_start": "2026",
            "collected_end": "2026",
        },
        "provenance": {"generation_method": ["primary-user-source"], "origin": "Arkivet"},
    },
    "purpose": {
        "code": "urn:dsk:purpose:danish-language-model-development",
        "text": {"da": "Danske sprogmodeller.", "en": "Danish language models."},
        "other_uses_prohibited": True,
    },
    "personal_data": {"expected": False, "categories": ["NonPersonalData"]},
    "storage": {
        "allowed_countries": ["DK", "SE"],
        "region": "eu-north-1",
        "encryption_at_rest": True,
    },
    "opt_out": {"status": "no-reservation-found", "checked_on": "2026-10-01"},
    "withdrawal": {"contact": "data@example.dk", "notice_days": 30},
    "declaration": {
        "principles_version": "1.0",
        "declared_on": "2026-10-01",
        "declared_by": "arkivchef",
    },
}
"""A manifest without its list of files, which names no real organisation."""


def make_donation(folder: Path, files: Mapping[str, bytes], **overrides: Any) -> Path:
    """A donation in *folder* with *files* by relative path; returns the folder.

    *overrides* replace fields of the manifest: ``version="2.0.0"``, or deeper ones with ``__``
    between the names (``rights__licence_spdx="MIT"``); None takes a field out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    manifest = copy.deepcopy(MANIFEST)
    for path, value in overrides.items():
        *sections, name = path.split("__")
        section = manifest
        for inner in sections:
            section = section[inner]
        section[name] = value
        if value is None:
            del section[name]
    text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)
    (folder / "donation.yaml").write_text(text, "utf-8")
    write_files_section(folder)
    return folder


def read_donation(catalog: Catalog, folder: Path) -> Snapshot:
    """The documents of the donation in *folder*: landed, approved by decree, and read."""
    landing = land(catalog, folder)
    admit(catalog, "approval", landing)
    assert landing.partition is not None
    return documents(catalog, landing.partition)
