"""A lake with a release and a whole of 150 parts, and what verification finds wrong in it."""

from pathlib import Path

import pytest

from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.lake import Report, verify
from tests.evidence_lake import Home, build

SHARDS = "corpus/shards"


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return build(tmp_path_factory.mktemp("intact") / "home")


@pytest.fixture
def home(intact: Home, tmp_path: Path) -> Home:
    return intact.copy(tmp_path / "home")


def checked(home: Home, **options) -> Report:
    return verify(home.catalog(), **options)


def wrong(report: Report) -> dict[str, Fault]:
    """The faults by code; the first of each."""
    found: dict[str, Fault] = {}
    for fault in report.faults:
        if not fault.is_limit:
            found.setdefault(fault.code, fault)
    return found
