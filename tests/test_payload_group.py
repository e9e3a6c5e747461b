"""Processes that train together, and gradients that are added up: what one process learns."""

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsk_assets.errors import TrainingError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.digests import sha256_file
from dsk_assets.training import local, payload
from dsk_assets.training.dataset import SequenceDataset
from dsk_assets.training.group import joined
from dsk_assets.training.job import ERROR, WEIGHTS, Job
from dsk_assets.training.trainer import Trainer
from tests.jobs import (
    HERE,
    in_pair,
    job,
    losses,
    pair,
    weights,
)
from tests.jobs import catalog as catalog
from tests.jobs import straight as straight


@pytest.fixture(scope="module")
def together(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    """Jobs that two processes trained without a stop, by what each process held of the model."""
    made = {}
    for sharding in ("none", "full"):
        folder = tmp_path_factory.mktemp(sharding)
        made[sharding] = job(catalog, folder, processes=2, sharding=sharding)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SequenceDataset, "samples", noted(folder, SequenceDataset.samples))
            assert pair(made[sharding]) == [0, 0]
    return made


def noted(folder: Path, samples: Callable[..., Any]) -> Callable[..., Any]:
    """*samples*, which says in a file for each process what it was fed."""

    def fed(self: SequenceDataset, numbers: list[int]) -> Any:
        rows = samples(self, numbers)
        with (folder / f"fed-{os.environ['RANK']}").open("a") as file:
            file.write(json.dumps(rows.tolist()) + "\n")
        return rows

    return fed


def fed(made: Job, rank: int) -> list[list[list[int]]]:
    """What a process was fed, step by step."""
    lines = (made.folder.parent / f"fed-{rank}").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("sharding", ["none", "full"])
def test_two_processes_learn_what_one_learns_also_after_a_kill(
    catalog: Catalog, straight: Job, together: dict[str, Job], tmp_path: Path, sharding: str
) -> None:
    whole = together[sharding]
    assert losses(whole) == pytest.approx(losses(straight), rel=1e-5)
    stopped = job(catalog, tmp_path / "stopped", processes=2, sharding=sharding)
    assert pair(stopped, dies_at=7) == [1, -signal.SIGKILL]
    assert not stopped.checkpoint(8).exists()
    assert pair(stopped) == [0, 0]
    assert weights(stopped) == weights(whole)
    receipt = stopped.receipt(12)
    assert (receipt["processes"], receipt["sharding"]) == (2, sharding)


def test_a_model_in_parts_reads_and_learns_what_a_whole_one_does(together: dict[str, Job]) -> None:
    """Float32 has 24 bits, so sums of gradients that are rounded otherwise may differ by 1e-7 or so
    a step; the first loss has no gradient in it, and is the same."""
    whole, parts = together["none"], together["full"]
    for rank in range(2):
        steps = fed(parts, rank)
        assert steps == fed(whole, rank)
        for step, rows in enumerate(steps, start=1):
            both = [fed(parts, other)[step - 1] for other in range(2)]
            assert np.array_equal(np.concatenate(both), parts.dataset().batch(step))
            assert len(rows) == 2
    assert losses(parts)[0] == losses(whole)[0]
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-6)


def test_of_a_model_in_parts_one_layer_at_a_time_is_whole(catalog: Catalog, tmp_path: Path) -> None:
    from torch.distributed.tensor import DTensor

    size = {"hidden_size": 16, "layers": 3, "heads": 2, "feed_forward": 32}
    made = job(catalog, tmp_path, processes=2, sharding="full", model=size)

    def looks(rank: int) -> int:
        with joined(2) as group:
            trainer = Trainer.start(
                made.settings, made.dataset(), group,
                vocabulary=600, end_of_text=0, base_model=None,
            )  # fmt: skip
            layers = trainer.model.model.layers
            seen = []
            for layer in layers:
                layer.mlp.register_forward_hook(
                    lambda *_: seen.append(
                        [not isinstance(next(one.parameters()), DTensor) for one in layers]
                    )
                )
            trainer.one()
            trainer.held_out_loss([0])
            divided = all(isinstance(one, DTensor) for one in trainer.model.parameters())
            (tmp_path / f"{rank}.json").write_text(json.dumps([seen[:3], divided]))
        return 0

    assert in_pair(looks) == [0, 0]
    for rank in range(2):
        seen, divided = json.loads((tmp_path / f"{rank}.json").read_text())
        assert seen == [[True, False, False], [False, True, False], [False, False, True]]
        assert divided, "also what is outside layers, when nothing is learnt from a forward pass"


