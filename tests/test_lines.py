"""Duplicates line by line: no line is lost, and the order of documents does not matter."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dsk_assets.filters.lines import LEAST_CHARS, lines_of, repeated_lines

LINES = [f"Linje nummer {number} står i flere af brevene." for number in range(8)] + ["Hej!", ""]


def documents(texts: list[str], droppable: list[bool] | None = None) -> pl.DataFrame:
    series = pl.Series(texts, dtype=pl.String)
    return pl.DataFrame(
        {
            "doc_id": [f"d{number}" for number in range(len(texts))],
            "n_char": series.str.len_chars(),
            "lines": lines_of(series),
            "droppable": droppable or [True] * len(texts),
        },
        schema_overrides={"doc_id": pl.String, "droppable": pl.Boolean},
    )


letters = st.lists(st.lists(st.sampled_from(LINES), max_size=6).map("\n".join), max_size=6)


@given(letters, st.floats(0, 0.9))
def test_every_line_stays_in_a_document_that_is_kept_or_was_under_the_bound(
    texts: list[str], most: float
) -> None:
    rows = documents(texts)
    found = repeated_lines(rows, most)
    assert repeated_lines(rows.sample(fraction=1, shuffle=True, seed=1), most).equals(found)
    dropped = set(found["doc_id"])
    assert not dropped & set(found["survivor_id"])
    kept = {
        line
        for number, text in enumerate(texts)
        if f"d{number}" not in dropped
        for line in text.split("\n")
    }
    for row in found.iter_rows(named=True):
        text = texts[int(row["doc_id"][1:])]
        long = [line for line in text.split("\n") if len(line) >= LEAST_CHARS]
        share = sum(len(line) for line in long if line in kept) / len(text)
        assert row["similarity"] > most
        assert share >= row["similarity"] - 1e-6


def test_a_document_that_stands_for_others_stays() -> None:
    texts = [LINES[0], f"{LINES[0]}\n"]
    assert repeated_lines(documents(texts), 0.5)["doc_id"].to_list() == ["d1"]
    assert repeated_lines(documents(texts, [True, False]), 0.5).height == 0
