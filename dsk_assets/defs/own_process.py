"""Nights that ``dsk nightly`` runs in its own process: one at a time, and none left for dead.

Dagster watches only the processes that it has started itself. The run of a process that was killed
would count as in progress for ever, and its queue would start no other night.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from dsk_assets.errors import DskError

TAGS = {"dsk/own_process": "true"}
"""Tags of a run that no process of Dagster's watches."""


@contextmanager
def alone(instance: dg.DagsterInstance) -> Iterator[None]:
    """Hold the instance's nightly lock, which a killed process gives back.

    Raises :class:`DskError` while another process holds it.
    """
    try:
        with _lock(instance):
            _end_killed(instance)
            yield
    except Timeout:
        raise DskError(
            "another `dsk nightly` is at work here — wait for its end, then run again"
        ) from None


def end_killed(instance: dg.DagsterInstance) -> None:
    """Tell Dagster of own runs whose process has gone, unless one is at work."""
    try:
        with _lock(instance):
            _end_killed(instance)
    except Timeout:
        return


def _end_killed(instance: dg.DagsterInstance) -> None:
    begun = dg.RunsFilter(tags=TAGS, statuses=[dg.DagsterRunStatus.STARTED])
    for run in instance.get_runs(begun):
        instance.report_run_failed(
            run, "Its process was killed; the next night goes on where it stopped."
        )


def _lock(instance: dg.DagsterInstance) -> FileLock:
    return FileLock(Path(instance.root_directory) / "nightly.lock", timeout=0)
