"""The log as verification reads it: every entry, the tree over them, and what was seen before.

The tree is rebuilt from the entries; no hash that lies in a file is believed.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence import tiles
from dsk_assets.evidence.merkle import leaf_hash, root_of
from dsk_assets.evidence.notes import Checkpoint, Note
from dsk_assets.evidence.verify.envelopes import PROVENANCE, Unreadable, parse
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.trust import KeyRing, cosigned, development, signed_by_log
from dsk_assets.lake.store import Lake, Zone

FOLDER = f"{Zone.EVIDENCE}/log"
CHECKPOINT = f"{FOLDER}/checkpoint"
NAME = re.compile(r"[^/]+")


@dataclass(frozen=True)
class Entry:
    """One entry: the path of a statement's envelope, and the digests of envelope and statement."""

    index: int
    path: str
    predicate_type: str
    envelope: str
    statement: str


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
                entry = _entry(index, parse(data))
            except (ValueError, KeyError, TypeError) as error:
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


def _entry(index: int, content: Mapping[str, str | int | None]) -> Entry:
    asset, partition = str(content["asset"]), content["partition"]
    folder = "statements" if content["predicateType"] == PROVENANCE else "attestations"
    path = f"{Zone.EVIDENCE}/{folder}/{asset}/{partition or '_'}/{content['number']:06d}.json"
    if ".." in path:
        raise Unreadable("a path that leads elsewhere")
    return Entry(
        index=index,
        path=path,
        predicate_type=str(content["predicateType"]),
        envelope=str(content["envelope"]),
        statement=str(content["statement"]),
    )


def read_log(lake: Lake) -> tuple[LogView | None, list[Fault]]:
    """The log of a lake, and what is wrong with its files; None where there is none to read."""
    try:
        note = Note.parse(lake.read(CHECKPOINT))
        checkpoint = Checkpoint.parse(note.text)
    except MissingInputError:
        return None, [Fault("log-missing", CHECKPOINT)]
    except ValueError as error:
        return None, [Fault("log-unsigned", CHECKPOINT, str(error))]
    tree = tiles.Tree(lambda path: lake.read(f"{FOLDER}/{path}"), checkpoint.size)
    data: list[bytes] = []
    faults = []
    try:
        data.extend(entry for _, entry in tree.entries())
    except (CorruptedError, MissingInputError) as error:
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
            except (CorruptedError, MissingInputError):
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

        faults += _against(view, place, lake.read(place), seen, "witness-wrong")
    if not witnesses:
        faults.append(Fault("no-witness", CHECKPOINT))
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
