"""Evidence that verifies candidate pairs: the word sequences that two texts have in common.

A document's sketch is the rising hashes of its sequences of five words, or the smallest of them
(see :mod:`dsk_assets.filters.signatures`). Up to the smaller of two sketches' ends both are
complete, so there the share is that of the whole texts (bottom-k sketches, Cohen and Kaplan 2007);
it is exact for texts whose sketches are whole.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from dsk_assets.errors import MissingInputError
from dsk_assets.filters.signatures import SKETCH
from dsk_assets.filters.words import Ints
from dsk_assets.lake.tables import read_batches

_AT_ONCE = 4_000_000
"""Hashes compared at once."""


@dataclass(frozen=True)
class Sketches:
    """The sketches of some documents: ``values[begin : begin + size]`` for each."""

    begin: Ints
    size: Ints
    values: npt.NDArray[np.uint32]

    def similarity(self, one: Ints, other: Ints) -> npt.NDArray[np.float64]:
        """The Jaccard similarity of each pair of documents, from 0 to 1."""
        work = np.cumsum(self.size[one] + self.size[other]) // _AT_ONCE
        cuts = [0, *(np.flatnonzero(np.diff(work)) + 1), len(one)]
        parts = [
            self._similarity(one[start:stop], other[start:stop]) for start, stop in pairwise(cuts)
        ]
        return np.concatenate(parts)

    def _similarity(self, one: Ints, other: Ints) -> npt.NDArray[np.float64]:
        if not len(one):
            return np.zeros(0)
        document = np.concatenate((one, other))
        size = self.size[document]
        ends = self.begin[document] + size
        complete = np.where(size < SKETCH, np.uint32(0xFFFFFFFF), self.values[ends - 1])
        limit = np.minimum(complete[: len(one)], complete[len(one) :])
        pair = np.repeat(np.tile(np.arange(len(one)), 2), size)
        places = np.arange(size.sum()) + np.repeat(ends - np.cumsum(size), size)
        value = self.values[places]
        counted = value <= limit[pair]
        keys = np.sort(pair[counted].astype(np.uint64) << np.uint64(32) | value[counted])
        common = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
        both = np.bincount(common.astype(np.int64), minlength=len(one))
        total = np.bincount(pair[counted], minlength=len(one))
        return np.asarray(both / (total - both))


def sketches_in(paths: Sequence[Path], doc_ids: pl.Series) -> Sketches:
    """The sketches of the documents *doc_ids*, in this order, from parts of table ``signature``.

    They are copied to a temporary file and mapped, so that memory does not grow with them. Raises
    :class:`MissingInputError` where one is missing.
    """
    wanted = pl.DataFrame({"doc_id": doc_ids}).with_row_index("place")
    begin, size = np.full(len(doc_ids), -1, np.int64), np.zeros(len(doc_ids), np.int64)
    written = 0
    with tempfile.TemporaryFile() as file:
        for path in paths if len(doc_ids) else ():
            for batch in read_batches(path, ["doc_id", "shingles"]):
                rows = pl.DataFrame(pl.from_arrow(batch)).join(wanted, on="doc_id")
                place = rows["place"].to_numpy()
                sizes = rows["shingles"].bin.size().to_numpy().astype(np.int64) // 4
                begin[place] = written + np.cumsum(sizes) - sizes
                size[place] = sizes
                written += int(sizes.sum())
                file.writelines(rows["shingles"])
        file.flush()
        if (begin < 0).any():
            raise MissingInputError(
                f"the signatures of {(begin < 0).sum()} documents are missing — materialise "
                "filtering/signatures again"
            )
        values = np.memmap(file, "<u4", "r") if written else np.zeros(0, np.uint32)
    return Sketches(begin, size, values)
