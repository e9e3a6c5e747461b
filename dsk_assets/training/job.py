"""The job folder: all that a training payload reads, with the digest of each file.

The platform writes it (:mod:`dsk_assets.training.packing`), and the payload trains from it alone,
in this host's own process or at a computing site that the folder was copied to. Only what training
needs is in it: shards, the order in which they are read, the model to go on from, and code::

    job.json             what is to be trained, and name, SHA-256 and size of every other file
    code/dsk_assets/…    the modules that the payload imports
    tokenizer/…  shards/<donation>/<shard>.bin
    base/…               the base model, where training begins with one
    start/…              the checkpoint before, where training goes on from one
    out/                 written by the payload
        metrics.jsonl    a line for each step, as it is done
        step-000100/     a checkpoint; whole as soon as it has this name
        error.txt        why the payload gave up
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from dsk_assets.errors import CorruptedError, TrainingError
from dsk_assets.lake.digests import canonical_json, sha256_bytes, sha256_file, sha256_set
from dsk_assets.training.config import TrainingConfig
from dsk_assets.training.dataset import SequenceDataset
from dsk_assets.training.order import NAME, Order, Source
from dsk_assets.training.receipt import METRICS as METRICS
from dsk_assets.training.receipt import NOT_MEASURED as NOT_MEASURED
from dsk_assets.training.receipt import RECEIPT as RECEIPT
from dsk_assets.training.receipt import WEIGHTS as WEIGHTS
from dsk_assets.training.receipt import read_metrics, read_small, verified
from dsk_assets.training.receipt import weights_digest as weights_digest

FILE = "job.json"
CODE = "code"
TOKENIZER = "tokenizer"
BASE = "base"
START = "start"
SAME = "same.json"
"""Digests of jobs that do the same work, which came back from a site."""
ERROR = "error.txt"


class _Said(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _File(_Said):
    name: str = Field(pattern=r"^[\w.-]+(/[\w.-]+)*$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: NonNegativeInt

    @field_validator("name")
    @classmethod
    def _below(cls, name: str) -> str:
        if ".." in name.split("/"):
            raise ValueError("leads out of the folder")
        return name


class _ShardFile(_Said):
    name: str
    dtype: Literal["uint16", "uint32"]


class _Source(_Said):
    donation: str
    tokens: NonNegativeInt
    weight: NonNegativeFloat
    held_out: NonNegativeInt = Field(alias="heldOut")
    domain: str
    files: list[_ShardFile]


class _Order(_Said):
    name: str = Field(pattern=f"^{NAME}$")
    seed: NonNegativeInt
    release: str
    sequence_length: PositiveInt = Field(alias="sequenceLength")
    batch_size: PositiveInt = Field(alias="batchSize")
    sources: list[_Source]


class _Vocabulary(_Said):
    size: PositiveInt
    end_of_text: NonNegativeInt = Field(alias="endOfText")


class _Start(_Said):
    step: NonNegativeInt
    digest: str | None


class _Content(_Said):
    """The content of ``job.json``."""

    run: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*-\d+\.\d+\.\d+$")
    identity: str
    settings: TrainingConfig
    order: _Order
    vocabulary: _Vocabulary
    start: _Start
    targets: list[PositiveInt] = Field(min_length=1)
    countries: list[str] = []
    files: list[_File]

    @model_validator(mode="after")
    def _ascending(self) -> "_Content":
        steps = [self.start.step, *self.targets]
        if steps != sorted(set(steps)) or not set(self.targets) <= set(
            self.settings.checkpoint_steps
        ):
            raise ValueError("targets are no checkpoints of this run")
        return self


@dataclass(frozen=True)
class Job:
    """A job folder and the content of its ``job.json``, whose SHA-256 is *digest*."""

    folder: Path
    content: Mapping[str, Any]
    digest: str

    @classmethod
    def read(cls, folder: Path) -> "Job":
        """The job in *folder*; :class:`TrainingError` where there is none."""
        if not folder.is_dir():
            raise TrainingError(f"there is no folder {folder} — correct its name")
        wrong = ""
        try:
            data = read_small(folder / FILE)
            content = json.loads(data)
            _Content.model_validate(content)
        except ValidationError as error:
            wrong = f" ({FILE}: {'.'.join(map(str, error.errors()[0]['loc'])) or 'targets'})"
        except (OSError, ValueError, RecursionError):
            wrong = f" ({FILE} is missing or not readable)"
        if wrong:
            raise TrainingError(
                f"{folder} is not a job folder of this version{wrong} — let the training run, or "
                "`dsk training send`, write it anew"
            )
        return cls(folder, content, sha256_bytes(data))

    @property
    def run(self) -> str:
        """Name of the training run."""
        return str(self.content["run"])

    @property
    def identity(self) -> str:
        """Digest of all that decides the weights, wherever and from where on they are trained."""
        return str(self.content["identity"])

    @property
    def start(self) -> int:
        """The step that training goes on from; 0 at the beginning."""
        return int(self.content["start"]["step"])

    @property
    def targets(self) -> list[int]:
        """The steps after which a checkpoint is to be made, ascending."""
        return [int(step) for step in self.content["targets"]]

    def require_country(self, country: str | None) -> None:
        """Raise :class:`TrainingError` where donated data may not be (principle 3)."""
        if country not in self.content.get("countries", []):
            raise TrainingError(
                f"the payload was started with the country {country!r}, and what was donated may "
                "be in the EU alone: no checkpoint would be received — say by --country where this "
                "is, such as FI"
            )

    @cached_property
    def settings(self) -> TrainingConfig:
        """What is trained and how."""
        return TrainingConfig.model_validate(self.content["settings"])

    @property
    def out(self) -> Path:
        """The folder that the payload writes to."""
        return self.folder / "out"

    def checkpoint(self, step: int) -> Path:
        """The folder of the checkpoint after *step*; it exists only when it is whole."""
        return self.out / f"step-{step:06d}"

    @property
    def digests(self) -> set[str]:
        """Its digest, and those of jobs that do the same work: what came of them is taken too."""
        path = self.folder / SAME
        return {self.digest, *(json.loads(path.read_bytes()) if path.is_file() else ())}

    def take(self, other: "Job") -> None:
        """From now on take checkpoints of *other*, which does the same work as this one."""
        (self.folder / SAME).write_bytes(canonical_json(sorted(self.digests | {other.digest})))

    def work(self) -> Any:
        """What is trained on what: equal in jobs whose parts, or whose copies of code, differ."""
        files = {
            file["name"]: file["sha256"]
            for file in self.content["files"]
            if file["name"].startswith((f"{TOKENIZER}/", "shards/"))
        }
        named = [self.content[name] for name in ("run", "identity", "order", "vocabulary")]
        return [*named, self.settings, files]

    @property
    def code(self) -> str:
        """Digest of its copy of the code."""
        return sha256_set(
            (file["name"], file["sha256"])
            for file in self.content["files"]
            if file["name"].startswith(f"{CODE}/")
        )

    def receipt(self, step: int, folder: Path | None = None) -> dict[str, Any]:
        """The receipt of the checkpoint after *step*, when all its files are as the receipt says.

        *folder* is where it lies, the job's own folder if none is given. Raises
        :class:`CorruptedError` as :func:`dsk_assets.training.receipt.verified` does.
        """
        return verified(
            folder or self.checkpoint(step), step, self.digests, self.start, self.settings
        )

    def metrics(self, step: int) -> tuple[list[dict[str, Any]], dict[str, dict[str, float]]]:
        """The steps that led to the checkpoint after *step*, and its loss by domain.

        Raises :class:`CorruptedError` where ``metrics.jsonl`` is not as the payload writes it.
        """
        return read_metrics(self.checkpoint(step), step)

    def weights_at(self, step: int) -> str | None:
        """Digest of the model and the optimiser's state after *step*; None from nothing at all."""
        if step == self.start:
            digest: str | None = self.content["start"]["digest"]
            return digest
        return weights_digest(self.receipt(step)["files"])

    @property
    def domains(self) -> dict[str, list[int]]:
        """The numbers of the donations of each domain that have held-out documents."""
        found: dict[str, list[int]] = {}
        for number, source in enumerate(self.content["order"]["sources"]):
            if source["heldOut"]:
                found.setdefault(source["domain"], []).append(number)
        return dict(sorted(found.items()))

    def dataset(self) -> SequenceDataset:
        """The sequences of the job's shards, in its order."""
        named = self.content["order"]
        sources = named["sources"]
        order = Order(
            seed=named["seed"],
            release=named["release"],
            sources=tuple(
                Source(one["donation"], one["tokens"], one["weight"], one["heldOut"])
                for one in sources
            ),
            sequence_length=named["sequenceLength"],
        )
        files = [
            [(self.folder / file["name"], file["dtype"]) for file in one["files"]]
            for one in sources
        ]
        return SequenceDataset(order, files, named["batchSize"])

    def verify(self) -> None:
        """Check every file against ``job.json``; :class:`CorruptedError` names one that differs."""
        for file in self.content["files"]:
            path = self.folder / file["name"]
            if not path.is_file() or sha256_file(path) != file["sha256"]:
                raise CorruptedError(
                    f"{file['name']} in {self.folder} is missing or has other bytes than "
                    f"{FILE} says — copy the folder again, or let the training run write it anew"
                )
