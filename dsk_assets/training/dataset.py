"""What training reads: sequences of equal length out of a release's shards, in the data order.

Shards are memory-mapped, and any step can be read without those before it, so training that was
stopped goes on where it was.
"""

from bisect import bisect_right
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsk_assets.corpus.release import Member, OpenedRelease
from dsk_assets.errors import TrainingError
from dsk_assets.training.order import Order, Source


def release_order(release: OpenedRelease, seed: int, sequence_length: int) -> Order:
    """The order in which a release is read with these settings."""
    return Order(
        seed=seed,
        release=release.snapshot.digest,
        sources=tuple(
            Source(member.donation, member.tokens, member.weight) for member in release.members
        ),
        sequence_length=sequence_length,
    )


class SequenceDataset:
    """The sequences of a release. Nothing of a shard is read before a sequence needs it."""

    def __init__(self, release: OpenedRelease, *, seed: int, sequence_length: int, batch_size: int):
        """Raises :class:`TrainingError` for a release without tokens."""
        self.order = release_order(release, seed, sequence_length)
        if not self.order.tokens_per_pass:
            raise TrainingError(
                f"{release.snapshot.key} holds no tokens to train on — see why its donations' "
                "documents were dropped in filtering/decisions"
            )
        self.batch_size = batch_size
        self._donations = [_Tokens(member) for member in release.members]

    def batch(self, step: int) -> NDArray[np.int64]:
        """What step number *step* (from 1) reads: one row for each sequence of its batch."""
        first = (step - 1) * self.batch_size
        samples = range(first, first + self.batch_size)
        return np.stack([self.sequence(*place) for place in self.order.sequences(samples)])

    def sequence(self, number: int, sequence: int) -> NDArray[np.int64]:
        """The tokens of one sequence of pass *number*."""
        spans = self.order.spans(number, sequence)
        return np.concatenate(
            [self._donations[span.source].read(span.start, span.end) for span in spans]
        )


class _Tokens:
    """A donation's shards as one array of tokens."""

    def __init__(self, member: Member):
        self._shards: list[NDArray[Any]] = [
            np.memmap(path, np.dtype(dtype).newbyteorder("<"), mode="r")
            for path, dtype in member.files()
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
