"""Training runs and their checkpoints: each checkpoint is made from the one before it.

A checkpoint is a materialisation of its own, so a run that was stopped goes on from the last one
that stands, and ends as it would have ended. Once trained, a checkpoint stays: a gate that judges
its release again, with the same result, does not make it stale.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from dsk_assets.corpus import tokenizer as corpus_tokenizer
from dsk_assets.corpus.release import OpenedRelease, newest_version, open_release
from dsk_assets.errors import SettingsError
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.lake.store import Zone
from dsk_assets.training import base_model
from dsk_assets.training.config import TrainingConfig, load_training
from dsk_assets.training.dataset import SequenceDataset
from dsk_assets.training.exposure import EXPOSURE, exposure
from dsk_assets.training.order import NAME as ORDER
from dsk_assets.training.trainer import StepResult, Trainer, versions

CODE_VERSION = "2"
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


def train(catalog: Catalog, release: str) -> Snapshot:
    """The training run over the corpus release of that version, with all its checkpoints.

    Its partition is ``<name>-<version>``. ``run.json``: what was trained, from what, its order,
    parameters, tokens, floating-point operations (6 times parameters times tokens, Kaplan et al.
    2020, https://arxiv.org/abs/2001.08361) and checkpoints. ``loss``: one row for each step with
    ``loss`` (nats a token), ``learning_rate`` and ``tokens`` read so far. Demands gate
    ``composition`` of the release. Raises :class:`TrainingError` when the loss is not finite.
    """
    training = _Training(catalog, release)
    checkpoints = training.checkpoints()

    def produce(out: Output) -> None:
        losses = pa.concat_tables([one.table("loss") for one in checkpoints])
        content = training.description(losses, checkpoints)
        out.json(RUN_FILE, content)
        out.table("loss", [losses], LOSS)
        names = ("steps", "tokens", "parameters", "flop", "firstLoss", "lastLoss")
        out.count(checkpoints=len(checkpoints), **{name: content[name] for name in names})

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


def checkpoint(catalog: Catalog, key: str) -> Snapshot:
    """The checkpoint ``<name>-<version>.step-<step>`` of the run that ``training.yaml`` describes.

    ``model/``: weights, configuration and tokenizer as transformers reads them. ``state/``: the
    optimiser's state. ``loss``: the steps since the checkpoint before. ``exposure``: what has been
    read of each donation, up to this step. ``checkpoint.json``: step, tokens, loss, release, seed
    and order, which is all it takes to compute what it has read of any document.
    Counts: ``step``, ``tokens``, ``parameters``, ``loss``.
    """
    run, _, step = key.rpartition(".step-")
    config = load_training(catalog.settings.consortium)
    version = run.removeprefix(f"{config.name}-")
    if version == run or not step.isdecimal() or int(step) not in config.checkpoint_steps:
        raise SettingsError(
            f"{key} is not a checkpoint of the run that training.yaml describes — its run is "
            f"{config.name}, with checkpoints at steps {config.checkpoint_steps}"
        )
    return _Training(catalog, version).checkpoints(until=int(step))[-1]


def checkpoints(catalog: Catalog) -> list[str]:
    """Keys of the checkpoints of the newest release's run, in the order of their steps."""
    version = newest_version(catalog)
    if version is None:
        return []
    config = load_training(catalog.settings.consortium)
    return [_key(f"{config.name}-{version}", step) for step in config.checkpoint_steps]


def _key(run: str, step: int) -> str:
    return f"{run}.step-{step:06d}"


@dataclass
class _Training:
    """One run: what it is made from, and the trainer once it is needed."""

    catalog: Catalog
    version: str
    trainer: Trainer | None = None

    def __post_init__(self) -> None:
        release = self.catalog.require("corpus/release", self.version)
        self.composition = admission.require(self.catalog, "composition", release)
        self.config: TrainingConfig = load_training(self.catalog.settings.consortium)
        self.base_model = self.catalog.require(base_model.ASSET)
        self.release: OpenedRelease = open_release(self.catalog, self.version)

    @property
    def name(self) -> str:
        """The run's partition."""
        return f"{self.config.name}-{self.version}"

    @property
    def inputs(self) -> list[Snapshot]:
        """What every checkpoint is made from."""
        return [self.release.snapshot, self.composition, self.release.tokenizer, self.base_model]

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
        made: list[Snapshot] = []
        for step in self.config.checkpoint_steps:
            made.append(self._checkpoint(step, made[-1] if made else None))
            if step == until:
                break
        return made

    def _checkpoint(self, step: int, previous: Snapshot | None) -> Snapshot:
        def produce(out: Output) -> None:
            trainer = self._trainer(previous)
            results = trainer.run_to(step)
            self._write(out, trainer, results, previous)

        return self.catalog.materialise(
            CHECKPOINT,
            _key(self.name, step),
            zone=Zone.CURATED,
            inputs=[*self.inputs, *([previous] if previous else [])],
            config=self.fingerprint()
            | {"step": step, "previous": previous.digest if previous else None},
            code_version=CODE_VERSION,
            produce=produce,
            frozen=True,
        )

    @cached_property
    def _dataset(self) -> SequenceDataset:
        return SequenceDataset(
            self.release,
            seed=self.config.seed,
            sequence_length=self.config.sequence_length,
            batch_size=self.config.batch_size,
        )

    def _trainer(self, previous: Snapshot | None) -> Trainer:
        """The trainer as it was after *previous*: still at hand, or loaded."""
        step = previous.json(CHECKPOINT_FILE)["step"] if previous else 0
        if self.trainer is None or self.trainer.step != step:
            if previous is None:
                self.trainer = Trainer.start(
                    self.config,
                    self._dataset,
                    corpus_tokenizer.vocabulary(self.release.tokenizer),
                    base_model.folder(self.catalog, self.base_model, self.release.tokenizer),
                )
            else:
                with self._scratch() as folder:
                    _check_out(previous, folder)
                    self.trainer = Trainer.resume(self.config, self._dataset, folder, step)
        return self.trainer

    def _write(
        self, out: Output, trainer: Trainer, results: list[StepResult], previous: Snapshot | None
    ) -> None:
        with self._scratch() as folder:
            trainer.save(folder)
            for name in (corpus_tokenizer.FILE, corpus_tokenizer.CONFIG):
                shutil.copyfile(self.release.tokenizer.path(name), folder / "model" / name)
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                with out.file(file.relative_to(folder).as_posix()) as path:
                    shutil.move(file, path)
        last = results[-1]
        out.table("loss", [pa.Table.from_pylist([asdict(one) for one in results], LOSS)], LOSS)
        read = exposure(self._dataset.order, last.step, self.config.batch_size)
        out.table("exposure", [read], EXPOSURE)
        out.json(
            CHECKPOINT_FILE,
            {
                **self._origin(),
                "step": last.step,
                "tokens": last.tokens,
                "loss": last.loss,
                "parameters": trainer.parameters,
                "previous": previous.digest if previous else None,
                "libraries": versions(),
            },
        )
        out.count(step=last.step, tokens=last.tokens, parameters=trainer.parameters, loss=last.loss)

    def _origin(self) -> dict[str, Any]:
        """What was trained from what, and all that fixes the order of reading."""
        return {
            "run": self.name,
            "release": self.version,
            "baseModel": self.base_model.json(base_model.FILE),
            "tokenizer": self.release.tokenizer.digest,
            "order": {
                "name": ORDER,
                "seed": self.config.seed,
                "release": self.release.snapshot.digest,
                "sequenceLength": self.config.sequence_length,
                "batchSize": self.config.batch_size,
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
            "passes": last["tokens"] / self._dataset.order.tokens_per_pass,
            "parameters": parameters,
            "flop": 6.0 * parameters * last["tokens"],
            "firstLoss": first["loss"],
            "lastLoss": last["loss"],
            "checkpoints": [
                {"checkpoint": one.partition, "step": one.counts["step"], "digest": one.digest}
                for one in made
            ],
        }

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        parent = self.catalog.settings.home.resolve() / "tmp"
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            yield Path(folder)


def _check_out(snapshot: Snapshot, folder: Path) -> None:
    """Lay the verified files of a checkpoint below *folder* under their own names."""
    for file in snapshot.files:
        target = folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(snapshot.path(file.name))
