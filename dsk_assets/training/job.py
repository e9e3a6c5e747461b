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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from dsk_assets.errors import CorruptedError, TrainingError
from dsk_assets.lake.digests import sha256_bytes, sha256_file, sha256_set
from dsk_assets.lake.folders import files_below
from dsk_assets.training.config import TrainingConfig
from dsk_assets.training.dataset import SequenceDataset
from dsk_assets.training.order import NAME, Order, Source

FILE = "job.json"
CODE = "code"
TOKENIZER = "tokenizer"
BASE = "base"
START = "start"
RECEIPT = "receipt.json"
METRICS = "metrics.jsonl"
ERROR = "error.txt"
WEIGHTS = ("model/", "state/")
"""How the files of a checkpoint begin that training goes on from."""
NOT_MEASURED = "not measured"


class _Said(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Where(_Said):
    country: str | None
    region: str | None


class _Origin(_Said):
    step: int
    digest: str | None


class _Libraries(_Said):
    torch: str
    transformers: str


class _Energy(_Said):
    joule: NonNegativeFloat
    sources: list[str]


class _Receipt(_Said):
    """What the platform reads of a receipt, also of one that a site's own script wrote."""

    origin: _Origin = Field(alias="from")
    where: _Where
    libraries: _Libraries
    parameters: PositiveInt
    flop: NonNegativeFloat
    device_hours: NonNegativeFloat = Field(alias="deviceHours")
    energy: _Energy | Literal["not measured"]


class _Step(_Said):
    step: PositiveInt
    loss: float
    learning_rate: float
    tokens: PositiveInt


class _Loss(_Said):
    loss: float
    tokens: int


class _Evaluated(_Said):
    step: PositiveInt
    held_out: dict[str, _Loss]


_STEPS = TypeAdapter(list[_Step])


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
        try:
            data = (folder / FILE).read_bytes()
            content = json.loads(data)
            if content["order"]["name"] != NAME:
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError):
            raise TrainingError(
                f"{folder} is not a job folder of this version — let the training run write it anew"
            ) from None
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
        if country not in self.content["countries"]:
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

    def receipt(self, step: int) -> dict[str, Any]:
        """The receipt of the checkpoint after *step*, when all its files are as the receipt says.

        Raises :class:`CorruptedError` where a file is missing, added or changed, and where the
        receipt is that of another job or says too little, or the metrics do.
        """
        folder = self.checkpoint(step)
        try:
            found: dict[str, Any] = json.loads((folder / RECEIPT).read_bytes())
            named: dict[str, str] = dict(found["files"])
            fits = (found["job"], found["step"]) == (self.digest, step)
        except (OSError, ValueError, KeyError, TypeError):
            raise CorruptedError(f"checkpoint {folder} has no receipt — train it again") from None
        if not fits:
            raise CorruptedError(f"the receipt in {folder} is of another job — train it again")
        present = files_below(folder)
        present.pop(RECEIPT)
        for name in sorted(named.keys() | present.keys()):
            if name not in present or named.get(name) != sha256_file(present[name]):
                raise CorruptedError(
                    f"checkpoint {folder}: {name} is not as its receipt says — train it again"
                )
        try:
            _Receipt.model_validate(found)
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise CorruptedError(
                f"the receipt in {folder} lacks {place!r} or has it in another form than the "
                "payload writes — mend what writes it, and train again"
            ) from None
        self.metrics(step)
        return found

    def metrics(self, step: int) -> tuple[list[dict[str, Any]], dict[str, dict[str, float]]]:
        """The steps that led to the checkpoint after *step*, and its loss by domain.

        Raises :class:`CorruptedError` where ``metrics.jsonl`` is not as the payload writes it.
        """
        path = self.checkpoint(step) / METRICS
        try:
            *lines, last = map(json.loads, path.read_text("utf-8").splitlines())
            steps = _STEPS.validate_python(lines)
            if not steps or (steps[-1].step, last["step"]) != (step, step):
                raise ValueError
            held_out = _Evaluated.model_validate(last).held_out
        except (OSError, ValueError, KeyError, TypeError):
            raise CorruptedError(
                f"{path} is not as the payload writes it: a line for each step, and one with the "
                "loss on held-out documents — mend what writes it, and train again"
            ) from None
        rows = [one.model_dump() for one in steps]
        return rows, {domain: one.model_dump() for domain, one in held_out.items()}

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


def weights_digest(files: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """One digest of a checkpoint's model and optimiser, from names and digests of its files."""
    return sha256_set(
        (name, digest) for name, digest in dict(files).items() if name.startswith(WEIGHTS)
    )
