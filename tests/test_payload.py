"""The training payload: one job folder, whatever kills it."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dsk_assets.errors import CorruptedError, StorageError, TrainingError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.digests import canonical_json
from dsk_assets.training import launch, local, payload
from dsk_assets.training.energy import Meter
from dsk_assets.training.job import METRICS, Job, weights_digest
from tests.jobs import (
    HERE,
    die,
    forked,
    job,
    metrics,
    weights,
)
from tests.jobs import catalog as catalog
from tests.jobs import straight as straight


def killed_in(name: str, call: int) -> Callable[[Job], None]:
    """The payload, killed at the *call*-th call of a function of its module."""

    def run(made: Job) -> None:
        original, calls = getattr(payload, name), iter(range(1, call))
        setattr(payload, name, lambda *given: (original if next(calls, 0) else die)(*given))
        payload.run(made.folder, HERE)

    return run


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("_append", 1),  # before any step is noted
        ("_append", 3),  # between checkpoints
        ("_publish", 1),  # a checkpoint is written but has not its name
        ("_publish", 2),
        ("_append", 22),
        ("sha256_file", 3),  # half a checkpoint
        ("_publish", 3),
    ],
)
def test_killed_at_any_point_it_ends_with_the_same_weights(
    catalog: Catalog, straight: Job, tmp_path: Path, name: str, call: int
) -> None:
    made = job(catalog, tmp_path)
    assert made.digest == straight.digest
    assert forked(lambda: killed_in(name, call)(made)) == -signal.SIGKILL
    with (made.out / METRICS).open("a") as file:
        file.write('{"step": 3, "lo')  # what a power cut leaves of a line
    payload.run(made.folder, HERE)
    assert weights(made) == weights(straight)
    assert metrics(made) == metrics(straight)
    assert not list(made.out.glob(".tmp-*"))


def test_a_full_disk_is_named_and_nothing_is_lost(
    catalog: Catalog, straight: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job(catalog, tmp_path)
    original = payload._publish

    def full(folder: Path, target: Path) -> None:
        if target == made.checkpoint(8):
            raise OSError(errno.ENOSPC, "full")
        original(folder, target)

    with monkeypatch.context() as patch:
        patch.setattr(payload, "_publish", full)
        with pytest.raises(StorageError, match="No space left on device"):
            payload.run(made.folder, HERE)
    assert "No space left" in str(launch.failure(made, "ended"))
    assert made.checkpoint(4).is_dir()
    payload.run(made.folder, HERE)
    assert weights(made) == weights(straight)
    assert not (made.out / "error.txt").exists()


def test_a_damaged_checkpoint_is_trained_again(
    catalog: Catalog, straight: Job, tmp_path: Path
) -> None:
    made = job(catalog, tmp_path)
    shutil.copytree(straight.out, made.out, dirs_exist_ok=True)
    (made.checkpoint(8) / "model" / "config.json").write_text("{}")
    with pytest.raises(CorruptedError, match=r"model/config\.json is not as its receipt says"):
        made.receipt(8)
    payload.run(made.folder, HERE)
    assert weights(made) == weights(straight)


def test_a_receipt_says_what_ran_where(straight: Job) -> None:
    first, second, _ = (straight.receipt(step) for step in straight.targets)
    assert first["where"] == {"country": "DK", "region": None}
    assert first["job"] == straight.digest
    assert first["from"] == {"step": 0, "digest": None}
    assert second["from"] == {"step": 4, "digest": weights_digest(first["files"])}
    assert (first["processes"], first["precision"]) == (1, "float32")
    assert first["flop"] == 6 * first["parameters"] * 4 * 4 * 32
    assert first["energy"] == "not measured" or first["energy"]["joule"] > 0
    assert set(first["libraries"]) == {"python", "torch", "transformers", "numpy", "safetensors"}


def test_a_changed_input_is_refused_before_training(catalog: Catalog, tmp_path: Path) -> None:
    made = job(catalog, tmp_path)
    shard = made.folder / "shards/0000/00000.bin"
    data = bytearray(shard.read_bytes())
    shard.unlink()
    data[5] ^= 1
    shard.write_bytes(data)
    with pytest.raises(CorruptedError, match=r"shards/0000/00000\.bin"):
        payload.run(made.folder, HERE)
    assert "shards/0000/00000.bin" in (made.out / "error.txt").read_text()
    assert not (made.out / METRICS).exists()
    with pytest.raises(TrainingError, match="there is no folder"):
        Job.read(tmp_path / "elsewhere")
    with pytest.raises(TrainingError, match="not a job folder"):
        Job.read(tmp_path)


@pytest.mark.parametrize("country", ["US", "fi", None])
def test_nothing_is_trained_where_no_checkpoint_would_be_received_from(
    catalog: Catalog, tmp_path: Path, country: str | None
) -> None:
    made = job(catalog, tmp_path)
    with pytest.raises(TrainingError, match=f"country {country!r}.* such as FI"):
        payload.run(made.folder, payload.Where(country))
    assert not list(made.out.iterdir())


def test_the_folder_carries_all_the_code_that_runs(catalog: Catalog, tmp_path: Path) -> None:
    """Runs the real command with the folder's own modules, and names each one it imported."""
    made = job(catalog, tmp_path)
    copied = shutil.copytree(made.folder, tmp_path / "elsewhere")
    code = (
        "import sys, runpy; sys.argv[0] = 'payload'\n"
        "try: runpy.run_module('dsk_assets.training.payload', run_name='__main__')\n"
        "except SystemExit as end: status = end.code\n"
        "own = {m.__file__ for n, m in list(sys.modules.items()) if n.startswith('dsk_assets')}\n"
        "assert all(f.startswith(sys.path[1]) for f in own if f), own\n"
        "assert not {'pyarrow', 'duckdb', 'polars', 'dagster'} & set(sys.modules)\n"
        "sys.exit(status)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(copied), "--country", "FI"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(copied / "code")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert Job.read(copied).receipt(12)["where"] == {"country": "FI", "region": None}


def test_a_killed_payload_is_named_and_the_next_run_goes_on(
    catalog: Catalog, straight: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job(catalog, tmp_path)
    kill = "import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(local, "_command", lambda *_: [sys.executable, "-c", kill])
    with pytest.raises(TrainingError, match=r"killed by signal 9 .* it goes on from step 0"):
        list(local.launch(made, catalog.settings))
    shutil.copytree(straight.checkpoint(4), made.checkpoint(4))
    with pytest.raises(TrainingError, match="goes on from step 4"):
        list(local.launch(made, catalog.settings))


def test_a_run_that_is_given_up_ends_its_payload(catalog: Catalog, tmp_path: Path) -> None:
    made = job(catalog, tmp_path, steps=100_000, checkpoint_every=2)
    running = local.launch(made, catalog.settings)
    assert next(running) == 2
    running.close()
    with payload._alone(made):  # nobody holds the folder any more
        pass


def test_energy_is_read_from_the_counters_there_are(tmp_path: Path) -> None:
    assert Meter(None, first_of_node=True, system=tmp_path).sources == []
    zone = tmp_path / "class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "max_energy_range_uj").write_text("10000000")
    (zone / "energy_uj").write_text("9000000")
    meter = Meter(None, first_of_node=True, system=tmp_path)
    (zone / "energy_uj").write_text("1000000")
    assert meter.joules() == pytest.approx(2.0)
    assert meter.sources == ["RAPL intel-rapl:0"]
    node = tmp_path / "cray/pm_counters/energy"
    node.parent.mkdir(parents=True)
    node.write_text("500 J 1 us")
    meter = Meter(None, first_of_node=True, system=tmp_path)
    node.write_text("730 J 2 us")
    assert (meter.sources, meter.joules()) == (["node counters"], 230.0)
    assert Meter(None, first_of_node=False, system=tmp_path).sources == []
    assert np.isclose(meter.joules(), 0)


def test_a_job_is_the_same_bytes_for_the_same_training(catalog: Catalog, tmp_path: Path) -> None:
    one, other = (job(catalog, tmp_path / name) for name in ("a", "b"))
    assert one.digest == other.digest
    assert canonical_json(dict(one.content)) == (one.folder / "job.json").read_bytes()
