"""Planted values are searched for in everything that is written outside the restricted zone.

The step that filters personal data runs as the nightly job runs it, over a Dagster instance with
its databases and logs on disk, with recognisers that work, that raise errors quoting the text, and
that print it.
"""

import sqlite3
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
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
from tests.engines import TRIGGER
from tests.gating import land
from tests.support import DONATION, admit, documents, seed

VALUES = (
    "170389-1234", "1703891234", "67 12 34 56", "anne.bundgaard@example.dk", "Anne Bundgaard",
    "Prøvevej 12", "4000 0012 3456 7899", "DK5000400440116243", "192.0.2.17",
)  # fmt: skip
TEXTS = {
    "a" * 32: f"Borger Anne Bundgaard, cpr 170389-1234, Prøvevej 12, 4000 Roskilde. {TRIGGER}",
    "b" * 32: f"Tlf. 67 12 34 56, anne.bundgaard@example.dk, ip 192.0.2.17. {TRIGGER}",
    "c" * 32: f"Kortet 4000 0012 3456 7899 og IBAN DK5000400440116243. {TRIGGER}",
    "d" * 32: "Hr. Anne Bundgaard har epilepsi. Cpr 1703891234.",
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


def written(home: Path) -> dict[str, str]:
    """Everything outside ``restricted``, tables and databases in readable form."""
    found = {}
    for path in home.rglob("*"):
        if path.is_file() and "restricted" not in path.parts:
            text = path.read_bytes().decode("utf-8", "replace")
            if path.suffix == ".parquet":
                text += str(pq.read_table(path).to_pylist())
            if path.read_bytes().startswith(b"SQLite format 3"):
                with sqlite3.connect(path) as database:
                    text += "\n".join(map(str, database.iterdump()))
            found[str(path)] = text
    return found


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
    haystack = written(home)
    assert any("dagster" in name and name.endswith(".db") for name in haystack)
    out, err = capfd.readouterr()
    haystack |= {"stdout": out, "stderr": err, "log": caplog.text}
    haystack |= {"status": str(summary(catalog).as_json())}
    leaks = [(name, value) for name, text in haystack.items() for value in VALUES if value in text]
    assert leaks == []
    digests = [sha256_text(value) for value in VALUES]
    assert not any(digest in text for text in haystack.values() for digest in digests)


def test_the_search_would_notice_a_leak(home: Path) -> None:
    path = home / "dsk" / "evidence" / "note.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(VALUES[0], "utf-8")
    assert any(VALUES[0] in text for text in written(home).values())
