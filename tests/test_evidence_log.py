"""`dsk evidence verify` of the log: cut, reordered, rolled back, forked, and signed anew."""

import base64
import shutil
from dataclasses import replace

from dsk_assets.evidence import keys, log, sequencer
from dsk_assets.evidence.notes import Checkpoint, Note
from tests.evidence_lake import REACHED, Home, make
from tests.tampered_lake import forget
from tests.tampering import flip
from tests.verified_lake import checked, wrong
from tests.verified_lake import home as home
from tests.verified_lake import intact as intact


def test_the_log_truncated(home: Home):
    bundle = next(home.log.glob("tile/entries/000.p/*"))
    bundle.write_bytes(bundle.read_bytes()[:-5])
    assert wrong(checked(home))["log-truncated"].affects == REACHED


def test_entries_of_the_log_reordered(home: Home):
    bundle = next(home.log.glob("tile/entries/000.p/*"))
    data = bundle.read_bytes()
    length = 2 + int.from_bytes(data[:2], "big")
    second = 2 + int.from_bytes(data[length : length + 2], "big")
    bundle.write_bytes(data[length : length + second] + data[:length] + data[length + second :])
    assert "log-root" in wrong(checked(home))


def test_the_log_rolled_back(home: Home):
    shutil.rmtree(home.log)
    shutil.copytree(home.path / "earlier-log", home.log)
    found = wrong(checked(home))
    assert found["log-rolled-back"].place == str(home.memory)
    assert found["log-rolled-back"].affects == REACHED


def test_the_log_forked(home: Home):
    """Somebody with all keys writes the history anew; a checkpoint kept elsewhere tells."""
    kept = (home.path / "earlier-log" / "checkpoint").read_bytes()
    forget(home)
    shutil.rmtree(home.lake / "evidence" / "statements" / "gate" / "checkpoint")
    shutil.rmtree(home.lake / "evidence" / "attestations" / "test-result" / "checkpoint")
    sequencer.append_new(home.catalog())
    assert not wrong(checked(home))
    fault = wrong(checked(home, earlier={"a kept checkpoint": kept}))["log-forked"]
    assert fault.place == "a kept checkpoint"
    assert fault.affects == REACHED


def test_a_log_that_goes_on_otherwise_than_remembered(home: Home):
    """The same fork is found by what this machine remembers, if only the lake was replaced."""
    remembered = home.memory.read_bytes()
    forget(home)
    shutil.rmtree(home.lake / "evidence" / "statements" / "study" / "whole")
    make(home.catalog(), "study/whole", None)
    sequencer.append_new(home.catalog())
    home.memory.write_bytes(remembered)
    assert wrong(checked(home))["log-forked"].place == str(home.memory)


def test_a_checkpoint_replaced(home: Home):
    lines = (home.log / "checkpoint").read_text("utf-8").split("\n")
    lines[2] = base64.b64encode(bytes(32)).decode()
    (home.log / "checkpoint").write_text("\n".join(lines), "utf-8")
    found = wrong(checked(home))
    assert found["log-unsigned"].affects == REACHED
    assert "log-root" in found


def test_a_checkpoint_signed_by_the_right_key_for_other_entries(home: Home):
    private = log.ed25519(keys.signer(home.settings, keys.LOG), "log")
    checkpoint = Checkpoint.parse(Note.parse((home.log / "checkpoint").read_bytes()).text)
    text = replace(checkpoint, root=bytes(32)).text()
    note = Note(text).signed(checkpoint.origin, private)
    (home.log / "checkpoint").write_bytes(note.serialise())
    assert "log-root" in wrong(checked(home))


def test_no_log_at_all(home: Home):
    shutil.rmtree(home.log)
    assert wrong(checked(home))["log-missing"].affects == REACHED


def test_a_tile_of_hashes(home: Home):
    path = next(home.log.glob("tile/0/000.p/*"))
    flip(path)
    assert wrong(checked(home))["log-tile"].place == str(path.relative_to(home.lake))
