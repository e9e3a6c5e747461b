"""The order in which training reads a corpus release: a pure function that can be turned round.

One *pass* reads of each donation its tokens times its weight. Laid end to end in the release's
order of donations these make the pass's stream, which is cut into sequences of equal length; the
last sequence is filled up from the stream's beginning, so every token is read. Sequences are read
in the order of a keyed permutation, another in each pass.

A weight that is not whole is exact over passes: pass after pass a donation goes on where it
stopped, and starts again at its end. Documents stand in shards in the order of a hash, so the part
that a pass reads is a random sample of the donation's documents.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dsk_assets.lake.digests import canonical_json
from dsk_assets.training.permutation import Numbers, Permutation

NAME = "feistel-cyclic-v1"
"""What checkpoints call this order; another definition takes another name."""


@dataclass(frozen=True)
class Source:
    """One donation as the order sees it."""

    donation: str
    tokens: int
    """Tokens that are trained on."""
    weight: float
    held_out: int = 0
    """Tokens before these, at the donation's beginning, that the order never reads."""

    @property
    def tokens_per_pass(self) -> int:
        """Tokens read in one pass: its tokens times its weight, and at least one if it has any."""
        return max(1, round(self.tokens * self.weight)) if self.tokens else 0


@dataclass(frozen=True)
class Span:
    """Tokens from *start* to before *end* of a donation: its shards laid end to end, from the first
    token on that is not held out."""

    source: int
    start: int
    end: int


@dataclass(frozen=True)
class Stretch:
    """Places from *start* to before *end* in the stream of a pass, filled up to whole sequences."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Number of tokens."""
        return self.end - self.start


@dataclass(frozen=True)
class Order:
    """The order of all sequences, for ever: sample 0, 1, 2, … through one pass after another."""

    seed: int
    release: str
    """Digest of the corpus release; it covers the shards and the mix."""
    sources: tuple[Source, ...]
    sequence_length: int

    @cached_property
    def tokens_per_pass(self) -> int:
        """Length of a pass's stream."""
        return sum(source.tokens_per_pass for source in self.sources)

    @property
    def sequences_per_pass(self) -> int:
        """Sequences in a pass; the last one may be filled up from the stream's beginning."""
        return -(-self.tokens_per_pass // self.sequence_length)

    def sequences(self, samples: Sequence[int]) -> list[tuple[int, int]]:
        """The ``(pass, sequence)`` that each of *samples* reads."""
        found: list[tuple[int, int]] = []
        for sample in samples:
            number, place = divmod(sample, self.sequences_per_pass)
            [sequence] = self.permutation(number).forward(_numbers([place]))
            found.append((number, int(sequence)))
        return found

    def sample(self, number: int, sequence: int) -> int:
        """The sample that reads *sequence* in pass *number*: the inverse of :meth:`sequences`."""
        [place] = self.permutation(number).inverse(_numbers([sequence]))
        return number * self.sequences_per_pass + int(place)

    def permutation(self, number: int) -> Permutation:
        """The permutation of the sequences of pass *number*."""
        key = canonical_json([NAME, self.seed, self.release, self.sequence_length, number])
        return Permutation(self.sequences_per_pass, key)

    def spans(self, number: int, sequence: int) -> Iterator[Span]:
        """The tokens of *sequence* in pass *number*, in the order in which they are read."""
        position = sequence * self.sequence_length
        left = self.sequence_length
        while left:
            place = position % self.tokens_per_pass
            index = bisect_right(self._ends, place)
            source = self.sources[index]
            beyond = self._ends[index] - place
            passed = (number + 1) * source.tokens_per_pass - beyond
            start = passed % source.tokens
            length = min(left, beyond, source.tokens - start)
            yield Span(index, start, start + length)
            position += length
            left -= length

    def stretches(self, number: int, source: int, start: int, end: int) -> Iterator[Stretch]:
        """Where tokens *start* to before *end* of a donation stand in pass *number*.

        The inverse of :meth:`spans`: the same token stands in several places when its donation is
        read more than once in a pass, or when the last sequence is filled up with it.
        """
        made = self.sources[source]
        if start >= end:
            return
        begins = self._ends[source] - made.tokens_per_pass
        first, beyond = number * made.tokens_per_pass, (number + 1) * made.tokens_per_pass
        for reading in range(first // made.tokens, -(-beyond // made.tokens)):
            low = max(first, reading * made.tokens + start)
            high = min(beyond, reading * made.tokens + end)
            if low < high:
                yield from self._repeated(begins + low - first, begins + high - first)

    def _repeated(self, start: int, end: int) -> Iterator[Stretch]:
        filled = self.sequences_per_pass * self.sequence_length
        for shift in range(0, filled - start, self.tokens_per_pass):
            yield Stretch(start + shift, min(end + shift, filled))

    @cached_property
    def _ends(self) -> list[int]:
        ends, end = [], 0
        for source in self.sources:
            end += source.tokens_per_pass
            ends.append(end)
        return ends


@dataclass(frozen=True)
class Seat:
    """Where a sequence is read: by process *rank*, as *row* of its *part* of a *step*."""

    step: int
    rank: int
    part: int
    row: int


@dataclass(frozen=True)
class Division:
    """How the samples of the order fall to steps, processes and the parts that one reads at once.

    The samples of a step are the same for any division; :meth:`seat` and :meth:`sample` are each
    other's inverse.
    """

    batch_size: int
    processes: int = 1
    rows_at_once: int | None = None

    def seat(self, sample: int) -> Seat:
        """Where *sample* is read."""
        step, place = divmod(sample, self.batch_size)
        rank, row = divmod(place, self._share)
        return Seat(step + 1, rank, *divmod(row, self.rows_at_once or self._share))

    def sample(self, seat: Seat) -> int:
        """The sample that is read at *seat*."""
        row = seat.part * (self.rows_at_once or self._share) + seat.row
        return (seat.step - 1) * self.batch_size + seat.rank * self._share + row

    def parts(self, step: int, rank: int) -> list[range]:
        """The samples that process *rank* reads in *step*, part by part."""
        first = self.sample(Seat(step, rank, 0, 0))
        rows = self.rows_at_once or self._share
        return [range(at, at + rows) for at in range(first, first + self._share, rows)]

    @property
    def _share(self) -> int:
        return self.batch_size // self.processes


def _numbers(values: Sequence[int]) -> Numbers:
    return np.array(values, np.uint64)
