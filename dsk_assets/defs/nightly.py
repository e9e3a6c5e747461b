"""The nightly job: whatever has arrived or changed goes through the whole flow in one run."""

import os

import dagster as dg

from dsk_assets.counted import counted
from dsk_assets.defs.flow import AFTER_WAREHOUSE, BEFORE_WAREHOUSE, stale
from dsk_assets.defs.own_process import end_killed
from dsk_assets.defs.partitions import DONATION, register
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.defs.transparency.assets import warehouse_op
from dsk_assets.defs.transparency.openlineage import deliver_events
from dsk_assets.errors import CorruptedError, DonationError, safe_message
from dsk_assets.evidence import failures, sequencer
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.failures import Failure
from dsk_assets.intake import landing
from dsk_assets.lake.progress import track

DELIVERY = "donations/delivery"
"""Under this name stands what could not be landed among the failures, until it is put right."""


def receive_all(catalog: Catalog) -> list[Failure]:
    """Land what lies in the consortium's inbox; returns what cannot be, with the reason.

    Of a reason only the first line is kept, which names no file; `dsk donate` tells the rest.
    """
    failed = []
    for folder in track(landing.deliveries(catalog.settings.consortium), "deliveries"):
        try:
            landing.land(catalog, folder)
        except Exception as error:
            name = os.fsencode(folder.name).decode("utf-8", "replace")[:60]
            reason = DonationError(safe_message(error).splitlines()[0])
            failed.append(failures.record(catalog, DELIVERY, name, reason, 1))
    failures.keep_only(catalog, DELIVERY, [failure.partition for failure in failed])
    return failed


@dg.op(name="nightly__receive", out=dg.Out(dg.Nothing))
def receive(context: dg.OpExecutionContext, catalog: CatalogResource) -> None:
    """Land new deliveries and give each donation version its partition.

    First, what an earlier run left out of the log is taken up. A statement that cannot be is
    reported, and does not hold the night.
    """
    opened = catalog.open(context.run_id)
    try:
        take_up(context, opened)
    except CorruptedError as error:
        context.log.error(str(error))
    for failure in receive_all(opened):
        context.log.error(f"delivery {failure.partition} was not landed: {failure.message}")
    new = register(context.instance, DONATION, landing.landed(opened))
    context.log.info(f"{len(new)} new donations: {', '.join(new) or 'none'}")


def take_up(
    context: dg.OpExecutionContext | dg.ScheduleEvaluationContext, catalog: Catalog
) -> None:
    """Append to the log of statements all that are not in it, and say how many they were."""
    appended = sequencer.append_new(catalog)
    context.log.info(
        f"{counted(appended.added, 'statement')} taken up; entries in the log: {appended.size}"
    )


@dg.op(name="nightly__log", ins={"after": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing))
def log(context: dg.OpExecutionContext, catalog: CatalogResource) -> None:
    """Take the night's statements up into the log."""
    try:
        take_up(context, catalog.open(context.run_id))
    except Exception as error:
        raise dg.Failure(safe_message(error), allow_retries=False) from None


@dg.job(
    executor_def=dg.in_process_executor,
    description="New donations in; gates, shards, training, records out. Fresh work is left alone.",
)
def nightly() -> None:
    """All stages in order, each over all its partitions."""
    done = receive()
    for stage in BEFORE_WAREHOUSE:
        done = stage.as_op()(after=done)
    done = warehouse_op(after=done)
    for stage in AFTER_WAREHOUSE:
        done = stage.as_op()(after=done)
    deliver_events(after=log(after=done))


@dg.schedule(
    job=nightly,
    name="nightly",
    cron_schedule="30 1 * * *",
    execution_timezone="Europe/Copenhagen",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def nightly_schedule(
    context: dg.ScheduleEvaluationContext, catalog: CatalogResource
) -> dg.RunRequest | dg.SkipReason:
    """Every night at 01:30 in Copenhagen; skipped, with the reason, when nothing is stale.

    What a run that died has left out of the log is taken up also then.
    """
    opened = catalog.open("schedule")
    failed = receive_all(opened)
    register(context.instance, DONATION, landing.landed(opened))
    work = stale(opened)
    if not work:
        take_up(context, opened)
        refused = ", ".join(failure.partition for failure in failed)
        return dg.SkipReason("nothing is stale" + (f"; not landed: {refused}" if failed else ""))
    return dg.RunRequest(tags={"dsk/stale": str(len(work)), "dsk/first_stale": work[0].name})


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Gives each landed donation its partition, so that it shows before the night.",
)
def new_donations(
    context: dg.SensorEvaluationContext, catalog: CatalogResource
) -> dg.SensorResult | dg.SkipReason:
    """Register donations that ``dsk donate`` has landed since the last look; end killed nights."""
    end_killed(context.instance)
    landed = landing.landed(catalog.open("sensor"))
    known = set(context.instance.get_dynamic_partitions(DONATION.name or ""))
    new = [key for key in landed if key not in known]
    if not new:
        return dg.SkipReason("no new donations")
    return dg.SensorResult(dynamic_partitions_requests=[DONATION.build_add_request(new)])