def test_gradients_of_a_model_in_parts_are_added_up(
    catalog: Catalog, straight: Job, tmp_path: Path
) -> None:
    made = job(catalog, tmp_path, processes=2, sharding="full", micro_batch_size=1)
    assert pair(made) == [0, 0]
    assert losses(made) == pytest.approx(losses(straight), rel=1e-5)


def test_layers_within_layers_are_divided_too(
    catalog: Catalog, together: dict[str, Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As transformers names them for Mamba."""
    from transformers import LlamaForCausalLM

    named = ["LlamaDecoderLayer", "LlamaMLP"]
    monkeypatch.setattr(LlamaForCausalLM, "_no_split_modules", named)
    made = job(catalog, tmp_path, processes=2, sharding="full")
    assert pair(made) == [0, 0]
    assert losses(made) == pytest.approx(losses(together["full"]), rel=1e-6)


@pytest.mark.parametrize(("written", "read"), [("none", "full"), ("full", "none")])
def test_training_goes_on_from_a_checkpoint_of_the_other_sharding(
    together: dict[str, Job], tmp_path: Path, written: str, read: str
) -> None:
    origin, other = together[written], together[read]

    def goes_on(rank: int) -> int:
        with joined(2) as group:
            trainer = Trainer.resume(
                other.settings, other.dataset(), group, folder=origin.checkpoint(8), step=8
            )
            trainer.save(tmp_path / "unchanged")
            held = sum(
                (one.to_local() if read == "full" else one).numel()
                for one in trainer.model.parameters()
            )
            made = [trainer.one().loss for _ in range(4)]
            (tmp_path / f"{rank}.json").write_text(json.dumps([trainer.parameters, held, made]))
        return 0

    assert in_pair(goes_on) == [0, 0]
    for name, digest in origin.receipt(8)["files"].items():
        if name.startswith(WEIGHTS) and "tokenizer" not in name:
            assert sha256_file(tmp_path / "unchanged" / name) == digest
    shares = []
    for rank in range(2):
        parameters, held, made = json.loads((tmp_path / f"{rank}.json").read_text())
        assert parameters == origin.receipt(8)["parameters"]
        assert made == pytest.approx(losses(origin)[8:], rel=1e-6)
        shares.append(held)
    if read == "full":
        assert sum(shares) == parameters
        assert max(shares) < 0.6 * parameters
    else:
        assert shares == [parameters, parameters]


def test_transformers_loads_what_was_trained_in_parts(together: dict[str, Job]) -> None:
    from transformers import AutoModelForCausalLM

    made = together["full"]
    model, said = AutoModelForCausalLM.from_pretrained(
        made.checkpoint(12) / "model", output_loading_info=True
    )
    assert not any(said.values()), said
    assert model.num_parameters() == made.receipt(12)["parameters"]


@pytest.mark.parametrize("rank", [0, 1])
def test_when_one_process_fails_no_other_waits_for_it(
    catalog: Catalog, together: dict[str, Job], tmp_path: Path, rank: int
) -> None:
    """The first fails in writing a checkpoint, the other in reading a shard."""
    made = job(catalog, tmp_path, processes=2, sharding="full")

    def fails(original: Callable[..., Any], call: int) -> Callable[..., Any]:
        calls = iter(range(1, call))

        def failing(*given: Any) -> Any:
            if os.environ["RANK"] == str(rank) and not next(calls, 0):
                raise OSError(errno.EIO, "broken")
            return original(*given)

        return failing

    with pytest.MonkeyPatch.context() as patch:
        if rank == 0:
            patch.setattr(payload, "_publish", fails(payload._publish, 2))
        else:
            patch.setattr(SequenceDataset, "samples", fails(SequenceDataset.samples, 7))
        assert pair(made) == [1, 1]
    assert "Input/output error" in (made.out / ERROR).read_text()
    assert made.checkpoint(4).is_dir()
    assert not made.checkpoint(8).exists()
    assert pair(made) == [0, 0]
    assert weights(made) == weights(together["full"])


def test_torchrun_starts_the_processes_that_training_yaml_wants(
    catalog: Catalog, tmp_path: Path
) -> None:
    made = job(catalog, tmp_path, processes=2, sharding="full", steps=4, checkpoint_every=2)
    with pytest.raises(TrainingError, match="wants 2 processes and 1 were started"):
        payload.run(made.folder, HERE)
    assert list(local.launch(made, catalog.settings)) == [2, 4]
    assert made.receipt(4)["processes"] == 2


@pytest.mark.parametrize("rows", [1, 2])
def test_gradients_added_up_are_those_of_the_batch(
    catalog: Catalog, straight: Job, tmp_path: Path, rows: int
) -> None:
    made = job(catalog, tmp_path, micro_batch_size=rows)
    payload.run(made.folder, HERE)
    assert losses(made) == pytest.approx(losses(straight), rel=1e-5)
