"""Commands of evidence and lineage given what they cannot use: one line that says so."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.evidence import keys, sequencer
from dsk_assets.evidence.verify.lake import verify
from tests.evidence_lake import RELEASE, Home, release


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A release that nothing here changes."""
    home = Home(tmp_path_factory.mktemp("intact") / "home")
    catalog = home.catalog("dsk")
    release(catalog)
    sequencer.append_new(catalog)
    return home


def dsk(home: Home, *arguments: str, **environment: str) -> str:
    """What a command that fails says: one line, no traceback."""
    done = CliRunner().invoke(main, arguments, env={"DSK_HOME": str(home.path), **environment})
    assert done.exit_code != 0
    assert isinstance(done.exception, SystemExit), done.exception
    return done.output


def test_a_place_that_cannot_be_written_is_named(home: Home, tmp_path: Path):
    absent = str(tmp_path / "absent/file")
    for command in (("proof", "corpus/release", RELEASE), ("request",), ("pack", RELEASE)):
        assert absent in dsk(home, "evidence", *command, "--out", absent)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\nb"])
def test_a_witness_of_no_usable_name_writes_nothing(home: Home, tmp_path: Path, name: str):
    key = tmp_path / "key.pem"
    keys.make(key)
    said = dsk(home, "evidence", "witness", str(home.log), "--name", name, "--key", str(key),
               "--state", str(tmp_path / "state"), "--log-key", "x+1+AQ==")  # fmt: skip
    assert "name of a witness" in said
    assert not (home.log / "witness").exists()
    assert not (tmp_path / "state").exists()


def test_a_key_that_cannot_sign_or_a_holder_that_is_a_person_is_not_logged(
    home: Home, tmp_path: Path
):
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    path = tmp_path / "key.pub"
    path.write_bytes(ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(*form))
    add = "evidence", "keys", "add", str(path), "--role", "donor"
    assert "not supported" in dsk(home, *add)
    path.write_bytes(ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*form))
    assert "CVR" in dsk(home, *add, "--holder", "Inga Opfundet")


@pytest.mark.parametrize("since", ["9" * 25, "9999-12-31T23:59:59-14:00", "0001-01-01T00:00+14:00"])
def test_a_point_that_no_event_can_have(home: Home, since: str):
    assert "neither a number nor a date" in dsk(home, "openlineage", "replay", "--from", since)


@pytest.mark.parametrize(
    "url", ["nonsense", "http://[", "http://", "http://h:99999", "http://a b/"]
)
def test_an_address_that_is_none(home: Home, url: str):
    assert "DSK_OPENLINEAGE_URL" in dsk(home, "openlineage", "status", DSK_OPENLINEAGE_URL=url)


def said(home: Home, *arguments: str) -> str:
    """What a command that ends well says."""
    done = CliRunner().invoke(main, arguments, env={"DSK_HOME": str(home.path)})
    assert done.exit_code == 0, done.output
    return done.output


def test_a_statement_that_there_is_not_is_named_as_it_was_asked_for(home: Home):
    assert "the log has no statement of NOSUCH —" in dsk(home, "evidence", "proof", "NOSUCH")
    asked = "evidence", "proof", "a/b", "c", "--number", "7"
    assert "the log has no statement 7 of a/b[c] —" in dsk(home, *asked)
    assert "no statement of a/b waits" in dsk(home, "evidence", "sign", "a/b", "--key",
                                              str(keys.key_path(home.settings, "log")))  # fmt: skip


def test_what_is_no_text_is_said_to_be_none(home: Home):
    assert "UTF-8" in dsk(home, "evidence", "proof", "\udcff")


def test_that_there_is_nothing_is_said(home: Home, tmp_path: Path):
    assert "nothing waits for signatures" in said(home, "evidence", "pending")
    out = tmp_path / "request"
    assert f"{out}: the checkpoint over" in said(home, "evidence", "request", "--out", str(out))


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "0"])
def test_a_time_that_is_none(home: Home, seconds: str):
    assert "seconds above 0" in dsk(home, "openlineage", "deliver", "--seconds", seconds)


def test_a_point_after_the_last_event(home: Home):
    for since in ("99999", "2090-01-01"):
        assert "none from" in dsk(home, "openlineage", "replay", "--from", since)


def test_a_file_that_holds_no_events(home: Home, tmp_path: Path):
    path = tmp_path / "some.bin"
    for content in (b"\x7fELF\x00\n\xff\n", b"", b"text\n"):
        path.write_bytes(content)
        told = dsk(home, "openlineage", "check", str(path))
        assert "holds no events" in told
        assert "line 1" not in told


def test_a_pipe_in_a_statements_place_is_no_statement(home: Home, tmp_path: Path):
    copied = home.copy(tmp_path / "home")
    path = copied.statement("study/pipe")
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert "is not a readable statement" in dsk(copied, "evidence", "append")
    assert {"statement-unreadable"} == {
        fault.code for fault in verify(copied.catalog()).faults if not fault.is_limit
    }
