"""The nightly verification: an asset with a gate and a check, which holds back the records."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from dsk_assets.defs import metadata
from dsk_assets.defs.local import local_instance
from dsk_assets.defs.told import told
from dsk_assets.defs.transparency.assets import VERIFICATION
from dsk_assets.errors import NotAdmittedError
from dsk_assets.evidence import admission, sequencer
from dsk_assets.evidence.catalog import Catalog, Snapshot, Stale
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.lake import verify
from dsk_assets.gates.registry import GATES
from dsk_assets.records.verification import require_verified, verification
from tests.evidence_lake import DONATIONS, REACHED, RELEASE, RUN, Home, make, show
from tests.support import admit
from tests.tampering import flip
from tests.verified_lake import home as home
from tests.verified_lake import intact as intact


def verified(catalog: Catalog) -> tuple[Snapshot, list[Snapshot]]:
    inputs = [catalog.require("corpus/release", RELEASE)]
    snapshot = verification(catalog, RELEASE, inputs)
    GATES["evidence"].judge(catalog, RELEASE)
    return snapshot, inputs


def test_what_verifies_is_admitted_and_bound_to_the_checkpoint_of_the_log(home: Home):
    catalog = home.catalog()
    snapshot, inputs = verified(catalog)
    assert require_verified(catalog, RELEASE, inputs)
    report = snapshot.json("verification.json")
    lines = (home.log / "checkpoint").read_text("utf-8").split("\n")
    assert report["checkpoint"]["origin"] == lines[0]
    assert report["checkpoint"]["size"] == int(lines[1])
    assert report["limits"] == ["development-keys", "no-witness"]
    decision = admission.decision(catalog.require("gate/evidence", RELEASE))
    assert {one.measure for one in decision.findings if not one.passed} == {"witnesses"}


def test_the_same_result_over_the_same_inputs_is_not_written_again(home: Home):
    catalog = home.catalog()
    first, inputs = verified(catalog)
    assert verified(catalog)[0].statement_digest == first.statement_digest
    assert verification(catalog.planning(), RELEASE, inputs) == first
    with pytest.raises(Stale):
        verification(catalog.planning(), RELEASE, [*inputs, catalog.require("study/whole")])


def test_a_fault_holds_back_the_records_until_it_is_mended(home: Home):
    catalog = home.catalog()
    _, inputs = verified(catalog)
    path = next(home.lake.glob(f"curated/corpus/shards/{DONATIONS[0]}/*/tokens/00000.bin"))
    flip(path)
    snapshot, _ = verified(catalog)
    (named,) = snapshot.json("verification.json")["named"]
    assert (named["code"], tuple(named["affects"])) == ("file-changed", REACHED)
    with pytest.raises(NotAdmittedError, match="gate evidence refused"):
        require_verified(catalog, RELEASE, inputs)
    flip(path)
    verified(catalog)
    assert require_verified(catalog, RELEASE, inputs)


def test_what_the_log_refuses_is_a_fault_and_not_an_end(home: Home):
    catalog = home.catalog()
    stray = home.statement("study/part", "stray")
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"{}")
    snapshot, inputs = verified(catalog)
    assert snapshot.json("verification.json")["faults"]["statement"] == 1
    with pytest.raises(NotAdmittedError, match="gate evidence refused"):
        require_verified(catalog, RELEASE, inputs)


def test_other_inputs_than_those_verified_are_not_admitted(home: Home):
    catalog = home.catalog()
    _, inputs = verified(catalog)
    with pytest.raises(NotAdmittedError, match="has changed since"):
        require_verified(catalog, RELEASE, [*inputs, catalog.require("study/whole")])


def test_the_check_stands_on_the_asset_and_shows_numbers(home: Home):
    catalog = home.catalog()
    verified(catalog)
    decision = admission.decision(catalog.require("gate/evidence", RELEASE))
    (check,) = VERIFICATION.as_asset().check_specs
    assert check.name == "evidence"
    assert check.asset_key == dg.AssetKey(["transparency", "verification"])
    measures = {finding.measure: finding.actual for finding in decision.findings}
    assert measures["log_faults"] == 0
    assert measures["log_entries"] > 180


@pytest.fixture
def instance(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", "")
    with local_instance(home.settings) as instance:
        yield instance


@pytest.fixture
def shown(home: Home, instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance that has been told of all that its run made."""
    show(home.catalog(), instance)
    return instance


