"""What the platform takes for a checkpoint: files as their receipt says, and a receipt that fits.

The receipt may have been written by a site's own program, and whatever it says must fit what is
known here: the job, the steps and tokens that lie between two checkpoints, and the weights.
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from dsk_assets.errors import CorruptedError
from dsk_assets.lake.digests import sha256_file, sha256_set
from dsk_assets.lake.folders import plain_files, shown
from dsk_assets.training.config import TrainingConfig

RECEIPT = "receipt.json"
METRICS = "metrics.jsonl"
WEIGHTS = ("model/", "state/")
"""How the files of a checkpoint begin that training goes on from."""
NOT_MEASURED = "not measured"
MOMENT = ".exp_avg"
"""How the optimiser names a moment that each trained parameter has, in its shape."""
LARGEST = 2**28
"""Bytes of a file of JSON from which on nobody reads it."""


class _Said(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Where(_Said):
    country: str | None
    region: str | None


class _Origin(_Said):
    step: NonNegativeInt
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
    tokens: NonNegativeInt


class _Evaluated(_Said):
    step: PositiveInt
    held_out: dict[str, _Loss]


_STEPS = TypeAdapter(list[_Step])


def verified(
    folder: Path, step: int, jobs: Collection[str], start: int, settings: TrainingConfig
) -> dict[str, Any]:
    """The receipt of the checkpoint after *step* in *folder*, of a job with one of these digests.

    *start* is the step that the job goes on from. Raises :class:`CorruptedError` where a file is
    missing, added, changed or no plain file, where the receipt is that of another job or says too
    little, and where steps and tokens, operations (6 times parameters times tokens) or weights
    are not what the receipt, the job and each other say.
    """
    try:
        present = plain_files(folder)
        found: dict[str, Any] = json.loads(read_small(folder / RECEIPT))
        named: dict[str, str] = dict(found["files"])
        fits = found["job"] in jobs and found["step"] == step
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise CorruptedError(f"checkpoint {folder} has no receipt — train it again") from None
    if not fits:
        raise CorruptedError(f"the receipt in {folder} is of another job — train it again")
    present.pop(RECEIPT)
    for name in sorted(named.keys() | present.keys()):
        if name not in present or named.get(name) != sha256_file(present[name]):
            raise CorruptedError(
                f"checkpoint {folder}: {shown(name)} is not as its receipt says — train it again"
            )
    try:
        said = _Receipt.model_validate(found)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise CorruptedError(
            f"the receipt in {folder} lacks {place!r} or has it in another form than the "
            "payload writes — mend what writes it, and train again"
        ) from None
    _fitting(folder, step, said, start, settings)
    return found


def read_metrics(
    folder: Path, step: int
) -> tuple[list[dict[str, Any]], dict[str, dict[str, float]]]:
    """The steps that led to the checkpoint after *step* in *folder*, and its loss by domain.

    Raises :class:`CorruptedError` where ``metrics.jsonl`` is not as the payload writes it.
    """
    path = folder / METRICS
    try:
        *lines, last = map(json.loads, read_small(path).decode().splitlines())
        steps = _STEPS.validate_python(lines)
        if not steps or (steps[-1].step, last["step"]) != (step, step):
            raise ValueError
        held_out = _Evaluated.model_validate(last).held_out
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise CorruptedError(
            f"{path} is not as the payload writes it: a line for each step, and one with the "
            "loss on held-out documents — mend what writes it, and train again"
        ) from None
    rows = [one.model_dump() for one in steps]
    return rows, {domain: one.model_dump() for domain, one in held_out.items()}


def read_small(path: Path) -> bytes:
    """The bytes of a file; ValueError where it is none, or has more than :data:`LARGEST`."""
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise ValueError("no file, or too large a one")
    return path.read_bytes()


def weights_digest(files: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """One digest of a checkpoint's model and optimiser, from names and digests of its files."""
    return sha256_set(
        (name, digest) for name, digest in dict(files).items() if name.startswith(WEIGHTS)
    )


def _fitting(folder: Path, step: int, said: _Receipt, start: int, settings: TrainingConfig) -> None:
    """Raise :class:`CorruptedError` where what is said does not fit job, metrics and weights."""
    before = said.origin.step
    if before >= step or before not in (start, *settings.checkpoint_steps):
        raise _unfit(folder, f"it goes on from step {before}, where this run has no checkpoint")
    in_a_step = settings.batch_size * settings.sequence_length
    rows, _ = read_metrics(folder, step)
    expected = [(number, number * in_a_step) for number in range(before + 1, step + 1)]
    if [(row["step"], row["tokens"]) for row in rows] != expected:
        raise _unfit(
            folder,
            f"{METRICS} does not tell of steps {before + 1} to {step} with {in_a_step} tokens each",
        )
    least, most = _parameters(folder)
    if not least <= said.parameters <= most:
        raise _unfit(
            folder,
            f"it names {said.parameters} parameters, and the weights have {least} to {most}",
        )
    flop = 6.0 * said.parameters * (step - before) * in_a_step
    if not math.isclose(said.flop, flop, rel_tol=1e-9):
        raise _unfit(
            folder,
            f"it names {said.flop:.6g} operations, and 6 × parameters × tokens is {flop:.6g}",
        )


def _parameters(folder: Path) -> tuple[int, int]:
    """The least and the largest number of parameters that model and optimiser can be of.

    Each trained parameter has a moment of its shape; the model may also have such as no gradient
    reaches, and buffers. Names are not compared: transformers writes the weights of some models
    under others than the optimiser knows.
    """
    state = _sizes(folder, "state/*.safetensors")
    moments = sum(size for name, size in state.items() if name.endswith(MOMENT))
    return moments, sum(_sizes(folder, "model/*.safetensors").values())


def _sizes(folder: Path, pattern: str) -> dict[str, int]:
    """The number of values of each tensor, from the headers; files are not read whole."""
    from safetensors import SafetensorError, safe_open

    found: dict[str, int] = {}
    for path in sorted(folder.glob(pattern)):
        try:
            with safe_open(path, "numpy") as file:
                for name in file.keys():  # noqa: SIM118
                    found[name] = math.prod(file.get_slice(name).get_shape())
        except (SafetensorError, OSError):
            raise _unfit(
                folder, f"{path.relative_to(folder)} is no whole safetensors file"
            ) from None
    if not found:
        raise _unfit(folder, f"there is no {pattern} in it")
    return found


def _unfit(folder: Path, why: str) -> CorruptedError:
    return CorruptedError(
        f"the receipt of {folder} cannot be right: {why} — mend what writes it, and train again"
    )
