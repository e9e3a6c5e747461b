"""Training runs and their checkpoints: each checkpoint is made from the one before it.

A checkpoint is a materialisation of its own, so a run that was stopped goes on from the last one
that stands, and ends as it would have ended. Once trained, a checkpoint stays: a gate that judges
its release again, with the same result, does not make it stale.
"""

import shutil
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from dsk_assets.corpus.release import OpenedRelease, newest_version, open_release
from dsk_assets.errors import CorruptedError, SettingsError, TrainingError
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.lake.digests import sha256_json
from dsk_assets.lake.folders import files_below
from dsk_assets.lake.store import Zone
from dsk_assets.settings import EU_COUNTRIES
from dsk_assets.training import base_model, slurm
from dsk_assets.training.config import TrainingConfig, load_training
from dsk_assets.training.exposure import EXPOSURE, exposure
from dsk_assets.training.job import NOT_MEASURED, RECEIPT, WEIGHTS, Job
from dsk_assets.training.launch import Launcher, launcher
from dsk_assets.training.order import NAME as ORDER
from dsk_assets.training.order import Order
from dsk_assets.training.packing import Contents, pack
from dsk_assets.training.released import release_order

CODE_VERSION = "3"
RUN = "training/run"
CHECKPOINT = "training/checkpoint"
RUN_FILE = "run.json"
CHECKPOINT_FILE = "checkpoint.json"

_LOSS: list[tuple[str, pa.DataType]] = [
    ("step", pa.int64()),
    ("loss", pa.float64()),
    ("learning_rate", pa.float64()),
    ("tokens", pa.int64()),
]
LOSS = pa.schema(_LOSS)

_HELD_OUT: list[tuple[str, pa.DataType]] = [
    ("step", pa.int64()),
    ("domain", pa.string()),
    ("loss", pa.float64()),
    ("tokens", pa.int64()),
]
HELD_OUT = pa.schema(_HELD_OUT)
"""Mean loss (nats a token) on held-out documents of a domain, and the tokens it is a mean of."""

UNSPECIFIED = "unspecified"
"""The domain of a donation whose manifest names none."""

JOULES_PER_KWH = 3.6e6


def train(catalog: Catalog, release: str, launch: Launcher | None = None) -> Snapshot:
    """The training run over the corpus release of that version, with all its checkpoints.

    Its partition is ``<name>-<version>``. ``run.json``: what was trained, from what, its order,
    parameters, tokens, floating-point operations (6 times parameters times tokens, Kaplan et al.
    2020, https://arxiv.org/abs/2001.08361) and checkpoints. ``loss``: one row for each step with
    ``loss`` (nats a token), ``learning_rate`` and ``tokens`` read so far. ``held_out``: the loss on
    held-out documents of each domain at each checkpoint. The batch jobs of a site, with their rows
    of the accounts, stand in the statement as a by-product. ``started`` and ``finished`` are those
    of putting this together; each checkpoint has its own. Demands gate ``composition`` of the
    release. Raises :class:`TrainingError` when the loss is not finite.
    """
    training = _Training(catalog, release, launch or launcher(catalog.settings))
    checkpoints = training.checkpoints()

    def produce(out: Output) -> None:
        losses = pa.concat_tables([one.table("loss") for one in checkpoints])
        content = training.description(losses, checkpoints)
        out.json(RUN_FILE, content)
        out.table("loss", [losses], LOSS)
        held_out = pa.concat_tables([one.table("held_out") for one in checkpoints])
        out.table("held_out", [held_out], HELD_OUT)
        names = ("steps", "tokens", "parameters", "flop", "firstLoss", "lastLoss")
        out.count(checkpoints=len(checkpoints), **{name: content[name] for name in names})
        if training.jobs:
            out.byproduct(slurm.RECORD, {"jobs": training.jobs})
        for name in ("device_hours", "energy_kwh"):
            if all(name in one.counts for one in checkpoints):
                out.count(**{name: sum(one.counts[name] for one in checkpoints)})

    return catalog.materialise(
        RUN,
        training.name,
        zone=Zone.CURATED,
        inputs=[*training.inputs, *checkpoints],
        config=training.fingerprint() | {"checkpoints": [one.digest for one in checkpoints]},
        code_version=CODE_VERSION,
        produce=produce,
        frozen=True,
    )


