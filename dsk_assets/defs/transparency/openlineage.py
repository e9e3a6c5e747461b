"""Events of lineage: delivered when the night is over, and hourly while some are waiting.

No step of the flow sends anything, so a dead receiver slows and fails nothing. What is shown on
``transparency/openlineage`` are observations: events are a projection of statements and have no
statement of their own.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from dsk_assets.defs.resources import CatalogResource
from dsk_assets.errors import safe_message
from dsk_assets.evidence.catalog import Catalog

if TYPE_CHECKING:
    from dsk_assets.evidence.openlineage.delivery import Report

EVENTS = dg.AssetSpec(
    ["transparency", "openlineage"],
    deps=[dg.AssetKey(["transparency", "records"])],
    description=(
        "OpenLineage events, one for each materialisation of any asset, made from its statement. "
        "Delivered to a file and, where `DSK_OPENLINEAGE_URL` is set, to that address."
    ),
    group_name="transparency",
    kinds={"json"},
    owners=["team:data-engineering"],
    tags={"dsk/principle": "4"},
)


def _metadata(report: "Report") -> dict[str, Any]:
    lines = [
        "| receiver | delivered | waiting | refused | ended early |",
        "|---|---:|---:|---:|---|",
    ]
    lines += [
        f"| {one.receiver} | {one.delivered} | {one.waiting} | {len(one.refused)} "
        f"| {one.problem or ''} |"
        for one in report.receivers
    ]
    return {
        "events": report.events,
        "delivered": sum(one.delivered for one in report.receivers),
        "waiting": sum(one.waiting for one in report.receivers),
        "refused": sum(len(one.refused) for one in report.receivers),
        "receivers": dg.MetadataValue.md("\n".join(lines)),
        "file": dg.MetadataValue.path(str(report.file)),
    }


def _deliver(context: dg.OpExecutionContext, catalog: Catalog) -> None:
    from dsk_assets.evidence.openlineage.delivery import deliver

    try:
        report = deliver(catalog)
    except Exception as error:
        context.log.warning(f"OpenLineage events stay queued: {safe_message(error)}")
        return
    for one in report.receivers:
        for key, reason in one.refused:
            context.log.warning(f"{one.receiver} did not take the event of {key}: {reason}")
        if one.problem:
            context.log.warning(f"{one.receiver}: {one.problem}; {one.waiting} events stay queued")
    for key in report.unreadable:
        context.log.warning(f"a statement of {key} cannot be read, so it has no event")
    context.log_event(dg.AssetObservation(EVENTS.key, metadata=_metadata(report)))


@dg.op(name="nightly__transparency__openlineage", ins={"after": dg.In(dg.Nothing)})
def deliver_events(context: dg.OpExecutionContext, catalog: CatalogResource) -> None:
    """Deliver the events of everything made so far; what cannot be delivered stays queued."""
    _deliver(context, catalog.open(context.run_id))


@dg.job(
    executor_def=dg.in_process_executor,
    description="Deliver OpenLineage events that a receiver still waits for.",
)
def openlineage() -> None:
    """One step; nothing is made."""
    deliver_events()


@dg.schedule(
    job=openlineage,
    name="openlineage",
    cron_schedule="15 * * * *",
    execution_timezone="Europe/Copenhagen",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def openlineage_schedule(
    context: dg.ScheduleEvaluationContext, catalog: CatalogResource
) -> dg.RunRequest | dg.SkipReason:
    """Every hour, for what was made by hand or could not be delivered; skipped when none waits."""
    from dsk_assets.evidence.openlineage.delivery import report

    waiting = sum(one.waiting for one in report(catalog.open("schedule")).receivers)
    return dg.RunRequest() if waiting else dg.SkipReason("no event is waiting")
