"""The log of statements: an append-only Merkle tree in the layout of https://c2sp.org/tlog-tiles.

It lies in ``evidence/log``: tiles, bundles of entries, and a checkpoint signed by the log's key.
New tiles are written and synced before the checkpoint that speaks of them, so a crash in between
leaves files that the next append writes again. The last signed checkpoint is also remembered
outside the lake: a log that was rolled back, cut or forked is refused instead of continued.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from filelock import FileLock

from dsk_assets.errors import CorruptedError, MissingInputError, SettingsError
from dsk_assets.evidence import keys, merkle
from dsk_assets.evidence.entries import Entry
from dsk_assets.evidence.lease import Lease
from dsk_assets.evidence.notes import ED25519, Checkpoint, Note, NoteKey
from dsk_assets.evidence.tiles import WIDTH, Tree, growth, tile_path
from dsk_assets.lake.digests import sha256_text
from dsk_assets.lake.store import Lake, Zone, publish
from dsk_assets.settings import Settings

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

FOLDER = f"{Zone.EVIDENCE}/log"
CHECKPOINT = f"{FOLDER}/checkpoint"
SIGNED = "checkpoint"
"""The kind of memory that holds the checkpoint last signed here."""

BATCH = 1 << 16
"""Entries that are hashed and written at a time; a checkpoint follows each batch."""


class Log:
    """The log in a lake."""

    def __init__(self, settings: Settings, lake: Lake):
        self.settings = settings
        self.lake = lake
        self._tag: str | None = None

    def note(self) -> Note | None:
        """The newest checkpoint with its signatures, not verified; None before the first entry."""
        try:
            return parse_note(self.lake.read(CHECKPOINT), "checkpoint")
        except MissingInputError:
            return None

    def checkpoint(self) -> Checkpoint | None:
        """What the newest checkpoint says; None before the first entry."""
        note = self.note()
        return parse_checkpoint(note) if note else None

    def tree(self, size: int | None = None) -> Tree:
        """The log's tree as of the newest checkpoint, or as it was with *size* entries."""
        if size is None:
            checkpoint = self.checkpoint()
            size = checkpoint.size if checkpoint else 0
        return Tree(self._read, size)

    def entries(self, start: int = 0) -> Iterator[tuple[int, Entry]]:
        """Index and content of each entry from *start* on."""
        for index, data in self.tree().entries(start):
            yield index, Entry.parse(data)

    def key(self) -> NoteKey:
        """The public key of this machine's log key, named by the log's origin."""
        checkpoint = self.checkpoint()
        private = self._private()
        name = checkpoint.origin if checkpoint else self._origin(private)
        return NoteKey(name, ED25519, private.public_key().public_bytes_raw())

    def append(self, entries: Sequence[bytes]) -> Checkpoint | None:
        """Append *entries* in their order; returns the new checkpoint (None for an empty log).

        One process appends at a time. Raises :class:`CorruptedError` when the log is not what
        this machine last signed, or its tiles do not have the root of its checkpoint.
        """
        with self.sequencing() as renew:
            return self.append_locked(entries, renew)

    def append_locked(
        self, entries: Sequence[bytes], renew: Callable[[], None] = lambda: None
    ) -> Checkpoint | None:
        """Like :meth:`append`, by a caller who holds :meth:`sequencing` and what it yields."""
        checkpoint = self._verified()
        for start in range(0, len(entries), BATCH):
            renew()
            batch = entries[start : start + BATCH]
            tree = self.tree(checkpoint.size if checkpoint else 0)
            new: dict[str, bytes] = {}
            for path, data in growth(tree, batch):
                new[path] = data
                with self.lake.writing(f"{FOLDER}/{path}") as temporary:
                    temporary.write_bytes(data)
            size = tree.size + len(batch)
            root = Tree(lambda path, new=new: new.get(path) or self._read(path), size).root()  # type: ignore[misc]
            origin = checkpoint.origin if checkpoint else self._origin(self._private())
            checkpoint = Checkpoint(origin, size, root)
            self.publish(Note(checkpoint.text()).signed(origin, self._private()))
            self._drop_partial(tree.size, size)
        return checkpoint

    def sign_again(self, private: Ed25519PrivateKey) -> None:
        """Sign the newest checkpoint with another key besides; by a caller who is sequencing."""
        checkpoint, note = self._verified(), self.note()
        if checkpoint is not None and note is not None:
            self.publish(note.signed(checkpoint.origin, private))

    def publish(self, note: Note) -> None:
        """Make *note* the newest checkpoint and remember it; by a caller who is sequencing."""
        data = note.serialise()
        if self.lake.is_local:
            with self.lake.writing(CHECKPOINT) as path:
                path.write_bytes(data)
        else:
            self._tag = self.lake.write_if(CHECKPOINT, data, self._tag)
            if self._tag is None:
                raise CorruptedError(
                    "another machine has appended to the log meanwhile — run again; if it says "
                    "so again, two machines do not share one lake"
                )
        keep(self._memory, data)

    @contextmanager
    def sequencing(self) -> Iterator[Callable[[], None]]:
        """Hold the right to append, alone among all processes (and, in S3, all machines).

        Yields a function that prolongs the right, for those who hold it long.
        """
        if self.lake.is_local:
            path = Path(self.lake.root) / FOLDER / "lock"
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path):
                yield lambda: None
        else:
            with Lease(self.lake, f"{FOLDER}/lock").held() as lease:
                yield lease.renew

    def proof(self, index: int) -> str:
        """The proof that the entry at *index* is in the log (https://c2sp.org/tlog-proof).

        It is made for the smallest checkpoint that a witness has cosigned and that holds the
        entry, else for the newest checkpoint.
        """
        note = self.note_over(index)
        tree = self.tree(parse_checkpoint(note).size)
        hashes = "".join(f"{base64.b64encode(one).decode()}\n" for one in tree.inclusion(index))
        return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{note.serialise().decode()}"

    def note_over(self, index: int) -> Note:
        """The checkpoint that a proof of the entry at *index* is made for."""
        note = self.note()
        if note is None or index >= parse_checkpoint(note).size:
            raise MissingInputError(f"the log has no entry {index}; its first is number 0")
        over = [one for one in self.witnessed().values() if parse_checkpoint(one).size > index]
        return min(over, key=lambda one: parse_checkpoint(one).size, default=note)

    def witnessed(self) -> dict[str, Note]:
        """The newest checkpoint that each witness has cosigned, by the witness's name.

        Only checkpoints of the very tree that lies here; signatures are not verified.
        """
        tree = self.tree()
        found = {}
        for name in self.lake.names(f"{FOLDER}/witness"):
            note = parse_note(self._read(f"witness/{name}"), f"witness/{name}")
            checkpoint = parse_checkpoint(note)
            if checkpoint.size <= tree.size and tree.root_at(checkpoint.size) == checkpoint.root:
                found[unquote(name)] = note
        return found

    def _verified(self) -> Checkpoint | None:
        """The checkpoint to go on from: signed by our key, at or after what we last signed."""
        if not self.lake.is_local:
            found = self.lake.read_tagged(CHECKPOINT)
            self._tag = found[1] if found else None
        note = self.note()
        remembered = self._remembered()
        if note is None:
            if remembered is not None:
                raise CorruptedError(_gone_back(remembered, 0))
            return None
        checkpoint = parse_checkpoint(note)
        key = NoteKey(checkpoint.origin, ED25519, self._private().public_key().public_bytes_raw())
        if not _is_signed(note, key):
            raise CorruptedError(
                f"the log's checkpoint is not signed by this machine's log key ({key.vkey}) — "
                "give the log's own key by DSK_LOG_KEY, or restore evidence/log from a copy"
            )
        tree = self.tree(checkpoint.size)
        if tree.root() != checkpoint.root:
            raise CorruptedError(
                f"the tiles of the log do not have the root of its checkpoint (size "
                f"{checkpoint.size}) — restore evidence/log from a copy"
            )
        if remembered is not None:
            if remembered.size > checkpoint.size:
                raise CorruptedError(_gone_back(remembered, checkpoint.size))
            if tree.root_at(remembered.size) != remembered.root:
                raise CorruptedError(
                    f"the log is another one than this machine last signed: its first "
                    f"{remembered.size} entries have changed — restore evidence/log from a copy"
                )
        return checkpoint

    @property
    def _memory(self) -> Path:
        return memory(self.settings, SIGNED)

    def _remembered(self) -> Checkpoint | None:
        if not self._memory.exists():
            return None
        try:
            return Checkpoint.parse(Note.parse(self._memory.read_bytes()).text)
        except ValueError as error:
            raise CorruptedError(
                f"{self._memory}, where this machine remembers the checkpoint that it last signed, "
                f"holds none ({error}) — the log itself may be whole: see what `dsk evidence "
                "verify` says of it and compare with a checkpoint kept elsewhere (--earlier), then "
                "remove the file"
            ) from None

    def _read(self, path: str) -> bytes:
        return self.lake.read(f"{FOLDER}/{path}")

    def _private(self) -> Ed25519PrivateKey:
        return ed25519(keys.signer(self.settings, keys.LOG), "DSK_LOG_KEY")

    def _origin(self, private: Ed25519PrivateKey) -> str:
        public = private.public_key().public_bytes_raw()
        return self.settings.log_origin or f"dsk.local/{merkle.leaf_hash(public).hex()[:16]}"

    def _drop_partial(self, before: int, after: int) -> None:
        """Remove partial tiles whose full tile is there now."""
        level = 0
        while before >> 8 * level:
            start, end = before >> 8 * level, after >> 8 * level
            if start % WIDTH and end // WIDTH > start // WIDTH:
                for kind in ("entries", level) if level == 0 else (level,):
                    self._drop_widths(kind, start // WIDTH)
            level += 1

    def _drop_widths(self, level: int | str, number: int) -> None:
        folder = f"{FOLDER}/{tile_path(level, number)}.p"
        for name in self.lake.names(folder):
            self.lake.remove(f"{folder}/{name}")


def memory(settings: Settings, kind: str) -> Path:
    """Where a checkpoint of the log is remembered outside the lake, a file for each lake."""
    return settings.home.resolve() / "log" / f"{sha256_text(settings.lake_name)[:16]}.{kind}"


def keep(path: Path, note: bytes) -> None:
    """Remember a checkpoint in the file *path*, which no loss of power leaves empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.new")
    partial.write_bytes(note)
    publish(partial, path)


def ed25519(signer: "CryptoSigner", name: str) -> Ed25519PrivateKey:
    """The Ed25519 key of *signer*; :class:`SettingsError` where it is of another kind."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private = load_pem_private_key(signer.private_bytes, None)
    if not isinstance(private, Ed25519PrivateKey):
        raise SettingsError(f"{name}: checkpoints are signed with Ed25519 — give such a key")
    return private


def parse_note(data: bytes, name: str) -> Note:
    """The note in *data*; :class:`CorruptedError` where it is none."""
    try:
        return Note.parse(data)
    except ValueError as error:
        raise CorruptedError(f"{name} is not a signed note ({error})") from None


def parse_checkpoint(note: Note) -> Checkpoint:
    """The checkpoint that *note* signs; :class:`CorruptedError` where it is none."""
    try:
        return Checkpoint.parse(note.text)
    except ValueError as error:
        raise CorruptedError(f"the log's checkpoint is not readable ({error})") from None


def _is_signed(note: Note, key: NoteKey) -> bool:
    try:
        return note.verify(key) is not None
    except ValueError:
        return False


def _gone_back(remembered: Checkpoint, size: int) -> str:
    return (
        f"the log has {size} entries, and this machine has signed {remembered.size}: it was "
        "rolled back or cut — restore evidence/log from a newer copy"
    )
