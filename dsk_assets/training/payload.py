"""Training from a job folder, wherever it lies: ``python -m dsk_assets.training.payload FOLDER``.

Several processes train together when ``torchrun`` starts them. The payload first checks every file
of the folder against its digest. Then it trains, writes a line to ``out/metrics.jsonl`` for each
step, and for each checkpoint a folder that appears whole, with a receipt: what was run, where, on
what, how long, and the digest of each file. Started again after any end, also a power cut, it goes
on from the newest checkpoint that is whole. It needs Python 3.11 with torch, transformers, numpy,
safetensors, pydantic, PyYAML and rfc8785, and nothing from the network.
"""

import argparse
import datetime as dt
import fcntl
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dsk_assets.errors import CorruptedError, DskError, StorageError, TrainingError, safe_message
from dsk_assets.lake.digests import canonical_json, sha256_file
from dsk_assets.lake.folders import files_below
from dsk_assets.training import job as job_folder
from dsk_assets.training.energy import Meter
from dsk_assets.training.group import Group, joined
from dsk_assets.training.job import Job
from dsk_assets.training.trainer import StepResult, Trainer, versions

LIBRARIES = ("numpy", "safetensors")


@dataclass(frozen=True)
class Where:
    """Where the payload runs, as whoever starts it says: a country (ISO 3166-1) and a region."""

    country: str | None = None
    region: str | None = None


