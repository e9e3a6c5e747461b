"""Where a site's job folders lie: on a file system that this host shares, or on a host behind ssh.

Both do the same: run a command there, send a job folder and compare each file with its digest
there, write a script, bring back what was written, take away what is not needed any more.
"""

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dsk_assets.errors import CorruptedError, TrainingError
from dsk_assets.lake.digests import sha256_file
from dsk_assets.training import job as job_folder
from dsk_assets.training.job import Job
from dsk_assets.training.packing import copy_to

TIMEOUT = 120
"""Seconds that a command may take."""
_UNREACHED = 255
"""The exit status of ssh itself."""
_LATE = 124
"""The exit status of what took too long, as that of ``timeout``."""


class UnreachableError(TrainingError):
    """The site's host or its Slurm does not answer; what was asked may have been done or not."""


@dataclass(frozen=True)
class Shared:
    """A file system that this host shares with the site: paths are the same on both."""

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run *command*."""
        return _run(command)

    def digest(self, path: str) -> str | None:
        """SHA-256 of a file; None where there is none."""
        return sha256_file(Path(path)) if Path(path).is_file() else None

    def send(self, job: Job, target: Path) -> Job:
        """The job folder *target*, with the same digests; one that is there goes on."""
        if not (target / "out").is_dir():
            temporary = target.with_name(f".tmp-{target.name}")
            shutil.rmtree(temporary, ignore_errors=True)
            copy_to(job, temporary)
            shutil.rmtree(target, ignore_errors=True)
            temporary.rename(target)
        there = Job.read(target)
        if there.digest != job.digest:
            raise CorruptedError(f"{target} holds another job — remove it and train again")
        there.verify()
        return there

    def write(self, path: Path, text: str) -> None:
        """Write a file."""
        path.write_text(text, "utf-8")

    def bring(self, there: Job, target: Path) -> None:
        """Nothing: what was written there can be read here."""

    def clear(self, target: Path) -> None:
        """Take away the folders in *target*; script, logs and digests stay."""
        for path in target.iterdir():
            if path.is_dir():
                shutil.rmtree(path)


@dataclass(frozen=True)
class Remote:
    """A host behind ssh, which must let this one in without a question; ``mirror`` is here."""

    host: str
    mirror: Path

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run *command* there; :class:`UnreachableError` where ssh does not get there."""
        return self._ssh(shlex.join(command))

    def digest(self, path: str) -> str | None:
        """SHA-256 of a file; None where there is none."""
        done = self._ssh(shlex.join(["sha256sum", path]), timeout=None)
        return None if done.returncode else done.stdout.split()[0].lstrip("\\")

    def send(self, job: Job, target: Path) -> Job:
        """The job folder *target*, with the same digests; one that is there goes on.

        Returns the mirror, in which what it writes is brought back.
        """
        there, temporary = shlex.quote(str(target)), target.with_name(f".tmp-{target.name}")
        files = [(file["name"], file["sha256"]) for file in job.content["files"]]
        files.append((job_folder.FILE, job.digest))
        if self._ssh(f"test -d {there}/out").returncode:
            part = shlex.quote(str(temporary))
            self._must(f"mkdir -p {part}")
            names = "".join(f"{name}\n" for name, _ in files)
            sent = [*_RSYNC, "--copy-links", "--files-from=-", f"{job.folder}/"]
            self._rsync([*sent, f"{self.host}:{temporary}/"], names)
            self._must(f"rm -rf {there} && mkdir {part}/out && mv {part} {there}")
        listed = "".join(f"{digest}  {name}\n" for name, digest in files)
        compare = f"cd {there} && sha256sum --check --quiet --strict -"
        checked = self._ssh(compare, listed, timeout=None)
        if checked.returncode:
            raise CorruptedError(
                f"{self.host}:{target} differs from what was sent: {checked.stdout.strip()[:200]} "
                "— remove it and train again"
            )
        self.mirror.mkdir(exist_ok=True)
        shutil.copyfile(job.folder / job_folder.FILE, self.mirror / job_folder.FILE)
        (self.mirror / "out").mkdir(exist_ok=True)
        (self.mirror / "out" / job_folder.ERROR).unlink(missing_ok=True)
        return Job.read(self.mirror)

    def write(self, path: Path, text: str) -> None:
        """Write a file."""
        self._must(f"cat > {shlex.quote(str(path))}", text)

    def bring(self, there: Job, target: Path) -> None:
        """Bring metrics, whole checkpoints and logs to the mirror *there*."""
        only = ["--exclude=.*", "--include=/out/***", "--include=/slurm-*.log", "--exclude=*"]
        self._rsync([*_RSYNC, *only, f"{self.host}:{target}/", f"{there.folder}/"])

    def clear(self, target: Path) -> None:
        """Take away the folders in *target*; script, logs and digests stay."""
        self._must(
            f"find {shlex.quote(str(target))} -mindepth 1 -maxdepth 1 -type d -exec rm -r {{}} +"
        )

    def _must(self, script: str, given: str = "") -> None:
        done = self._ssh(script, given)
        if done.returncode:
            raise TrainingError(
                f"{self.host}: {done.stderr.strip()[-300:]} — check folder in site.yaml"
            )

    def _ssh(
        self, script: str, given: str = "", timeout: float | None = TIMEOUT
    ) -> "subprocess.CompletedProcess[str]":
        done = _run(["ssh", "-o", "BatchMode=yes", self.host, script], given, timeout)
        if done.returncode in (_UNREACHED, _LATE):
            raise self._unreachable(done)
        return done

    def _rsync(self, command: Sequence[str], given: str = "") -> None:
        done = _run(["rsync", "-e", "ssh -o BatchMode=yes", *command], given, timeout=None)
        if done.returncode:
            raise self._unreachable(done)

    def _unreachable(self, done: "subprocess.CompletedProcess[str]") -> UnreachableError:
        return UnreachableError(
            f"{self.host} does not answer: {done.stderr.strip()[-300:]} — see that "
            f"`ssh {self.host} true` works without a question, and train again"
        )


_RSYNC = ("--recursive", "--times")


def _run(
    command: Sequence[str], given: str = "", timeout: float | None = TIMEOUT
) -> "subprocess.CompletedProcess[str]":
    """Run *command* to its end; status 127 where it is not installed, 124 where it is too slow."""
    try:
        return subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=timeout, check=False
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(list(command), 127, "", "not installed")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(command), _LATE, "", "no answer in time")
