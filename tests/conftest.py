"""Fixtures that all tests share: settings and a catalog over a lake in a temporary folder."""

from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import Settings, load_settings
from tests.object_store import on_s3 as on_s3
from tests.object_store import store as store

hypothesis_settings.register_profile("no-deadline", deadline=None)
hypothesis_settings.load_profile("no-deadline")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("DSK_LAKE", raising=False)
    return load_settings(home=tmp_path / "dsk", workers=1)


@pytest.fixture
def catalog(settings: Settings) -> Catalog:
    return Catalog(settings, run_id="test")