def run(folder: Path, where: Where) -> None:
    """Train until all checkpoints of the job in *folder* stand.

    Raises :class:`TrainingError` at once for a country outside the EU, or none. Raises
    :class:`CorruptedError` when a file of the folder was changed, and :class:`TrainingError` or
    :class:`StorageError` when training cannot go on; ``out/error.txt`` then holds the message.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic products on a GPU
    os.environ["HF_HUB_OFFLINE"] = "1"
    job = Job.read(folder.resolve())
    job.require_country(where.country)
    with joined(job.settings.processes) as group:
        try:
            if group.first:
                with _alone(job):
                    _prepare(job)
                    _train(job, group, where)
            else:
                _train(job, group, where)
        except (DskError, OSError) as error:
            told = error if isinstance(error, DskError) else _storage(job, error)
            with suppress(OSError):
                (job.out / job_folder.ERROR).write_text(str(told), "utf-8")
            raise told from None


def _storage(job: Job, error: OSError) -> StorageError:
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return StorageError(
        f"the payload cannot read or write in {job.folder}: {reason} — free some space or check "
        "the folder, then run it again: it goes on from the last checkpoint"
    )


def _prepare(job: Job) -> None:
    """Check what was given, and clear away what an earlier process left unfinished."""
    (job.out / job_folder.ERROR).unlink(missing_ok=True)
    job.verify()
    for path in job.out.glob(".tmp-*"):
        shutil.rmtree(path)
    for step in job.targets:
        try:
            job.receipt(step)
        except CorruptedError:
            shutil.rmtree(job.checkpoint(step), ignore_errors=True)
    reached = _newest(job)
    for step in job.targets:
        if step > reached:  # made from one that is gone
            shutil.rmtree(job.checkpoint(step), ignore_errors=True)
    _cut_metrics(job, reached)


def _newest(job: Job) -> int:
    """The newest step that training can go on from without a gap."""
    reached = job.start
    for step in job.targets:
        if not job.checkpoint(step).is_dir():
            break
        reached = step
    return reached


def _train(job: Job, group: Group, where: Where) -> None:
    group.wait()
    reached = _newest(job)
    trainer = _trainer(job, group, reached)
    writer = _Writer(job, trainer, where)
    for target in (step for step in job.targets if step > reached):
        results: list[StepResult] = []
        while trainer.step < target:
            results.append(trainer.one())
            if group.first:
                _append(job.out / job_folder.METRICS, asdict(results[-1]))
        writer.write(results)
        group.wait()


def _trainer(job: Job, group: Group, reached: int) -> Trainer:
    """The trainer after step *reached*: new, or as the checkpoint there left it."""
    dataset = job.dataset()
    if reached:
        start = job.folder / job_folder.START
        folder = start if reached == job.start else job.checkpoint(reached)
        return Trainer.resume(job.settings, dataset, group, folder=folder, step=reached)
    base = job.folder / job_folder.BASE
    vocabulary = job.content["vocabulary"]
    return Trainer.start(
        job.settings,
        dataset,
        group,
        vocabulary=vocabulary["size"],
        end_of_text=vocabulary["endOfText"],
        base_model=base if base.is_dir() else None,
    )


class _Writer:
    """Writes checkpoints, each with the receipt of the stretch of training that led to it."""

    def __init__(self, job: Job, trainer: Trainer, where: Where):
        self.job = job
        self.trainer = trainer
        self.where = where
        group = trainer.group
        gpu = group.local_rank if group.on_gpu else None
        self.meter = Meter(gpu, first_of_node=group.local_rank == 0)
        self.sources = self.meter.sources
        self.since, self.clock = _now(), time.perf_counter()
        self.origin = {"step": trainer.step, "digest": job.weights_at(trainer.step)}

    def write(self, results: list[StepResult]) -> None:
        """Write the checkpoint after the last of *results*, whole or not at all."""
        group, step = self.trainer.group, self.trainer.step
        joules = group.total(self.meter.joules())
        seconds = time.perf_counter() - self.clock
        folder = self.job.out / f".tmp-step-{step:06d}"
        self.trainer.save(folder)
        held_out = {"step": step, "held_out": self._held_out()}
        if not group.first:
            return
        for path in sorted((self.job.folder / job_folder.TOKENIZER).iterdir()):
            shutil.copyfile(path, folder / "model" / path.name)
        _append(self.job.out / job_folder.METRICS, held_out)
        for row in [*map(asdict, results), held_out]:
            _append(folder / job_folder.METRICS, row)
        files = {name: sha256_file(path) for name, path in files_below(folder).items()}
        receipt = self._receipt(results, seconds, joules) | {"files": files}
        (folder / job_folder.RECEIPT).write_bytes(canonical_json(receipt))
        _publish(folder, self.job.checkpoint(step))
        self.since, self.clock = _now(), time.perf_counter()
        self.origin = {"step": step, "digest": job_folder.weights_digest(files)}

    def _held_out(self) -> dict[str, dict[str, float]]:
        """Loss on held-out documents by domain, and how many tokens it is the mean of."""
        found = {}
        for domain, sources in self.job.domains.items():
            loss, tokens = self.trainer.held_out_loss(sources)
            found[domain] = {"loss": loss, "tokens": tokens}
        return found

    def _receipt(self, results: list[StepResult], seconds: float, joules: float) -> dict[str, Any]:
        group, settings = self.trainer.group, self.job.settings
        tokens = len(results) * settings.batch_size * settings.sequence_length
        return {
            "job": self.job.digest,
            "step": self.trainer.step,
            "from": self.origin,
            "where": asdict(self.where),
            "libraries": {"python": platform.python_version(), **versions()}
            | {name: version(name) for name in LIBRARIES},
            "processes": group.rank.world_size,
            "sharding": settings.sharding,
            "device": _device(group),
            "precision": self.trainer.precision,
            "started": self.since,
            "finished": _now(),
            "seconds": round(seconds, 3),
            "deviceHours": round(seconds * group.rank.world_size / 3600, 6),
            "energy": {"joule": round(joules, 3), "sources": self.sources}
            if self.sources
            else job_folder.NOT_MEASURED,
            "parameters": self.trainer.parameters,
            "tokens": tokens,
            "flop": 6.0 * self.trainer.parameters * tokens,
        }


def _device(group: Group) -> str:
    if not group.on_gpu:
        return f"cpu ({platform.machine()})"
    import torch

    return str(torch.cuda.get_device_name(group.device))


def _append(path: Path, row: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _cut_metrics(job: Job, reached: int) -> None:
    """Keep the lines up to step *reached*; those after it are written again."""
    path = job.out / job_folder.METRICS
    kept = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:  # a kill cut the line off
            break
        if row["step"] > reached:
            break
        kept.append(line + "\n")
    temporary = path.with_name(f".new-{path.name}")
    temporary.write_text("".join(kept), "utf-8")
    temporary.replace(path)


def _publish(folder: Path, target: Path) -> None:
    """Give *folder* its final name once all of it is on the disk."""
    for path in [*files_below(folder).values(), *folder.iterdir(), folder]:
        _sync(path)
    folder.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    """Holds the folder: two payloads at once would write over each other."""
    job.out.mkdir(exist_ok=True)
    with (job.out / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(
                f"another process trains in {job.folder} — wait for it, or end it"
            ) from None
        yield


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    _, _, description = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser("dsk_assets.training.payload", description=description)
    parser.add_argument("folder", type=Path, help="the job folder")
    parser.add_argument(
        "--country", help="where this runs, in the EU, such as FI; stands in the receipt"
    )
    parser.add_argument("--region", help="the site or region, such as lumi-prod")
    given = parser.parse_args(arguments)
    try:
        run(given.folder, Where(given.country, given.region))
    except Exception as error:
        print(f"error: {safe_message(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
