"""Training at a site that the platform cannot reach: job folders are carried there and back.

:func:`send` writes the job folder, whole; whoever trains from it starts the payload, or a program
of their own, and gives the folder back. :func:`receive` makes assets of the checkpoints in it, like
those of a run that was followed. Files are compared with digests on both sides: the payload checks
what it was given against ``job.json``, and the platform each checkpoint against its receipt, before
and after copying, and the job against the one that it packed.
"""

import datetime as dt
from collections.abc import Generator, Iterator
from itertools import takewhile
from pathlib import Path

from dsk_assets.errors import MissingInputError, TrainingError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.lake.folders import new_folder, require_new
from dsk_assets.training import run
from dsk_assets.training.awaited import awaited
from dsk_assets.training.config import load_training
from dsk_assets.training.job import Job
from dsk_assets.training.launch import fetch
from dsk_assets.training.packing import copy_to
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
        for step in takewhile(lambda step: packed[0].checkpoint(step).is_dir(), there.targets):
            fetch(packed[0], there, step)
    return Job.read(folder)


def waiting(job: Job) -> Generator[int, None, None]:
    """A launcher that starts nothing: it says that checkpoints come from outside."""
    raise awaited(job.run)
    yield


def receive(catalog: Catalog, folder: Path) -> Iterator[Snapshot]:
    """Make assets of the checkpoints in the job folder *folder*, and of the run once all stand.

    Each is verified, and made from the very job that this platform packed. Raises
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

    def launch(job: Job) -> Generator[int, None, None]:
        yield from _brought(job, given)

    complete = steps[-1] == given.settings.steps
    whole = [run.train(catalog, version, launch)] if complete else []
    for step in steps:
        yield run.checkpoint(catalog, run.checkpoint_key(given.run, step), launch)
    yield from whole


def _brought(job: Job, given: Job) -> Generator[int, None, None]:
    """A launcher that takes the checkpoints of *given*, once they are verified."""
    if job.digest != given.digest:
        raise TrainingError(
            f"{given.folder} holds another job of {job.run} than the one that is to be trained now "
            "(release, training.yaml or code have changed, or another part was sent) — send it anew"
        )
    for step in job.targets:
        if given.checkpoint(step).is_dir():
            where = given.receipt(step)["where"]
            if not job.checkpoint(step).is_dir():
                fetch(given, job, step)
            record(
                job,
                {
                    "site": where["region"],
                    "country": where["country"],
                    "received": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                },
            )
            yield step
