"""The whole evidence, verified every night, whether or not there is other work."""

from dataclasses import replace

import dagster as dg

from dsk_assets.defs.resources import CatalogResource
from dsk_assets.defs.transparency.assets import VERIFICATION, verify
from dsk_assets.errors import safe_message
from dsk_assets.evidence import sequencer
from dsk_assets.evidence.catalog import Catalog, Snapshot


def _whole(catalog: Catalog, version: str) -> Snapshot:
    return verify(catalog, version, full=True)


@dg.op(name="verify_evidence", out=dg.Out(dg.Nothing))
def verify_evidence(context: dg.OpExecutionContext, catalog: CatalogResource) -> None:
    """Verify all evidence from artefacts up; a fault holds the records of the newest release."""
    try:
        opened = catalog.open(context.run_id)
        replace(VERIFICATION, make=_whole).run_all(context, opened)
        sequencer.append_new(opened)
    except dg.Failure:
        raise
    except Exception as error:
        raise dg.Failure(safe_message(error), allow_retries=False) from None


@dg.job(
    executor_def=dg.in_process_executor,
    description="Verify the evidence behind the newest release, from artefacts up.",
)
def evidence() -> None:
    """The verification, by itself."""
    verify_evidence()


evidence_schedule = dg.ScheduleDefinition(
    name="evidence",
    job=evidence,
    cron_schedule="30 4 * * *",
    execution_timezone="Europe/Copenhagen",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at 04:30 in Copenhagen, after the nightly run.",
)
