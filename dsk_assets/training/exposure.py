"""What training has read of a document or a donation, computed from the data order.

The order can be turned round, so nothing is searched: a document's tokens lie in known sequences
of each pass, and the inverse permutation says at which step each of them is read. The tokens of
all donations add up to the tokens that were fed, to the last one.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dsk_assets.training.order import Order, Stretch

_EXPOSURE: list[tuple[str, pa.DataType]] = [
    ("donation", pa.string()),
    ("tokens", pa.int64()),
    ("tokens_read", pa.int64()),
    ("first_step", pa.int64()),
]
EXPOSURE = pa.schema(_EXPOSURE)
"""One row for each donation of a release: its tokens, how many were read (again in each pass, so
there may be more), and the step that first read one; null where none has been read."""


@dataclass(frozen=True)
class Reads:
    """The steps that read a stretch of tokens, ascending, and how many tokens each read of it."""

    steps: NDArray[np.int64]
    tokens: NDArray[np.int64]

    @property
    def first(self) -> int | None:
        """The first of the steps, or None where nothing is read."""
        return int(self.steps[0]) if len(self.steps) else None

    def until(self, step: int) -> int:
        """Tokens read up to and with *step*."""
        return int(self.tokens[: np.searchsorted(self.steps, step, side="right")].sum())


def reads(order: Order, source: int, start: int, end: int, steps: int, batch_size: int) -> Reads:
    """Which of the first *steps* steps read tokens *start* to before *end* of donation *source*.

    *source* numbers the order's donations, tokens are counted through its shards laid end to end.
    Cost grows with the length of the stretch and the number of passes, not with the corpus.
    """
    samples = steps * batch_size
    found = [np.empty((2, 0), np.int64)]
    for number in range(-(-samples // order.sequences_per_pass)):
        for stretch in order.stretches(number, source, start, end):
            sequences, tokens = _cut(stretch, order.sequence_length)
            places = order.permutation(number).inverse(sequences.astype(np.uint64))
            found.append(np.stack([number * order.sequences_per_pass + places.astype(int), tokens]))
    sample, tokens = np.concatenate(found, axis=1)
    read = np.flatnonzero(sample < samples)
    read = read[np.argsort(sample[read], kind="stable")]
    return Reads(sample[read] // batch_size + 1, tokens[read])


def exposure(order: Order, steps: int, batch_size: int) -> pa.Table:
    """Table :data:`EXPOSURE` of a model that has been trained for *steps* steps.

    Costs one look at each sequence of the first and of the last pass, for all donations together.
    """
    passes, rest = divmod(steps * batch_size, order.sequences_per_pass)
    first = _Places.of(order, 0, min(steps * batch_size, order.sequences_per_pass))
    last = _Places.of(order, passes, rest)
    rows = []
    for index, source in enumerate(order.sources):
        whole = (0, source.tokens)
        earliest = min(
            (
                place
                for stretch in order.stretches(0, index, *whole)
                if (place := first.earliest(stretch)) is not None
            ),
            default=None,
        )
        rows.append(
            {
                "donation": source.donation,
                "tokens": source.tokens,
                "tokens_read": sum(
                    stretch.length
                    for number in range(passes)
                    for stretch in order.stretches(number, index, *whole)
                )
                + sum(map(last.tokens, order.stretches(passes, index, *whole))),
                "first_step": None if earliest is None else earliest // batch_size + 1,
            }
        )
    return pa.Table.from_pylist(rows, EXPOSURE)


@dataclass(frozen=True)
class _Places:
    """The sequences that the first places of a pass read: ascending, each with its place."""

    sequences: NDArray[np.int64]
    places: NDArray[np.int64]
    length: int

    @classmethod
    def of(cls, order: Order, number: int, count: int) -> "_Places":
        sequences = order.permutation(number).forward(np.arange(count, dtype=np.uint64))
        places = np.argsort(sequences)
        return cls(sequences[places].astype(np.int64), places, order.sequence_length)

    def _between(self, stretch: Stretch) -> slice:
        ends = (stretch.start // self.length, (stretch.end - 1) // self.length + 1)
        begin, end = np.searchsorted(self.sequences, ends)
        return slice(int(begin), int(end))

    def earliest(self, stretch: Stretch) -> int | None:
        places = self.places[self._between(stretch)]
        return int(places.min()) if len(places) else None

    def tokens(self, stretch: Stretch) -> int:
        """Tokens of *stretch* in these sequences: whole ones, and a part of the outer two."""
        starts = self.sequences[self._between(stretch)] * self.length
        ends = np.minimum(starts + self.length, stretch.end)
        return int((ends - np.maximum(starts, stretch.start)).sum())


def _cut(stretch: Stretch, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sequences that *stretch* lies in, and its tokens in each."""
    sequences = np.arange(stretch.start // length, (stretch.end - 1) // length + 1)
    starts = np.maximum(sequences * length, stretch.start)
    return sequences, np.minimum((sequences + 1) * length, stretch.end) - starts