def compared(home: Home, instance: dg.DagsterInstance) -> dict[str, list[Fault]]:
    report = verify(home.catalog(), told=told(home.catalog(), instance))
    found: dict[str, list[Fault]] = {}
    for fault in report.faults:
        if fault.code.startswith("dagster-"):
            found.setdefault(fault.code, []).append(fault)
    return found


def test_dagster_and_the_statements_agree(home: Home, shown: dg.DagsterInstance):
    assert compared(home, shown) == {}


def edited(home: Home, old: str, new: str) -> None:
    """Change Dagster's event log by SQL."""
    changed = 0
    for path in home.settings.dagster_home.rglob("*.db"):
        with closing(sqlite3.connect(path)) as database, database:
            tables = {name for (name,) in database.execute("select name from sqlite_master")}
            if "event_logs" in tables:
                changed += database.execute(
                    "update event_logs set event = replace(event, ?, ?) where event like ?",
                    (old, new, f"%{old}%"),
                ).rowcount
    assert changed


def test_dagsters_database_edited_a_number(home: Home, shown: dg.DagsterInstance):
    started = home.catalog().require("corpus/release", RELEASE).statement["predicate"]
    moment = started["runDetails"]["metadata"]["startedOn"]
    edited(home, moment, "2001" + moment[4:])
    (fault,) = compared(home, shown)["dagster-differs"]
    assert f"corpus/release[{RELEASE}]" in fault.place
    assert fault.detail in ("started", "started, finished"), "within a millisecond both are edited"
    assert fault.affects == REACHED


def test_dagsters_database_edited_a_data_version(home: Home, shown: dg.DagsterInstance):
    digest = home.catalog().require("corpus/shards", DONATIONS[0]).digest
    edited(home, digest, "0" * 64)
    found = compared(home, shown)
    assert DONATIONS[0] in found["dagster-unknown"][0].place
    assert found["dagster-missing"][0].place == f"corpus/shards[{DONATIONS[0]}]"
    assert found["dagster-missing"][0].affects == REACHED


def test_dagsters_database_wiped(home: Home, shown: dg.DagsterInstance):
    shown.wipe_assets([dg.AssetKey(["corpus", "release"])])
    fault, check = compared(home, shown)["dagster-missing"]
    assert fault.place == f"corpus/release[{RELEASE}]"
    assert RUN in fault.detail
    assert check.place == f"check gate/composition[{RELEASE}]"


def checks(home: Home, statement: str) -> None:
    """Change Dagster's table of checks by SQL."""
    (path,) = home.settings.dagster_home.rglob("index.db")
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute(statement).rowcount


def test_a_check_deleted_from_dagsters_database(home: Home, shown: dg.DagsterInstance):
    checks(home, "delete from asset_check_executions where check_name = 'spans'")
    found = compared(home, shown)["dagster-missing"]
    assert {fault.place for fault in found} == {f"check gate/spans[{key}]" for key in DONATIONS}
    assert found[0].affects == REACHED
    checks(home, "delete from asset_check_executions where check_name = 'composition'")
    found = compared(home, shown)["dagster-missing"]
    assert f"check gate/composition[{RELEASE}]" in {fault.place for fault in found}


def test_a_decision_edited_in_dagsters_database(home: Home, shown: dg.DagsterInstance):
    change = "set evaluation_event = replace(evaluation_event, '| passed |', '| critical |')"
    checks(home, f"update asset_check_executions {change} where check_name = 'spans'")
    found = compared(home, shown)
    assert "spans" in found["dagster-differs"][0].place
    assert len(found["dagster-missing"]) == len(DONATIONS), "what was decided is not shown"


def test_a_check_turned_green_in_dagsters_database(home: Home, shown: dg.DagsterInstance):
    status = "execution_status = 'FAILED'"
    checks(home, f"update asset_check_executions set {status} where check_name = 'checkpoint'")
    (fault,) = compared(home, shown)["dagster-differs"]
    assert "training/checkpoint checkpoint" in fault.place


