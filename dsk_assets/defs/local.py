"""Run the nightly schedule here and now, in this process, against a real Dagster instance."""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from dsk_assets.defs import own_process
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.errors import DskError, safe_message
from dsk_assets.settings import PROJECT_ROOT, Settings


@dataclass(frozen=True)
class NightlyResult:
    """What one evaluation of the schedule came to.

    ``skipped`` holds the schedule's reason when there was nothing to do; else ``run_id`` names
    Dagster's run and ``success`` says how it ended.
    """

    skipped: str | None = None
    run_id: str | None = None
    success: bool = True


@contextmanager
def local_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance below ``DSK_HOME``, made on first use."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copy(PROJECT_ROOT / "deploy" / "dagster.local.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    with dg.DagsterInstance.get() as instance:
        yield instance


def run_nightly(instance: dg.DagsterInstance) -> NightlyResult:
    """Evaluate the nightly schedule once and do what it asks for.

    What dbt prints goes to ``nightly.log`` in the instance's folder. Raises :class:`DskError`
    while another process does the same.
    """
    with own_process.alone(instance):
        return _run(instance)


def _plain(error: BaseException) -> DskError:
    """*error* as one of ours, so that the command ends with a line instead of a traceback."""
    return error if isinstance(error, DskError) else DskError(safe_message(error))


def _run(instance: dg.DagsterInstance) -> NightlyResult:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        from dsk_assets.definitions import defs

    with dg.build_schedule_context(
        instance=instance,
        repository_def=defs.get_repository_def(),
        resources={"catalog": CatalogResource()},
    ) as context:
        try:
            tick = defs.resolve_schedule_def("nightly").evaluate_tick(context)
        except dg.DagsterUserCodeExecutionError as error:
            raise _plain(error.user_exception) from None
    if not tick.run_requests:
        return NightlyResult(skipped=tick.skip_message)
    request = tick.run_requests[0]
    log = Path(instance.root_directory) / "nightly.log"
    with log.open("w", encoding="utf-8") as file, redirect_stdout(file):
        result = defs.resolve_job_def("nightly").execute_in_process(
            instance=instance,
            tags={**request.tags, **own_process.TAGS},
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )
    return NightlyResult(run_id=result.run_id, success=result.success)
