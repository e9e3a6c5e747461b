"""Witnesses: a member organisation follows the log and cosigns its checkpoints with its own key.

A witness remembers the last checkpoint it cosigned, in a file of its own, and cosigns another
only when that is the same log gone on (https://c2sp.org/tlog-cosignature, its Ed25519 form). It
reads a copy of the log's folder, or a request: one file with the checkpoint and the proof that it
goes on from the size that the witness knows (the body of https://c2sp.org/tlog-witness).
"""

import base64
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dsk_assets.errors import CorruptedError, MissingInputError, SettingsError
from dsk_assets.evidence import keys
from dsk_assets.evidence.keyring import KeyRing
from dsk_assets.evidence.log import FOLDER, Log, ed25519, parse_checkpoint, parse_note
from dsk_assets.evidence.merkle import EMPTY_ROOT, verify_consistency
from dsk_assets.evidence.notes import COSIGNATURE, Note, NoteKey
from dsk_assets.evidence.tiles import Tree


@dataclass(frozen=True)
class Seen:
    """What a witness remembers: the key of the log, and the checkpoint it last cosigned."""

    log_key: NoteKey
    size: int
    root: bytes


@dataclass(frozen=True)
class Offered:
    """A checkpoint to cosign, and the proof that it goes on from an earlier size."""

    note: Note
    consistency: Callable[[int], list[bytes]]


