"""A keyed permutation of the numbers below *n*, computed rather than stored, with its inverse.

A Feistel network over the smallest even number of bits that holds *n* numbers; a result that is
not below *n* is put through again until it is ("cycle walking": Black and Rogaway 2002, "Ciphers
with arbitrary finite domains", https://doi.org/10.1007/3-540-45760-7_9). The domain is less than
four times *n*, so a number takes fewer than four walks on average. It shuffles; it keeps no secret.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6

Numbers = NDArray[np.uint64]


@dataclass(frozen=True)
class Permutation:
    """The permutation of ``0 … n-1`` that *key* selects."""

    n: int
    key: bytes

    def __post_init__(self) -> None:
        if not 0 < self.n <= 2**62:
            raise ValueError(f"cannot permute {self.n} numbers")

    def forward(self, numbers: Numbers) -> Numbers:
        """Where each of *numbers* goes."""
        return self._walk(numbers, inverse=False)

    def inverse(self, numbers: Numbers) -> Numbers:
        """What goes to each of *numbers*."""
        return self._walk(numbers, inverse=True)

    @cached_property
    def _half(self) -> int:
        return max(1, ((self.n - 1).bit_length() + 1) // 2)

    @cached_property
    def _keys(self) -> Numbers:
        digest = hashlib.blake2b(
            self.key, digest_size=8 * ROUNDS, person=b"dsk-data-order"
        ).digest()
        return np.frombuffer(digest, "<u8").astype(np.uint64)

    def _walk(self, numbers: Numbers, *, inverse: bool) -> Numbers:
        result = self._feistel(numbers.astype(np.uint64), inverse=inverse)
        outside = np.flatnonzero(result >= self.n)
        while outside.size:
            result[outside] = self._feistel(result[outside], inverse=inverse)
            outside = outside[result[outside] >= self.n]
        return result

    def _feistel(self, numbers: Numbers, *, inverse: bool) -> Numbers:
        half = np.uint64(self._half)
        mask = np.uint64((1 << self._half) - 1)
        left, right = numbers >> half, numbers & mask
        if inverse:
            for key in self._keys[::-1]:
                left, right = right ^ (_mix(left ^ key) & mask), left
        else:
            for key in self._keys:
                left, right = right, left ^ (_mix(right ^ key) & mask)
        return (left << half) | right


def _mix(numbers: Numbers) -> Numbers:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014): every bit depends on every other."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
