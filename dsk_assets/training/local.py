"""The payload as a process of this host: plain Python, or ``torchrun`` for several processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress

from dsk_assets.lake.progress import track
from dsk_assets.settings import Settings
from dsk_assets.training import job as job_folder
from dsk_assets.training.job import Job
from dsk_assets.training.launch import failure, trained

LOG = "payload.log"
MODULE = "dsk_assets.training.payload"
TICK = 0.1
"""Seconds between two looks at what the payload has written."""
GRACE = 20
"""Seconds that a payload has to end when it is told to."""


def launch(job: Job, settings: Settings) -> Generator[int, None, None]:
    """Run the payload here; a :data:`~dsk_assets.training.launch.Launcher` with its settings."""
    job.out.mkdir(exist_ok=True)
    (job.out / job_folder.ERROR).unlink(missing_ok=True)
    with (job.out / LOG).open("ab") as log:
        process = subprocess.Popen(
            _command(job, settings),
            env=os.environ | {"PYTHONPATH": str(job.folder / job_folder.CODE)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def ended() -> bool:
        with suppress(subprocess.TimeoutExpired):
            process.wait(TICK)
        return process.poll() is not None

    try:
        steps = trained(job, ended)
        total = job.targets[-1] - job.start
        for step in track(steps, f"Training {job.run}", total=total, unit="steps"):
            if step in job.targets:
                yield step
        if not job.checkpoint(job.targets[-1]).is_dir():
            raise failure(job, _how(process.wait(), job))
    finally:
        _end(process)


def _command(job: Job, settings: Settings) -> list[str]:
    """The command line; the kernel ends the payload with the process that started it."""
    tied = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
    processes = job.settings.processes
    python = [sys.executable, "-m"]
    if processes > 1:
        python += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    where = ["--country", settings.country]
    where += ["--region", settings.s3_region] if settings.s3_region else []
    return [*tied, *python, MODULE, str(job.folder), *where]


def _how(status: int, job: Job) -> str:
    ended = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"{ended} (see {job.out / LOG})"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let a payload that is done end by itself, and end one that nobody waits for any more."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
