"""A Merkle tree in files: tiles of hashes and bundles of entries (https://c2sp.org/tlog-tiles)."""

import struct
from collections.abc import Callable, Iterator, Sequence

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence import merkle

WIDTH = 256
HASH = 32
MAX_ENTRY = 65_535
"""Bytes of the largest entry: bundles hold lengths of two bytes."""


def tile_path(level: int | str, number: int, width: int = WIDTH) -> str:
    """Where a tile lies below the log's folder; *level* is ``entries`` for a bundle."""
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.insert(0, f"x{number % 1000:03d}")
    path = f"tile/{level}/{'/'.join(parts)}"
    return path if width == WIDTH else f"{path}.p/{width}"


def bundle(entries: Sequence[bytes]) -> bytes:
    """Entries with their lengths, as a bundle holds them; ``ValueError`` for one too large."""
    if any(len(entry) > MAX_ENTRY for entry in entries):
        raise ValueError(f"an entry has more than {MAX_ENTRY} bytes")
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def unbundle(data: bytes) -> list[bytes]:
    """The entries of a bundle; ``ValueError`` where it ends within one."""
    entries = []
    place = 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 2], "big")
        entry = data[place + 2 : place + 2 + length]
        if place + 2 > len(data) or len(entry) != length:
            raise ValueError("the bundle ends within an entry")
        entries.append(entry)
        place += 2 + length
    return entries


class Tree:
    """The first *size* entries of a log; *read* gives the bytes of a path below its folder.

    ``read`` raises :class:`MissingInputError` where there is no such file.
    """

    def __init__(self, read: Callable[[str], bytes], size: int):
        self.size = size
        self._read = read
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def root(self) -> bytes:
        """The root hash, computed from the tiles."""
        return self._subtree(0, self.size)

    def root_at(self, size: int) -> bytes:
        """The root that the tree had with *size* entries."""
        return self._subtree(0, size)

    def leaf(self, index: int) -> bytes:
        """The leaf hash at *index*."""
        return self.hashes(0, index // WIDTH)[index % WIDTH]

    def inclusion(self, index: int) -> list[bytes]:
        """Proof that the entry at *index* is in the tree."""
        return merkle.inclusion_proof(index, self.size, self._subtree)

    def consistency(self, size: int) -> list[bytes]:
        """Proof that the tree of the first *size* entries is the beginning of this one."""
        return merkle.consistency_proof(size, self.size, self._subtree)

    def hashes(self, level: int, number: int) -> list[bytes]:
        """The hashes of a tile, as many as a tree of this size has there."""
        known = self._tiles.get((level, number))
        if known is None:
            width = min(WIDTH, (self.size >> 8 * level) - number * WIDTH)
            data = self._file(level, number, width)[: width * HASH]
            if len(data) != width * HASH:
                raise CorruptedError(f"{tile_path(level, number, width)} of the log is cut short")
            known = [data[i : i + HASH] for i in range(0, len(data), HASH)]
            self._tiles[level, number] = known
        return known

    def bundle(self, number: int) -> list[bytes]:
        """The entries of a bundle, as many as a tree of this size has there."""
        width = min(WIDTH, self.size - number * WIDTH)
        try:
            entries = unbundle(self._file("entries", number, width))[:width]
        except ValueError:
            entries = []
        if len(entries) != width:
            raise CorruptedError(f"{tile_path('entries', number, width)} of the log is cut short")
        return entries

    def entries(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of each entry from *start* on; they are not compared with the tree."""
        for number in range(start // WIDTH, -(-self.size // WIDTH)):
            for index, entry in enumerate(self.bundle(number), number * WIDTH):
                if index >= start:
                    yield index, entry

    def _file(self, level: int | str, number: int, width: int) -> bytes:
        try:
            return self._read(tile_path(level, number, width))
        except MissingInputError:
            if width == WIDTH:
                raise
            return self._read(tile_path(level, number))

    def _subtree(self, start: int, end: int) -> bytes:
        return merkle.subtree_by_halves(self._full, start, end)

    def _full(self, start: int, end: int) -> bytes:
        """Hash of a full subtree: that many hashes of one tile, hashed together."""
        height = (end - start).bit_length() - 1
        level = height // 8
        first, count = start >> 8 * level, (end - start) >> 8 * level
        hashes = self.hashes(level, first // WIDTH)
        return merkle.root_of(hashes[first % WIDTH : first % WIDTH + count])


def growth(tree: Tree, entries: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Paths and bytes of all files that change when *entries* come after those of *tree*."""
    if not entries:
        return
    present = tree.bundle(tree.size // WIDTH) if tree.size % WIDTH else []
    for number, part in _cut([*present, *entries], tree.size // WIDTH):
        yield tile_path("entries", number, len(part)), bundle(part)
    level = 0
    hashes = [merkle.leaf_hash(entry) for entry in entries]
    while hashes:
        before = tree.size >> 8 * level
        present = tree.hashes(level, before // WIDTH) if before % WIDTH else []
        full = []
        for number, part in _cut([*present, *hashes], before // WIDTH):
            yield tile_path(level, number, len(part)), b"".join(part)
            if len(part) == WIDTH:
                full.append(merkle.root_of(part))
        level += 1
        hashes = full


def _cut(items: Sequence[bytes], first: int) -> Iterator[tuple[int, Sequence[bytes]]]:
    for start in range(0, len(items), WIDTH):
        yield first + start // WIDTH, items[start : start + WIDTH]
