"""Signed notes: the examples of the specifications, and what is not in their form."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dsk_assets.evidence.merkle import EMPTY_ROOT
from dsk_assets.evidence.notes import COSIGNATURE, ED25519, Checkpoint, Note, NoteKey

# c2sp.org/signed-note, "Example"
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()  # noqa: E501


def test_the_example_of_the_specification_verifies():
    key = NoteKey.parse(VKEY)
    note = Note.parse(NOTE)
    assert note.verify(key) == 0
    assert note.serialise() == NOTE
    assert key.vkey == VKEY
    with pytest.raises(ValueError, match="is wrong"):
        Note(note.text.replace("an", "no"), note.signatures).verify(key)


def test_other_keys_are_ignored():
    note = Note.parse(NOTE)
    stranger = NoteKey("example.com/foo", ED25519, bytes(32))
    assert note.verify(stranger) is None


def test_the_checkpoint_of_the_specification_is_read():
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = Checkpoint.parse(text)
    assert checkpoint.size == 20_852_163
    assert checkpoint.text() == text
    assert Checkpoint.parse(text + "an extension\n") == checkpoint


def test_a_cosignature_covers_its_time_and_the_whole_text():
    log, witness = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    text = Checkpoint("log.example", 0, EMPTY_ROOT).text()
    note = Note(text).signed("log.example", log).cosigned("w.example", witness, 1_679_315_147)
    note = Note.parse(note.serialise())
    key = NoteKey("w.example", COSIGNATURE, witness.public_key().public_bytes_raw())
    assert note.verify(key) == 1_679_315_147
    line = note.signatures[1]
    # the very message of tlog-cosignature, "Ed25519 signed message"
    message = b"cosignature/v1\ntime 1679315147\n" + text.encode()
    witness.public_key().verify(line.value[8:], message)
    later = bytearray(line.value)
    later[7] ^= 1
    forged = Note(text, (type(line)(line.name, line.key_id, bytes(later)),))
    with pytest.raises(ValueError, match="is wrong"):
        forged.verify(key)


def test_signing_again_replaces_the_own_signature():
    witness = Ed25519PrivateKey.generate()
    note = Note("text\n").cosigned("w.example", witness, 1).cosigned("w.example", witness, 2)
    assert len(note.signatures) == 1
    key = NoteKey("w.example", COSIGNATURE, witness.public_key().public_bytes_raw())
    assert note.verify(key) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"", b"text\n", b"text\n\n", b"text\n\n- a.example AAAAAAA=\n", b"a\tb\n\n" + NOTE,
        NOTE[:-1], NOTE.replace(b"Uw2Q", b"Uw*Q"), b"text\n\n\xe2\x80\x94 a+b AAAAAAAA\n", b"\xff",
    ],
)  # fmt: skip
def test_what_is_no_note_is_refused(data: bytes):
    with pytest.raises(ValueError):
        Note.parse(data)


@pytest.mark.parametrize(
    "text",
    ["", "a\n1\n", "a\n01\n" + "A" * 43 + "=\n", "a\n-1\n" + "A" * 43 + "=\n", "a\n1\nAAAA\n",
     "a\n٣\n" + "A" * 43 + "=\n", "\n1\n" + "A" * 43 + "=\n", "a\n1\n" + "A" * 43 + "=\n\n"],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str):
    with pytest.raises(ValueError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "vkey",
    ["", "a", "a+b", "example.com/foo+530d903b+" + VKEY.split("+", 2)[2], "a b" + VKEY[15:],
     "example.com/foo+530d903a+AekyeRrm56g="],
)  # fmt: skip
def test_what_is_no_key_is_refused(vkey: str):
    with pytest.raises(ValueError):
        NoteKey.parse(vkey)
