"""The proof for a single statement: found in the log by asset, partition and number; checked."""

import base64
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dsk_assets.errors import CorruptedError, MissingInputError, SettingsError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.entries import Entry, located
from dsk_assets.evidence.envelope import open_envelope
from dsk_assets.evidence.log import Log, parse_checkpoint, parse_note
from dsk_assets.evidence.log_index import LogIndex
from dsk_assets.evidence.merkle import leaf_hash, verify_inclusion
from dsk_assets.evidence.notes import COSIGNATURE, Checkpoint, Note, NoteKey
from dsk_assets.evidence.tiles import WIDTH
from dsk_assets.lake.digests import sha256_bytes

FORM = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class Proof:
    """An entry of the log, its place, and the proof as text (https://c2sp.org/tlog-proof)."""

    position: int
    entry: Entry
    text: str


def prove(
    catalog: Catalog, asset: str, partition: str | None = None, number: int | None = None
) -> Proof:
    """The proof that statement *number* (None: the newest) of an asset partition is in the log.

    What is written is verified. Raises :class:`MissingInputError` when it is not in the log, and
    :class:`CorruptedError` when the log's files do not prove it.
    """
    log = Log(catalog.settings, catalog.lake)
    with LogIndex(log).opened() as index:
        position = index.position(asset, partition, number)
    if position is None:
        named = f"{asset}[{partition}]" if partition else asset
        which = f"statement {number}" if number else "statement"
        raise MissingInputError(
            f"the log has no {which} of {named} — `dsk evidence append` takes up what is new"
        )
    tree = log.tree()
    data = tree.bundle(position // WIDTH)[position % WIDTH]
    if leaf_hash(data) != tree.leaf(position):
        raise CorruptedError(
            f"entry {position} of the log is not the one in its tree — restore evidence/log from "
            "a copy"
        )
    text = log.proof(position)
    if not _shows(text, position, data):
        raise CorruptedError(
            f"the log's tiles give no valid proof of entry {position} — run `dsk evidence verify`, "
            "and restore evidence/log from a copy"
        )
    return Proof(position, Entry.parse(data), text)


@dataclass(frozen=True)
class Checked:
    """What a proof shows: its entry's place in the log with that checkpoint.

    ``signed`` gives for each key's name when it cosigned (UTC), None for the log's own signature.
    """

    position: int
    checkpoint: Checkpoint
    signed: dict[str, dt.datetime | None]


def entry_of(path: Path, statement: bytes) -> Entry:
    """The entry of the log for the *statement* in a file whose *path* is still that in the lake.

    Raises :class:`SettingsError` for another path.
    """
    *_, group, noun, partition, name = ("", "", "", *path.resolve().parts)
    try:
        asset, of, number = located(f"{group}/{noun}/{partition}/{name}")
    except ValueError:
        raise SettingsError(
            f"{path} does not say which statement it is — keep the folders that it lies in, or "
            "give the entry that `dsk evidence proof` printed by --entry"
        ) from None
    envelope = open_envelope(statement)
    kind = envelope.statement["predicateType"]
    return Entry(asset, of, number, kind, sha256_bytes(statement), envelope.digest)


def check(proof: bytes, statement: bytes, entry: Entry, keys: Sequence[NoteKey]) -> Checked:
    """Check a proof without the log: that all *keys* signed a tree that holds the *statement*.

    *statement* is the file that *entry* stands for. Raises :class:`CorruptedError` for a proof
    that does not show it.
    """
    envelope = open_envelope(statement)
    if (sha256_bytes(statement), envelope.digest) != (entry.envelope, entry.statement):
        raise CorruptedError("the entry is that of another statement than this file")
    try:
        head, _, rest = proof.decode().partition("\n\n")
        first, index, *lines = head.split("\n")
        if first != FORM or not index.startswith("index "):
            raise ValueError(first)
        position, hashes = int(index[6:]), [base64.b64decode(one, validate=True) for one in lines]
        note = Note.parse(rest.encode())
        checkpoint = Checkpoint.parse(note.text)
    except ValueError:
        raise CorruptedError(f"this is not a proof in the form {FORM}") from None
    leaf = leaf_hash(entry.as_bytes())
    if not verify_inclusion(leaf, position, checkpoint.size, hashes, checkpoint.root):
        raise CorruptedError(
            f"the proof does not show that {entry.key} is entry {position} of the log"
        )
    return Checked(position, checkpoint, {key.name: _signed(note, key) for key in keys})


def _signed(note: Note, key: NoteKey) -> dt.datetime | None:
    try:
        time = note.verify(key)
    except ValueError:
        time = None
    if time is None:
        raise CorruptedError(f"the checkpoint of the proof is not signed by {key.vkey}")
    return dt.datetime.fromtimestamp(time, dt.UTC) if key.kind == COSIGNATURE else None


def _shows(proof: str, position: int, data: bytes) -> bool:
    """Whether *proof*, as it is written, shows the entry *data* in the tree of its checkpoint."""
    head, _, note = proof.partition("\n\n")
    hashes = [base64.b64decode(one) for one in head.split("\n")[2:]]
    checkpoint = parse_checkpoint(parse_note(note.encode(), "the proof"))
    return verify_inclusion(leaf_hash(data), position, checkpoint.size, hashes, checkpoint.root)
