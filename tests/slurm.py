"""A real Slurm on loopback: munged, slurmctld and a slurmd for each node that this host poses as.

Debian packages slurm-wlm and munge. Everything lies in a folder of the test; the daemons run as
the user that runs the tests, so no system-wide Slurm is touched. :meth:`Slurm.stop` ends them.
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
from dataclasses import dataclass
from pathlib import Path

from tests.dask_cluster import ENVIRONMENT, LOOPBACK, until
from tests.object_store import free_ports
from tests.slurm_accounts import Accounts

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
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
{accounting}
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
SlurmctldTimeout=30
SlurmdTimeout={patience}
KillWait=2
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{node_ports}] {size}
PartitionName=debug Nodes=ALL Default=YES MaxTime=01:00:00 State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=01:00:00 State=UP PriorityTier=10
"""
SIZE = "CPUs=2 RealMemory=8000 State=UNKNOWN"
NO_ACCOUNTS = "AccountingStorageType=accounting_storage/none"


@dataclass
class Slurm:
    """One controller and nodes with two cores each, in *folder*; with *accounts*, also slurmdbd."""

    folder: Path
    nodes: int = 1
    patience: int = 30
    """Seconds after which a node that does not answer is lost."""
    accounts: bool = False

    def __post_init__(self) -> None:
        self._ports = free_ports(1 + self.nodes)
        self._accounting: Accounts | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What sbatch, squeue and scancel, and the jobs, need to be set."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), **ENVIRONMENT}

    @property
    def _names(self) -> list[str]:
        return [f"n{number + 1}" for number in range(self.nodes)]

    def start(self) -> None:
        """Start the three daemons; returns when the node takes jobs."""
        for name in ("run", "log", "state", "spool"):
            (self.folder / name).mkdir(parents=True)
        # munged wants a socket in a folder that nobody else may write to, and a short path.
        (self.folder / "run").chmod(0o711)
        (self.folder / "run" / "munge.key").write_bytes(os.urandom(1024))
        (self.folder / "run" / "munge.key").chmod(0o600)
        host = socket.gethostname().partition(".")[0]
        user = pwd.getpwuid(os.geteuid()).pw_name
        run = self.folder / "run"
        self._run(
            "munged", "--force", f"--key-file={run}/munge.key", f"--socket={run}/munge.socket",
            f"--pid-file={run}/munged.pid", f"--log-file={self.folder}/log/munged.log",
            f"--seed-file={run}/munge.seed",
        )  # fmt: skip
        accounting = NO_ACCOUNTS
        if self.accounts:
            self._accounting = Accounts(self.folder / "accounts", run / "munge.socket", user)
            accounting = self._accounting.start()
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=host,
                user=user,
                folder=self.folder,
                ports=self._ports,
                nodes=self.nodes,
                size=SIZE,
                patience=self.patience,
                node_ports=",".join(map(str, self._ports[1:])),
                accounting=accounting,
            )
        )
        self._run("slurmctld", "-c", "-f", self.environment["SLURM_CONF"])
        for node in self._names:
            self.join(node)
        until(lambda: self._states() == {"idle"})

    def join(self, node: str) -> None:
        """Start the daemon of *node*."""
        (self.folder / "spool" / node).mkdir(exist_ok=True)
        self._run("slurmd", "-f", self.environment["SLURM_CONF"], "-N", node)

    def lose(self, node: str) -> None:
        """Kill the daemon of *node* and all processes of its jobs, as a power cut does."""
        os.kill(int((self.folder / "run" / f"{node}.pid").read_text()), signal.SIGKILL)
        marks = f"SLURM_CONF={self.folder}/slurm.conf".encode(), f"SLURMD_NODENAME={node}".encode()
        for process in Path("/proc").iterdir():
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
                if all(mark in environment for mark in marks):
                    parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                    if (Path("/proc") / parent / "comm").read_text().startswith("slurmstepd"):
                        os.kill(int(parent), signal.SIGKILL)
                    os.kill(int(process.name), signal.SIGKILL)
            except (OSError, ValueError, IndexError):
                continue

    def _states(self) -> set[str]:
        return set(self._run("sinfo", "--noheader", "--Node", "--format=%t", check=False).split())

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
        for name in (*self._names, "slurmctld"):
            path = self.folder / "run" / f"{name}.pid"
            if path.exists():
                _end(int(path.read_text()))
        for process in self._accounting.processes() if self._accounting else []:
            _end(process)
        if (self.folder / "run" / "munged.pid").exists():
            _end(int((self.folder / "run" / "munged.pid").read_text()))
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
            until(lambda: not _lives(pid), seconds=5)
            return
        except ProcessLookupError:
            return
        except TimeoutError:
            continue


def _lives(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of it until it is waited for."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
