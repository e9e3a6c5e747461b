"""A filter run on real clusters, of which one worker is killed in the middle."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dsk_assets.filters.run import inputs
from dsk_assets.filters.run.run import filter_files
from dsk_assets.lake.engine import SLURM, Engine, disconnect
from tests.dask_cluster import DaskCluster, until
from tests.filter_inputs import digests, document, write_lines
from tests.slurm import Slurm

PARTS = 12


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Documents in a dozen parts."""
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(inputs, "PART_BYTES", 50_000)
        path = write_lines(folder / "in.jsonl", map(document, range(700)))
        assert len(inputs.blocks(path)) >= PARTS
        yield [path]


@pytest.fixture(scope="module")
def on_one_machine(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of what this process alone makes of the files."""
    folder = tmp_path_factory.mktemp("local")
    filter_files(files, folder)
    return digests(folder)


def filtered_while(files: list[Path], folder: Path, engine: Engine, kill: Callable[[], None]):
    """Filter on *engine*, and *kill* something as soon as some parts are tagged and not all are."""
    tagged = folder / ".work" / "results" / "judged"
    seen: list[int] = []

    def wait_and_kill() -> None:
        until(lambda: len(list(tagged.glob("*/*.parquet"))) >= 2)
        kill()
        seen.append(len(list(tagged.glob("*/*.parquet"))))

    killer = threading.Thread(target=wait_and_kill)
    killer.start()
    filter_files(files, folder, engine=engine)
    killer.join()
    assert seen[0] < PARTS
    return digests(folder)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    folder = tmp_path / "dask"
    folder.mkdir()
    cluster = DaskCluster(folder)
    try:
        cluster.start(workers=2)
        yield cluster
    finally:
        cluster.stop()


@pytest.mark.servers
def test_dask_with_a_worker_killed_gives_the_bytes_of_the_local_engine(
    files: list[Path], on_one_machine: dict[str, str], cluster: DaskCluster, tmp_path: Path
):
    _, one, _ = cluster.processes
    on_dask = filtered_while(files, tmp_path / "out", Engine(2, cluster.address), one.kill)
    assert one.wait() == -signal.SIGKILL
    assert on_dask == on_one_machine


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    slurm = Slurm(tmp_path / "slurm")
    try:
        slurm.start()
        for name, value in slurm.environment.items():
            monkeypatch.setenv(name, value)
        yield slurm
    finally:
        disconnect()
        slurm.stop()


@pytest.mark.servers
def test_slurm_with_a_job_killed_gives_the_bytes_of_the_local_engine(
    files: list[Path], on_one_machine: dict[str, str], slurm: Slurm, tmp_path: Path
):
    killed: list[str] = []

    def kill_one() -> None:
        until(lambda: len(slurm.jobs()) == 2)
        killed.append(slurm.jobs()[0])
        slurm.cancel(killed[0], "KILL")

    with slurm.dask_settings(tmp_path):
        on_slurm = filtered_while(files, tmp_path / "out", Engine(2, SLURM), kill_one)
    assert on_slurm == on_one_machine
    assert slurm.jobs()
    assert killed[0] not in slurm.jobs()
