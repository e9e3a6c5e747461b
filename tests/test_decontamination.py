"""Decontamination: which documents share sequences of 13 words with evaluation sets."""

import gzip
import json
import unicodedata
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsk_assets.errors import SettingsError
from dsk_assets.filters.decontamination import (
    NGRAM_WORDS,
    Evaluations,
    load_evaluations,
    overlap_part,
    overlaps,
)
from dsk_assets.filters.words import words_of
from dsk_assets.lake.tables import write_parquet

QUESTION = " ".join(f"ord{number}" for number in range(20))


def write_sets(folder: Path) -> Path:
    folder.mkdir()
    records = [{"question": QUESTION, "choices": ["ja", {"text": "nej " * 13}]}]
    lines = "\n".join(map(json.dumps, records))
    (folder / "quiz.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (folder / "prosa.txt").write_text(f"for kort\n\n{' '.join(reversed(QUESTION.split()))}")
    write_parquet(
        folder / "tabel.parquet", [pa.table({"t": [f"x {QUESTION}"], "n": [1]})],
        pa.schema([("t", pa.string()), ("n", pa.int64())]),
    )  # fmt: skip
    (folder / "README.md").write_text("What these are.")
    return folder


def test_sets_of_every_format_are_read_and_short_texts_counted(tmp_path: Path) -> None:
    found = load_evaluations(write_sets(tmp_path / "evaluations"))
    assert found.names == ("prosa", "quiz", "tabel")
    assert len(found.hashes) == 8 + 8 + 1 + 1
    assert found.short == 2  # "for kort", "ja"


def test_documents_are_marked_with_the_set_they_overlap_most(tmp_path: Path) -> None:
    found = load_evaluations(write_sets(tmp_path / "evaluations"))
    texts = {
        "one": f"Her er spørgsmålet: {QUESTION.upper().replace(' ', ', ')}!",
        "none": " ".join([*QUESTION.split()[:12], "andet", *QUESTION.split()[12:]]),
        "two": " ".join([*QUESTION.split()[:14], *reversed(QUESTION.split())]),
        "empty": "",
    }
    path = tmp_path / "part.parquet"
    table = pa.table({"doc_id": list(texts), "text": list(texts.values())})
    write_parquet(path, [table], table.schema)
    assert overlap_part(path, found).to_pylist() == [
        {"doc_id": "one", "evaluation": "quiz", "overlaps": 8},
        {"doc_id": "two", "evaluation": "prosa", "overlaps": 10},
    ]


def test_sets_may_have_any_line_ends_in_a_string_and_any_form_of_letters(tmp_path: Path) -> None:
    folder = tmp_path / "evaluations"
    folder.mkdir()
    question = QUESTION.replace("ord", "å")
    record = {"question": f"Hvad\u2028nu\x85da? {unicodedata.normalize('NFD', question)}"}
    (folder / "quiz.jsonl").write_text(json.dumps(record, ensure_ascii=False), "utf-8")
    path = tmp_path / "part.parquet"
    table = pa.table({"doc_id": ["a"], "text": [question]})
    write_parquet(path, [table], table.schema)
    assert overlap_part(path, load_evaluations(folder))["overlaps"].to_pylist() == [8]


def test_no_sets_mark_no_document(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    table = pa.table({"doc_id": ["a"], "text": [QUESTION]})
    write_parquet(path, [table], table.schema)
    assert overlap_part(path, load_evaluations(tmp_path / "nowhere")).num_rows == 0


@pytest.mark.parametrize("name", ["sæt.docx", "sæt.jsonl", "sæt.jsonl.gz", "sæt.parquet"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe{")
    with pytest.raises(SettingsError, match=name):
        load_evaluations(tmp_path)


words = st.lists(st.sampled_from("abc"), max_size=60)


@given(st.lists(words, max_size=4), words)
def test_overlaps_are_those_of_a_plain_count(documents: list[list[str]], exam: list[str]) -> None:
    def grams(text: list[str]) -> list[tuple[str, ...]]:
        return [tuple(text[i : i + NGRAM_WORDS]) for i in range(len(text) - NGRAM_WORDS + 1)]

    of_exam = words_of(pl.Series([" ".join(exam)]))
    hashes = of_exam.ngram_hashes(NGRAM_WORDS, of_exam.ngram_starts(NGRAM_WORDS))
    unique = pl.Series(hashes).unique().sort().to_numpy()
    if not len(unique):
        return
    evaluations = Evaluations(("exam",), unique, (unique * 0).astype("int64"), 0)
    found = overlaps(pl.Series([" ".join(one) for one in documents], dtype=pl.String), evaluations)
    expected = {
        number: count
        for number, text in enumerate(documents)
        if (count := sum(gram in grams(exam) for gram in grams(text)))
    }
    assert dict(found.select("document", "overlaps").iter_rows()) == expected
