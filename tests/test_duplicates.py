"""Duplicates: which documents resemble which, and which one survives, in any order."""

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsk_assets.consortium.policy import DuplicatesPolicy
from dsk_assets.errors import EngineError, NotAdmittedError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.filters import join
from dsk_assets.filters.clusters import THRESHOLD
from dsk_assets.filters.join import Source
from dsk_assets.filters.join import find_duplicates as find_in
from dsk_assets.filters.signatures import BANDS, SKETCH, sign, sign_part, signatures, text_digests
from dsk_assets.filters.sketches import Sketches
from dsk_assets.lake.database import spilling
from dsk_assets.lake.store import Zone
from dsk_assets.lake.tables import write_parquet
from tests.support import DONATION, admit, documents, seed

VOCABULARY = [f"ord{number}" for number in range(3000)]


def prose(seed_number: int, words: int = 200) -> str:
    return " ".join(random.Random(seed_number).choices(VOCABULARY, k=words))


def edited(text: str, every: int) -> str:
    words = text.split()
    words[::every] = ["ændret"] * len(words[::every])
    return " ".join(words)


def candidates(texts: dict[str, str], **given_columns: list[object]) -> pl.DataFrame:
    written = pl.Series(list(texts.values()), dtype=pl.String)
    columns: dict[str, object] = {
        "doc_id": list(texts),
        "text_sha256": text_digests(written),
        **{name: column.to_pylist() for name, column in sign(written).items()},
        "drop_exact": [True] * len(texts),
        "drop_near": [True] * len(texts),
        "open": [False] * len(texts),
        "approved_on": ["2026-01-01"] * len(texts),
    }
    return pl.DataFrame(columns | given_columns, schema_overrides=_NAMED)


