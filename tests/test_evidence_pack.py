"""`dsk evidence pack`: a zip that verifies anywhere, with Python and `cryptography` alone."""

import errno
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from dsk_assets.errors import CorruptedError, MissingInputError, StorageError
from dsk_assets.evidence import sequencer
from dsk_assets.evidence.verify.bundle import verifier
from dsk_assets.evidence.verify.pack import pack
from tests.evidence_lake import DONATIONS, REACHED, RELEASE, TEXT, Home, build, make
from tests.support import admit
from tests.tampering import edit, flip, sign_anew, statement

ALONE = """
import sys, importlib.abc, runpy
allowed = set(sys.stdlib_module_names) | {"cryptography", "_cffi_backend", "cffi"}
class Only(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed and name.split(".")[0] != "__main__":
            raise ImportError(name)
sys.meta_path.insert(0, Only())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script that may import nothing but the standard library and `cryptography`."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return build(tmp_path_factory.mktemp("packed") / "home")


@pytest.fixture(scope="module")
def archive(home: Home) -> Path:
    path = home.path / "pack.zip"
    assert pack(home.catalog(), RELEASE, path) > 40
    return path


@pytest.fixture
def folder(archive: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "pack")
    return tmp_path / "pack"


def run(folder: Path, *arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(folder / "verify.py"), *arguments, "--json"],
        capture_output=True, text=True, check=False, cwd=folder.parent,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    found = json.loads(done.stdout)
    assert found["exitCode"] == done.returncode
    return found


def codes(found: dict) -> set[str]:
    return {fault["code"] for fault in found["faults"] if not fault["limit"]}


def test_an_intact_pack_verifies_alone(folder: Path, home: Home):
    found = run(folder)
    assert found["exitCode"] == 1
    assert {fault["code"] for fault in found["faults"]} == {
        "no-witness", "keys-unconfirmed", "development-keys",
    }  # fmt: skip
    confirmed = run(folder, "--trust", found["key"])
    assert "keys-unconfirmed" not in {fault["code"] for fault in confirmed["faults"]}
    assert codes(run(folder, "--trust", "0" * 64)) == {"root-differs"}


def test_a_reader_that_stops_early_changes_no_verdict(folder: Path):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "verify.py"), "--json"],
        stdout=write, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_it_is_read_from_the_zip_as_well_and_says_so_in_danish(archive: Path, folder: Path):
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "verify.py"), str(archive), "--lang", "da"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Intet er galt." in done.stdout


def test_equal_logs_give_equal_packs(home: Home, archive: Path, tmp_path: Path):
    pack(home.catalog(), RELEASE, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_a_pack_that_cannot_be_written_whole_leaves_the_earlier_one(
    home: Home, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A disk runs full in the middle of it."""
    kept = tmp_path / "kept.zip"
    shutil.copyfile(archive, kept)
    written: list[str] = []

    def full(self: zipfile.ZipFile, info: zipfile.ZipInfo, data: bytes) -> None:
        written.append(info.filename)
        if len(written) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(StorageError, match=r"kept\.zip: No space"):
        pack(home.catalog(), RELEASE, kept)
    assert kept.read_bytes() == archive.read_bytes()
    assert list(tmp_path.iterdir()) == [kept]


def test_it_holds_no_donated_text_and_only_what_bears_on_the_release(archive: Path):
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        everything = b"".join(opened.read(name) for name in names)
    assert not [name for name in names if "study/" in name]
    assert not [name for name in names if name.startswith(("files/curated", "files/restricted"))]
    assert TEXT.encode() not in everything
    assert {f"statements/donations/landing/{key}/000001.json" for key in DONATIONS} <= set(names)


def signed_by_a_stranger(path: Path) -> None:
    sign_anew(path, statement(path), CryptoSigner.generate_ed25519())


def reworded(path: Path) -> None:
    edit(path, lambda content: content["predicate"]["dsk"]["counts"].update(tokens=4))


DECISION = f"files/evidence/gate/spans/{DONATIONS[0]}"
SHARDS = f"statements/corpus/shards/{DONATIONS[0]}/000001.json"


def other_letter(path: Path) -> None:
    """Change a letter of the checkpoint's signature to another that Base64 has."""
    data = bytearray(path.read_bytes())
    data[-4] = ord("B") if data[-4] == ord("A") else ord("A")
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "tamper", "code"),
    [
        (SHARDS, reworded, "proof-wrong"),
        (SHARDS, reworded, "signature-missing"),
        (SHARDS, signed_by_a_stranger, "signature-by-unknown-key"),
        (SHARDS, Path.unlink, "statement-removed"),
        (SHARDS, lambda path: path.write_bytes(b"{}"), "statement-unreadable"),
        (f"proofs/{SHARDS}.tlog-proof", Path.unlink, "proof-wrong"),
        ("entries.ndjson", flip, "log-root"),
        ("checkpoint", other_letter, "log-unsigned"),
        (DECISION, lambda folder: flip(next(folder.glob("*/result.json"))), "file-changed"),
    ],
)
def test_a_tampered_pack_is_found_out(
    folder: Path, name: str, tamper: Callable[[Path], object], code: str
):
    tamper(folder / name)
    found = run(folder)
    assert found["exitCode"] == 2
    assert code in codes(found)


