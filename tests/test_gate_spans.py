"""Gate spans: every token belongs to exactly one kept document."""

import copy
import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.gates.registry import GATES
from dsk_assets.gates.spans import redaction_measures, redaction_of, token_measures
from dsk_assets.lake.digests import sha256_bytes
from tests.gating import failed, judged, shard
from tests.support import DONATION

FIRST = sha256_bytes(np.arange(40, dtype=np.uint16).tobytes())
"""The digest of the first shard; the second shard's table names it where its own is meant."""


@pytest.mark.parametrize(
    ("expected", "made"),
    [
        (set(), {}),
        ({"tokens_unmapped"}, {"spans": {"start": [0, 21, 0]}}),
        ({"tokens_unmapped"}, {"spans": {"end": [20, 39, 20]}}),
        ({"tokens_unmapped"}, {"spans": {"start": [1, 20, 0]}}),
        ({"tokens_mapped_twice"}, {"spans": {"end": [21, 40, 20]}}),
        ({"spans_misplaced", "tokens_unmapped"}, {"spans": {"shard": [0, 0, 2]}}),
        ({"spans_misplaced"}, {"spans": {"end": [20, 40, 21]}}),
        ({"spans_of_other_donations"}, {"spans": {"donation_id": ["dsk-2026-0009"] * 3}}),
        (
            {"spans_of_other_donations"},
            {"spans": {"donation_id": ["dsk-2026-0001", "dsk-2026-0009", "dsk-2026-0001"]}},
        ),
        (
            {"documents_not_kept", "documents_without_one_span", "documents_not_redacted"},
            {"spans": {"doc_id": ["d1", "d2", "d9"]}},
        ),
        ({"documents_not_redacted"}, {"redacted": ["d1", "d3"]}),
        ({"documents_not_redacted"}, {"redacted": []}),
        ({"documents_without_one_span"}, {"spans": {"doc_id": ["d1", "d2", "d2"]}}),
        ({"documents_not_kept", "documents_without_one_span"}, {"kept": (True, True, False)}),
        ({"tokens_miscounted", "tokens_unmapped"}, {"tokens": (40, 21)}),
        ({"shards_with_other_bytes", "tokens_miscounted"}, {"sha256": "c" * 64}),
        ({"shards_with_other_bytes", "tokens_miscounted"}, {"sha256": FIRST}),
        ({"tokens", "tokens_miscounted", "spans_misplaced"}, {"tokens": (0, 0)}),
    ],
)
def test_every_token_belongs_to_one_kept_document(
    catalog: Catalog, expected: set[str], made: dict[str, Any]
):
    shard(catalog, **made)
    verdict = GATES["spans"].judge(catalog, DONATION)
    assert {name for name, one in failed(verdict).items() if one.severity == "critical"} == expected
    assert admission.decision(verdict).admitted is (not expected)


@pytest.mark.parametrize(
    ("n_char", "n_cut", "actual"), [(40, 0, 2.0), (60, 0, 3.0), (90, 0, 4.5), (90, 30, 3.0)]
)
def test_unusual_characters_per_token_are_warned_of(
    catalog: Catalog, n_char: int, n_cut: int, actual: float
):
    shard(catalog, n_char=n_char, n_cut=n_cut)
    decided = judged(catalog, "spans")
    assert decided.admitted
    assert decided.findings[-1].actual == actual
    assert decided.findings[-1].passed is (actual == 3.0)


@given(
    tokens=st.integers(4, 12),
    drawn=st.lists(st.tuples(st.integers(0, 11), st.integers(1, 6)), min_size=2, max_size=6),
)
def test_coverage_is_counted_as_token_by_token(tokens: int, drawn: list[tuple[int, int]]):
    spans = [(start % tokens, min(start % tokens + size, tokens)) for start, size in drawn]
    covered = np.zeros(tokens, dtype=int)
    for start, end in spans:
        covered[start:end] += 1
    shards = pl.LazyFrame({"shard": [0, 1], "tokens": [tokens, 2]})
    rows = [(0, *span) for span in spans] + [(1, 1, 2), (1, 0, 1)]
    frame = pl.LazyFrame(rows, ["shard", "start", "end"], orient="row")
    found = token_measures(shards, frame)
    assert found["tokens_unmapped"] == (covered == 0).sum()
    assert (found["tokens_mapped_twice"] > 0) == (covered > 1).any()
    assert found["spans_misplaced"] == 0


def test_shards_that_were_begun_before_the_search_ended_are_refused(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
):
    shard(catalog)
    early = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    monkeypatch.setattr("dsk_assets.gates.spans.started", lambda shards: early)
    verdict = GATES["spans"].judge(catalog, DONATION)
    assert set(failed(verdict)) == {"redacted_too_late"}
    assert not admission.decision(verdict).admitted


def test_a_search_that_ended_after_the_shards_were_begun_is_too_late(catalog: Catalog):
    shards = shard(catalog)
    redaction = redaction_of(catalog, shards)
    assert redaction is not None
    assert redaction_measures(shards, redaction)["redacted_too_late"] == 0
    statement = copy.deepcopy(shards.statement)
    statement["predicate"]["runDetails"]["metadata"]["startedOn"] = "2020-01-01T00:00:00Z"
    early = dataclasses.replace(shards, statement=statement)
    assert redaction_measures(early, redaction)["redacted_too_late"] == 1
