"""The log as verification reads it: every entry, the tree over them, and what was seen before.

The tree is rebuilt from the entries; no hash that lies in a file is believed.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from dsk_assets.errors import CorruptedError, MissingInputError, StorageError
from dsk_assets.evidence import tiles
from dsk_assets.evidence.merkle import leaf_hash, root_of
from dsk_assets.evidence.notes import Checkpoint, Note, NoteKey
from dsk_assets.evidence.verify.envelopes import PROVENANCE, SHA_256, Unreadable, parse
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.trust import KeyRing, cosigned, development, signed_by_log
from dsk_assets.lake.store import Lake, Zone

FOLDER = f"{Zone.EVIDENCE}/log"
CHECKPOINT = f"{FOLDER}/checkpoint"

NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL)
"""What the system says where something else lies under a name than a file."""


@dataclass(frozen=True)
class Entry:
    """One entry: the path of a statement's envelope, the digests of envelope and statement, and
    the entry itself."""

    index: int
    path: str
    envelope: str
    statement: str
    data: bytes


@dataclass(frozen=True)
class LogView:
    """A log's signed checkpoint and the entries that were found."""

    note: Note
    checkpoint: Checkpoint
    data: Sequence[bytes]

    @cached_property
    def hashes(self) -> list[bytes]:
        """The leaf hash of each entry that was found."""
        return [leaf_hash(one) for one in self.data]

    def entries(self) -> Iterator[Entry | Fault]:
        """The entries in order; a fault for one that cannot be read or repeats an earlier one."""
        seen: dict[str, int] = {}
        for index, data in enumerate(self.data):
            try:
                entry = _entry(index, data)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                yield Fault("log-entry", f"log entry {index}", str(error))
                continue
            if entry.path in seen:
                yield Fault("log-entry", f"log entry {index}", f"as entry {seen[entry.path]}")
            seen.setdefault(entry.path, index)
            yield entry

    def continues(self, earlier: Checkpoint, place: str) -> Iterator[Fault]:
        """Faults where this log does not continue the checkpoint *earlier*, found at *place*."""
        if earlier.origin != self.checkpoint.origin:
            detail = f"{earlier.origin}, now {self.checkpoint.origin}"
            yield Fault("log-forked", place, detail)
        elif earlier.size > len(self.data):
            yield Fault("log-rolled-back", place, f"{earlier.size} entries, now {len(self.data)}")
        elif root_of(self.hashes[: earlier.size]) != earlier.root:
            yield Fault("log-forked", place, f"at {earlier.size} entries")


def _entry(index: int, data: bytes) -> Entry:
    content = parse(data)
    asset, partition, number = content["asset"], content["partition"], content["number"]
    folder = "statements" if content["predicateType"] == PROVENANCE else "attestations"
    path = f"{Zone.EVIDENCE}/{folder}/{asset}/{partition or '_'}/{number:06d}.json"
    digests = content["envelope"], content["statement"]
    if not all(SHA_256.fullmatch(one) for one in digests):
        raise Unreadable("not a digest")
    if not path.isprintable() or {"", ".", ".."} & set(path.split("/")):
        raise Unreadable("a path that leads elsewhere")
    return Entry(index, path, *digests, data)


def printable(path: str) -> str:
    """*path* for a line of text, whatever it is made of."""
    return path if path.isprintable() else path.encode("unicode_escape").decode()


def read_bytes(lake: Lake, path: str) -> bytes | None:
    """The bytes of a file of the lake, None where there is none.

    Raises :class:`Unreadable` for what is no file that can be read, and like
    :func:`refuse_unreachable`.
    """
    if lake.is_other(path):
        raise Unreadable("it is no file")
    try:
        return lake.read(path)
    except MissingInputError:
        return None
    except (OSError, ValueError) as error:
        refuse_unreachable(error, path)
        raise Unreadable(f"it cannot be read ({type(error).__name__})") from None


def refuse_unreachable(error: Exception, path: str) -> None:
    """Raise :class:`StorageError` where *error* is none of the evidence but of its storage.

    A file that may not be read, or a disk that does not answer, says nothing of what it holds.
    """
    if isinstance(error, OSError) and error.errno not in NO_FILE:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise StorageError(
            f"{path} could not be read ({reason}) — see to it that whoever verifies may read the "
            "whole lake, then verify again"
        ) from None


