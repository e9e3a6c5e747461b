"""Witnesses: what they cosign, what they refuse, and what that proves to others."""

import base64
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dsk_assets.cli.main import main
from dsk_assets.errors import CorruptedError, SettingsError
from dsk_assets.evidence import keys, rotation, witness
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.log import FOLDER, Log
from dsk_assets.evidence.merkle import verify_inclusion
from dsk_assets.evidence.notes import Checkpoint, Note, NoteKey
from dsk_assets.evidence.proofs import prove
from dsk_assets.evidence.sequencer import append_new, keyring
from dsk_assets.evidence.standing import standing
from tests.support import seed

NAME = "vidne.medlem.example"


@pytest.fixture
def log(catalog: Catalog) -> Log:
    seed(catalog, "a/x", files={"x.json": 1})
    append_new(catalog)
    return Log(catalog.settings, catalog.lake)


@pytest.fixture
def member(tmp_path: Path) -> Path:
    """A member's own folder, with its key."""
    keys.make(tmp_path / "member" / "key.pem")
    return tmp_path / "member"


def folder(log: Log) -> Path:
    return Path(log.lake.root) / FOLDER


def cosign(log: Log, member: Path, source: Path | None = None, pin: NoteKey | None = None) -> Note:
    source = source or folder(log)
    offered = witness.from_folder(source) if source.is_dir() else witness.from_request(source)
    return witness.cosign(offered, NAME, member / "key.pem", member / "state.json", pin)


def known(catalog: Catalog, member: Path) -> None:
    rotation.add_given(catalog, keys.WITNESS, witness.vkey(NAME, member / "key.pem"), "12345678")


def grow(catalog: Catalog, name: str = "a/y") -> None:
    seed(catalog, name, files={"x.json": 2})
    append_new(catalog)


def test_a_witness_follows_the_log_and_is_shown(catalog: Catalog, log: Log, member: Path):
    known(catalog, member)
    note = cosign(log, member, pin=log.key())
    assert witness.accept(log, keyring(catalog)[0], note) == NAME
    shown = standing(catalog)
    assert [(one.name, one.size) for one in shown.witnesses] == [(NAME, log.checkpoint().size)]
    assert not any("No witness" in english for english, _ in shown.unproven)
    grow(catalog)
    later = cosign(log, member)
    witness.accept(log, keyring(catalog)[0], later)
    assert standing(catalog).witnesses[0].size == log.checkpoint().size


def test_a_proof_carries_the_cosignature(catalog: Catalog, log: Log, member: Path):
    known(catalog, member)
    witness.accept(log, keyring(catalog)[0], cosign(log, member, pin=log.key()))
    size = log.checkpoint().size
    grow(catalog)
    key = NoteKey.parse(witness.vkey(NAME, member / "key.pem"))

    def parts(asset: str) -> tuple[Note, Checkpoint, bool]:
        found = prove(catalog, asset)
        head, _, rest = found.text.partition("\n\n")
        note = Note.parse(rest.encode())
        checkpoint = Checkpoint.parse(note.text)
        hashes = [base64.b64decode(line) for line in head.split("\n")[2:]]
        leaf = log.tree().leaf(found.position)
        proven = verify_inclusion(leaf, found.position, checkpoint.size, hashes, checkpoint.root)
        return note, checkpoint, proven

    note, checkpoint, proven = parts("a/x")
    assert note.verify(key) and note.verify(log.key()) == 0
    assert (checkpoint.size, proven) == (size, True)
    note, checkpoint, proven = parts("a/y")
    assert note.verify(key) is None
    assert (checkpoint.size, proven) == (log.checkpoint().size, True)


def test_a_log_that_has_gone_back_is_not_cosigned(catalog: Catalog, log: Log, member, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder(log), copy)
    grow(catalog)
    cosign(log, member, pin=log.key())
    with pytest.raises(CorruptedError, match="the log has gone back"):
        cosign(log, member, copy)