def from_folder(folder: Path) -> Offered:
    """What lies in a copy of the log's folder."""

    def read(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except FileNotFoundError:
            raise MissingInputError(f"{folder / path} does not exist — copy it again") from None

    note = parse_note(read("checkpoint"), str(folder / "checkpoint"))
    return Offered(note, lambda size: Tree(read, parse_checkpoint(note).size).consistency(size))


def from_request(path: Path) -> Offered:
    """What a request file holds, as :func:`request` writes it."""
    try:
        head, _, rest = path.read_text("utf-8").partition("\n\n")
        first, *lines = head.split("\n")
        hashes = [base64.b64decode(one, validate=True) for one in lines]
        if not first.isascii() or not first.startswith("old ") or not first[4:].isdecimal():
            raise ValueError(first)
    except ValueError:
        raise CorruptedError(f"{path} is not a request to a witness — have it made again") from None
    old = first[4:]

    def consistency(size: int) -> list[bytes]:
        if size != int(old):
            raise SettingsError(
                f"{path} proves that the log goes on from size {old}, and this witness last "
                f"cosigned size {size} — have it made for that: dsk evidence request --old {size}"
            )
        return hashes

    return Offered(parse_note(rest.encode(), str(path)), consistency)


def request(log: Log, old: int) -> str:
    """The file by which a witness that last cosigned size *old* can cosign the newest checkpoint.

    Raises :class:`MissingInputError` when the log has fewer entries.
    """
    note, tree = log.note(), log.tree()
    if note is None or not 0 <= old <= tree.size:
        raise MissingInputError(f"the log has {tree.size} entries, not {old}")
    hashes = "".join(f"{base64.b64encode(one).decode()}\n" for one in tree.consistency(old))
    return f"old {old}\n{hashes}\n{note.serialise().decode()}"


def cosign(
    offered: Offered, name: str, key: Path, state: Path, log_key: NoteKey | None = None
) -> Note:
    """The offered checkpoint with the cosignature of the witness *name* besides.

    *key* is its private key, *state* the file in which it remembers; *log_key* pins the log's key
    at first, or a new one after the log's key was replaced. Raises :class:`CorruptedError` when
    the log is not signed by that key, has gone back, or is another one than before.
    """
    seen = _seen(state, log_key)
    checkpoint = parse_checkpoint(offered.note)
    _check_signature(offered.note, seen.log_key)
    if checkpoint.origin != seen.log_key.name:
        raise CorruptedError(f"this is the log {checkpoint.origin}, not {seen.log_key.name}")
    if checkpoint.size < seen.size:
        raise CorruptedError(
            f"the log has gone back: {checkpoint.size} entries, and this witness has cosigned "
            f"{seen.size} — do not cosign, and tell the other members"
        )
    proof = offered.consistency(seen.size) if checkpoint.size > seen.size else []
    if not verify_consistency(seen.size, checkpoint.size, seen.root, checkpoint.root, proof):
        raise CorruptedError(
            f"the log is another one than this witness cosigned: its first {seen.size} entries "
            "are not the same — do not cosign, and tell the other members"
        )
    private = ed25519(keys.load(key), str(key))
    _remember(state, Seen(seen.log_key, checkpoint.size, checkpoint.root))
    return offered.note.cosigned(name, private, int(time.time()))


def vkey(name: str, key: Path) -> str:
    """The public key of a witness, in the form in which the consortium adds it.

    Raises :class:`SettingsError` for a name that no signed note can bear.
    """
    if not name or "+" in name or any(one.isspace() or not one.isprintable() for one in name):
        raise SettingsError(
            f"{name!r} is no name of a witness — give one without spaces and plus signs, such as "
            "witness.member.example"
        )
    private = ed25519(keys.load(key), str(key))
    return NoteKey(name, COSIGNATURE, private.public_key().public_bytes_raw()).vkey


def note_key(given: str) -> NoteKey:
    """The key of a log or witness that *given* writes; :class:`SettingsError` where it is none."""
    try:
        return NoteKey.parse(given)
    except ValueError:
        raise SettingsError(
            f"{given!r} is not a key of a log or a witness (vkey) — copy it whole"
        ) from None


def accept(log: Log, ring: KeyRing, note: Note) -> str:
    """Keep a checkpoint that a witness has cosigned; returns the witness's name.

    Raises :class:`CorruptedError` when it is not of this log, and :class:`SettingsError` when no
    witness that the log knows has cosigned it.
    """
    checkpoint, tree = parse_checkpoint(note), log.tree()
    if checkpoint.size > tree.size or tree.root_at(checkpoint.size) != checkpoint.root:
        raise CorruptedError(
            f"this checkpoint (size {checkpoint.size}) is not one of this log — somebody has "
            "shown the witness another log"
        )
    for known in ring.at(tree.size, keys.WITNESS):
        key = NoteKey.parse(known.vkey or "")
        if _is_cosigned(note, key):
            with log.lake.writing(f"{FOLDER}/witness/{quote(key.name, safe='')}") as path:
                path.write_bytes(note.serialise())
            return key.name
    raise SettingsError(
        "no witness that the log knows has cosigned this checkpoint — add its key with "
        "`dsk evidence keys add VKEY --role witness`"
    )


def witness_file(folder: Path, name: str) -> Path:
    """Where the checkpoint cosigned by *name* lies in the log's folder."""
    return folder / "witness" / quote(name, safe="")


def _seen(state: Path, log_key: NoteKey | None) -> Seen:
    if state.exists():
        try:
            content = json.loads(state.read_bytes())
            known = NoteKey.parse(content["logKey"])
            return Seen(log_key or known, content["size"], bytes.fromhex(content["root"]))
        except (ValueError, KeyError, TypeError):
            raise CorruptedError(
                f"{state} is not readable — restore it from a copy; without it this witness "
                "cannot know what it has cosigned"
            ) from None
    if log_key is None:
        raise SettingsError(
            "a witness needs the log's key at first — give it by --log-key, as the consortium "
            "publishes it (`dsk evidence status` shows it)"
        )
    return Seen(log_key, 0, EMPTY_ROOT)


def _remember(state: Path, seen: Seen) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    content = {"logKey": seen.log_key.vkey, "size": seen.size, "root": seen.root.hex()}
    partial = state.with_name(f".{state.name}.new")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(state)


def _check_signature(note: Note, key: NoteKey) -> None:
    try:
        signed = note.verify(key) is not None
    except ValueError:
        signed = False
    if not signed:
        raise CorruptedError(
            f"the checkpoint is not signed by the log's key {key.vkey} — if the log's key was "
            "replaced, give the new one by --log-key"
        )


def _is_cosigned(note: Note, key: NoteKey) -> bool:
    try:
        return bool(note.verify(key))
    except ValueError:
        return False
