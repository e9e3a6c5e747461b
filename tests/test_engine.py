"""The engine over parts: order, bounds, workers that die, and clusters that are not there."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dsk_assets.errors import EngineError, InputError, SettingsError
from dsk_assets.lake.engine import ATTEMPTS, Engine, map_parts
from tests.dask_cluster import DaskCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"))
    try:
        cluster.start(workers=2)
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(params=["local", "dask"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "local":
        return Engine(2)
    return Engine(2, request.getfixturevalue("cluster").address)


def square(number: int) -> int:
    return number * number


def die_once(number: int, folder: Path) -> int:
    """Kill the process that works part 3, the first time."""
    if number == 3:
        try:
            (folder / "died").touch(exist_ok=False)
        except FileExistsError:
            return number
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail_at_first(number: int, folder: Path) -> int:
    """Fail as a shared file system does for a moment."""
    attempts = len(list(folder.iterdir()))
    (folder / str(attempts)).touch()
    if attempts < ATTEMPTS - 1:
        raise OSError(5, "Input/output error")
    return number


def refuse(number: int) -> int:
    if number == 2:
        raise InputError("line 7 is no document")
    return number


def quote(number: int) -> int:
    raise ValueError("a secret of the donor")


def test_results_come_in_the_order_of_the_parts(engine: Engine):
    with engine.pool() as executor:
        assert list(map_parts(square, range(50), executor)) == [n * n for n in range(50)]


def test_few_parts_are_out_at_a_time(engine: Engine):
    asked = []

    def parts() -> Iterator[int]:
        for number in range(100):
            asked.append(number)
            yield number

    with engine.pool() as executor:
        results = map_parts(square, parts(), executor)
        assert next(results) == 0
        assert len(asked) <= 4 * 2
        results.close()


def test_a_part_whose_worker_was_killed_is_worked_again(engine: Engine, tmp_path: Path):
    with engine.pool() as executor:
        work = partial(die_once, folder=tmp_path)
        assert list(map_parts(work, range(12), executor)) == list(range(12))
    assert (tmp_path / "died").exists()


def test_an_error_of_the_file_system_is_tried_again(engine: Engine, tmp_path: Path):
    with engine.pool() as executor:
        work = partial(fail_at_first, folder=tmp_path)
        assert list(map_parts(work, [1], executor)) == [1]
    assert len(list(tmp_path.iterdir())) == ATTEMPTS


def test_errors_of_ours_pass_as_they_are(engine: Engine):
    with engine.pool() as executor, pytest.raises(InputError, match="line 7"):
        list(map_parts(refuse, range(9), executor))


def test_a_part_that_kills_every_worker_ends_the_run():
    with Engine(2).pool() as executor, pytest.raises(EngineError, match="fewer workers"):
        list(map_parts(die, range(2), executor))


def test_what_a_cluster_says_of_an_unknown_error_quotes_nothing(cluster: DaskCluster):
    with (
        pytest.raises(EngineError, match="ValueError") as error,
        Engine(1, cluster.address).pool() as executor,
    ):
        list(map_parts(quote, [1], executor))
    assert "secret" not in str(error.value)
    logs = "".join(path.read_text() for path in cluster.folder.glob("*.log"))
    assert "secret" not in logs


def test_a_worker_with_other_code_is_refused(cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dsk_assets.lake.engine.code_digest", lambda: "another")
    with (
        pytest.raises(SettingsError, match="another version of dsk-assets"),
        Engine(1, cluster.address).pool() as executor,
    ):
        list(map_parts(square, [1], executor))


def test_a_single_part_needs_no_worker():
    with Engine(4).pool(tasks=1) as executor:
        assert executor is None
    with Engine(4, "tcp://127.0.0.1:1").pool(tasks=1) as executor:
        assert executor is None


def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dsk_assets.lake.engine._PATIENCE", 1)
    with (
        pytest.raises(SettingsError, match="no Dask scheduler answers at tcp"),
        Engine(1, "tcp://127.0.0.1:1").pool(),
    ):
        pass


def forked_with() -> tuple[int, int]:
    """Detectors that this worker was forked with, and threads of the process it was forked from."""
    careful = sys.modules.get("dsk_assets.filters.careful")
    status = Path(f"/proc/{os.getppid()}/status").read_text()
    return careful._lingua.cache_info().currsize if careful else 0, int(
        status.partition("Threads:")[2].split()[0]
    )


def test_workers_are_forked_from_a_process_that_has_the_models_and_no_other_thread():
    script = """if 1:
        from dsk_assets.filters.run.run import MODELS
        from dsk_assets.lake.engine import Engine
        from tests.test_engine import forked_with
        with Engine(2).pool(preload=MODELS) as executor:
            assert executor.submit(forked_with).result() == (1, 1)
    """
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root)