def sketches(binaries: list[bytes]) -> tuple[Sketches, Any, Any]:
    size = np.array([len(one) // 4 for one in binaries], np.int64)
    return Sketches(np.frombuffer(b"".join(binaries), "<u4")), np.cumsum(size) - size, size


def similarity(binaries: list[bytes], one: list[int], other: list[int]) -> list[float]:
    made, start, size = sketches(binaries)
    return made.similarity(start[one], size[one], start[other], size[other]).tolist()


def find_duplicates(frame: pl.DataFrame) -> pl.DataFrame:
    """The duplicates among documents; those that were donated alike are one part."""
    donated = ["drop_exact", "drop_near", "open", "approved_on"]
    with tempfile.TemporaryDirectory() as name:
        sources = []
        for number, part in enumerate(frame.partition_by(donated, maintain_order=True)):
            path = Path(name) / f"{number}.parquet"
            write_parquet(path, [part.select(_SIGNED.names).to_arrow().cast(_SIGNED)], _SIGNED)
            exact, near, is_open, day = part.select(donated).row(0)
            policy = DuplicatesPolicy(exact=exact, near=near)
            kept = pl.Series([True] * part.height)
            sources.append(Source(path, kept, policy, is_open, day))
        with find_in(sources, Path(name) / "scratch") as found:
            tables = [found.of(number) for number in range(len(sources))]
            rows = pl.DataFrame(pa.concat_tables([join.SCHEMA.empty_table(), *tables]))
            rows = rows.sort("doc_id")
            for batch in found.all():
                assert pl.DataFrame(batch).equals(rows.select(batch.schema.names))
            return rows


_NAMED = {"open": pl.Boolean, "bands": pl.Binary, "shingles": pl.Binary, "doc_id": pl.String}
_SIGNED = pa.schema(
    {
        "doc_id": pa.string(),
        "text_sha256": pa.string(),
        "bands": pa.binary(BANDS * 8),
        "shingles": pa.binary(),
    }
)


def found(frame: pl.DataFrame) -> dict[str, tuple[str, str]]:
    rows = find_duplicates(frame).iter_rows(named=True)
    return {row["doc_id"]: (row["survivor_id"], row["kind"]) for row in rows}


def test_exact_and_near_duplicates_are_found_and_others_are_not() -> None:
    text = prose(1)
    texts = {
        "a": text,
        "b": text.upper().replace(" ", "\n\n"),
        "c": edited(text, 100),
        "d": edited(text, 9),
        "e": prose(2),
    }
    assert found(candidates(texts)) == {
        "a": ("a", "exact"),
        "b": ("a", "exact"),
        "c": ("a", "near"),
    }
    similarity = dict(find_duplicates(candidates(texts)).select("doc_id", "similarity").iter_rows())
    assert similarity["a"] == similarity["b"] == 1.0
    assert THRESHOLD <= similarity["c"] < 1.0


def test_the_survivor_is_open_then_approved_first_then_lowest() -> None:
    texts = dict.fromkeys("abcd", prose(1))
    dates = ["2026-03-01", "2026-01-01", "2026-02-01", "2026-02-01"]
    opened = [False, False, True, True]
    assert found(candidates(texts))["d"][0] == "a"
    assert found(candidates(texts, approved_on=dates))["d"][0] == "b"
    assert found(candidates(texts, approved_on=dates, open=opened))["a"][0] == "c"


def test_a_document_that_its_policy_keeps_stands_for_the_others() -> None:
    texts = {"a": prose(1), "b": edited(prose(1), 100), "c": edited(prose(1), 90), "d": prose(1)}
    kept = candidates(texts, drop_near=[True, False, True, True])
    assert {name: survivor for name, (survivor, _) in found(kept).items()} == {
        "a": "b",
        "b": "b",
        "c": "b",
        "d": "b",
    }
    assert found(candidates(dict.fromkeys("ab", prose(1)), drop_exact=[False, False])) == {}
    both = candidates(dict.fromkeys("ab", prose(1)), drop_near=[False, False])
    assert found(both) == {"a": ("a", "exact"), "b": ("a", "exact")}


def test_no_document_is_dropped_for_one_that_it_does_not_resemble() -> None:
    words = prose(3, 400).split()
    chain = {}
    for link in range(12):
        chain[f"link{link:02}"] = " ".join(words)
        words[link * 30 : link * 30 + 12] = [f"nyt{link}" for _ in range(12)]
    result = find_duplicates(candidates(chain))
    assert result.height
    assert result["survivor_id"].n_unique() > 1
    assert result["similarity"].min() >= THRESHOLD  # type: ignore[operator]


@pytest.mark.parametrize("texts", [{}, {"a": prose(1)}, {"a": "", "b": prose(1)}, {"a": "kort"}])
def test_tiny_inputs_have_no_duplicates(texts: dict[str, str]) -> None:
    result = find_duplicates(candidates(texts))
    assert result.height == 0
    assert result.columns == ["doc_id", "cluster_id", "survivor_id", "kind", "similarity"]


def test_texts_without_words_are_duplicates_only_of_the_same_text() -> None:
    assert found(candidates({"a": "", "b": "...", "c": " ", "d": "!"})) == {
        "a": ("a", "exact"),
        "c": ("a", "exact"),
    }


families = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0, 15, 30, 60, 120]), st.booleans()),
    max_size=14,
)


@settings(deadline=None, max_examples=20)
@given(families, st.randoms(use_true_random=False))
def test_clusters_are_those_of_taking_documents_one_by_one_in_any_order(
    drawn: list[tuple[int, int, bool]], shuffler: random.Random
) -> None:
    texts = {
        f"doc{number:02}": edited(prose(family, 120), every) if every else prose(family, 120)
        for number, (family, every, _) in enumerate(drawn)
    }
    frame = candidates(texts, open=[is_open for _, _, is_open in drawn])
    result = find_duplicates(frame)
    order = list(range(len(drawn)))
    shuffler.shuffle(order)
    assert find_duplicates(frame[order]).equals(result)
    dropped = set(result.filter(pl.col("doc_id") != pl.col("survivor_id"))["doc_id"])
    assert dropped == one_by_one(frame)
    survivors = set(frame["doc_id"]) - dropped
    assert set(result["survivor_id"]) <= survivors
    assert (result["similarity"] >= THRESHOLD).all()
    sizes = result.group_by("cluster_id").agg(pl.len(), pl.col("survivor_id").n_unique())
    assert (sizes["len"] >= 2).all()
    assert (sizes["survivor_id"] == 1).all()


