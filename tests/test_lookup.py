"""Finding a document by the beginnings of its donation's ids."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsk_assets.corpus.lookup import Place, find, rows_like
from dsk_assets.corpus.release import open_release
from dsk_assets.corpus.shards import LOOKUP, LOOKUP_TYPE
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.lake.digests import sha256_text
from tests.corpora import donate, open_catalog, released, texts, tokenise

A, B = "dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0"

digests = st.integers(0, 16**32 - 1).map(lambda number: f"{number:032x}")
names = st.text("0123456789abcdefxyz-", max_size=12)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = open_catalog(tmp_path_factory.mktemp("lookup"))
    documents = list(texts("a", 40).values())
    for number, donation in enumerate((A, B)):
        own = documents[number::2]
        donate(catalog, donation, {sha256_text(donation + text)[:32]: text for text in own})
    tokenise(catalog, A, B)
    released(catalog)
    return catalog


def expected(ids: list[str], doc_id: str) -> list[int]:
    return [row for row, one in enumerate(ids) if one[:8] == doc_id[:8]]


@settings(max_examples=200, deadline=None)
@given(ids=st.lists(st.one_of(digests, names), max_size=40), asked=st.one_of(digests, names))
def test_the_rows_are_those_whose_ids_begin_alike(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], asked: str
) -> None:
    ids = sorted(set(ids))
    path = tmp_path_factory.getbasetemp() / LOOKUP
    np.array(ids, LOOKUP_TYPE).tofile(path)
    for doc_id in (*ids, asked):
        assert list(rows_like(path, doc_id)) == expected(ids, doc_id)


@pytest.mark.parametrize("shape", ["even", "crowded", "at one end", "all alike"])
def test_ids_that_are_spread_otherwise_are_found_too(tmp_path: Path, shape: str) -> None:
    random = np.random.default_rng(3)
    numbers = random.integers(0, 2**32, 20_000)
    spread = {
        "even": numbers,
        "crowded": numbers // 2**8 + 2**30,
        "at one end": numbers // 2**20,
        "all alike": numbers * 0 + 77,
    }[shape]
    ids = sorted(f"{number:08x}" for number in spread.tolist())
    path = tmp_path / LOOKUP
    np.array(ids, LOOKUP_TYPE).tofile(path)
    for doc_id in (ids[0], ids[9_000], ids[-1], "00000000", "ffffffff", "80000000"):
        found = rows_like(path, doc_id)
        assert ids[found.start : found.stop] == [one for one in ids if one == doc_id]


def test_every_document_of_a_release_stands_where_its_span_says(catalog: Catalog) -> None:
    members = open_release(catalog, "1.0.0").members
    for number, member in enumerate(members):
        at = 0
        for span in member.shards.table("shard_span").to_pylist():
            end = at + span["end"] - span["start"]
            assert find(members, span["doc_id"]) == Place(number, at, end)
            at = end
        assert at == member.tokens
    assert find(members, "0" * 31 + "1") is None
    assert find(members, "") is None


def test_shards_from_before_there_were_lookup_files_are_searched_too(catalog: Catalog) -> None:
    members = open_release(catalog, "1.0.0").members
    older = [replace(member, shards=without_lookup(member.shards)) for member in members]
    for member in members:
        for doc_id in member.shards.table("shard_span")["doc_id"].to_pylist():
            place = find(members, doc_id)
            assert place is not None
            assert find(older, doc_id) == place
    assert find(older, "0" * 32) is None


def without_lookup(shards: Snapshot) -> Snapshot:
    return replace(shards, files=tuple(file for file in shards.files if file.name != LOOKUP))
