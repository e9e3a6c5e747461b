"""The log in a folder and in S3: appended to, proven, crashed, raced for, rolled back, forked."""

import base64
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dsk_assets.errors import CorruptedError, MissingInputError, StorageError
from dsk_assets.evidence import merkle
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.lease import Lease
from dsk_assets.evidence.log import FOLDER, Log
from dsk_assets.evidence.notes import Checkpoint, Note
from dsk_assets.lake.store import Lake
from dsk_assets.settings import Settings, load_settings
from tests.object_store import REGION


def entries(count: int, start: int = 0) -> list[bytes]:
    return [b"entry %d" % i for i in range(start, start + count)]


@pytest.fixture
def log(settings: Settings) -> Log:
    return Log(settings, Lake(settings))


def folder(log: Log) -> Path:
    return Path(log.lake.root) / FOLDER


def test_what_was_appended_is_there_and_signed(log: Log):
    assert log.checkpoint() is None
    assert log.append([]) is None
    log.append(entries(300))
    log.append(entries(5, 300))
    checkpoint = log.checkpoint()
    assert checkpoint.size == 305
    assert checkpoint.root == merkle.root_of([merkle.leaf_hash(one) for one in entries(305)])
    assert log.note().verify(log.key()) == 0
    assert [data for _, data in log.tree().entries()] == entries(305)
    assert log.tree(7).root() == merkle.root_of([merkle.leaf_hash(one) for one in entries(7)])


def test_partial_tiles_go_when_the_full_one_is_there(log: Log):
    for start in range(0, 270, 90):
        log.append(entries(90, start))
    names = log.lake.files(f"{FOLDER}/tile")
    assert names == [
        "0/000", "0/001.p/14", "1/000.p/1", "entries/000", "entries/001.p/14"
    ]  # fmt: skip


def test_a_proof_is_a_file_that_needs_nothing_else(log: Log):
    log.append(entries(1000))
    text = log.proof(613)
    head, _, rest = text.partition("\n\n")
    kind, index, *hashes = head.split("\n")
    assert (kind, index) == ("c2sp.org/tlog-proof@v1", "index 613")
    note = Note.parse(rest.encode())
    assert note.verify(log.key()) == 0
    checkpoint = Checkpoint.parse(note.text)
    proof = [base64.b64decode(one) for one in hashes]
    leaf = merkle.leaf_hash(b"entry 613")
    assert merkle.verify_inclusion(leaf, 613, checkpoint.size, proof, checkpoint.root)
    with pytest.raises(MissingInputError, match="no entry 1000"):
        log.proof(1000)


def test_the_only_entry_has_an_empty_proof(log: Log):
    log.append(entries(1))
    assert log.proof(0).startswith("c2sp.org/tlog-proof@v1\nindex 0\n\ndsk.local/")


APPEND = """
import sys
from dsk_assets.evidence.log import Log
from dsk_assets.lake.store import Lake
from dsk_assets.settings import load_settings
settings = load_settings(home=sys.argv[1])
log = Log(settings, Lake(settings))
for i in range(20):
    log.append([f"{sys.argv[2]} {i} {j}".encode() for j in range(7)])
"""


