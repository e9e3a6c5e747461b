"""What training has read: computed from the order, and the same as what is really fed."""

import datetime as dt
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from dsk_assets.cli.main import main
from dsk_assets.corpus.release import open_release
from dsk_assets.corpus.shards import LOOKUP
from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence import clock
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings
from dsk_assets.training import answers, base_model
from dsk_assets.training.exposure import EXPOSURE, exposure, reads
from dsk_assets.training.loader import Rank, step_dataset
from dsk_assets.training.order import Order, Source
from dsk_assets.training.released import release_dataset
from dsk_assets.training.run import checkpoints, train
from tests.corpora import (
    TRAINING,
    donate,
    in_process,
    open_catalog,
    released,
    texts,
    tokenise,
    write,
)  # fmt: skip
from tests.support import seed
from tests.test_order import orders

Token = tuple[int, int]


def fed(order: Order, steps: int, batch_size: int) -> list[list[Token]]:
    """What each step reads, token by token, as ``(donation, place)``, from the order."""
    made = []
    for step in range(steps):
        samples = range(step * batch_size, (step + 1) * batch_size)
        tokens: list[Token] = []
        for place in order.sequences(samples):
            for span in order.spans(*place):
                tokens += [(span.source, at) for at in range(span.start, span.end)]
        made.append(tokens)
    return made


