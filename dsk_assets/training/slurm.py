"""The payload as a batch job of Slurm, on this host's cluster or on one behind ssh.

The job folder is copied to the site's folder and checked there against its digests, as the payload
does again before it trains. While the job runs, metrics and whole checkpoints are copied back. A
job that ended before its work was done (time limit, preemption, a lost node) is followed by a new
one, which goes on from the newest whole checkpoint: Slurm's own requeue would wait for minutes.
"""

import json
import logging
import re
import shutil
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsk_assets.errors import TrainingError
from dsk_assets.lake.digests import canonical_json, sha256_text
from dsk_assets.lake.progress import track
from dsk_assets.training import job as job_folder
from dsk_assets.training.job import Job
from dsk_assets.training.launch import failure, fetch, trained
from dsk_assets.training.place import Remote, Shared, UnreachableError
from dsk_assets.training.site import Site

SCRIPT = "job.sbatch"
RECORD = "site.json"
MIRROR = "there"
"""Folder beside a job in which lies what was brought back by ssh."""
TICK = 0.5
"""Seconds between two looks at the job and what it has written."""
ATTEMPTS = 3
"""Jobs in a row that may end without a new checkpoint."""
LATE = 20
"""Looks at the accounts before a row that lags behind is taken as it is."""
REMOTE_TICK = 10.0
"""Seconds between two looks by ssh."""
MISSED = 360
"""Looks in a row without an answer after which the run is given up: an hour."""
FORGOTTEN = "Invalid job id"
"""What ``scontrol`` says of a job that ended a while ago."""
STOPPED = 75
"""Exit status of a script that Slurm told to stop (EX_TEMPFAIL of sysexits.h)."""
UNDER_WAY = frozenset({"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT"})
AGAIN = frozenset({"TIMEOUT", "PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "DEADLINE"})
"""States of jobs that ended for no fault of theirs."""
NO_ACCOUNTING = "no accounting"
_ACCOUNTED = "JobID,State,ExitCode,Elapsed,NNodes,NCPUS,AllocTRES,ConsumedEnergyRaw"
_TAIL = 2000

_log = logging.getLogger(__name__)


def launch(job: Job, site: Site) -> Generator[int, None, None]:
    """Run the payload at *site*; a :data:`~dsk_assets.training.launch.Launcher` with its site.

    Raises :class:`TrainingError` with the end of the job's log when the payload gave up, when
    somebody cancelled the job, and when :data:`ATTEMPTS` jobs in a row made no checkpoint.
    """
    place = _place(job, site)
    site.checked(job.settings.processes, place.digest)
    target = Path(site.folder) / f"{job.run}-{job.digest[:16]}"
    there = place.send(job, target)
    job.out.mkdir(exist_ok=True)
    (job.out / job_folder.ERROR).unlink(missing_ok=True)
    given: set[int] = set()
    last, fruitless = job.targets[-1], 0
    while last not in given:
        before = len(given)
        batch = _Batch(job, there, site, place, target)
        try:
            steps = trained(job, batch.ended)
            total = last - job.start
            for step in track(
                steps, f"Training {job.run} at {site.name}", total=total, unit="steps"
            ):
                if step in job.targets and step not in given:
                    given.add(step)
                    batch.record()
                    yield step
            state = batch.wait()
        finally:
            batch.cancel()
        fruitless = 0 if len(given) > before else fruitless + 1
        if last not in given and (state not in AGAIN or fruitless == ATTEMPTS):
            raise _failed(job, batch, state)
        _log.info("Slurm job %s ended with %s", batch.number, state)
    try:
        place.clear(target)
    except (TrainingError, OSError) as error:
        _log.warning("%s was not cleared away: %s", target, error)


def _place(job: Job, site: Site) -> Shared | Remote:
    return Remote(site.ssh, job.folder / MIRROR) if site.ssh else Shared()


@dataclass
class _Batch:
    """One batch job for *job*, whose folder at the site is *target*, and can be read as *there*.

    A job that an earlier process submitted, which was killed, and that is not over is followed on.
    """

    job: Job
    there: Job
    site: Site
    place: Shared | Remote
    target: Path

    def __post_init__(self) -> None:
        text = render(self.there, self.site, self.target)
        self.script = sha256_text(text)
        self.own = self.site.own_payload(self.place.digest)
        self.state, self.status, self.missed = "PENDING", 0, 0
        for earlier in recorded(self.job.folder)[-1:]:
            self.number = str(earlier.get("job"))
            self._look()
            if self.state in UNDER_WAY and self.name == self.job.run:
                _log.info("going on with Slurm job %s for %s", self.number, self.job.run)
                return
        self.place.write(self.target / SCRIPT, text)
        submitted = self._slurm("sbatch", "--parsable", str(self.target / SCRIPT))
        self.number = submitted.strip().partition(";")[0]
        self.state, self.status = "PENDING", 0
        self.record()
        _log.info("submitted Slurm job %s for %s", self.number, self.job.run)

    @property
    def log(self) -> Path:
        """What the job writes to standard output and error."""
        return self.there.folder / f"slurm-{self.number}.log"

    def ended(self) -> bool:
        """Whether the job is over, after a moment's wait; copies back what it has written."""
        time.sleep(REMOTE_TICK if self.site.ssh else TICK)
        try:
            self._look()
            over = self.state not in UNDER_WAY
            self._fetch()
        except UnreachableError:
            self.missed += 1
            if self.missed == MISSED:
                raise
            return False
        self.missed = 0
        return over

    def wait(self) -> str:
        """The state in which the job ended."""
        while not self.ended():
            pass
        for _ in range(LATE):
            if self._row().get("State", self.state).partition(" ")[0] not in UNDER_WAY:
                break
            time.sleep(TICK)
        self.record()
        return "TIMEOUT" if (self.state, self.status) == ("FAILED", STOPPED) else self.state

    def cancel(self) -> None:
        """End the job if it is not over; one that cannot be reached is followed on another time."""
        try:
            self._look()
            if self.state in UNDER_WAY:
                self._slurm("scancel", self.number, check=False)
                while self.state in UNDER_WAY:
                    time.sleep(TICK)
                    self._look()
        except UnreachableError as error:
            _log.warning("Slurm job %s was not cancelled: %s", self.number, error)

    def record(self) -> None:
        """Keep beside the job what Slurm says of it; ends up in the statements."""
        row: dict[str, Any] = {}
        with suppress(UnreachableError):
            row = self._row()
        content = {
            "site": self.site.name,
            "country": self.site.country,
            "job": self.number,
            "script": self.script,
            "container": self.site.container_sha256,
            **self.own,
            "state": self.state,
            "accounting": row or NO_ACCOUNTING,
        }
        record(self.job, content)

    def _look(self) -> None:
        asked = self.place.run("scontrol", "--oneliner", "show", "job", self.number)
        if asked.returncode and FORGOTTEN not in asked.stderr:
            raise UnreachableError(
                f"Slurm says nothing of job {self.number}: {asked.stderr.strip()[-300:]}"
            )
        found = dict(re.findall(r"(?:^|\s)(JobState|ExitCode|JobName)=(\S+)", asked.stdout))
        self.name = found.get("JobName")
        row = {} if found else self._row()
        if not found and not row:
            self.state = "COMPLETED" if self.state in UNDER_WAY else self.state
            return
        self.state = (found.get("JobState") or row["State"]).partition(" ")[0]
        self.status = int((found.get("ExitCode") or row["ExitCode"]).partition(":")[0])

    def _fetch(self) -> None:
        """Copy metrics and whole checkpoints, the latter checked against their receipts."""
        self.place.bring(self.there, self.target)
        out = self.there.out
        for name in (job_folder.METRICS, job_folder.ERROR):
            if (out / name).is_file():
                shutil.copyfile(out / name, self.job.out / name)
        for step in self.job.targets:
            there = self.there.checkpoint(step)
            if there.is_dir() and not self.job.checkpoint(step).is_dir():
                fetch(self.there, self.job, step)

    def _row(self) -> dict[str, Any]:
        """The accounting row of the job; empty where the site keeps no accounts."""
        text = self._slurm(
            "sacct", "--allocations", "--parsable2", "--jobs", self.number,
            "--format", _ACCOUNTED, check=False,
        )  # fmt: skip
        lines = text.splitlines()
        return dict(zip(lines[0].split("|"), lines[1].split("|"), strict=True)) if lines[1:] else {}

    def _slurm(self, *command: str, check: bool = True) -> str:
        done = self.place.run(*command)
        if done.returncode == 127 and check:
            raise TrainingError(
                f"{command[0]} is not installed {self.site.ssh or 'here'} — site.yaml needs a host "
                "of the Slurm cluster, or remove it to train on this machine"
            )
        if done.returncode and check:
            raise TrainingError(
                f"{command[0]} refused the job: {done.stderr.strip()[-500:]} — correct site.yaml"
            )
        return "" if done.returncode else done.stdout


def render(there: Job, site: Site, folder: Path) -> str:
    """The batch script for the job *there* in *folder*, from ``templates/job.sbatch.j2``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        autoescape=False,  # a shell script; patterns check each value
    )  # fmt: skip
    container = ""
    if site.container is not None:
        parts = ["singularity", "exec", *site.container_options, "--bind", site.folder]
        container = " ".join([*parts, site.container, ""])
    return environment.get_template(f"{SCRIPT}.j2").render(
        job=there,
        site=site,
        folder=folder,
        processes=there.settings.processes,
        container=container,
    )


def _failed(job: Job, batch: _Batch, state: str) -> TrainingError:
    tail = ""
    if batch.log.is_file():
        tail = batch.log.read_bytes()[-_TAIL:].decode("utf-8", "replace").strip()
    how = f"ended at {batch.site.name} as Slurm job {batch.number} with {state}"
    error = failure(job, how)
    return TrainingError(f"{error}\n{batch.log} ends with:\n{tail}" if tail else str(error))


def record(job: Job, content: Mapping[str, Any]) -> None:
    """Keep *content* beside *job*, in place of what was kept of the same batch job."""
    earlier = [one for one in recorded(job.folder) if one.get("job") != content.get("job")]
    (job.folder / RECORD).write_bytes(canonical_json([*earlier, content]))


def recorded(folder: Path) -> list[dict[str, Any]]:
    """What Slurm said of the jobs for *folder*, in their order; none where it was trained here."""
    path = folder / RECORD
    found: list[dict[str, Any]] = json.loads(path.read_bytes()) if path.is_file() else []
    return found
