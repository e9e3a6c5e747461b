"""The nightly schedule over a real Dagster instance, from delivered donations to records."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from click.testing import CliRunner
from tokenizers import Tokenizer

from dsk_assets.cli.main import main
from dsk_assets.defs.flow import STAGES, stale
from dsk_assets.defs.local import NightlyResult, run_nightly
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.defs.told import told
from dsk_assets.defs.transparency.openlineage import EVENTS
from dsk_assets.errors import NotAdmittedError
from dsk_assets.evidence import admission, prov
from dsk_assets.evidence.catalog import asset_partitions
from dsk_assets.evidence.openlineage import delivery as openlineage
from dsk_assets.evidence.openlineage.check import problems
from dsk_assets.evidence.openlineage.events import run_id
from dsk_assets.evidence.verify.lake import verify
from dsk_assets.records import stage as records
from dsk_assets.settings import PROJECT_ROOT
from dsk_assets.training import run
from tests.night import (
    DEMANDS,
    EXPIRED,
    PERSONAL,
    Night,
    digests,
    personal_values,
    planted_night,
    published,
)
from tests.planted import VALUES, damaged, leaks, outside_restricted
from tests.support import admit
from tests.test_sequencer import assert_whole

ADMITTED = ["dsk-2026-0003@1.0.0", PERSONAL, "dsk-2026-0010@1.0.0"]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    return planted_night(tmp_path_factory.mktemp("night"))


@pytest.fixture(scope="module")
def instance(night: Night) -> Iterator[dg.DagsterInstance]:
    with night.instance() as instance:
        yield instance


@pytest.fixture(scope="module")
def result(night: Night, instance: dg.DagsterInstance) -> NightlyResult:
    return run_nightly(instance)


@pytest.fixture(autouse=True)
def after_the_night(result: NightlyResult) -> None:
    assert result.skipped is None
    assert result.success


def test_dagster_and_the_lake_agree(night: Night, instance: dg.DagsterInstance):
    catalog = night.catalog()
    for stage in STAGES:
        made = set(catalog.partitions(stage.asset))
        if stage.partitions:
            assert set(instance.get_materialized_partitions(stage.asset_key)) == made
            assert made or stage.asset == "filtering/review", stage.asset
        else:
            event = instance.get_latest_materialization_event(stage.asset_key)
            assert event is not None, stage.asset
            snapshot = catalog.require(stage.asset)
            tags = event.asset_materialization.tags
            assert tags["dagster/data_version"] == f"sha256:{snapshot.digest}"


def test_every_statement_of_the_night_is_valid_and_in_the_log(night: Night):
    assert_whole(night.catalog())


def test_an_expired_approval_stops_a_donation_at_its_gate(
    night: Night, instance: dg.DagsterInstance
):
    catalog = night.catalog()
    decision = admission.decision(catalog.require("gate/approval", EXPIRED))
    assert not decision.admitted
    assert decision.refusals
    for stage in STAGES:
        if stage.asset != "donations/landing":
            assert EXPIRED not in catalog.partitions(stage.asset), stage.asset
    key = dg.AssetCheckKey(dg.AssetKey(["donations", "landing"]), "approval")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert not evaluation.passed
    assert EXPIRED in evaluation.metadata["reasons"].value
    assert decision.refusals[0] in evaluation.metadata["reasons"].value


def test_every_document_has_exactly_one_decision(night: Night):
    catalog = night.catalog()
    for donation in ADMITTED:
        delivered = catalog.require("donations/documents", donation).table("document", ["doc_id"])
        decided = catalog.require("filtering/decisions", donation).table("decision", ["doc_id"])
        assert sorted(decided["doc_id"].to_pylist()) == sorted(delivered["doc_id"].to_pylist())


def test_every_file_has_an_outcome(night: Night):
    catalog = night.catalog()
    for donation in ADMITTED:
        landing = catalog.require("donations/landing", donation)
        listed = {file["path"] for file in landing.json("manifest.json")["files"]}
        files = catalog.require("donations/documents", donation).table("source_file")
        paths = set(files["rel_path"].to_pylist())
        assert {path for path in paths if "!/" not in path} == listed
        assert set(files["outcome"].to_pylist()) <= {"ok", "empty", "unsupported", "error"}


def test_tokens_of_a_span_are_the_tokens_of_its_document(night: Night):
    catalog = night.catalog()
    shards = catalog.require("corpus/shards", PERSONAL)
    tokenizer = Tokenizer.from_str(
        catalog.require("corpus/tokenizer").path("tokenizer.json").read_text()
    )
    documents = catalog.require("filtering/personal_data", PERSONAL).table("document")
    texts = dict(zip(documents["doc_id"].to_pylist(), documents["text"].to_pylist(), strict=True))
    spans = shards.table("shard_span").to_pylist()
    assert spans
    dtypes = {row["shard"]: row["dtype"] for row in shards.table("shard").to_pylist()}
    for span in spans:
        path = next(f.name for f in shards.files if f.name == f"tokens/{span['shard']:05d}.bin")
        tokens = np.fromfile(shards.path(path), dtype=np.dtype(dtypes[span["shard"]]))
        part = tokens[span["start"] : span["end"]].tolist()
        assert tokenizer.decode(part) == texts[span["doc_id"]]


def test_no_personal_value_leaves_the_restricted_zone(night: Night):
    """Values that stand in the delivered files must be nowhere else: lake, Dagster, records."""
    catalog = night.catalog()
    spans = personal_values(night.catalog())
    assert len(spans) >= 20
    documents = catalog.require("donations/documents", PERSONAL).table("document", ["text"])
    raw = "\n".join(documents["text"].to_pylist())
    assert all(value in raw for value in spans)
    everything = dict(outside_restricted(night.home))
    for written in (
        "nightly.log", ".err", "runs.db", "events.ndjson", "outbox.sqlite", "statements/",
        "pii_span", "residual_risk", "gate_results", "public_summary",
    ):  # fmt: skip
        assert any(written in name for name in everything), written
    everything |= dict(outside_restricted(PROJECT_ROOT / "dbt_project"))
    assert not [value for value in spans if any(value in text for text in everything.values())]
    assert leaks(everything.items()) == []


def test_damaged_files_of_personal_data_are_told_by_their_faults_alone(night: Night):
    documents = night.catalog().require("donations/documents", PERSONAL)
    rows = documents.table("source_file").to_pylist()
    told = {row["rel_path"]: row for row in rows}
    assert "ok" in {told["files/whole.txt"]["outcome"]}
    stumbled = {name: told[f"files/{name}"] for name in damaged()}
    assert sum(row["outcome"] == "error" for row in stumbled.values()) > len(stumbled) / 2
    assert leaks((name, str(row["reason"])) for name, row in stumbled.items()) == []
    read = "\n".join(documents.table("document", ["text"])["text"].to_pylist())
    assert all(value in read for value in VALUES)


def test_no_command_shows_a_personal_value(night: Night, instance: dg.DagsterInstance):
    documents = night.catalog().require("donations/documents", PERSONAL)
    commands = [
        ("status",), ("status", "--json"), ("nightly", "--dry-run"), ("openlineage", "status"),
        ("exposure", "--donation", PERSONAL), ("evidence", "status"),
        *(("why", one) for one in documents.table("document", ["doc_id"])["doc_id"].to_pylist()),
    ]  # fmt: skip
    for arguments in commands:
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0 and done.output, (arguments, done.output)
        assert leaks([(str(arguments), done.output)]) == []


def test_marts_count_what_the_tables_hold(night: Night):
    catalog = night.catalog()
    marts = catalog.require("transparency/warehouse")
    funnel = marts.table("filtering_funnel").to_pylist()
    decided = {
        donation: catalog.require("filtering/decisions", donation).table("decision").num_rows
        for donation in ADMITTED
    }
    assert funnel
    assert {row["donation"] for row in marts.table("donation_register").to_pylist()} == {
        *ADMITTED,
        EXPIRED,
    }
    assert sum(decided.values()) > 0


def test_records_are_published_for_the_release(night: Night):
    catalog = night.catalog()
    (release,) = catalog.partitions("corpus/release")
    records = catalog.require("transparency/records", release)
    names = " ".join(file.name for file in records.files)
    for wanted in ("public_summary", "dataset_card", "model_card"):
        assert wanted in names
    assert records.folder.startswith("public/")


def test_a_checkpoint_leads_back_to_every_donation(night: Night):
    catalog = night.catalog()
    checkpoints = catalog.partitions("training/checkpoint")
    assert len(checkpoints) == 2
    reached, queue = set(), [catalog.require("training/checkpoint", checkpoints[-1]).statement]
    while queue:
        dependencies = queue.pop()["predicate"]["buildDefinition"]["resolvedDependencies"]
        for uri in {item["uri"] for item in dependencies} - reached:
            reached.add(uri)
            if uri.startswith("dsk:"):
                asset, _, partition = uri.removeprefix("dsk:").rstrip("]").partition("[")
                queue.append(catalog.require(asset, partition or None).statement)
    assert {f"dsk:donations/landing[{donation}]" for donation in ADMITTED} <= reached
    assert f"dsk:donations/landing[{EXPIRED}]" not in reached


def test_every_materialisation_is_told_once_to_catalogues_of_lineage(
    night: Night, instance: dg.DagsterInstance
):
    catalog = night.catalog()
    stated = [
        run_id(snapshot)
        for asset, partition in asset_partitions(catalog)
        for snapshot in catalog.history(asset, partition)
    ]
    lines = openlineage.events_file(catalog.settings).read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert sorted(event["run"]["runId"] for event in events) == sorted(stated)
    assert [problem for event in events for problem in problems(event)] == []
    again = openlineage.deliver(catalog)
    assert [(one.delivered, one.waiting) for one in again.receivers] == [(0, 0)]
    (observed,) = instance.fetch_observations(EVENTS.key, limit=5).records
    assert observed.asset_observation.metadata["delivered"].value == len(stated)


def test_the_checkpoint_s_provenance_is_in_order_of_time(night: Night):
    catalog = night.catalog()
    closed = prov.closure(catalog, catalog.partitions("training/checkpoint")[-1])
    assert {one.partition for one in closed.snapshots if one.asset == "donations/landing"} == {
        *ADMITTED
    }
    assert closed.disorder() == []


def test_the_evidence_of_the_night_verifies_against_dagster_too(
    night: Night, instance: dg.DagsterInstance
):
    report = verify(night.catalog(), told=told(night.catalog(), instance))
    assert [fault.text() for fault in report.faults if not fault.is_limit] == []
    assert report.counts["statements"] > 60
    decision = admission.decision(night.catalog().require("gate/evidence", "1.0.0"))
    assert decision.admitted
    from dsk_assets.definitions import defs

    job = defs.resolve_job_def("evidence")
    assert job.execute_in_process(instance=instance).success
    key = dg.AssetCheckKey(dg.AssetKey(["transparency", "verification"]), "evidence")
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    assert len(records) >= 2
    shown = records[0].event.dagster_event.asset_check_evaluation_data
    assert shown.severity is dg.AssetCheckSeverity.WARN
    assert shown.metadata["refused"].value == 0
    assert stale(night.catalog()) == []


def test_a_second_night_finds_nothing_stale(night: Night, instance: dg.DagsterInstance):
    again = run_nightly(instance)
    assert again.skipped == "nothing is stale"


@pytest.mark.parametrize(
    "stage", [s for s in STAGES if s.partitions and s.partitions.name == "donation"],
    ids=lambda stage: stage.asset,
)  # fmt: skip
def test_by_hand_a_refused_donation_is_refused_too(stage, instance: dg.DagsterInstance):
    outcome = dg.materialize(
        [stage.as_asset()],
        partition_key=EXPIRED,
        instance=instance,
        resources={"catalog": CatalogResource()},
        raise_on_error=False,
    )
    if stage.asset == "donations/landing":
        (check,) = outcome.get_asset_check_evaluations()
        assert not check.passed
        return
    assert not outcome.success
    (failure,) = outcome.filter_events(lambda event: event.is_step_failure)
    message = failure.step_failure_data.user_failure_data.description
    assert ("refused" in message) == (stage.asset in ("donations/documents", "filtering/admitted"))
    assert "refused" in message or "has not been" in message
    assert EXPIRED not in instance.get_materialized_partitions(stage.asset_key)


@pytest.mark.parametrize(("gate", "judged", "consumer"), DEMANDS)
def test_each_consumer_demands_the_gate_in_a_new_run(
    gate: str, judged: str, consumer: str, night: Night, tmp_path: Path
):
    """A gate that refuses today stops what was admitted yesterday, for every consumer."""
    shutil.copytree(night.home / "lake", tmp_path / "home" / "lake")
    tonight = Night(tmp_path / "home", night.consortium)
    catalog = tonight.catalog()
    partition = catalog.partitions(judged)[-1] if judged != "donations/landing" else ADMITTED[-1]
    admit(catalog, gate, catalog.require(judged, partition), admitted=False)
    (stage,) = [stage for stage in STAGES if stage.asset == consumer]
    same = stage.partitions is None or judged.split("/")[0] in ("donations", "filtering")
    key = partition if same and stage.keys else next(iter(stage.wanted(catalog)), None)
    if gate == "spans":
        made = stage.make(catalog)
        donations = {row["donation"] for row in made.table("release_shard").to_pylist()}
        assert partition not in donations
        return
    makers = {"training/run": run.train, "transparency/records": records.records}
    make = makers[consumer] if gate == "composition" else stage.make
    key = partition if gate == "composition" else key
    with pytest.raises(NotAdmittedError):
        make(catalog, key) if key is not None else make(catalog)


def test_a_changed_byte_is_made_again(night: Night, instance: dg.DagsterInstance):
    catalog = night.catalog()
    shards = catalog.require("corpus/shards", PERSONAL)
    name = next(file.name for file in shards.files if file.name.startswith("tokens/"))
    path = shards.path(name)
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)
    assert f"corpus/shards[{PERSONAL}]" in [due.name for due in stale(catalog)]
    assert run_nightly(instance).success
    assert night.catalog().require("corpus/shards", PERSONAL).digest == shards.digest
    assert stale(night.catalog()) == []


def test_files_that_are_gone_are_made_again(night: Night, instance: dg.DagsterInstance):
    """Also where the way to the donations leads over them: a manifest, a gate's decision."""
    catalog = night.catalog()
    before = digests(catalog)
    for asset, partition, name in (
        ("donations/landing", ADMITTED[0], "manifest.json"),
        ("gate/language", PERSONAL, "result.json"),
        ("gate/composition", "1.0.0", "verdict.json"),
        ("transparency/warehouse", None, "filtering_funnel/part-00000.parquet"),
    ):
        catalog.require(asset, partition).path(name).unlink()
    assert stale(night.catalog())
    assert run_nightly(instance).success
    assert digests(night.catalog()) == before
    assert stale(night.catalog()) == []


