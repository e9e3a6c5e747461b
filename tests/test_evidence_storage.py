"""Evidence on a disk that is full or read-only, and moved elsewhere: no fault is invented."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dsk_assets.defs.local import local_instance
from dsk_assets.evidence.log import SIGNED, Log, memory
from dsk_assets.evidence.log_index import LogIndex
from dsk_assets.evidence.openlineage.delivery import deliver, folder
from dsk_assets.evidence.verify.lake import verify
from dsk_assets.evidence.verify.memory import VERIFIED
from dsk_assets.lake.sqlite_files import remove_damaged
from tests.evidence_lake import RELEASE, Home, build, show

SEVERAL = """
import json, resource, sys
from click.testing import CliRunner
from dsk_assets.cli.main import main
if "full" in sys.argv:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
said = []
for arguments in json.loads(sys.argv[1]):
    done = CliRunner().invoke(main, arguments)
    said.append([done.exit_code, done.stdout, done.stderr])
print(json.dumps(said))
"""
"""Runs several commands; with "full", no file can be written to."""

VERIFY = ("evidence", "verify", "--json")


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A release that Dagster and a receiver of lineage have been told of."""
    home = build(tmp_path_factory.mktemp("stored") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        with local_instance(home.settings) as instance:
            show(home.catalog(), instance)
    deliver(home.catalog())
    assert not [fault for fault in verify(home.catalog()).faults if not fault.is_limit]
    return home


@pytest.fixture
def home(intact: Home, tmp_path: Path) -> Home:
    return intact.copy(tmp_path / "home")


def run(home: Home, *commands: Sequence[str], full: bool = False) -> list[list[Any]]:
    """Exit code, output and errors of each command, run by somebody bound by permissions."""
    bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    done = subprocess.run(
        [*(bound if os.geteuid() == 0 else []), sys.executable, "-W", "ignore", "-c", SEVERAL,
         json.dumps(commands), "full" if full else ""],
        env={**os.environ, "DSK_HOME": str(home.path), "DSK_LAKE": "", "DSK_WORKERS": "1",
             "DAGSTER_HOME": ""},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said: list[list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return said


def codes(said: str) -> set[str]:
    return {fault["code"] for fault in json.loads(said)["faults"]}


def close(home: Home) -> None:
    for path in (home.path, *home.path.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)


def contents(home: Home) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in sorted(home.path.rglob("*"))
        if path.is_file() and not path.name.endswith(("lock", "-shm", "-wal"))
    }


def test_everything_can_be_looked_at_where_nothing_can_be_written(home: Home):
    shutil.rmtree(home.path / "cache")
    memory(home.settings, VERIFIED).unlink()
    before = contents(home)
    close(home)
    verified, *others = run(
        home, VERIFY, ("evidence", "status"), ("evidence", "keys", "list"), ("evidence", "pending"),
        ("evidence", "proof", "corpus/release", RELEASE), ("openlineage", "status"),
    )  # fmt: skip
    assert codes(verified[1]) == {"no-witness", "development-keys", "memory-unusable"}
    assert verified[0] == 1
    assert [code for code, *_ in others] == [0] * 5, others
    assert "in force" in others[1][1]
    assert "c2sp.org/tlog-proof" in others[3][1]
    assert " 0 waiting" in others[4][1]
    assert contents(home) == before


def test_a_full_disk_is_no_fault_and_costs_no_queue(home: Home):
    before = contents(home)
    unchecked, verified, *others = run(
        home, VERIFY, (*VERIFY, "--without-dagster"), ("evidence", "status"),
        ("openlineage", "status"), ("openlineage", "deliver"), full=True,
    )  # fmt: skip
    assert (unchecked[0], json.loads(unchecked[1])["faults"]) == (2, [])
    assert "COULD NOT CHECK" in unchecked[2]
    assert verified[0] == 1
    assert codes(verified[1]) == {"no-witness", "development-keys", "without-dagster"}
    assert [code for code, *_ in others[:2]] == [0, 0], others
    assert contents(home) == before


def test_what_may_not_be_read_is_not_called_changed(home: Home):
    path = next(home.lake.glob("curated/corpus/shards/*/*/tokens/00000.bin"))
    closed = home.lake / "evidence/statements/study"
    for place in (path, closed):
        mode = place.stat().st_mode
        place.chmod(0)
        ((code, said, told),) = run(home, VERIFY)
        place.chmod(mode)
        assert (code, json.loads(said)["faults"]) == (2, [])
        assert "COULD NOT CHECK" in told
        assert place.name in told


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR_WRITE,
             sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY],
)  # fmt: skip
def test_a_database_is_removed_only_for_what_is_in_it(tmp_path: Path, code: int):
    path = tmp_path / "some.sqlite"
    path.write_bytes(b"content")
    error = sqlite3.OperationalError("some trouble")
    error.sqlite_errorcode = code
    with pytest.raises(sqlite3.OperationalError, match="some trouble"):
        remove_damaged(path, error)
    assert path.read_bytes() == b"content"
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    remove_damaged(path, error)
    assert not path.exists()


def test_a_garbled_index_of_the_log_is_made_again(home: Home):
    (home.path / "cache/log-index.sqlite").write_bytes(b"garbage" * 1000)
    with LogIndex(Log(home.settings, home.catalog().lake)).opened() as index:
        assert index.position("corpus/release", RELEASE, 1) is not None
    assert (home.path / "cache/log-index.sqlite").read_bytes().startswith(b"SQLite")


def test_a_garbled_outbox_is_made_again(home: Home):
    before = (folder(home.settings) / "events.ndjson").read_bytes()
    outbox = folder(home.settings) / "outbox.sqlite"
    garbage = b"garbage" * 1000
    outbox.write_bytes(garbage)
    ((_, said, _),) = run(home, ("openlineage", "status"))
    assert f"{len(before.splitlines())} waiting" in said
    assert outbox.read_bytes() == garbage, "looking changes nothing"
    assert deliver(home.catalog()).events == len(before.splitlines()) > 0
    assert (folder(home.settings) / "events.ndjson").read_bytes() == before


def test_what_a_loss_of_power_left_empty_blames_nobody(home: Home):
    verify(home.catalog())
    places = [memory(home.settings, kind) for kind in (SIGNED, VERIFIED)]
    for path in places:
        path.write_bytes(b"")
    faults = verify(home.catalog()).faults
    assert {one.place for one in faults if one.code == "memory-unusable"} == set(map(str, places))
    assert "no-memory" in {one.code for one in faults}
    assert all(one.is_limit for one in faults)
    assert places[1].read_bytes(), "what was verified is remembered anew"


def test_a_home_that_was_moved_keeps_its_memory_and_its_outbox(home: Home, tmp_path: Path):
    verify(home.catalog())
    moved = Home(tmp_path / "elsewhere")
    home.path.rename(moved.path)
    assert "no-memory" not in {fault.code for fault in verify(moved.catalog()).faults}
    assert deliver(moved.catalog()).receivers[0].delivered == 0
    shutil.rmtree(moved.log)
    shutil.copytree(moved.path / "earlier-log", moved.log)
    assert "log-rolled-back" in {fault.code for fault in verify(moved.catalog()).faults}