def one_by_one(frame: pl.DataFrame) -> set[str]:
    """Documents dropped when each is compared with all better ones that were kept."""
    ranked = frame.sort(~pl.col("open"), "approved_on", "doc_id")
    kept: list[dict[str, Any]] = []
    dropped = set()
    for row in ranked.iter_rows(named=True):
        if any(row["text_sha256"] == other["text_sha256"] or alike(row, other) for other in kept):
            dropped.add(row["doc_id"])
        else:
            kept.append(row)
    return dropped


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    bands = [np.frombuffer(row["bands"], "<u8") for row in (one, other)]
    grams = [set(np.frombuffer(row["shingles"], "<u4").tolist()) for row in (one, other)]
    common = len(grams[0] & grams[1]) / len(grams[0] | grams[1])
    return bool((bands[0] == bands[1]).any()) and common >= THRESHOLD


def jaccard(one: str, other: str) -> float:
    grams = [
        {tuple(words[place : place + 5]) for place in range(len(words) - 4)}
        for words in (one.split(), other.split())
    ]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


@given(st.integers(0, 9), st.integers(5, 60), st.integers(20, 300))
def test_verified_similarity_is_the_share_of_common_word_sequences(
    number: int, every: int, words: int
) -> None:
    text = prose(number, words)
    other = edited(text, every)
    binaries = sign(pl.Series([text, other, prose(99)]))["shingles"].to_pylist()
    found = similarity(binaries, [0, 0, 1], [1, 0, 2])
    assert found == pytest.approx([jaccard(text, other), 1.0, 0.0])


