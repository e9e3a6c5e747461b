"""A real sshd on loopback that lets in whoever has the test's key, and an ``ssh`` that finds it.

Debian package openssh-server. Everything lies in a folder of the test.
"""

import getpass
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.dask_cluster import until
from tests.object_store import free_ports

SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
PidFile {folder}/sshd.pid
StrictModes no
PasswordAuthentication no
SetEnv {environment}
"""
CLIENT = """
Host site
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking accept-new
"""


@dataclass
class SshServer:
    """sshd in *folder*, whose sessions have *environment*; ``bin`` holds the ``ssh`` to use."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def bin(self) -> Path:
        """A folder to put first on the path: its ``ssh`` knows the host ``site``."""
        return self.folder / "bin"

    def prepare(self) -> None:
        """Make keys and configuration."""
        self.bin.mkdir(parents=True)
        [port] = free_ports(1)
        for name in ("host", "key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)],
                check=True,
            )
        named = " ".join(f"{name}={value}" for name, value in self.environment.items())
        (self.folder / "sshd_config").write_text(
            SERVER.format(port=port, folder=self.folder, environment=named)
        )
        (self.folder / "config").write_text(
            CLIENT.format(port=port, folder=self.folder, user=getpass.getuser())
        )
        (self.bin / "ssh").write_text(
            f'#!/bin/sh\nexec /usr/bin/ssh -F {self.folder}/config "$@"\n'
        )
        (self.bin / "ssh").chmod(0o755)

    def start(self) -> None:
        """Start the daemon; returns when it lets in."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        subprocess.run(
            ["/usr/sbin/sshd", "-f", f"{self.folder}/sshd_config", "-E", f"{self.folder}/log"],
            check=True,
        )
        until(lambda: not subprocess.run([self.bin / "ssh", "site", "true"], check=False,
                                         capture_output=True).returncode)  # fmt: skip

    def stop(self) -> None:
        """End the daemon; sessions that are open go on."""
        path = self.folder / "sshd.pid"
        if path.exists():
            os.kill(int(path.read_text()), 15)
            until(lambda: not path.exists())
