"""The data order: a permutation that can be turned round, and a mix whose weights are kept."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsk_assets.training.order import Division, Order, Source
from dsk_assets.training.permutation import Permutation

sources = st.lists(
    st.builds(
        Source,
        donation=st.just("d"),
        tokens=st.integers(0, 60),
        weight=st.sampled_from([0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.7]),
    ),
    min_size=1,
    max_size=5,
).filter(lambda made: any(source.tokens for source in made))
orders = st.builds(
    Order,
    seed=st.integers(0, 2**53 - 1),
    release=st.text("0123456789abcdef", min_size=8, max_size=8),
    sources=sources.map(tuple),
    sequence_length=st.integers(2, 40),
)


@settings(max_examples=200, deadline=None)
@given(n=st.integers(1, 3000), key=st.binary(max_size=40))
def test_every_number_is_reached_once_and_found_again(n: int, key: bytes) -> None:
    permutation = Permutation(n, key)
    everything = np.arange(n, dtype=np.uint64)
    image = permutation.forward(everything)
    assert np.array_equal(np.sort(image), everything)
    assert np.array_equal(permutation.inverse(image), everything)


@given(n=st.integers(1, 2**62), key=st.binary(max_size=40), data=st.data())
def test_it_turns_round_at_any_size(n: int, key: bytes, data: st.DataObject) -> None:
    permutation = Permutation(n, key)
    chosen = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=50))
    numbers = np.array(chosen, np.uint64)
    image = permutation.forward(numbers)
    assert (image < n).all()
    assert np.array_equal(permutation.inverse(image), numbers)
    assert np.array_equal(permutation.forward(permutation.inverse(numbers)), numbers)


def test_keys_give_different_orders_that_look_random() -> None:
    n = 20_000
    everything = np.arange(n, dtype=np.uint64)
    one = Permutation(n, b"one").forward(everything)
    two = Permutation(n, b"two").forward(everything)
    assert (one == two).sum() < 10
    assert (one == everything).sum() < 10
    for image in (one, two):
        assert abs(np.corrcoef(image[:-1], image[1:])[0, 1]) < 0.03
        assert abs(np.corrcoef(image, everything)[0, 1]) < 0.03


def test_the_order_of_a_release_never_changes() -> None:
    """Checkpoints name the order by its name; these values may change only together with it."""
    order = Order(7, "release", (Source("a", 100, 1.0), Source("b", 50, 0.5)), 10)
    in_pass_0 = [0, 7, 12, 6, 3, 4, 8, 5, 1, 11, 9, 10, 2]
    assert order.sequences(range(15)) == [
        *((0, sequence) for sequence in in_pass_0), (1, 6), (1, 11),
    ]  # fmt: skip
    assert [(span.source, span.start, span.end) for span in order.spans(1, 12)] == [
        (1, 45, 50), (0, 0, 5),
    ]  # fmt: skip


@settings(deadline=None)
@given(order=orders, data=st.data())
def test_samples_and_sequences_answer_each_other(order: Order, data: st.DataObject) -> None:
    samples = data.draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
    for sample, (number, sequence) in zip(samples, order.sequences(samples), strict=True):
        assert 0 <= sequence < order.sequences_per_pass
        assert order.sample(number, sequence) == sample


def read(order: Order, number: int) -> Counter[tuple[int, int]]:
    """How often pass *number* reads each token of each source."""
    times: Counter[tuple[int, int]] = Counter()
    for sequence in range(order.sequences_per_pass):
        spans = list(order.spans(number, sequence))
        assert sum(span.end - span.start for span in spans) == order.sequence_length
        for span in spans:
            assert 0 <= span.start < span.end <= order.sources[span.source].tokens
            times.update((span.source, token) for token in range(span.start, span.end))
    return times


@settings(deadline=None)
@given(order=orders, number=st.integers(0, 10**9))
def test_a_pass_reads_each_donation_as_often_as_its_weight_says(order: Order, number: int) -> None:
    times = read(order, number)
    filled_up = order.sequences_per_pass * order.sequence_length - order.tokens_per_pass
    assert 0 <= filled_up < order.sequence_length
    assert times.total() == order.tokens_per_pass + filled_up
    for index, source in enumerate(order.sources):
        for token in range(source.tokens):
            once_less = source.tokens_per_pass // source.tokens
            assert times[index, token] >= once_less
    most = max(source.tokens_per_pass / source.tokens for source in order.sources if source.tokens)
    least = min(source.tokens_per_pass for source in order.sources if source.tokens)
    wraps = -(-filled_up // least) * -(-most // 1)
    assert max(times.values()) <= -(-most // 1) + wraps


@given(
    tokens=st.integers(20, 60),
    weight=st.sampled_from([0.1, 0.25, 0.5, 1.5, 3.7]),
)
def test_a_fractional_weight_is_exact_over_passes(tokens: int, weight: float) -> None:
    source = Source("d", tokens, weight)
    order = Order(1, "r", (source,), source.tokens_per_pass)
    times: Counter[tuple[int, int]] = Counter()
    for number in range(tokens):
        times.update(read(order, number))
    assert set(times.values()) == {source.tokens_per_pass}


def test_passes_are_read_in_different_orders() -> None:
    order = Order(7, "r", (Source("a", 10_000, 1.0),), 10)
    one = [sequence for _, sequence in order.sequences(range(1000))]
    two = [sequence for _, sequence in order.sequences(range(1000, 2000))]
    assert sorted(one) == sorted(two) == list(range(1000))
    assert sum(a == b for a, b in zip(one, two, strict=True)) < 10


@pytest.mark.parametrize("n", [0, -1, 2**63])
def test_a_size_that_cannot_be_permuted_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="cannot permute"):
        Permutation(n, b"")


@given(
    share=st.integers(1, 6), processes=st.integers(1, 5), parts=st.integers(1, 4),
    step=st.integers(1, 10**9),
)  # fmt: skip
def test_the_division_can_be_turned_round(
    share: int, processes: int, parts: int, step: int
) -> None:
    size = share * parts * processes
    division = Division(size, processes, share)
    read = [
        sample
        for rank in range(processes)
        for part in division.parts(step, rank)
        for sample in part
    ]
    assert read == list(range((step - 1) * size, step * size))
    seats = [division.seat(sample) for sample in read]
    assert len(set(seats)) == size
    assert [division.sample(seat) for seat in seats] == read
    assert {seat.step for seat in seats} == {step}
