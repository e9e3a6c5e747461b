"""Job folders of a small release, and processes that train in them."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dsk_assets.corpus.release import open_release
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.store import Zone
from dsk_assets.training import base_model, payload
from dsk_assets.training.job import METRICS, Job, weights_digest
from dsk_assets.training.packing import Contents, pack
from dsk_assets.training.released import release_order
from tests.corpora import (
    TRAINING,
    donate,
    open_catalog,
    released,
    texts,
    tokenise,
    write,
)
from tests.support import admit, seed

A, B = "dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0"
FORK = multiprocessing.get_context("fork")
HERE = payload.Where("DK")


def spread(name: str, number: int) -> dict[str, str]:
    """Documents whose ids are spread over all ids, as digests are."""
    made = texts(name, number).values()
    return {f"{place * 256 // number:02x}{number:030x}": text for place, text in enumerate(made)}


def two_domains(folder: Path) -> Catalog:
    """A release of two donations of different domains, of which a fifth is held out."""
    catalog = open_catalog(folder)
    write(catalog.settings.consortium / "training.yaml", TRAINING | {"held_out": 0.2})
    for donation, domain, number in ((A, ["law"], 25), (B, None, 10)):
        donate(catalog, donation, spread("a", number))
        manifest = {"dataset": {"domain": domain}}
        landing = seed(
            catalog, "donations/landing", donation,
            zone=Zone.RESTRICTED, files={"manifest.json": manifest},
        )  # fmt: skip
        assert landing.json("manifest.json") == manifest
    tokenise_again(catalog)
    released(catalog)
    base_model.base_model(catalog)
    return catalog


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return two_domains(tmp_path_factory.mktemp("payload"))


@pytest.fixture(scope="module")
def straight(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job whose payload ran without a stop."""
    made = job(catalog, tmp_path_factory.mktemp("straight"))
    payload.run(made.folder, HERE)
    return made


def tokenise_again(catalog: Catalog) -> None:
    """Landing was replaced, so the screening gates judge it again."""
    from dsk_assets.gates.admitted import admitted

    for donation in (A, B):
        admit(catalog, "approval", catalog.require("donations/landing", donation))
        admitted(catalog, donation)
    tokenise(catalog, A, B)


def job(catalog: Catalog, folder: Path, **settings: Any) -> Job:
    """A job over the release, from scratch, with checkpoints after 4, 8 and 12 steps."""
    from dsk_assets.training.config import TrainingConfig

    config = TrainingConfig.model_validate(TRAINING | {"held_out": 0.2} | settings)
    release = open_release(catalog, "1.0.0")
    order = release_order(release, config.seed, config.sequence_length, config.held_out)
    contents = Contents(
        run="test-1.0.0", identity="x", config=config, release=release, order=order,
        domains={A: "law", B: "unspecified"}, base=None, base_digest=None, previous=None,
        targets=config.checkpoint_steps,
    )  # fmt: skip
    return pack(folder / "job", contents)


def weights(made: Job) -> list[str]:
    return [weights_digest(made.receipt(step)["files"]) for step in made.targets]


def metrics(made: Job) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made.out / METRICS).read_text().splitlines()]


def losses(made: Job) -> list[float]:
    return [row["loss"] for row in metrics(made) if "loss" in row]


def forked(target: Callable[[], None]) -> int:
    """Run *target* in a fork of this process, which has PyTorch loaded; its exit status."""
    process = FORK.Process(target=target)
    process.start()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def member(work: Callable[[int], int], rank: int, port: int) -> None:
    """One of two processes that train together."""
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    os._exit(work(rank))


def pair(made: Job, dies_at: int | None = None) -> list[int | None]:
    """Two processes train *made* together; the second may be killed in the middle."""

    def train(rank: int) -> int:
        if rank == 1 and dies_at:
            from dsk_assets.training.trainer import Trainer

            original = Trainer._gradients
            Trainer._gradients = (  # type: ignore[method-assign]
                lambda self, step: die() if step == dies_at else original(self, step)
            )
        return payload.main([str(made.folder), "--country", "DK"])

    return in_pair(train)


def in_pair(work: Callable[[int], int]) -> list[int | None]:
    """Two processes that may train together each do *work*; what they ended with."""
    from tests.object_store import free_ports

    [port] = free_ports(1)
    ranks = [FORK.Process(target=member, args=(work, rank, port)) for rank in range(2)]
    for one in ranks:
        one.start()
    for one in ranks:
        one.join(120)
    return [one.exitcode for one in ranks]