def test_long_texts_are_verified_by_a_sample_of_their_word_sequences() -> None:
    text = prose(5, 20_000)
    other = edited(text, 60)
    binaries = sign(pl.Series([text, other, other[:9000]]))["shingles"].to_pylist()
    assert [len(one) // 4 for one in binaries[:2]] == [SKETCH, SKETCH]
    assert similarity(binaries, [0, 1], [1, 2]) == pytest.approx(
        [jaccard(text, other), jaccard(other, other[:9000])], abs=0.03
    )


def test_many_pairs_are_compared_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [edited(prose(1), every) for every in (100, 50, 25, 12)]
    binaries = sign(pl.Series(texts))["shingles"].to_pylist()
    pairs = [0, 0, 0, 1, 2], [1, 2, 3, 2, 3]
    at_once = similarity(binaries, *pairs)
    monkeypatch.setattr("dsk_assets.filters.sketches._AT_ONCE", 300)
    assert similarity(binaries, *pairs) == at_once


def test_comparisons_grow_with_the_documents_where_many_agree_in_a_band_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dsk_assets.filters.clusters.SURVIVORS", 3)
    texts = {f"d{number:02}": prose(number) for number in range(20)}
    frame = candidates(texts, bands=sign(pl.Series([prose(0)] * 20))["bands"].to_pylist())
    compared: list[tuple[int, int]] = []
    plain = Sketches.similarity

    def counted(made: Sketches, start: Any, size: Any, other: Any, other_size: Any) -> Any:
        compared.extend(zip(start.tolist(), other.tolist(), strict=True))
        return plain(made, start, size, other, other_size)

    monkeypatch.setattr(Sketches, "similarity", counted)
    assert find_duplicates(frame).is_empty()
    assert len(compared) == len(set(compared)) == 19 + 18 + 17


def test_only_documents_that_are_kept_so_far_are_considered(tmp_path: Path) -> None:
    """In parts of several documents, where some are left out, and are no one's survivor."""
    texts = {f"d{number}": prose(number // 3) for number in range(9)}
    frame = candidates(texts).select(_SIGNED.names)
    sources = []
    for number, kept in enumerate([[False, True, True, False], [True] * 5]):
        path = tmp_path / f"{number}.parquet"
        rows = frame[number * 4 : number * 4 + 5 - (number == 0)]
        write_parquet(path, [rows.to_arrow().cast(_SIGNED)], _SIGNED)
        sources.append(Source(path, pl.Series(kept), DuplicatesPolicy()))
    with find_in(sources, tmp_path / "scratch") as found:
        first, second = (pl.DataFrame(found.of(number)) for number in (0, 1))
        assert dict(first.select("doc_id", "survivor_id").iter_rows()) == {"d1": "d1", "d2": "d1"}
        assert dict(second.select("doc_id", "survivor_id").iter_rows()) == {
            "d4": "d4", "d5": "d4", "d6": "d6", "d7": "d6", "d8": "d6",
        }  # fmt: skip
        assert found.counts == {"documents": 7, "clusters": 3, "exact": 4, "near": 0, "lines": 0}
    assert list((tmp_path / "scratch").iterdir()) == []


def many(folder: Path, count: int, part: int = 0) -> Source:
    """Invented signatures, a third of them near-duplicates of the one before."""
    numbers = np.random.default_rng(part)
    bands = numbers.integers(0, 2**63, (count, BANDS), np.uint64)
    shingles = np.sort(numbers.integers(0, 2**32, (count, 50), np.uint32), axis=1)
    for copy in range(1, count, 3):
        bands[copy, :9], shingles[copy] = bands[copy - 1, :9], shingles[copy - 1]
    columns = {
        "doc_id": [f"{part}-{number:06}" for number in numbers.permutation(count)],
        "text_sha256": [f"{part * count + number:064x}" for number in range(count)],
        "bands": [row.tobytes() for row in bands],
        "shingles": [row.tobytes() for row in shingles],
    }
    write_parquet(folder / "many.parquet", [pa.table(columns, _SIGNED)], _SIGNED)
    return Source(folder / "many.parquet", pl.Series([True] * count), DuplicatesPolicy())


def test_with_little_memory_the_same_is_found_by_way_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = many(tmp_path, 60_000)
    with find_in([source], tmp_path / "scratch") as found:
        expected = found.of(0)
        assert found.counts["near"] == 20_000
    monkeypatch.setattr("dsk_assets.lake.database.MEMORY_LIMIT", "24MB")
    with find_in([source], tmp_path / "scratch") as found:
        assert found.of(0).equals(expected)
        assert sum(path.stat().st_size for path in (tmp_path / "scratch").rglob("*")) > 1_000_000


def test_long_queries_print_nothing_where_programs_read(tmp_path: Path) -> None:
    with spilling(tmp_path / "scratch") as database:
        (setting,) = database.execute("SELECT current_setting('enable_progress_bar')").fetchall()
    assert setting == (False,)


def test_a_full_disk_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsk_assets.lake.database.MEMORY_LIMIT", "24MB")
    with (
        pytest.raises(EngineError, match="scratch has no room"),
        spilling(tmp_path / "scratch") as d,
    ):
        d.execute("SET max_temp_directory_size = '1MB'")
        d.execute("CREATE TABLE numbers AS SELECT random() AS number FROM range(20_000_000)")


def test_a_signature_does_not_depend_on_the_other_documents_or_on_the_process() -> None:
    text = "Signaturen af en tekst er den samme på alle maskiner og i alle kørsler."
    alone = sign(pl.Series([text]))
    batch = sign(pl.Series([prose(1), text, "", "to ord"]))
    for name in ("bands", "shingles"):
        assert batch[name][1] == alone[name][0]
        assert batch[name][2].as_py() is None
    assert len(batch["bands"][3].as_py()) == BANDS * 8
    assert int.from_bytes(alone["bands"][0].as_py()[:8], "little") == 6248999076142461678
    assert int.from_bytes(alone["shingles"][0].as_py()[:4], "little") == 152433949


def test_the_stage_signs_each_document(catalog: Catalog, tmp_path: object) -> None:
    landing = seed(catalog, "donations/landing", DONATION, zone=Zone.RESTRICTED, files={"m": 1})
    table = documents({"d1": "En tekst.", "d2": "en  TEKST.\n", "d3": ""}).drop(["file_id"])
    redacted = seed(catalog, "filtering/personal_data", DONATION, tables={"document": table})
    admit(catalog, "approval", landing)
    with pytest.raises(NotAdmittedError):
        signatures(catalog, DONATION)
    admit(catalog, "personal_data", redacted)
    rows = signatures(catalog, DONATION).table("signature").to_pylist()
    assert [row["doc_id"] for row in rows] == ["d1", "d2", "d3"]
    assert rows[0]["text_sha256"] == rows[1]["text_sha256"] != rows[2]["text_sha256"]
    assert rows[0]["bands"] == rows[1]["bands"]
    assert [row["n_char"] for row in rows] == [9, 11, 0]
    assert isinstance(sign_part(redacted.paths("document")[0]), pa.Table)