def test_another_log_of_the_same_key_is_not_cosigned(catalog: Catalog, log: Log, member, tmp_path):
    cosign(log, member, pin=log.key())
    before = (member / "state.json").read_bytes()
    home = tmp_path / "fork"
    shutil.copytree(catalog.settings.home / "keys", home / "keys")
    from dsk_assets.settings import load_settings

    fork = Catalog(load_settings(home=home))
    for name in ("b/1", "b/2", "b/3"):
        grow(fork, name)
    other = Log(fork.settings, fork.lake)
    assert other.key() == log.key()
    with pytest.raises(CorruptedError, match="another one than this witness cosigned"):
        cosign(other, member)
    request = tmp_path / "request"
    request.write_text(witness.request(other, log.checkpoint().size))
    with pytest.raises(CorruptedError, match="another one than this witness cosigned"):
        cosign(other, member, request)
    assert (member / "state.json").read_bytes() == before


def test_a_request_needs_no_folder(catalog: Catalog, log: Log, member: Path, tmp_path: Path):
    request = tmp_path / "request"
    request.write_text(witness.request(log, 0))
    first = cosign(log, member, request, pin=log.key())
    size = Checkpoint.parse(first.text).size
    grow(catalog)
    with pytest.raises(SettingsError, match=rf"dsk evidence request --old {size}"):
        request.write_text(witness.request(log, 1))
        cosign(log, member, request)
    request.write_text(witness.request(log, size))
    assert Checkpoint.parse(cosign(log, member, request).text).size == log.checkpoint().size


def test_a_witness_must_know_the_log(log: Log, member: Path, tmp_path: Path):
    with pytest.raises(SettingsError, match="needs the log's key at first"):
        cosign(log, member)
    keys.make(tmp_path / "other.pem")
    stranger = NoteKey.parse(witness.vkey(log.key().name, tmp_path / "other.pem"))
    wrong = NoteKey(stranger.name, 0x01, stranger.public)
    with pytest.raises(CorruptedError, match="not signed by the log's key"):
        cosign(log, member, pin=wrong)
    assert not (member / "state.json").exists()


def test_only_known_witnesses_and_own_checkpoints_are_kept(catalog, log: Log, member: Path):
    note = cosign(log, member, pin=log.key())
    with pytest.raises(SettingsError, match="no witness that the log knows"):
        witness.accept(log, keyring(catalog)[0], note)
    known(catalog, member)
    checkpoint = Checkpoint.parse(note.text)
    other = Checkpoint(checkpoint.origin, checkpoint.size, bytes(32))
    with pytest.raises(CorruptedError, match="not one of this log"):
        witness.accept(log, keyring(catalog)[0], Note(other.text(), note.signatures))
    assert not standing(catalog).witnesses


def test_a_replaced_log_key_is_pinned_anew(catalog: Catalog, log: Log, member: Path):
    cosign(log, member, pin=log.key())
    rotation.rotate(catalog, keys.LOG)
    assert cosign(log, member)  # the checkpoint at the change is signed by both keys
    grow(catalog)
    with pytest.raises(CorruptedError, match="if the log's key was replaced"):
        cosign(log, member)
    assert cosign(log, member, pin=log.key())


def test_the_commands(catalog: Catalog, log: Log, tmp_path: Path):
    home = {"DSK_HOME": str(catalog.settings.home)}

    def dsk(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["evidence", *arguments], env=home)
        assert result.exit_code == code, result.output
        return result

    own = ["--name", NAME, "--key", str(tmp_path / "w.pem"), "--state", str(tmp_path / "w.json")]
    request = str(tmp_path / "request")
    dsk("request", "--out", request)
    assert "log's key at first" in dsk("witness", request, *own, code=1).output
    told = dsk("witness", request, *own, "--log-key", log.key().vkey, "--out", f"{request}.note")
    vkey = told.stderr.split("cosigned as ")[1].strip()
    dsk("cosignature", f"{request}.note", code=1)
    dsk("keys", "add", vkey, "--role", "witness", "--holder", "12345678")
    assert NAME in dsk("cosignature", f"{request}.note").output
    dsk("append")
    dsk("witness", str(folder(log)), *own)
    status = dsk("status").output
    assert f"Witness {NAME}: {log.checkpoint().size} entries" in status
    assert "No witness" not in status
    (shown,) = [one for one in dsk("keys", "list").output.splitlines() if "witness" in one]
    assert shown.endswith(f"  {NAME} CVR 12345678")
    out = tmp_path / "x.tlog-proof"
    dsk("proof", "a/x", "--out", str(out))
    assert f"— {NAME} " in out.read_text()