def checkpoint(catalog: Catalog, key: str, launch: Launcher | None = None) -> Snapshot:
    """The checkpoint ``<name>-<version>.step-<step>`` of the run that ``training.yaml`` describes.

    ``model/``: weights, configuration and tokenizer as transformers reads them. ``state/``: the
    optimiser's state. ``loss``: the steps since the checkpoint before. ``held_out``: loss on
    held-out documents by domain. ``exposure``: what has been
    read of each donation, up to this step. ``checkpoint.json``: step, tokens, loss, release, seed
    and order, which is all it takes to compute what it has read of any document.
    Counts: ``step``, ``tokens``, ``parameters``, ``loss``, and of the steps since the checkpoint
    before ``flop``, ``device_hours`` and, where the machine counts it, ``energy_kwh``. The
    payload's receipt stands in the statement as a by-product: it says what ran where, and is not
    part of what was made, so the same training has the same digest on any day.
    """
    run, _, step = key.rpartition(".step-")
    config = load_training(catalog.settings.consortium)
    version = run.removeprefix(f"{config.name}-")
    if version == run or not step.isdecimal() or int(step) not in config.checkpoint_steps:
        raise SettingsError(
            f"{key} is not a checkpoint of the run that training.yaml describes — its run is "
            f"{config.name}, with checkpoints at steps {config.checkpoint_steps}"
        )
    training = _Training(catalog, version, launch or launcher(catalog.settings))
    return training.checkpoints(until=int(step))[-1]


def checkpoints(catalog: Catalog) -> list[str]:
    """Keys of the checkpoints of the newest release's run, in the order of their steps."""
    version = newest_version(catalog)
    if version is None:
        return []
    config = load_training(catalog.settings.consortium)
    return [checkpoint_key(f"{config.name}-{version}", step) for step in config.checkpoint_steps]


def checkpoint_key(run: str, step: int) -> str:
    """The partition of the checkpoint after *step* of the run *run*."""
    return f"{run}.step-{step:06d}"


