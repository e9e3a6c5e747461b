"""Planted values are searched for in everything that is written outside the restricted zone.

The step that filters personal data runs as the nightly job runs it, over a Dagster instance with
its databases and logs on disk, with recognisers that work, that raise errors quoting the text, and
that print it.
"""

from pathlib import Path

import dagster as dg
import pytest

from dsk_assets.cli.main import main
from dsk_assets.defs.filtering.assets import PERSONAL_DATA
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.gates.admitted import current_donations
from dsk_assets.lake.digests import sha256_text
from dsk_assets.lake.store import Zone
from dsk_assets.privacy import guarded
from dsk_assets.records.summary import summary
from dsk_assets.settings import load_settings
from tests import planted
from tests.engines import TRIGGER
from tests.gating import land
from tests.planted import VALUES, leaks, outside_restricted
from tests.support import DONATION, admit, documents, seed

TEXTS = {
    letter * 32: f"{text} {TRIGGER if letter != 'd' else ''}"
    for letter, text in zip("abcd", planted.TEXTS, strict=True)
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    policies = tmp_path / "consortium" / "policies"
    policies.mkdir(parents=True)
    (policies / "default.yaml").write_text('name: default\nversion: "1.0"\n', "utf-8")
    monkeypatch.setenv("DSK_CONSORTIUM", str(policies.parent))
    catalog = Catalog(load_settings(home=tmp_path / "dsk", workers=1))
    admit(catalog, "approval", land(catalog))
    table = documents(TEXTS)
    read = seed(
        catalog,
        "donations/documents",
        DONATION,
        zone=Zone.RESTRICTED,
        tables={"document": table, "source_file": table.select(["file_id"])},
        counts={"documents": len(TEXTS)},
    )
    admit(catalog, "statistics", read)
    assert current_donations(catalog) == [DONATION]
    return tmp_path


def run_the_step(home: Path, patch: pytest.MonkeyPatch) -> None:
    @dg.job(executor_def=dg.in_process_executor, resource_defs={"catalog": CatalogResource()})
    def night() -> None:
        PERSONAL_DATA.as_op()()

    patch.setenv("DSK_HOME", str(home / "dsk"))
    (home / "dagster").mkdir()
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(home / "dagster"), overrides=quiet) as instance:
        assert night.execute_in_process(instance=instance, raise_on_error=False).success
    main.main(["status"], standalone_mode=False)


@pytest.mark.parametrize("engine", ["good", "raising", "printing"])
def test_no_planted_value_is_written_anywhere(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture, engine: str,
) -> None:  # fmt: skip
    if engine != "good":
        monkeypatch.setattr(guarded, "ENGINE", f"tests.engines:{engine}")
    caplog.set_level("DEBUG")
    run_the_step(home, monkeypatch)
    catalog = Catalog(load_settings(home=home / "dsk", workers=1))
    counts = catalog.require("filtering/personal_data", DONATION).counts
    assert counts["withheld"] == ({"recogniser-error": 3} if engine == "raising" else {})
    haystack = dict(outside_restricted(home))
    assert any("dagster" in name and name.endswith(".db") for name in haystack)
    out, err = capfd.readouterr()
    haystack |= {"stdout": out, "stderr": err, "log": caplog.text}
    haystack |= {"status": str(summary(catalog).as_json())}
    assert leaks(haystack.items()) == []
    digests = [sha256_text(value) for value in VALUES]
    assert not any(digest in text for text in haystack.values() for digest in digests)


def test_the_search_would_notice_a_leak(home: Path) -> None:
    path = home / "dsk" / "evidence" / "note.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(VALUES[0], "utf-8")
    assert leaks(outside_restricted(home)) == [(str(path), VALUES[0])]
