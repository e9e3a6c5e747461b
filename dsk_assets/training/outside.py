"""Training at a site that the platform cannot reach: job folders are carried there and back.

:func:`send` writes the job folder, whole; whoever trains from it starts the payload, or a program
of their own, and gives the folder back. :func:`receive` makes assets of the checkpoints in it, like
those of a run that was followed. Files are compared with digests on both sides: the payload checks
what it was given against ``job.json``, and the platform each checkpoint against its receipt, and
the job against the one that it would pack now: release, settings and version of training must be
the same, the copy of the code may be that of an earlier day.
"""

import datetime as dt
import shutil
from collections.abc import Generator, Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

from dsk_assets.errors import CorruptedError, MissingInputError, TrainingError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.lake.folders import new_folder, require_new
from dsk_assets.training import run
from dsk_assets.training.awaited import awaited
from dsk_assets.training.config import load_training
from dsk_assets.training.job import Job
from dsk_assets.training.launch import fetch
from dsk_assets.training.packing import copy_to
from dsk_assets.training.site import ByHand, load_site
from dsk_assets.training.slurm import record


def send(catalog: Catalog, release: str, folder: Path) -> Job:
    """Write the job folder of the run over corpus release *release* to the new folder *folder*.

    It goes on from the newest checkpoint that stands: those that came back of the same job go along
    with it. Raises :class:`TrainingError` when the run is
    complete, and :class:`StorageError` where *folder* holds something.
    """
    require_new(folder)
    packed: list[Job] = []

    def take(job: Job) -> Generator[int, None, None]:
        packed.append(job)
        yield from waiting(job)

    try:
        made = run.train(catalog, release, take)
    except MissingInputError:
        if not packed:
            raise
    else:
        raise TrainingError(f"{made.key} is trained already — there is nothing to send")
    with new_folder(folder, "send the job") as target:
        copy_to(packed[0], target)
        there = Job.read(target)
        for step in takewhile(lambda step: _came_of(packed[0], step), there.targets):
            fetch(packed[0], there, step)
    return Job.read(folder)


def _came_of(job: Job, step: int) -> bool:
    """Whether there is a checkpoint after *step*, whole, that came of this very job."""
    try:
        return bool(job.receipt(step)["job"] == job.digest)
    except CorruptedError:
        return False


def waiting(job: Job) -> Generator[int, None, None]:
    """A launcher that starts nothing: it says that checkpoints come from outside."""
    raise awaited(job.run)
    yield


def receive(catalog: Catalog, folder: Path) -> Iterator[Snapshot]:
    """Make assets of the checkpoints in the job folder *folder*, and of the run once all stand.

    Each is verified, and of a job that does what this platform would train now. Raises
    :class:`TrainingError` where *folder* holds no checkpoint, where its job is another, and where
    it was trained outside the EU or does not say where, and :class:`CorruptedError` where a file
    is not as its receipt says.
    """
    given = Job.read(folder.resolve())
    name = load_training(catalog.settings.consortium).name
    version = given.run.removeprefix(f"{name}-")
    if version == given.run:
        raise TrainingError(
            f"{folder} is of run {given.run}, and training.yaml describes {name} — "
            "receive it where it was sent from"
        )
    steps = list(takewhile(lambda step: given.checkpoint(step).is_dir(), given.targets))
    if not steps:
        raise TrainingError(
            f"{folder} holds no checkpoint after step {given.targets[0]} — train first: "
            "docs/training.md says how the payload is started"
        )

    site = load_site(catalog.settings.consortium)
    country = site.country if isinstance(site, ByHand) else None

    def launch(job: Job) -> Generator[int, None, None]:
        yield from _brought(job, given, country)

    complete = steps[-1] == given.settings.steps
    whole = [run.train(catalog, version, launch)] if complete else []
    for step in steps:
        yield run.checkpoint(catalog, run.checkpoint_key(given.run, step), launch)
    yield from whole


def _brought(job: Job, given: Job, country: str | None) -> Generator[int, None, None]:
    """A launcher that takes the checkpoints of *given*, once they are verified.

    *country* is where the consortium says that the site is; where it does not, its word counts.
    """
    if job.work() != given.work():
        raise TrainingError(
            f"{given.folder} holds another job of {job.run} than the one that is to be trained now "
            "(the release, training.yaml or the version of training has changed) — send it anew"
        )
    job.take(given)
    for step in job.targets:
        if given.checkpoint(step).is_dir():
            where = _fetched(job, given, step)["where"]
            record(
                job,
                {
                    "site": where["region"],
                    "country": country or where["country"],
                    "received": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                    "code": given.code,
                },
            )
            yield step


def _fetched(job: Job, given: Job, step: int) -> dict[str, Any]:
    """The receipt of the checkpoint after *step*, which is fetched unless it is here, and whole."""
    with suppress(CorruptedError):
        return job.receipt(step)
    shutil.rmtree(job.checkpoint(step), ignore_errors=True)
    fetch(given, job, step)
    return job.receipt(step)
