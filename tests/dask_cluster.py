"""A real Dask scheduler and its workers, as processes of their own on loopback."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dsk_assets.lake.engine import disconnect
from dsk_assets.settings import PROJECT_ROOT

ENVIRONMENT = {"PYTHONPATH": str(PROJECT_ROOT), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
LOOPBACK = ("--host", "127.0.0.1")


@dataclass
class DaskCluster:
    """One scheduler, whose file (its address inside) is :attr:`address`; workers come and go."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """What ``DSK_ENGINE`` and ``--address`` take."""
        return str(self.folder / "scheduler.json")

    def start(self, workers: int) -> None:
        """Start the scheduler and *workers* workers; returns when the scheduler answers."""
        self._start("scheduler", "--port", "0", "--scheduler-file", self.address, "--no-show")
        until(Path(self.address).exists)
        for _ in range(workers):
            self.add_worker()

    def add_worker(self) -> subprocess.Popen[bytes]:
        """One more worker with one thread; it joins by itself."""
        return self._start(
            "worker", "--scheduler-file", self.address, "--nthreads", "1", "--no-nanny",
            "--memory-limit", "0", "--local-directory", str(self.folder), "--death-timeout", "60",
        )  # fmt: skip

    def stop(self) -> None:
        """Let go of the cluster and end all its processes."""
        disconnect()
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def _start(self, command: str, *options: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", command, "--no-dashboard", *LOOPBACK, *options],
            env={**os.environ, **ENVIRONMENT},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{command}-{len(self.processes)}.log").open("wb"),
        )  # fmt: skip
        self.processes.append(process)
        return process


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Return as soon as *condition* holds; ``TimeoutError`` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("what the test waits for did not come")
        time.sleep(0.02)
