"""The accounts of a real Slurm: slurmdbd over a MariaDB of its own, both on loopback.

Debian packages slurmdbd and mariadb-server. Everything lies in a folder of the test.
"""

import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.dask_cluster import until
from tests.object_store import free_ports

CONFIGURATION = """
AuthType=auth/munge
AuthInfo=socket={socket}
DbdHost=localhost
DbdAddr=127.0.0.1

DbdPort={port}
CommunicationParameters=NoInAddrAny
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm
"""
CLIENT = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={socket}
"""


@dataclass
class Accounts:
    """slurmdbd and its database in *folder*, beside which slurm.conf lies; *socket* is munged's."""

    folder: Path
    socket: Path
    user: str

    def start(self) -> str:
        """Start both; returns the lines that slurm.conf needs."""
        self.folder.mkdir()
        port, database = free_ports(2)
        password = secrets.token_hex(8)
        (self.folder / "init.sql").write_text(
            "create database slurm;\n"
            f"create user slurm@'127.0.0.1' identified by '{password}';\n"
            "grant all on slurm.* to slurm@'127.0.0.1';\n"
        )
        common = ["--no-defaults", f"--datadir={self.folder}/data", f"--user={self.user}"]
        made = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        self._run("mariadb-install-db", *common, *made)
        with (self.folder / "mariadb.log").open("wb") as log:
            self._database = subprocess.Popen(
                [
                    "mariadbd",
                    *common,
                    f"--socket={self.folder}/socket",
                    "--skip-name-resolve",
                    "--bind-address=127.0.0.1",
                    f"--port={database}",
                    "--skip-log-bin",
                    f"--init-file={self.folder}/init.sql",
                    "--innodb-buffer-pool-size=32M",
                    "--innodb-flush-log-at-trx-commit=0",
                ],
                stdout=log,
                stderr=log,
            )
        ask = ["mariadb", "--no-defaults", "--host=127.0.0.1", f"--port={database}",
               "--user=slurm", f"--password={password}", "--execute=select 1", "slurm"]  # fmt: skip
        until(lambda: subprocess.run(ask, capture_output=True, check=False).returncode == 0)
        configuration = self.folder.parent / "slurmdbd.conf"  # where slurmdbd looks for it
        configuration.write_text(
            CONFIGURATION.format(
                socket=self.socket,
                port=port,
                user=self.user,
                folder=self.folder,
                database=database,
                password=password,
            )
        )
        configuration.chmod(0o600)
        self._run("slurmdbd")
        listening = f":{port:04X} 00000000:0000 0A"  # LISTEN
        until(lambda: listening in Path("/proc/net/tcp").read_text())
        return CLIENT.format(port=port, socket=self.socket)

    def processes(self) -> list[int]:
        """The ids of both, in the order in which they are to be ended."""
        written = self.folder / "slurmdbd.pid"
        daemon = [int(written.read_text())] if written.exists() else []
        return [*daemon, self._database.pid]

    def _run(self, *command: str) -> None:
        place = {"SLURM_CONF": str(self.folder.parent / "slurm.conf")}
        subprocess.run(
            command, check=True, capture_output=True, timeout=120, env={**os.environ, **place}
        )