def test_a_green_check_put_upon_a_red_one(home: Home, shown: dg.DagsterInstance):
    """People look at the newest check: it shows what the gate decided last, and nothing else."""
    decided = admission.decision(home.catalog().require("gate/spans", DONATIONS[0]))

    def show_spans(decision: admission.Decision) -> set[str]:
        evaluation = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(["corpus", "shards"]), check_name="spans", passed=True,
            metadata=metadata.of_decisions([(DONATIONS[0], decision)]),
        )  # fmt: skip
        shown.report_runless_asset_event(evaluation)
        return {
            f"{one.code} {one.detail}" for found in compared(home, shown).values() for one in found
        }

    assert show_spans(decided) == set(), "what was decided, shown once more"
    otherwise = {f"dagster-differs {DONATIONS[0]} was decided otherwise"}
    assert show_spans(replace(decided, findings=decided.findings * 2)) == otherwise


def test_a_check_that_shows_an_earlier_decision(home: Home, shown: dg.DagsterInstance):
    catalog = home.catalog()
    refused = admit(
        catalog, "spans", catalog.require("corpus/shards", DONATIONS[0]), admitted=False
    )
    sequencer.append_new(catalog)
    assert "was decided otherwise" in compared(home, shown)["dagster-differs"][0].detail
    evaluation = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["corpus", "shards"]), check_name="spans", passed=False,
        metadata=metadata.of_decisions([(DONATIONS[0], admission.decision(refused))]),
    )  # fmt: skip
    shown.report_runless_asset_event(evaluation)
    assert compared(home, shown) == {}


def test_runs_that_dagster_says_ended_badly_hide_nothing(home: Home, shown: dg.DagsterInstance):
    """Whoever can write into its database can say so of any run, and remove what it made."""
    shown.wipe_assets([dg.AssetKey(["corpus", "release"])])
    failed = dg.DagsterRun("nightly", run_id=RUN, status=dg.DagsterRunStatus.FAILURE)
    shown.run_storage.add_run(failed)
    report = verify(home.catalog("dsk"), told=told(home.catalog("dsk"), shown))
    (limit,) = [fault for fault in report.faults if fault.code.startswith("dagster-")]
    assert (limit.code, limit.place, limit.is_limit) == ("dagster-unfinished", f"run {RUN}", True)
    assert compared(home, shown) == {}, "the run that verifies is under way for sure"


def test_what_was_made_outside_dagster_is_not_missed_there(home: Home, shown: dg.DagsterInstance):
    make(home.catalog("dsk"), "study/by-hand", files={"a.json": 1})
    sequencer.append_new(home.catalog())
    assert compared(home, shown) == {}


def test_dagsters_database_garbled(home: Home, shown: dg.DagsterInstance):
    for path in home.settings.dagster_home.rglob("*.db*"):
        path.write_bytes(b"garbage")
    assert "dagster-unreadable" in compared(home, shown)


def test_a_materialisation_that_nobody_made(home: Home, shown: dg.DagsterInstance):
    event = dg.AssetMaterialization(dg.AssetKey(["corpus", "invented"]), partition="x")
    shown.report_runless_asset_event(event)
    (fault,) = compared(home, shown)["dagster-unknown"]
    assert "corpus/invented[x]" in fault.place


def command(home: Home, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "dsk_assets.cli", "evidence", *arguments],
        env={**os.environ, "DSK_HOME": str(home.path), "DSK_LAKE": "", "DSK_WORKERS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_says_what_it_found_by_its_exit_code(home: Home, tmp_path: Path):
    done = command(home, "verify", "--json")
    (fault,) = [one for one in json.loads(done.stdout)["faults"] if not one["limit"]]
    assert (done.returncode, fault["code"]) == (2, "dagster-missing")
    done = command(home, "verify", "--json", "--without-dagster")
    found = json.loads(done.stdout)
    assert done.returncode == found["exitCode"] == 1
    assert "without-dagster" in {one["code"] for one in found["faults"]}
    done = command(home, "pack", RELEASE, "--out", str(tmp_path / "pack.zip"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pack.zip").exists()
    flip(next(home.lake.glob(f"curated/corpus/shards/{DONATIONS[0]}/*/tokens/00000.bin")))
    done = command(home, "verify", "--lang", "da")
    assert done.returncode == 2
    assert "FEJL  file-changed" in done.stdout
    assert f"berører: {', '.join(REACHED)}" in done.stdout