def test_writers_at_once_lose_nothing(log: Log):
    command = [sys.executable, "-c", APPEND, str(log.settings.home)]
    writers = [subprocess.Popen([*command, name]) for name in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    found = [data.decode() for _, data in log.tree().entries()]
    assert len(found) == 3 * 20 * 7
    for name in "abc":
        own = [one for one in found if one.startswith(name)]
        assert own == [f"{name} {i} {j}" for i in range(20) for j in range(7)]
    assert log.append([b"last"]).size == 421
    assert log.tree().root() == log.checkpoint().root


KILLED = """
import os, signal, sys
from dsk_assets.evidence.log import Log
from dsk_assets.lake.store import Lake
from dsk_assets.settings import load_settings
settings = load_settings(home=sys.argv[1])
log = Log(settings, Lake(settings))
written = 0
writing = Lake.writing
def counted(self, path, **options):
    global written
    if "log/" in path:
        if written == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        written += 1
    return writing(self, path, **options)
Lake.writing = counted
log.append([b"new %d" % i for i in range(300)])
"""


@pytest.mark.parametrize("writes", [0, 1, 3, 5])
def test_killed_between_any_two_writes_the_log_goes_on(log: Log, writes: int):
    log.append(entries(10))
    command = [sys.executable, "-c", KILLED, str(log.settings.home), str(writes)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert log.checkpoint().size == 10
    assert log.append(entries(3, 10)).size == 13
    assert [data for _, data in log.tree().entries()] == entries(13)
    assert log.tree().root() == log.checkpoint().root


def test_killed_between_checkpoint_and_memory_the_log_goes_on(log: Log):
    log.append(entries(3))
    before = log._memory.read_bytes()
    log.append(entries(3, 3))
    log._memory.write_bytes(before)
    assert log.append([b"x"]).size == 7


def test_a_log_rolled_back_is_refused(log: Log, tmp_path: Path):
    log.append(entries(3))
    shutil.copytree(folder(log), tmp_path / "copy")
    log.append(entries(3, 3))
    shutil.rmtree(folder(log))
    with pytest.raises(CorruptedError, match="has 0 entries, and this machine has signed 6"):
        log.append([b"x"])
    shutil.rmtree(folder(log))
    shutil.copytree(tmp_path / "copy", folder(log))
    with pytest.raises(CorruptedError, match="has 3 entries, and this machine has signed 6"):
        log.append([b"x"])


def test_a_forked_log_is_refused_even_when_signed_with_our_key(log: Log):
    log.append(entries(3))
    remembered = log._memory.read_bytes()
    log._memory.unlink()
    shutil.rmtree(folder(log))
    log.append([b"other 1", b"other 2", b"other 3", b"other 4"])
    log._memory.write_bytes(remembered)
    with pytest.raises(CorruptedError, match="its first 3 entries have changed"):
        log.append([b"x"])


@pytest.mark.parametrize("left", [b"", b"dsk.local/x\n3\n"])
def test_a_memory_that_holds_no_checkpoint_says_nothing_of_the_log(log: Log, left: bytes):
    log.append(entries(3))
    log._memory.write_bytes(left)
    with pytest.raises(CorruptedError, match="the log itself may be whole: see what") as refused:
        log.append([b"x"])
    assert str(log._memory) in str(refused.value)
    log._memory.unlink()
    assert log.append([b"x"]).size == 4


def test_a_changed_tile_is_refused(log: Log):
    log.append(entries(3))
    path = folder(log) / "tile/0/000.p/3"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptedError, match="do not have the root of its checkpoint"):
        log.append([b"x"])


def test_a_checkpoint_of_another_key_is_refused(log: Log, tmp_path: Path):
    log.append(entries(3))
    other = load_settings(home=tmp_path / "other", lake=log.settings.lake_url)
    with pytest.raises(CorruptedError, match="not signed by this machine's log key"):
        Log(other, Lake(other)).append([b"x"])


def test_the_checkpoint_is_written_last_and_synced(log: Log, monkeypatch):
    """Everything that a checkpoint speaks of is on the disk before the checkpoint is."""
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        steps.append("sync " + str(Path(f"/proc/self/fd/{handle}").readlink()))
        sync(handle)

    def replaced(self: Path, target: Path) -> Path:
        steps.append(f"name {target}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    log.append(entries(3))
    named = [step.split("evidence/log/")[1] for step in steps if step.startswith("name")
             and "evidence/log/" in step]  # fmt: skip
    assert named == ["tile/entries/000.p/3", "tile/0/000.p/3", "checkpoint"]
    for name in named:
        at = next(i for i, step in enumerate(steps) if step.endswith(f"evidence/log/{name}"))
        assert steps[at - 1].startswith("sync") and ".tmp-" in steps[at - 1]
        assert steps[at + 1] == "sync " + str((folder(log) / name).parent)


def test_an_own_origin_is_kept(tmp_path: Path):
    settings = load_settings(home=tmp_path, log_origin="log.example/one")
    log = Log(settings, Lake(settings))
    assert log.append([b"x"]).origin == "log.example/one"
    later = load_settings(home=tmp_path, log_origin="log.example/two")
    assert Log(later, Lake(later)).append([b"y"]).origin == "log.example/one"


@pytest.fixture
def in_s3(on_s3: Catalog) -> Log:
    return Log(on_s3.settings, on_s3.lake)


@pytest.mark.servers
def test_the_log_lies_in_s3(in_s3: Log, log: Log):
    for one in (in_s3, log):
        one.append(entries(300))
        one.append(entries(5, 300))
    assert in_s3.tree().root() == log.tree().root()
    assert in_s3.lake.files(f"{FOLDER}/tile") == log.lake.files(f"{FOLDER}/tile")
    assert in_s3.proof(3).split("\n")[:9] == log.proof(3).split("\n")[:9]
    assert not in_s3.lake.exists(f"{FOLDER}/lock")


@pytest.mark.servers
def test_writers_at_once_in_s3_lose_nothing(in_s3: Log):
    script = APPEND.replace("range(20)", "range(4)").replace(
        "load_settings(home=sys.argv[1])",
        "load_settings(home=sys.argv[1], lake=sys.argv[3], s3_endpoint=sys.argv[4], "
        f"s3_region={REGION!r})",
    )
    in_s3.append([b"first"])
    place = [in_s3.settings.lake_url, in_s3.settings.s3_endpoint]
    command = [sys.executable, "-c", script, str(in_s3.settings.home)]
    writers = [subprocess.Popen([*command, name, *place]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(list(in_s3.tree().entries())) == 1 + 2 * 4 * 7
    assert in_s3.append([b"last"]).size == 58


@pytest.mark.servers
def test_a_dead_holder_of_the_lease_is_replaced_and_a_living_one_is_not(in_s3: Log):
    path = f"{FOLDER}/lock"
    dead = Lease(in_s3.lake, path, seconds=0.01)
    assert dead._take()
    with Lease(in_s3.lake, path, seconds=0.5).held() as lease:
        lease.renew()
        other = Lease(in_s3.lake, path, seconds=0.5)
        assert not other._take()
        with pytest.raises(StorageError, match="taken over"):
            dead.renew()
    assert not in_s3.lake.exists(path)


@pytest.mark.servers
def test_a_checkpoint_is_never_written_over_one_that_was_not_seen(in_s3: Log):
    in_s3.append([b"one"])
    other = Log(in_s3.settings, in_s3.lake)
    with other.sequencing():
        other._verified()
        note = other.note()
        in_s3._verified()
        in_s3.publish(Note(note.text, (*note.signatures, note.signatures[0])))
        with pytest.raises(CorruptedError, match="another machine has appended"):
            other.publish(note)
