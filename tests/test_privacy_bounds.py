"""The upper bound on leaks: it holds as often as it says, and is not much too wide."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import beta

from dsk_assets.privacy.bounds import Stratum, upper_bound

DONATIONS = 200


@cache
def bound(*strata: tuple[int, int, int]) -> float:
    return upper_bound(Stratum(*one) for one in strata)


def reviewed(
    sizes: list[int], shares: list[float], read: list[int], seed: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """True leaks and bounds of donations whose passages leak with these *shares*."""
    rng = np.random.default_rng(seed)
    leaks = rng.binomial(sizes, shares, (DONATIONS, len(sizes)))
    seen = rng.hypergeometric(leaks, np.array(sizes) - leaks, read)
    rows = (tuple(zip(sizes, read, map(int, row), strict=True)) for row in seen)
    return leaks.sum(axis=1), np.array([bound(*row) for row in rows])


NEWS = [25_000, 2_500, 22_500]
"""Passages of 20 words in a million words: with capitals, with digits, others."""


@pytest.mark.parametrize(
    ("sizes", "shares", "read"),
    [
        (NEWS, [0.026, 0.02, 0.006], [1100, 300, 600]),
        (NEWS, [0.0026, 0.002, 0.0006], [1100, 300, 600]),
        (NEWS, [0.026, 0.02, 0.006], [220, 60, 120]),
        (NEWS, [0.1, 0.0, 0.0], [220, 60, 120]),
        ([1_000, 1_000, 1_000], [0.003, 0.003, 0.003], [300, 300, 300]),
        ([40, 300, 9_000], [0.2, 0.01, 0.0005], [40, 150, 1000]),
        ([9_000], [0.002], [1_500]),
    ],
)
def test_the_bound_holds_in_at_least_95_of_100_donations(
    sizes: list[int], shares: list[float], read: list[int]
) -> None:
    leaks, bounds = reviewed(sizes, shares, read)
    assert np.mean(bounds >= leaks) >= 0.95


def test_with_2000_passages_read_the_bound_is_at_most_twice_the_truth() -> None:
    leaks, bounds = reviewed(NEWS, [0.026, 0.02, 0.006], [1100, 300, 600])
    assert np.mean(bounds <= 2 * leaks) >= 0.95
    assert np.median(bounds / leaks) < 1.5


def test_one_stratum_has_the_limit_of_clopper_and_pearson() -> None:
    limit = beta.ppf(0.95, 4, 997)
    assert bound((100_000, 1000, 3)) == pytest.approx(100_000 * limit, rel=0.02)
    assert bound((100_000, 1000, 3)) >= 100_000 * limit * 0.9999
    assert bound((100_000, 1000, 0)) == pytest.approx(300, rel=0.02), "the rule of three"


def test_what_was_read_whole_is_known_and_what_was_not_read_is_not() -> None:
    assert bound((50, 50, 7), (10, 10, 0)) == 7
    assert bound() == 0
    assert bound((100, 0, 0)) == 100
    assert bound((100, 20, 20)) == 100


def test_more_leaks_raise_it_and_more_reading_lowers_it() -> None:
    by_leaks = [bound((1000, 100, leaks), (1000, 100, 1)) for leaks in range(6)]
    assert by_leaks == sorted(by_leaks) and len(set(by_leaks)) == 6
    by_reading = [bound((1000, read, 1), (1000, 100, 1)) for read in (50, 100, 200, 400)]
    assert by_reading == sorted(by_reading, reverse=True)