def test_killed_in_the_middle_the_next_run_ends_the_same(
    night: Night, tmp_path: Path, result: NightlyResult
):
    tonight = Night(tmp_path / "home", night.consortium)
    statements = tonight.home / "lake" / "evidence" / "statements"
    for moment in ("filtering/personal_data", "training/checkpoint"):
        tonight.killed(statements / moment)
    done = tonight.command("nightly")
    output, errors = done.communicate()
    assert done.returncode == 0, errors
    assert leaks([("output", output), ("errors", errors)]) == []
    with tonight.instance() as instance:
        statuses = sorted(run.status.value for run in instance.get_runs())
    assert statuses == ["FAILURE", "FAILURE", "SUCCESS"]
    assert published(tonight.catalog()) == published(night.catalog())
    undisturbed, disturbed = digests(night.catalog()), digests(tonight.catalog())
    of_another_log = ("transparency/verification[1.0.0]", "gate/evidence[1.0.0]")
    for asset in ("transparency/warehouse[None]", "transparency/records[1.0.0]", *of_another_log):
        undisturbed.pop(asset), disturbed.pop(asset)
    assert disturbed == undisturbed


def test_a_new_donation_leaves_the_others_alone(night: Night, instance: dg.DagsterInstance):
    catalog = night.catalog()
    before = digests(catalog)
    source = PROJECT_ROOT / "examples" / "consortium" / "donations" / "forening-nyhedsbreve"
    shutil.copytree(source, night.consortium / "donations" / "forening-nyhedsbreve")
    assert run_nightly(instance).success
    after = digests(night.catalog())
    for asset in ("documents", "language", "personal_data", "quality", "signatures"):
        for donation in ADMITTED:
            name = next(key for key in before if key.endswith(f"/{asset}[{donation}]"))
            assert len(catalog.history(name.split("[")[0], donation)) == 1
            assert after[name] == before[name]
    assert "donations/documents[dsk-2026-0006@1.0.0]" in after
    assert len(catalog.partitions("corpus/release")) == 2
