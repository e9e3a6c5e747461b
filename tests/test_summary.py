"""The summary that `make demo` and `dsk status` show."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest

from dsk_assets.errors import SettingsError
from dsk_assets.evidence import failures
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.withdrawals import withdraw
from dsk_assets.records.summary import summary
from dsk_assets.records.terminal import text
from dsk_assets.settings import load_settings
from tests.small_lake import (
    ARCHIVE,
    BOUND,
    CHECKPOINTS,
    MUNICIPALITY,
    MUSEUM,
    SECRET,
    land,
    small_lake,
)
from tests.support import admit, seed


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = Catalog(load_settings(home=tmp_path_factory.mktemp("dsk"), workers=1))
    small_lake(catalog)
    return catalog


def test_an_empty_lake_says_so(catalog: Catalog) -> None:
    found = summary(catalog)
    assert "No donation has been landed yet" in text(found)
    assert found.as_json()["donations"] == ()


def test_what_has_not_been_reached_is_shown_as_missing(catalog: Catalog) -> None:
    land(catalog, ARCHIVE)
    found = summary(catalog)
    [donation] = found.donations
    assert (donation.status, donation.documents, donation.kept) == ("waiting", None, None)
    shown = text(found)
    assert "no release yet" in shown
    assert "Checkpoints: 0" in shown
    assert "Records: 0 files" in shown


def test_counts_add_up_over_current_donations(lake: Catalog) -> None:
    found = summary(lake)
    assert {one.donation: one.status for one in found.donations} == {
        ARCHIVE: "admitted",
        MUNICIPALITY: "admitted",
        MUSEUM: "refused",
    }
    assert (found.landed, found.documents, found.kept) == (4, 5, 3)
    assert found.dropped_by_stage == {"personal_data": 1, "quality": 1}
    assert found.findings == {"PERSON": 6, "DK_CPR": 4}
    assert list(found.findings) == ["PERSON", "DK_CPR"], "the most frequent first"
    assert (found.tokens, found.shards) == (1500, 2)
    assert [(one.checkpoint, one.loss) for one in found.checkpoints] == [
        (CHECKPOINTS[0], 6.0),
        (CHECKPOINTS[1], 3.0),
    ]
    gates = {one.gate: (one.admitted, one.refused) for one in found.gates}
    assert list(gates) == [
        "approval", "statistics", "language", "personal_data", "spans", "composition", "checkpoint"
    ]  # fmt: skip
    assert gates["approval"] == (2, 1)


def test_it_says_what_a_person_has_reviewed(lake: Catalog) -> None:
    found = summary(lake)
    reviews = {one.donation: (one.review, one.leaks_at_most) for one in found.donations}
    assert reviews == {
        ARCHIVE: ("reviewed", BOUND),
        MUNICIPALITY: ("not reviewed", None),
        MUSEUM: (None, None),
    }
    shown = text(found)
    assert re.search(rf"{ARCHIVE} .* at most 41.5 in 100,000 words", shown)
    assert re.search(rf"{MUNICIPALITY} .* not reviewed", shown)


def test_findings_stand_beside_what_is_found_in_labelled_text(lake: Catalog) -> None:
    shown = text(summary(lake))
    assert re.search(r"^PERSON +6 +90.0%$", shown, re.MULTILINE)
    assert re.search(r"^DK_CPR +4 +99.2%$", shown, re.MULTILINE)


def test_it_is_json_and_holds_no_text(lake: Catalog) -> None:
    found = summary(lake)
    assert json.loads(json.dumps(found.as_json()))["releases"]["1.0.0"]["tokens"] == 1500
    assert SECRET not in json.dumps(found.as_json()) + text(found)


def test_it_says_why_a_donation_was_refused(lake: Catalog) -> None:
    assert f"refused {MUSEUM}: The approval has expired." in text(summary(lake))


def test_an_admission_that_has_ended_is_a_refusal(catalog: Catalog) -> None:
    landing = land(catalog, ARCHIVE)
    yesterday = catalog.settings.date.replace(year=catalog.settings.date.year - 1)
    admit(catalog, "approval", landing, valid_until=yesterday)
    [donation] = summary(catalog).donations
    assert donation.status == "refused"
    assert donation.refused_because == (f"approval admitted it until {yesterday}",)


def test_failed_steps_are_shown_until_they_succeed(catalog: Catalog) -> None:
    land(catalog, ARCHIVE)
    failures.record(catalog, "filtering/quality", ARCHIVE, ValueError(SECRET), 3)
    shown = text(summary(catalog))
    assert f"filtering/quality[{ARCHIVE}] after 3 attempts: ValueError" in shown
    assert SECRET not in shown
    failures.clear(catalog, "filtering/quality", ARCHIVE)
    assert "attempts" not in text(summary(catalog))


def test_records_are_shown_with_their_paths(catalog: Catalog) -> None:
    land(catalog, ARCHIVE)
    made = seed(catalog, "transparency/records", "1.0.0", files={"model_card/README.md": {}})
    assert f"{catalog.lake.root}/{made.folder}/model_card/" in text(summary(catalog))


def test_it_needs_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, dsk_assets.records.summary, dsk_assets.records.terminal; "
        "print(sorted({'duckdb', 'polars', 'dbt', 'torch', 'tokenizers', 'spacy', "
        "'great_expectations', 'presidio_analyzer', 'dagster'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_withdrawal_is_shown_before_the_night_has_heeded_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    catalog = Catalog(load_settings(home=tmp_path_factory.mktemp("withdrawn"), workers=1))
    small_lake(catalog)
    later = catalog.settings.date.replace(year=catalog.settings.date.year + 1)
    withdraw(catalog, ARCHIVE, later, "next year")
    assert status(catalog)[ARCHIVE] == "admitted"
    assert f"withdrawn {ARCHIVE}: from {later} on" in text(summary(catalog))
    withdraw(catalog, ARCHIVE, catalog.settings.date, "now")
    assert status(catalog)[ARCHIVE] == "withdrawn"
    shown = text(summary(catalog))
    assert re.search(r"^kept +3\nof these +donation refused or withdrawn since +2$", shown, re.M)
    assert re.search(
        r"^Shards of current donations: 1,500 tokens in 2 shards.*; 1,000 of", shown, re.M
    )


def status(catalog: Catalog) -> dict[str, str]:
    return {one.donation: one.status for one in summary(catalog).donations}


def test_one_mistake_is_told_once_and_the_newest_release_is_marked(catalog: Catalog) -> None:
    land(catalog, ARCHIVE)
    for asset in ("donations/documents", "filtering/language"):
        failures.record(catalog, asset, ARCHIVE, SettingsError("law.yaml: wrong"), 1)
    shown = text(summary(catalog))
    assert shown.count("law.yaml: wrong") == 1
    assert f"donations/documents[{ARCHIVE}] and 1 more after 1 attempt: law.yaml: wrong" in shown
    for version in ("2.0.0", "10.0.0"):
        counts = {"donations": 1, "documents": 1, "tokens": 1}
        seed(catalog, "corpus/release", version, files={"release.json": {}}, counts=counts)
    assert list(summary(catalog).releases) == ["2.0.0", "10.0.0"]
    assert "10.0.0 (newest)" in text(summary(catalog))


def test_a_run_that_waits_elsewhere_is_told(lake: Catalog) -> None:
    assert summary(lake).awaited_run is None
    shown = text(dataclasses.replace(summary(lake), awaited_run="demo-2.0.0"))
    assert "demo-2.0.0 waits to be trained elsewhere: dsk training send FOLDER" in shown
