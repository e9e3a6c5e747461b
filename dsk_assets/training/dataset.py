"""What training reads: sequences of equal length out of a release's shards, in the data order.

Shards are memory-mapped, and any step can be read without those before it, so training that was
stopped goes on where it was.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsk_assets.training.order import Order


class SequenceDataset:
    """The sequences of a release. Nothing of a shard is read before a sequence needs it."""

    def __init__(self, order: Order, files: Sequence[Iterable[tuple[Path, str]]], batch_size: int):
        """*files* are the shards of each donation of *order*, each with the type of its numbers."""
        self.order = order
        self.batch_size = batch_size
        self._donations = [_Tokens(shards) for shards in files]

    def batch(self, step: int) -> NDArray[np.int64]:
        """What step number *step* (from 1) reads: one row for each sequence of its batch."""
        first = (step - 1) * self.batch_size
        return self.samples(range(first, first + self.batch_size))

    def samples(self, numbers: Sequence[int]) -> NDArray[np.int64]:
        """One row for each of these samples of the order."""
        return np.stack([self.sequence(*place) for place in self.order.sequences(numbers)])

    def held_out(self, source: int) -> Iterator[NDArray[np.int64]]:
        """The held-out tokens of donation number *source*, cut into sequences, none filled up."""
        end, length = self.order.sources[source].held_out, self.order.sequence_length
        for start in range(0, end, length):
            yield self._donations[source].read(start, min(start + length, end))

    def tokens(self, source: int, start: int, end: int) -> NDArray[np.int64]:
        """Tokens *start* to before *end* of donation number *source*, held-out ones counted."""
        return self._donations[source].read(start, end)

    def sequence(self, number: int, sequence: int) -> NDArray[np.int64]:
        """The tokens of one sequence of pass *number*."""
        parts = []
        for span in self.order.spans(number, sequence):
            beyond = self.order.sources[span.source].held_out
            parts.append(self._donations[span.source].read(beyond + span.start, beyond + span.end))
        return np.concatenate(parts)


class _Tokens:
    """A donation's shards as one array of tokens."""

    def __init__(self, files: Iterable[tuple[Path, str]]):
        self._shards: list[NDArray[Any]] = [
            np.memmap(path, np.dtype(dtype).newbyteorder("<"), mode="r") for path, dtype in files
        ]
        self._ends = list(accumulate(len(shard) for shard in self._shards))

    def read(self, start: int, end: int) -> NDArray[np.int64]:
        """Tokens from *start* to before *end*."""
        parts = []
        while start < end:
            index = bisect_right(self._ends, start)
            shard = self._shards[index]
            offset = start - (self._ends[index] - len(shard))
            part = shard[offset : offset + end - start]
            parts.append(part.astype(np.int64))
            start += len(part)
        return np.concatenate(parts)