def read_log(lake: Lake) -> tuple[LogView | None, list[Fault]]:
    """The log of a lake, and what is wrong with its files; None where there is none to read."""
    try:
        signed = read_bytes(lake, CHECKPOINT)
        if signed is None:
            return None, [Fault("log-missing", CHECKPOINT)]
        note = Note.parse(signed)
        checkpoint = Checkpoint.parse(note.text)
    except ValueError as error:
        return None, [Fault("log-unsigned", CHECKPOINT, str(error))]

    def read(path: str) -> bytes:
        data = read_bytes(lake, f"{FOLDER}/{path}")
        if data is None:
            raise MissingInputError(f"{path} of the log is not there")
        return data

    tree = tiles.Tree(read, checkpoint.size)
    data: list[bytes] = []
    faults = []
    try:
        data.extend(entry for _, entry in tree.entries())
    except (CorruptedError, MissingInputError, Unreadable) as error:
        faults.append(Fault("log-truncated", f"log entry {len(data)}", str(error)))
    view = LogView(note, checkpoint, data)
    if not faults and root_of(view.hashes) != checkpoint.root:
        faults.append(Fault("log-root", CHECKPOINT, f"at {checkpoint.size} entries"))
    return view, faults + list(_tiles(view, tree))


def _tiles(view: LogView, tree: tiles.Tree) -> Iterator[Fault]:
    """The tiles of hashes, which proofs are read from, hold what the entries give."""
    level, hashes = 0, view.hashes
    while hashes:
        for number in range(-(-len(hashes) // tiles.WIDTH)):
            part = hashes[number * tiles.WIDTH : (number + 1) * tiles.WIDTH]
            try:
                good = tree.hashes(level, number)[: len(part)] == part
            except (CorruptedError, MissingInputError, Unreadable):
                good = False
            if not good:
                path = tiles.tile_path(level, number, len(part))
                yield Fault("log-tile", f"{FOLDER}/{path}")
        full = len(hashes) - len(hashes) % tiles.WIDTH
        starts = range(0, full, tiles.WIDTH)
        hashes = [root_of(hashes[start : start + tiles.WIDTH]) for start in starts]
        level += 1


def check_seen(
    view: LogView, lake: Lake, ring: KeyRing, earlier: Mapping[str, bytes]
) -> tuple[list[Fault], dict[str, tuple[int, int]]]:
    """Whether the log's key signed its checkpoint, and whether it continues all that was seen.

    Keys that have been rotated still speak for the checkpoints of their time. *earlier* holds
    notes by the place where they were kept. Returns faults, and for each witness the size that it
    has cosigned and when (POSIX seconds).
    """
    faults = []
    if not signed_by_log(view.note, ring.of_role("log")):
        faults.append(Fault("log-unsigned", CHECKPOINT))
    if not earlier:
        faults.append(Fault("no-memory", CHECKPOINT))
    for place, data in earlier.items():
        faults += _against(view, place, data, partial(signed_by_log, keys=ring.ever("log")))
    witnesses: dict[str, tuple[int, int]] = {}
    for name in lake.names(f"{FOLDER}/witness"):
        place = f"{FOLDER}/witness/{name}"

        def seen(note: Note) -> bool:
            times = cosigned(note, ring)
            size = Checkpoint.parse(note.text).size
            witnesses.update({witness: (size, time) for witness, time in times.items()})
            return bool(times) and signed_by_log(note, ring.ever("log"))

        try:
            data = read_bytes(lake, place) or b""
        except Unreadable as error:
            faults.append(Fault("witness-wrong", place, str(error)))
            continue
        faults += _against(view, place, data, seen, "witness-wrong")
    if not witnesses:
        faults.append(Fault("no-witness", CHECKPOINT))
    elif (followed := max(size for size, _ in witnesses.values())) < view.checkpoint.size:
        detail = f"{followed} of {view.checkpoint.size} entries"
        faults.append(Fault("witness-behind", CHECKPOINT, detail))
    silent = {NoteKey.parse(one.vkey or "").name for one in ring.of_role("witness")}
    faults += [Fault("witness-silent", name) for name in sorted(silent - set(witnesses))]
    faults += development(ring)
    return faults, witnesses


def _against(
    view: LogView,
    place: str,
    data: bytes,
    good: Callable[[Note], bool],
    wrong: str = "log-unsigned",
) -> list[Fault]:
    try:
        note = Note.parse(data)
        checkpoint = Checkpoint.parse(note.text)
        if not good(note):
            return [Fault(wrong, place)]
    except ValueError as error:
        return [Fault(wrong, place, str(error))]
    return list(view.continues(checkpoint, place))
