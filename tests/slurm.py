"""A real Slurm of one node on loopback: munged, slurmctld and slurmd, ended by :meth:`Slurm.stop`.

Debian packages slurm-wlm and munge. Everything lies in a folder of the test; the daemons run as
the user that runs the tests, so no system-wide Slurm is touched.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.dask_cluster import ENVIRONMENT, LOOPBACK, until
from tests.object_store import free_ports

CONFIGURATION = """
ClusterName=dsktest
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/run/munge.socket
CommunicationParameters=NoInAddrAny
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=01:00:00 State=UP
"""


@dataclass
class Slurm:
    """One controller and one node with two cores, in *folder*."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: free_ports(2))

    @property
    def environment(self) -> dict[str, str]:
        """What sbatch, squeue and scancel, and the jobs, need to be set."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), **ENVIRONMENT}

    def start(self) -> None:
        """Start the three daemons; returns when the node takes jobs."""
        for name in ("run", "log", "state", "spool"):
            (self.folder / name).mkdir(parents=True)
        # munged wants a socket in a folder that nobody else may write to, and a short path.
        (self.folder / "run").chmod(0o711)
        (self.folder / "run" / "munge.key").write_bytes(os.urandom(1024))
        (self.folder / "run" / "munge.key").chmod(0o600)
        host = socket.gethostname().partition(".")[0]
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=host,
                user=pwd.getpwuid(os.geteuid()).pw_name,
                folder=self.folder,
                ports=self.ports,
            )
        )
        run = self.folder / "run"
        self._run(
            "munged", "--force", f"--key-file={run}/munge.key", f"--socket={run}/munge.socket",
            f"--pid-file={run}/munged.pid", f"--log-file={self.folder}/log/munged.log",
            f"--seed-file={run}/munge.seed",
        )  # fmt: skip
        conf = str(self.folder / "slurm.conf")
        self._run("slurmctld", "-c", "-f", conf)
        self._run("slurmd", "-f", conf, "-N", host)
        until(lambda: "idle" in self._run("sinfo", "--noheader", "--format=%t", check=False))

    def jobs(self) -> list[str]:
        """The ids of the jobs that run now."""
        return self._run("squeue", "--noheader", "--states=RUNNING", "--format=%i").split()

    def cancel(self, job: str, signal_name: str) -> None:
        """Send a signal to all processes of a job."""
        self._run("scancel", f"--signal={signal_name}", "--full", job)

    @contextmanager
    def dask_settings(self, folder: Path) -> Iterator[None]:
        """Dask's configuration for this cluster: all on loopback, small jobs, logs in *folder*."""
        from dask import config

        slurm = {
            "python": sys.executable,
            "memory": "1 GiB",
            "log-directory": str(folder / "logs"),
            "local-directory": str(folder),
            "scheduler-options": {"host": LOOPBACK[1], "dashboard": False},
            "worker-extra-args": list(LOOPBACK),
        }
        with config.set({f"jobqueue.slurm.{name}": value for name, value in slurm.items()}):
            yield

    def stop(self) -> None:
        """End all jobs and the daemons by the ids they wrote down."""
        self._run("scancel", "--user", pwd.getpwuid(os.geteuid()).pw_name, check=False)
        until(lambda: not self._run("squeue", "--noheader", check=False).strip(), seconds=30)
        for name in ("slurmd", "slurmctld", "munged"):
            path = self.folder / "run" / f"{name}.pid"
            if path.exists():
                _end(int(path.read_text()))
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr[-500:]}")
        return done.stdout


def _end(pid: int) -> None:
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sent)
            until(lambda: not Path(f"/proc/{pid}").exists(), seconds=5)
            return
        except ProcessLookupError:
            return
        except TimeoutError:
            continue