@dataclass
class _Training:
    """One run: what it is made from, and the payload once it is needed."""

    catalog: Catalog
    version: str
    launch: Launcher

    def __post_init__(self) -> None:
        release = self.catalog.require("corpus/release", self.version)
        self.composition = admission.require(self.catalog, "composition", release)
        self.config: TrainingConfig = load_training(self.catalog.settings.consortium)
        self.base_model = self.catalog.require(base_model.ASSET)
        self.release: OpenedRelease = open_release(self.catalog, self.version)
        self._payload: Generator[int, None, None] | None = None
        self.jobs: list[dict[str, Any]] = []
        """The batch jobs at a site that trained it, where it was trained now and at one."""

    @property
    def name(self) -> str:
        """The run's partition."""
        return f"{self.config.name}-{self.version}"

    @property
    def inputs(self) -> list[Snapshot | Source]:
        """What every checkpoint is made from."""
        made_from = [self.release.snapshot, self.composition, self.release.tokenizer]
        return [*made_from, self.base_model, *self._declared]

    @property
    def _declared(self) -> list[Source]:
        """The domains of the donations, which tell apart the losses on held-out documents.

        They are all that training takes from what donors delivered, so the deliveries themselves,
        which hold text before redaction, are no input.
        """
        if not self.config.held_out:
            return []
        return [Source("donations/domains", sha256_json(self._domains))]

    @cached_property
    def _domains(self) -> dict[str, str]:
        """The first domain that each donation's manifest names."""
        found = {member.donation: UNSPECIFIED for member in self.release.members}
        if self.config.held_out:
            for donation in found:
                landed = self.catalog.require("donations/landing", donation)
                domains = landed.json("manifest.json").get("dataset", {}).get("domain")
                found[donation] = domains[0] if domains else UNSPECIFIED
        return found

    def fingerprint(self) -> dict[str, Any]:
        """What decides the weights: settings and the digests of all that is read."""
        return {
            "training": self.config.canonical(),
            "release": self.release.snapshot.digest,
            "tokenizer": self.release.tokenizer.digest,
            "baseModel": self.base_model.digest,
        }

    def checkpoints(self, until: int | None = None) -> list[Snapshot]:
        """The run's checkpoints, each made now unless it stands, up to step *until*."""
        steps = [step for step in self.config.checkpoint_steps if until is None or step <= until]
        made: list[Snapshot] = []
        try:
            for number, step in enumerate(steps):
                made.append(self._checkpoint(step, made[-1] if made else None, steps[number:]))
            for _ in self._payload or ():
                pass  # let it end by itself
            self.jobs = slurm.recorded(self._job_folder)
        finally:
            self._stop()
        if until in (None, self.config.steps) and not self.catalog.plans:
            shutil.rmtree(self._job_folder, ignore_errors=True)
        return made

    def _checkpoint(self, step: int, previous: Snapshot | None, targets: list[int]) -> Snapshot:
        def produce(out: Output) -> None:
            job = self._job(previous, targets)
            self._write(out, job, self._trained(job, step, previous), previous)

        return self.catalog.materialise(
            CHECKPOINT,
            checkpoint_key(self.name, step),
            zone=Zone.CURATED,
            inputs=[*self.inputs, *([previous] if previous else [])],
            config=self.fingerprint()
            | {"step": step, "previous": previous.digest if previous else None},
            code_version=CODE_VERSION,
            produce=produce,
            frozen=True,
        )

    @cached_property
    def _order(self) -> Order:
        settings = self.config
        length, share = settings.sequence_length, settings.held_out
        return release_order(self.release, settings.seed, length, share)

    @property
    def _job_folder(self) -> Path:
        return self.catalog.settings.home.resolve() / "jobs" / self.name

    def _job(self, previous: Snapshot | None, targets: list[int]) -> Job:
        """The job that goes on from *previous*: the one in the folder if it fits, else a new one.

        What an earlier payload left in the folder is used only where it was trained from the very
        weights that *previous* has.
        """
        identity = sha256_json(self.fingerprint() | {"code": CODE_VERSION})
        step = previous.counts["step"] if previous else 0
        with suppress(TrainingError, CorruptedError):
            job = Job.read(self._job_folder)
            if (
                job.identity == identity
                and set(targets) <= set(job.targets)
                and job.weights_at(step) == self._weights(previous)
            ):
                return job
        self._stop()
        contents = Contents(
            run=self.name,
            identity=identity,
            config=self.config,
            release=self.release,
            order=self._order,
            domains=self._domains,
            base=base_model.folder(self.catalog, self.base_model, self.release.tokenizer),
            base_digest=self._weights(None),
            previous=previous,
            targets=targets,
        )
        return pack(self._job_folder, contents)

    def _weights(self, previous: Snapshot | None) -> str | None:
        """Digest of what training goes on from: a checkpoint, the base model, or nothing."""
        if previous is not None:
            return previous.only(*WEIGHTS).digest
        digest: str | None = self.base_model.json(base_model.FILE)["digest"]
        return digest

    def _trained(self, job: Job, step: int, previous: Snapshot | None) -> dict[str, Any]:
        """The receipt of the checkpoint after *step*, verified, once the payload has made it."""
        if self._payload is None:
            self._payload = self.launch(job)
        if step not in self._payload:
            raise TrainingError(
                f"training run {self.name} ended without a checkpoint at step {step} — run it again"
            )
        try:
            receipt = job.receipt(step)
            self._require_known(job, receipt, previous)
        except (CorruptedError, TrainingError):
            self._stop()
            shutil.rmtree(job.checkpoint(step), ignore_errors=True)
            raise
        return receipt

    def _require_known(self, job: Job, receipt: dict[str, Any], previous: Snapshot | None) -> None:
        """Refuse a checkpoint of which it is not known where and from what it was trained."""
        step, country = receipt["step"], receipt["where"]["country"]
        if country not in EU_COUNTRIES:
            raise TrainingError(
                f"the receipt of step {step} names the country {country!r}, which is not in the "
                "EU: a checkpoint becomes an asset only where it is known that donated data "
                "stayed there — start the payload with --country"
            )
        for site in slurm.recorded(job.folder)[-1:]:
            if site["country"] != country:
                raise TrainingError(
                    f"the receipt of step {step} names the country {country}, and site.yaml "
                    f"{site['country']} — ask the site where it was trained, and correct what is "
                    "wrong"
                )
        if receipt["from"]["digest"] != self._weights(previous):
            raise CorruptedError(
                f"the receipt of step {step} says that it was trained from other weights than "
                f"{previous.key if previous else self.base_model.key} has — run it again"
            )

    def _stop(self) -> None:
        if self._payload is not None:
            self._payload.close()
        self._payload = None

    def _write(
        self, out: Output, job: Job, receipt: dict[str, Any], previous: Snapshot | None
    ) -> None:
        folder, step = job.checkpoint(receipt["step"]), int(receipt["step"])
        for name, path in files_below(folder).items():
            if name.startswith(WEIGHTS):
                with out.file(name) as written:
                    shutil.copyfile(path, written)
        metrics, held_out = job.metrics(step)
        rows = [{"step": step, "domain": domain, **one} for domain, one in held_out.items()]
        out.table("loss", [pa.Table.from_pylist(metrics, LOSS)], LOSS)
        out.table("held_out", [pa.Table.from_pylist(rows, HELD_OUT)], HELD_OUT)
        read = exposure(self._order, step, self.config.batch_size)
        out.table("exposure", [read], EXPOSURE)
        last = metrics[-1]
        libraries = {name: receipt["libraries"][name] for name in ("torch", "transformers")}
        out.json(
            CHECKPOINT_FILE,
            {
                **self._origin(),
                "step": step,
                "tokens": last["tokens"],
                "loss": last["loss"],
                "heldOutLoss": {domain: one["loss"] for domain, one in held_out.items()},
                "parameters": receipt["parameters"],
                "previous": previous.digest if previous else None,
                "libraries": libraries,
            },
        )
        out.count(
            step=step,
            tokens=last["tokens"],
            parameters=receipt["parameters"],
            loss=last["loss"],
            flop=receipt["flop"],
            device_hours=receipt["deviceHours"],
        )
        if held_out:
            out.count(held_out_loss={name: round(one["loss"], 4) for name, one in held_out.items()})
        if receipt["energy"] != NOT_MEASURED:
            out.count(energy_kwh=receipt["energy"]["joule"] / JOULES_PER_KWH)
        jobs = slurm.recorded(job.folder)
        out.byproduct(RECEIPT, receipt | ({"site": jobs[-1]} if jobs else {}))

    def _origin(self) -> dict[str, Any]:
        """What was trained from what, and all that fixes the order of reading."""
        return {
            "run": self.name,
            "release": self.version,
            "baseModel": self.base_model.json(base_model.FILE),
            "tokenizer": self.release.tokenizer.digest,
            "domains": self._domains,
            "order": {
                "name": ORDER,
                "seed": self.config.seed,
                "release": self.release.snapshot.digest,
                "sequenceLength": self.config.sequence_length,
                "batchSize": self.config.batch_size,
                "heldOut": self.config.held_out,
            },
        }

    def description(self, losses: pa.Table, made: list[Snapshot]) -> dict[str, Any]:
        """The content of ``run.json``."""
        [first] = losses.slice(0, 1).to_pylist()
        [last] = losses.slice(losses.num_rows - 1).to_pylist()
        parameters = made[-1].counts["parameters"]
        return {
            **self._origin(),
            "settings": self.config.canonical(),
            "steps": last["step"],
            "tokens": last["tokens"],
            "passes": last["tokens"] / self._order.tokens_per_pass,
            "parameters": parameters,
            "flop": 6.0 * parameters * last["tokens"],
            "firstLoss": first["loss"],
            "lastLoss": last["loss"],
            "checkpoints": [
                {"checkpoint": one.partition, "step": one.counts["step"], "digest": one.digest}
                for one in made
            ],
        }
