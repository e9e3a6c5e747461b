"""A stage in the nightly job: retries, failures that hold nobody, events that are told again."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock

from dsk_assets.defs.local import local_instance, run_nightly
from dsk_assets.defs.nightly import new_donations, receive_all
from dsk_assets.defs.own_process import TAGS
from dsk_assets.defs.partitions import DONATION
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.defs.stage import ATTEMPTS, Stage
from dsk_assets.errors import DonationError, DskError, NotAdmittedError, SettingsError, safe_message
from dsk_assets.evidence import failures
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.store import Zone
from dsk_assets.records.summary import summary
from dsk_assets.records.terminal import text
from dsk_assets.settings import load_settings
from tests.night import small_consortium
from tests.support import admit, seed
from tests.support_donations import make_donation

KEYS = ["dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0", "dsk-2026-0003@1.0.0"]
SECRET = "Hr. Opfundet Person bor her"


def written(catalog: Catalog, key: str) -> Snapshot:
    """Write one small file."""
    return seed(catalog, "filtering/thing", key, zone=Zone.CURATED, files={"x.json": key})


def run(
    make: Callable[[Catalog, str], Snapshot], instance: dg.DagsterInstance, settings
) -> tuple[dg.ExecuteInProcessResult, Stage]:
    stage = Stage(
        "filtering/thing", make, "1", partitions=DONATION, keys=lambda catalog: list(KEYS)
    )

    @dg.job(executor_def=dg.in_process_executor, resource_defs={"catalog": CatalogResource()})
    def night() -> None:
        stage.as_op()()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSK_HOME", str(settings.home))
        patch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
        return night.execute_in_process(instance=instance, raise_on_error=False), stage


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_what_passes_by_itself_is_tried_again(instance, settings, catalog: Catalog):
    tries: list[str] = []

    def shaky(catalog: Catalog, key: str) -> Snapshot:
        """A thing."""
        tries.append(key)
        if key == KEYS[1] and tries.count(key) < ATTEMPTS:
            raise ConnectionError("try again")
        return written(catalog, key)

    result, stage = run(shaky, instance, settings)
    assert result.success
    assert instance.get_materialized_partitions(stage.asset_key) == set(KEYS)
    assert tries.count(KEYS[1]) == ATTEMPTS
    assert failures.failures(catalog) == []


def test_a_failing_donation_is_reported_and_holds_nobody(instance, settings, catalog: Catalog):
    def broken(catalog: Catalog, key: str) -> Snapshot:
        """A thing."""
        if key == KEYS[1]:
            raise ValueError(SECRET)
        return written(catalog, key)

    result, stage = run(broken, instance, settings)
    assert result.success
    assert instance.get_materialized_partitions(stage.asset_key) == {KEYS[0], KEYS[2]}
    (failure,) = failures.failures(catalog)
    assert (failure.asset, failure.partition) == ("filtering/thing", KEYS[1])
    assert "ValueError" in failure.message
    told = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert any(KEYS[1] in line and "failed" in line for line in told)
    assert SECRET not in failure.message + " ".join(map(str, instance.all_logs(result.run_id)))

    result, _ = run(written, instance, settings)
    assert failures.failures(catalog) == []
    assert instance.get_materialized_partitions(stage.asset_key) == set(KEYS)


def test_errors_of_ours_are_not_tried_again(instance, settings):
    tries: list[str] = []

    def bad(catalog: Catalog, key: str) -> Snapshot:
        """A thing."""
        tries.append(key)
        raise DonationError("the file is broken: x — deliver it again")

    result, _ = run(bad, instance, settings)
    assert tries == KEYS
    assert not result.success
    told = [
        entry.user_message
        for entry in instance.all_logs(result.run_id)
        if entry.level == logging.ERROR and "the file is broken" in entry.user_message
    ]
    assert len(told) == 1 and KEYS[0] in told[0], "one mistake is one error"


def test_a_refusal_is_not_a_failure(instance, settings, catalog: Catalog):
    def refused(catalog: Catalog, key: str) -> Snapshot:
        """A thing."""
        raise NotAdmittedError("gate approval refused it")

    result, stage = run(refused, instance, settings)
    assert result.success
    assert failures.failures(catalog) == []
    assert not instance.get_materialized_partitions(stage.asset_key)


@pytest.mark.parametrize("end", ["refused", "replaced"])
def test_a_failure_is_forgotten_when_its_donation_is_not_used_any_more(
    instance, settings, catalog: Catalog, end: str
):
    failures.record(catalog, "filtering/thing", KEYS[1], ValueError(), 1)
    failures.record(catalog, "filtering/thing", "dsk-2026-0009@1.0.0", ValueError(), 1)

    def make(catalog: Catalog, key: str) -> Snapshot:
        """A thing."""
        if key == KEYS[1] and end == "refused":
            raise NotAdmittedError("gate approval refused it")
        return written(catalog, key)

    if end == "refused":
        failures.clear(catalog, "filtering/thing", "dsk-2026-0009@1.0.0")
    run(make, instance, settings)
    assert failures.failures(catalog) == []


def test_what_cannot_be_landed_stands_among_the_failures_until_it_is_put_right(
    tmp_path: Path, monkeypatch
):
    consortium = small_consortium(tmp_path / "consortium", ())
    catalog = Catalog(load_settings(home=tmp_path / "home", consortium=consortium))
    bad = make_donation(consortium / "donations" / "bad", {"a.txt": b"x"}, version="1.0")
    (consortium / "donations" / "empty").mkdir()
    assert [failure.partition for failure in receive_all(catalog)] == ["bad", "empty"]
    told = {failure.partition: failure.message for failure in summary(catalog).failures}
    assert told["bad"].endswith("correct version:")
    assert "there is no manifest" in told["empty"]
    assert "there is no manifest" in text(summary(catalog))
    make_donation(bad, {"a.txt": b"x"})
    (consortium / "donations" / "empty").rmdir()
    assert receive_all(catalog) == []
    assert summary(catalog).failures == ()


def test_a_check_shows_all_donations_whoever_was_made_last(instance, settings, catalog: Catalog):
    """By hand one donation is made; the refusal of another must not vanish from the UI."""
    for key in KEYS:
        admit(catalog, "language", written(catalog, key), admitted=key != KEYS[1])
    stage = Stage(
        "filtering/thing", written, "1", partitions=DONATION, keys=lambda catalog: list(KEYS),
        gate="language",
    )  # fmt: skip
    instance.add_dynamic_partitions("donation", KEYS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSK_HOME", str(settings.home))
        judge = replace(GATES["language"], judge=lambda c, key: c.require("gate/language", key))
        patch.setitem(GATES, "language", judge)
        made = dg.materialize(
            [stage.as_asset()], partition_key=KEYS[0], instance=instance,
            resources={"catalog": CatalogResource()},
        )  # fmt: skip
    (check,) = made.get_asset_check_evaluations()
    assert not check.passed
    assert (check.metadata["admitted"].value, check.metadata["refused"].value) == (2, 1)


def test_a_night_that_was_killed_does_not_hold_the_queue(instance, settings):
    """Dagster counts the run of a killed process as in progress until it is told better."""
    (job,) = [dg.JobDefinition(graph_def=dg.GraphDefinition(name="night"))]
    dead = instance.create_run_for_job(job, tags=TAGS, status=dg.DagsterRunStatus.STARTED)
    other = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)

    def look() -> dg.DagsterRunStatus:
        with dg.build_sensor_context(
            instance=instance, resources={"catalog": CatalogResource()}
        ) as context:
            new_donations(context)
        return instance.get_run_by_id(dead.run_id).status

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSK_HOME", str(settings.home))
        with FileLock(Path(instance.root_directory) / "nightly.lock"):
            assert look() is dg.DagsterRunStatus.STARTED
            with pytest.raises(DskError, match="another `dsk nightly` is at work"):
                run_nightly(instance)
        assert look() is dg.DagsterRunStatus.FAILURE
    assert instance.get_run_by_id(other.run_id).status is dg.DagsterRunStatus.STARTED


def test_a_night_that_cannot_begin_says_why_in_a_line(settings, tmp_path: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSK_HOME", str(settings.home))
        patch.setenv("DSK_CONSORTIUM", str(tmp_path / "nowhere"))
        patch.setenv("DAGSTER_HOME", "")
        with (
            local_instance(settings) as instance,
            pytest.raises(SettingsError, match=r"is not in .*nowhere — add it, or set DSK_CON"),
        ):
            run_nightly(instance)


def test_events_that_dagster_lost_are_told_again_and_others_are_not(instance, settings):
    _, stage = run(written, instance, settings)
    again, _ = run(written, instance, settings)
    assert not again.asset_materializations_for_node(f"nightly__{stage.name}")
    instance.wipe_assets([stage.asset_key])
    third, _ = run(written, instance, settings)
    told = third.asset_materializations_for_node(f"nightly__{stage.name}")
    assert [event.partition for event in told] == KEYS


def test_messages_of_other_exceptions_are_withheld():
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        message = safe_message(error)
    assert SECRET not in message
    assert "ValueError" in message
    assert "test_stage.py" in message


def test_the_sensor_gives_a_landed_donation_its_partition(instance, settings, catalog: Catalog):
    seed(catalog, "donations/landing", KEYS[0], zone=Zone.RESTRICTED, files={"manifest.json": {}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSK_HOME", str(settings.home))
        with dg.build_sensor_context(
            instance=instance, resources={"catalog": CatalogResource()}
        ) as context:
            result = new_donations(context)
            (request,) = result.dynamic_partitions_requests
            assert request.partition_keys == [KEYS[0]]
            instance.add_dynamic_partitions("donation", [KEYS[0]])
            assert isinstance(new_donations(context), dg.SkipReason)
