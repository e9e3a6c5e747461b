"""Processes that train together, and gradients that are added up: what one process learns."""

import signal
from pathlib import Path

import pytest

from dsk_assets.errors import TrainingError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.training import local, payload
from dsk_assets.training.job import Job
from tests.jobs import (
    HERE,
    job,
    losses,
    pair,
    two_domains,
    weights,
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return two_domains(tmp_path_factory.mktemp("payload"))


@pytest.fixture(scope="module")
def straight(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job whose payload ran without a stop."""
    made = job(catalog, tmp_path_factory.mktemp("straight"))
    payload.run(made.folder, HERE)
    return made


def test_two_processes_learn_what_one_learns_also_after_a_kill(
    catalog: Catalog, straight: Job, tmp_path: Path
) -> None:
    whole = job(catalog, tmp_path / "whole", processes=2)
    assert pair(whole) == [0, 0]
    assert losses(whole) == pytest.approx(losses(straight), rel=1e-5)
    stopped = job(catalog, tmp_path / "stopped", processes=2)
    assert pair(stopped, dies_at=7) == [1, -signal.SIGKILL]
    assert not stopped.checkpoint(8).exists()
    assert pair(stopped) == [0, 0]
    assert weights(stopped) == weights(whole)
    assert stopped.receipt(12)["processes"] == 2


def test_torchrun_starts_the_processes_that_training_yaml_wants(
    catalog: Catalog, tmp_path: Path
) -> None:
    made = job(catalog, tmp_path, processes=2, steps=4, checkpoint_every=2)
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
