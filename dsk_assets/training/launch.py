"""Launchers: what starts a payload in a job folder and follows it, here or at a computing site."""

import json
import shutil
from collections.abc import Callable, Generator, Iterator
from typing import Any

from dsk_assets.errors import TrainingError
from dsk_assets.lake.folders import plain_files
from dsk_assets.settings import Settings
from dsk_assets.training import job as job_folder
from dsk_assets.training.job import Job

Launcher = Callable[[Job], Generator[int, None, None]]
"""Starts the payload of a job and gives each of the job's targets, in order, once its checkpoint
stands complete in the job folder. Raises :class:`TrainingError` when the payload gives up or dies.
Closing the generator ends the payload."""


def launcher(settings: Settings) -> Launcher:
    """The launcher that *settings* choose: a site where the consortium has a ``site.yaml``."""
    from dsk_assets.training import local, outside, slurm
    from dsk_assets.training.site import ByHand, load_site

    site = load_site(settings.consortium)
    if isinstance(site, ByHand):
        return outside.waiting
    if site is not None:
        return lambda job: slurm.launch(job, site)
    return lambda job: local.launch(job, settings)


def trained(job: Job, ended: Callable[[], bool]) -> Iterator[int]:
    """Each step as the payload reports it, and a target only once its checkpoint stands.

    *ended* says whether the payload is over; it is asked between two looks, and may wait a moment.
    The steps of an earlier payload in the same folder come first. Ends early, without an error,
    when the payload ends before the last target.
    """
    step, targets = job.start, set(job.targets)
    last = max(targets)
    over = False
    while step < last:
        reported = _reported(job)
        while step < reported and (step + 1 not in targets or job.checkpoint(step + 1).is_dir()):
            step += 1
            yield step
        if over:
            return
        over = ended() if step < last else True


def fetch(there: Job, job: Job, step: int) -> None:
    """Copy the checkpoint after *step* of the same work elsewhere to *job*.

    The copy gets its name once it is verified. Raises :class:`CorruptedError` where it is not as
    its receipt says.
    """
    target = job.checkpoint(step)
    temporary = target.with_name(f".tmp-fetch-{target.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        for name, path in plain_files(there.checkpoint(step)).items():
            copy = temporary / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        temporary.mkdir(parents=True, exist_ok=True)
        job.receipt(step, temporary)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def failure(job: Job, how: str) -> TrainingError:
    """What to tell of a payload that ended too early; *how* it ended, where it did not say why."""
    path = job.out / job_folder.ERROR
    if path.is_file():
        return TrainingError(path.read_text("utf-8"))
    made = [step for step in job.targets if job.checkpoint(step).is_dir()]
    return TrainingError(
        f"training run {job.run} {how} after step {_reported(job)} — run it again: it goes on "
        f"from step {max([job.start, *made])}"
    )


def recent(job: Job) -> list[dict[str, Any]]:
    """The last rows of the metrics; a line that is still being written does not count."""
    path = job.out / job_folder.METRICS
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        lines = file.read().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    return [json.loads(line) for line in whole if line.startswith(b"{")]


def _reported(job: Job) -> int:
    """The last step in the metrics."""
    rows = recent(job)
    return int(rows[-1]["step"]) if rows else job.start