@settings(max_examples=60)
@given(order=orders, steps=st.integers(0, 12), batch_size=st.integers(1, 5), data=st.data())
def test_what_is_computed_is_what_is_fed(order: Order, steps: int, batch_size: int, data) -> None:
    batches = fed(order, steps, batch_size)
    whole = exposure(order, steps, batch_size).to_pylist()
    for index, row in enumerate(whole):
        counts = [sum(source == index for source, _ in batch) for batch in batches]
        assert row["tokens_read"] == sum(counts)
        assert row["first_step"] == next((n for n, count in enumerate(counts, 1) if count), None)
    index = data.draw(st.sampled_from([i for i, s in enumerate(order.sources) if s.tokens]))
    start = data.draw(st.integers(0, order.sources[index].tokens - 1))
    end = data.draw(st.integers(start + 1, order.sources[index].tokens))
    found = reads(order, index, start, end, steps, batch_size)
    by_step: Counter[int] = Counter()
    for step, count in zip(found.steps.tolist(), found.tokens.tolist(), strict=True):
        by_step[step] += count
    expected = {
        step: count
        for step, batch in enumerate(batches, 1)
        if (count := sum(source == index and start <= at < end for source, at in batch))
    }
    assert by_step == expected
    assert found.first == min(expected, default=None)
    assert found.until(steps // 2) == sum(n for step, n in expected.items() if step <= steps // 2)


@given(order=orders, steps=st.integers(0, 200), batch_size=st.integers(1, 5))
def test_the_donations_add_up_to_all_that_was_fed(
    order: Order, steps: int, batch_size: int
) -> None:
    table = exposure(order, steps, batch_size)
    assert table.schema == EXPOSURE
    assert sum(table["tokens_read"].to_pylist()) == steps * batch_size * order.sequence_length


def test_ten_billion_tokens_need_no_table_of_sequences() -> None:
    """A document's answer touches its own sequences only, however large the release is."""
    order = Order(1, "r", (Source("a", 9 * 10**9, 1.0), Source("b", 10**9, 3.0)), 4096)
    found = reads(order, 1, 5_000, 6_000, order.sequences_per_pass // 8 + 1, 8)
    assert found.tokens.sum() == 3 * 1_000
    assert len(found.steps) <= 6
    samples = [step * 8 - offset for step in found.steps.tolist() for offset in range(1, 9)]
    spans = [span for place in order.sequences(samples) for span in order.spans(*place)]
    held = defaultdict(int)
    for span in spans:
        if span.source == 1:
            held[span.source] += max(0, min(span.end, 6_000) - max(span.start, 5_000))
    assert held[1] == 3 * 1_000


def test_nothing_is_read_before_the_first_step() -> None:
    order = Order(1, "r", (Source("a", 10, 1.0), Source("empty", 0, 1.0)), 4)
    assert exposure(order, 0, 2)["first_step"].to_pylist() == [None, None]
    assert reads(order, 0, 0, 10, 0, 2).first is None
    assert exposure(order, 5, 2)["tokens_read"].to_pylist() == [40, 0]
    assert np.array_equal(reads(order, 0, 3, 3, 5, 2).tokens, [])


@pytest.mark.parametrize("weight", [0.25, 1.0, 2.5])
def test_a_mix_reads_each_donation_by_its_weight(weight: float) -> None:
    order = Order(3, "r", (Source("a", 4_000, weight), Source("b", 4_000, 1.0)), 10)
    passes = 8
    table = exposure(order, passes * order.sequences_per_pass, 1).to_pylist()
    assert table[0]["tokens_read"] == pytest.approx(4_000 * weight * passes, rel=0.001)


A, B = "dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalog, list[Any]]]:
    """A trained run of more than one pass, and the batches that the model was given."""
    from transformers import LlamaForCausalLM

    catalog = open_catalog(tmp_path_factory.mktemp("exposed"))
    write(catalog.settings.consortium / "policies" / "twice.yaml", {"name": "twice", "version": "1",
          "applies_to": [B.partition("@")[0]], "weight": 2.5})  # fmt: skip
    write(
        catalog.settings.consortium / "training.yaml",
        TRAINING | {"steps": 40, "checkpoint_every": 5},
    )
    donate(catalog, A, texts("a", 25))
    donate(catalog, B, texts("bb", 8))
    tokenise(catalog, A, B)
    released(catalog)
    base_model.base_model(catalog)
    given: list[Any] = []
    forward = LlamaForCausalLM.forward
    with pytest.MonkeyPatch.context() as patch:

        def heard(self: Any, *args: Any, **kwargs: Any) -> Any:
            given.append(kwargs["input_ids"].numpy().copy())
            return forward(self, *args, **kwargs)

        patch.setattr(LlamaForCausalLM, "forward", heard)
        train(catalog, "1.0.0", in_process)
    yield catalog, given


def documents(catalog: Catalog) -> dict[str, np.ndarray]:
    """The tokens of each document of the release, end-of-text included."""
    found = {}
    for member in open_release(catalog, "1.0.0").members:
        shards = [np.fromfile(path, dtype) for path, dtype in member.files()]
        for span in member.shards.table("shard_span").to_pylist():
            found[span["doc_id"]] = shards[span["shard"]][span["start"] : span["end"]]
    return found


def test_the_model_was_fed_what_the_order_says(trained: tuple[Catalog, list[Any]]) -> None:
    """Follows the tokens that the model really got through the spans, and counts per document."""
    catalog, given = trained
    data = release_dataset(open_release(catalog, "1.0.0"), seed=7, sequence_length=32, batch_size=4)
    assert len(given) == 40
    assert data.order.sequences_per_pass < 40 * 4, "the run reads more than one pass"
    owner = {}
    stored = documents(catalog)
    for index, member in enumerate(open_release(catalog, "1.0.0").members):
        at = 0
        for span in member.shards.table("shard_span").sort_by("doc_id").to_pylist():
            for token in stored[span["doc_id"]]:
                owner[index, at] = (span["doc_id"], int(token))
                at += 1
    read: Counter[str] = Counter()
    first: dict[str, int] = {}
    for step, batch in enumerate(given, 1):
        places = data.order.sequences(range((step - 1) * 4, step * 4))
        for row, place in zip(batch, places, strict=True):
            expected = [
                owner[span.source, at]
                for span in data.order.spans(*place)
                for at in range(span.start, span.end)
            ]
            assert [token for _, token in expected] == row.tolist()
            for doc_id, _ in expected:
                read[doc_id] += 1
                first.setdefault(doc_id, step)
    for doc_id in stored:
        last = answers.of_document(catalog, doc_id)[-1]
        assert (last.tokens, last.tokens_read, last.first_step) == (
            len(stored[doc_id]), read[doc_id], first[doc_id],
        )  # fmt: skip
    whole = answers.of_checkpoint(catalog, checkpoints(catalog)[-1])
    for exposed, letter in zip(whole, "ab", strict=True):
        own = [doc_id for doc_id in stored if doc_id.startswith(letter)]
        assert exposed.tokens_read == sum(read[doc_id] for doc_id in own)
        assert exposed.first_step == min(first[doc_id] for doc_id in own)
    assert whole[1].times_read > 2 * whole[0].times_read


def test_each_checkpoint_answers_for_its_own_step(trained: tuple[Catalog, list[Any]]) -> None:
    catalog, _ = trained
    late = max(
        documents(catalog), key=lambda doc_id: answers.of_document(catalog, doc_id)[-1].first_step
    )
    answered = answers.of_document(catalog, late)
    assert [one.checkpoint for one in answered] == checkpoints(catalog)
    first = answered[-1].first_step
    unread = [one for one in answered if one.step < first]
    assert unread
    assert all(one.tokens_read == 0 and one.first_step is None for one in unread)
    assert answers.newest_unread(catalog, answered) == unread[-1].checkpoint
    assert all(one.tokens_read > 0 for one in answered if one.step >= first)
    assert answers.newest_unread(catalog, answers.of_donation(catalog, A)) is None


def test_a_checkpoint_that_was_damaged_and_made_again_is_no_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = open_catalog(tmp_path)
    donate(catalog, A, texts("a", 25))
    tokenise(catalog, A)
    released(catalog)
    base_model.base_model(catalog)
    train(catalog, "1.0.0", in_process)
    first = catalog.require(answers.CHECKPOINT, checkpoints(catalog)[0])
    first.path("checkpoint.json").unlink()
    later = dt.timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda after: dt.datetime.now(dt.UTC) + later)
    train(catalog, "1.0.0", in_process)
    assert len(catalog.numbers(answers.CHECKPOINT, first.partition)) == 2
    found = answers.of_donation(catalog, A)
    assert [one.checkpoint for one in found] == checkpoints(catalog)


def test_the_command_answers_and_names_what_it_does_not_know(
    trained: tuple[Catalog, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, _ = trained
    monkeypatch.setenv("DSK_HOME", str(catalog.settings.home))
    monkeypatch.setenv("DSK_CONSORTIUM", str(catalog.settings.consortium))

    def dsk(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["exposure", *arguments])

    text = dsk("--donation", B.partition("@")[0]).output
    assert B in text
    assert "newest checkpoint that has read nothing of it: none" in text
    rows = answers.of_donation(catalog, B)
    assert f"{rows[-1].tokens_read:,}" in text
    assert '"first_step": ' in dsk("--document", next(iter(documents(catalog))), "--json").output
    assert A in dsk("--checkpoint", checkpoints(catalog)[0]).output
    assert "give one of" in dsk().output
    assert "give one of" in dsk("--document", "x", "--donation", "y").output
    unknown = dsk("--document", "0" * 32)
    assert unknown.exit_code == 1
    assert "is in no release that a checkpoint was trained on" in unknown.output
    with pytest.raises(MissingInputError, match=r"no checkpoint x .* test-1\.0\.0\.step-000005, "):
        answers.of_checkpoint(catalog, "x")
    with pytest.raises(MissingInputError, match=r"corpus/release\[1\.1\.0\]"):
        open_release(catalog, "1.1.0")
    with pytest.raises(MissingInputError, match="donation nobody"):
        answers.of_donation(catalog, "nobody")


def test_only_the_tables_that_have_the_document_need_to_be_whole(
    trained: tuple[Catalog, list[Any]],
) -> None:
    catalog, _ = trained
    other, one = open_release(catalog, "1.0.0").members
    assert len(other.shards.paths("shard_span")) == other.shards.counts["shards"] > 1
    changed, lookup = other.shards.paths("shard_span")[0], other.shards.path(LOOKUP)
    kept = one.shards.table("shard_span")["doc_id"][0].as_py()
    gone = pq.read_table(changed)["doc_id"].to_pylist()
    before = {path: path.read_bytes() for path in (changed, lookup)}
    expected = {doc_id: answers.of_document(catalog, doc_id) for doc_id in (kept, *gone)}
    try:
        pq.write_table(pq.read_table(changed).slice(1), changed)
        assert answers.of_document(catalog, kept) == expected[kept]
        for doc_id in gone[:2]:
            with pytest.raises(CorruptedError, match="has other bytes than its statement says"):
                answers.of_document(catalog, doc_id)
        changed.write_bytes(before[changed])
        for bytes_ in (b"", before[lookup][:-8], before[lookup][:13], b"\xff" * 80):
            lookup.write_bytes(bytes_)
            assert answers.of_document(catalog, kept) == expected[kept]
            with pytest.raises(CorruptedError, match=r"lookup\.bin has other bytes"):
                answers.of_document(catalog, "0" * 32)
        lookup.unlink()
        with pytest.raises(CorruptedError, match=r"lookup\.bin is gone"):
            answers.of_document(catalog, gone[0])
    finally:
        for path, bytes_ in before.items():
            path.write_bytes(bytes_)
    assert answers.of_document(catalog, gone[0]) == expected[gone[0]]


def test_a_checkpoint_of_a_release_without_the_donation_has_read_nothing_of_it(
    trained: tuple[Catalog, list[Any]],
) -> None:
    catalog, _ = trained
    last = catalog.require("training/checkpoint", checkpoints(catalog)[-1])
    (other,) = (row for row in last.table("exposure").to_pylist() if row["donation"] == A)
    released = catalog.require("corpus/release", "1.0.0")
    without = [one for one in released.json("release.json")["donations"] if one["donation"] == A]
    newer = Path(shutil.copytree(catalog.settings.home, catalog.settings.home.parent / "newer"))
    copy = Catalog(load_settings(home=newer, consortium=catalog.settings.consortium))
    release = seed(
        copy, "corpus/release", "2.0.0",
        files={"release.json": released.json("release.json") | {"donations": without}},
    )  # fmt: skip
    origin = last.json("checkpoint.json")
    order = origin["order"] | {"release": release.digest}
    made = seed(
        copy, "training/checkpoint", "test-2.0.0.step-000005",
        files={"checkpoint.json": origin | {"release": "2.0.0", "order": order}},
        tables={"exposure": pa.Table.from_pylist([other], EXPOSURE)}, counts={"step": 5},
    )  # fmt: skip
    of_b = answers.of_donation(copy, B)
    assert answers.newest_unread(catalog, answers.of_donation(catalog, B)) is None
    assert answers.newest_unread(copy, of_b) == made.partition
    assert answers.newest_unread(copy, answers.of_donation(copy, A)) is None


def test_a_donation_is_answered_for_without_its_shards(
    trained: tuple[Catalog, list[Any]],
) -> None:
    catalog, _ = trained
    for member in open_release(catalog, "1.0.0").members:
        for path in member.shards.paths("shard_span"):
            path.rename(path.with_suffix(".away"))
    try:
        assert answers.of_donation(catalog, A)[-1].tokens_read > 0
        assert len(answers.of_checkpoint(catalog, checkpoints(catalog)[0])) == 2
    finally:
        for path in Path(catalog.lake.root).rglob("*.away"):
            path.rename(path.with_suffix(".parquet"))


def test_an_order_over_another_release_is_named(
    trained: tuple[Catalog, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, _ = trained
    monkeypatch.setattr(answers, "NAME", "another-order")
    with pytest.raises(CorruptedError, match="was trained in the order"):
        answers.of_document(catalog, next(iter(documents(catalog))))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_the_loader_gives_the_same_steps_with_any_number_of_workers(
    trained: tuple[Catalog, list[Any]], workers: int
) -> None:
    from torch.utils.data import DataLoader

    catalog, given = trained
    data = release_dataset(open_release(catalog, "1.0.0"), seed=7, sequence_length=32, batch_size=4)
    steps = DataLoader(step_dataset(data, 5, 11), batch_size=None, num_workers=workers)
    assert [batch.tolist() for batch in steps] == [batch.tolist() for batch in given[4:11]]


def test_ranks_together_read_what_one_process_reads(trained: tuple[Catalog, list[Any]]) -> None:
    catalog, given = trained
    data = release_dataset(open_release(catalog, "1.0.0"), seed=7, sequence_length=32, batch_size=4)
    ranks = [step_dataset(data, 1, 6, Rank(number, 2)) for number in range(2)]
    for whole, one, other in zip(given[:6], *ranks, strict=True):
        assert np.array_equal(np.concatenate([one, other]), whole)
    with pytest.raises(ValueError, match="cannot be divided among 3"):
        step_dataset(data, 1, 2, Rank(0, 3))
