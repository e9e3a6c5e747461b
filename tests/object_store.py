"""A real S3 service on loopback: Ceph's RADOS gateway over one in-memory object store daemon.

Debian packages ceph-mon, ceph-osd and radosgw. Everything lies in a temporary folder and ends
with :meth:`ObjectStore.stop`.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings

REGION = "eu-north-1"
ACCESS_KEY, SECRET_KEY = "DSKTESTACCESS", "dsktestsecret"

CONFIGURATION = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{ports[1]},v1:127.0.0.1:{ports[2]}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
ms bind ipv6 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 0
mon data = {folder}/mon
run dir = {folder}/run
admin socket = {folder}/run/$name.$pid.asok
pid file = {folder}/run/$name.pid
log file = {folder}/log/$name.log
crash dir = {folder}/log
[osd]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 1073741824
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{ports[0]}
rgw data = {folder}/rgw
"""


@dataclass
class ObjectStore:
    """One gateway, its address in ``endpoint``; buckets are made with :meth:`bucket`."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="dsk-s3-")))
    endpoint: str = ""

    def start(self) -> None:
        """Start monitor, storage daemon and gateway; returns when the gateway answers."""
        for name in ("mon", "osd", "run", "log", "rgw"):
            (self.folder / name).mkdir()
        ports = free_ports(3)
        text = CONFIGURATION.format(fsid=uuid.uuid4(), ports=ports, folder=self.folder)
        (self.folder / "ceph.conf").write_text(text)
        if os.geteuid() == 0:
            _give_to_nobody(self.folder)
        monitors = f"[v2:127.0.0.1:{ports[1]},v1:127.0.0.1:{ports[2]}]"
        fsid = text.split("fsid = ")[1].split()[0]
        monmap = str(self.folder / "monmap")
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", monitors, monmap)
        self._run("ceph-mon", *self._config, "--mkfs", "-i", "a", "--monmap", monmap)
        self._run("ceph-mon", *self._config, "-i", "a")
        osd = str(uuid.uuid4())
        self._run("ceph", *self._config, "osd", "new", osd)
        self._run("ceph-osd", *self._config, "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._run("ceph-osd", *self._config, "-i", "0")
        _until(lambda: "1 up" in self._run("ceph", *self._config, "osd", "stat"))
        admin = ("radosgw-admin", *self._config, "-n", "client.rgw.a")
        self._run(
            *admin, "user", "create", "--uid=dsk", "--display-name=DSK",
            f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}",
        )  # fmt: skip
        zone = self._run(*admin, "zonegroup", "get")
        named = self.folder / "zonegroup.json"
        named.write_text(zone.replace('"api_name": "default"', f'"api_name": "{REGION}"'))
        named.chmod(0o644)
        self._run(*admin, "zonegroup", "set", "--infile", str(named))
        self._run("radosgw", *self._config, "-n", "client.rgw.a")
        _until(lambda: _answers(ports[0]))
        self.endpoint = f"http://127.0.0.1:{ports[0]}"

    def bucket(self) -> str:
        """A new, empty bucket; its name."""
        import boto3

        client = boto3.client(
            "s3", endpoint_url=self.endpoint, region_name=REGION,
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
        )  # fmt: skip
        name = f"dsk-{uuid.uuid4().hex[:8]}"
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def stop(self) -> None:
        """End the daemons by the ids they wrote down, the gateway first, and remove the folder."""
        files = sorted(self.folder.glob("run/*.pid"), key=lambda path: "rgw" not in path.name)
        for path in files:
            _end(int(path.read_text()))
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _config(self) -> tuple[str, str]:
        return ("-c", str(self.folder / "ceph.conf"))

    def _run(self, *command: str) -> str:
        user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*user, *command], capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr[-500:]}")
        return done.stdout


@pytest.fixture(scope="session")
def store() -> Iterator[ObjectStore]:
    """One service for all tests of a process."""
    store = ObjectStore()
    try:
        store.start()
        yield store
    finally:
        store.stop()


@pytest.fixture
def on_s3(store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """A catalog over a lake in a bucket of its own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    settings = load_settings(
        home=tmp_path / "dsk",
        lake=f"s3://{store.bucket()}/lake",
        s3_endpoint=store.endpoint,
        s3_region=REGION,
        workers=1,
    )
    return Catalog(settings)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _give_to_nobody(folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the object store did not come up")
        time.sleep(0.1)


def _end(pid: int) -> None:
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sent)
            _until(lambda: not Path(f"/proc/{pid}").exists(), seconds=5)
            return
        except ProcessLookupError:
            return
        except TimeoutError:
            continue
