"""Evidence that verifies candidate pairs: the word sequences that two texts have in common.

A document's sketch is the rising hashes of its sequences of five words, or the smallest of them
(see :mod:`dsk_assets.filters.signatures`). Up to the smaller of two sketches' ends both are
complete, so there the share is that of the whole texts (bottom-k sketches, Cohen and Kaplan 2007);
it is exact for texts whose sketches are whole.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dsk_assets.filters.numbered import rows_of
from dsk_assets.filters.signatures import SKETCH
from dsk_assets.filters.words import Ints
from dsk_assets.lake.database import insert

_AT_ONCE = 4_000_000
"""Hashes compared at once."""


@dataclass(frozen=True)
class Sketches:
    """Sketches one behind the other; that of a document is ``values[start : start + size]``."""

    values: npt.NDArray[np.uint32]

    def similarity(
        self, start: Ints, size: Ints, other_start: Ints, other_size: Ints
    ) -> npt.NDArray[np.float64]:
        """The Jaccard similarity of each pair of sketches, from 0 to 1."""
        starts, sizes = np.stack((start, other_start)), np.stack((size, other_size))
        work = np.cumsum(sizes.sum(axis=0)) // _AT_ONCE
        cuts = [0, *(np.flatnonzero(np.diff(work)) + 1), len(start)]
        parts = [
            self._similarity(starts[:, one:next_one], sizes[:, one:next_one])
            for one, next_one in pairwise(cuts)
        ]
        return np.concatenate(parts)

    def _similarity(self, starts: Ints, sizes: Ints) -> npt.NDArray[np.float64]:
        pairs = starts.shape[1]
        if not pairs:
            return np.zeros(0)
        size = sizes.ravel()
        ends = starts.ravel() + size
        complete = np.where(size < SKETCH, np.uint32(0xFFFFFFFF), self.values[ends - 1])
        limit = np.minimum(complete[:pairs], complete[pairs:])
        pair = np.repeat(np.tile(np.arange(pairs), 2), size)
        places = np.arange(size.sum()) + np.repeat(ends - np.cumsum(size), size)
        value = self.values[places]
        counted = value <= limit[pair]
        keys = np.sort(pair[counted].astype(np.uint64) << np.uint64(32) | value[counted])
        common = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
        both = np.bincount(common.astype(np.int64), minlength=pairs)
        total = np.bincount(pair[counted], minlength=pairs)
        return np.asarray(both / (total - both))


@contextmanager
def sketches_in(
    database: duckdb.DuckDBPyConnection, parts: Sequence[tuple[Path, int]], scratch: Path
) -> Iterator[Sketches]:
    """The sketches of the documents in table ``band``, and table ``sketch``: where each stands.

    They are copied to a temporary file in *scratch* and mapped, so that memory does not grow with
    them.
    """
    database.execute("CREATE TABLE sketch (place BIGINT, start BIGINT, size BIGINT)")
    written = 0
    with tempfile.TemporaryFile(dir=scratch) as file:
        for rows in rows_of(database, _WANTED, parts, ["shingles"]):
            size = rows["shingles"].bin.size().to_numpy().astype(np.int64) // 4
            start = written + np.cumsum(size) - size
            placed = {"place": rows["place"].to_arrow(), "start": start, "size": size}
            insert(database, "sketch", pa.table(placed))
            file.writelines(rows["shingles"])
            written += int(size.sum())
        file.flush()
        yield Sketches(np.memmap(file, "<u4", "r") if written else np.zeros(0, np.uint32))


_WANTED = "(FROM ranked SEMI JOIN band USING (place))"