def test_a_statement_left_out_of_a_pack_and_of_its_contents_is_missed_as_an_input(folder: Path):
    (folder / SHARDS).unlink()
    contents = json.loads((folder / "contents.json").read_bytes())
    contents["statements"].remove(SHARDS)
    (folder / "contents.json").write_text(json.dumps(contents))
    found = run(folder)
    (fault, *_) = [one for one in found["faults"] if one["code"] == "input-unknown"]
    assert DONATIONS[0] in fault["detail"]
    assert set(fault["affects"]) <= set(REACHED)


def test_a_kept_checkpoint_finds_a_log_that_was_rewritten(folder: Path, home: Home, tmp_path: Path):
    kept = home.path / "earlier-log" / "checkpoint"
    assert not codes(run(folder, "--earlier", str(kept)))
    other = build(tmp_path / "other")
    assert "log-forked" in codes(run(folder, "--earlier", str(other.log / "checkpoint")))


def test_files_at_hand_are_compared(folder: Path, home: Home, tmp_path: Path):
    model = next(home.lake.glob("curated/training/checkpoint/*/*/model"))
    shutil.copytree(model, tmp_path / "model")
    before = run(folder)["files"]
    found = run(folder, "--files", str(tmp_path / "model"))
    assert found["files"] == before + 1
    assert not [fault for fault in found["faults"] if fault["code"] == "file-unnamed"]
    flip(tmp_path / "model" / "model.safetensors")
    found = run(folder, "--files", str(tmp_path / "model"))
    assert [fault["code"] for fault in found["faults"] if "model.safetensors" in fault["place"]]


def test_what_a_pack_has_no_place_for_is_named_and_no_fault(folder: Path):
    others = {"SUMMARY.pdf", "proofs/statements/x/_/000001.json.tlog-proof"}
    for name in others:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    found = run(folder)
    assert found["exitCode"] == 1
    assert {one["place"] for one in found["faults"] if one["code"] == "file-unnamed"} == others


def test_a_pack_zipped_again_by_another_program(folder: Path, tmp_path: Path):
    """Programs that zip enter folders too."""
    again = Path(shutil.make_archive(str(tmp_path / "again"), "zip", folder))
    with zipfile.ZipFile(again) as opened:
        assert "statements/" in opened.namelist()
    assert codes(run(folder, str(again))) == set()


def test_a_zip_with_two_files_of_one_name_is_no_pack(folder: Path, archive: Path, tmp_path: Path):
    """What verifies might not be what is unpacked."""
    twice = tmp_path / "twice.zip"
    shutil.copyfile(archive, twice)
    with zipfile.ZipFile(twice, "a") as opened, pytest.warns(UserWarning, match="Duplicate name"):
        opened.writestr("README.md", opened.read("README.md"))
    script = str(folder / "verify.py")
    done = subprocess.run(
        [sys.executable, "-I", script, str(twice)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "two of its files have one name" in done.stdout


def test_what_is_no_pack_is_said_to_be_none(tmp_path: Path):
    (tmp_path / "verify.py").write_text(verifier())
    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "verify.py")], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "not an evidence pack" in done.stdout


def test_there_is_no_pack_of_an_unknown_release_or_of_a_damaged_log(home: Home, tmp_path: Path):
    with pytest.raises(MissingInputError, match=r"1\.0\.0"):
        pack(home.catalog(), "9.0.0", tmp_path / "x.zip")
    damaged = home.copy(tmp_path / "damaged")
    edit(damaged.statement("corpus/shards", DONATIONS[0]), lambda content: content.update(x=1))
    with pytest.raises(CorruptedError, match="dsk evidence verify"):
        pack(damaged.catalog(), RELEASE, tmp_path / "x.zip")


def test_a_release_remade_is_packed_with_its_newest_statement(home: Home, tmp_path: Path):
    """Statements of which only the newest is in a pack are not taken for reordered."""
    again = home.copy(tmp_path / "again")
    catalog = again.catalog()
    make(catalog, "study/used", files={"a.json": 1})
    used = make(catalog, "study/used", files={"a.json": 2})
    composition = catalog.require("gate/composition", RELEASE).only("verdict.json")
    release = catalog.require("corpus/release", RELEASE)
    verified = make(catalog, "transparency/verification", RELEASE, release, used)
    evidence = admit(catalog, "evidence", verified).only("verdict.json")
    make(catalog, "transparency/records", RELEASE, release, composition, evidence, used)
    sequencer.append_new(catalog)
    pack(catalog, RELEASE, tmp_path / "again.zip")
    with zipfile.ZipFile(tmp_path / "again.zip") as opened:
        opened.extractall(tmp_path / "pack")
    assert not codes(run(tmp_path / "pack"))


def test_a_pack_does_not_take_the_place_of_a_device(home: Home, tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(StorageError, match="pipe is no file"):
        pack(home.catalog(), RELEASE, pipe)
    assert pipe.is_fifo()
