"""Duplicates line by line: no line is lost, and the order of documents does not matter."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dsk_assets.consortium.policy import DuplicatesPolicy
from dsk_assets.filters.join import Source, find_duplicates
from dsk_assets.filters.lines import LEAST_CHARS, LINE, lines_of, without
from dsk_assets.filters.signatures import SCHEMA, sign_part
from dsk_assets.lake.tables import write_parquet

LINES = [f"Linje nummer {number} står i flere af brevene." for number in range(8)] + ["Hej!", ""]
CUT = DuplicatesPolicy(exact=False, near=False, cut_repeated_lines=True, max_repeated_lines=1)
SIGNED = pa.schema({"doc_id": pa.string(), "donation_id": pa.string(), "text": pa.string()})

Found = tuple[dict[str, tuple[str, float]], dict[str, list[tuple[int, int, str]]]]


def found(texts: Sequence[str], *policies: DuplicatesPolicy, order: int = 1) -> Found:
    """Who is dropped for whom, with which share, and what is cut out of whom.

    With several policies each document is a donation of its own.
    """
    with tempfile.TemporaryDirectory() as name:
        sources = []
        rows = [(f"d{number}", "", text) for number, text in enumerate(texts)][::order]
        for number, policy in enumerate(policies):
            path = Path(name) / f"{number}.parquet"
            some = rows[number : number + 1] if len(policies) > 1 else rows
            table = pl.DataFrame(some, schema=SIGNED.names, orient="row").to_arrow()
            write_parquet(path, [table.cast(SIGNED)], SIGNED)
            write_parquet(path, [sign_part(path, lines=True)], SCHEMA)
            sources.append(Source(path, pl.Series([True] * len(some)), policy))
        with find_duplicates(sources, Path(name) / "scratch") as duplicates:
            dropped = {
                row["doc_id"]: (row["survivor_id"], row["similarity"])
                for number in range(len(sources))
                for row in duplicates.of(number).to_pylist()
                if row["kind"] == "lines"
            }
            cuts: dict[str, list[tuple[int, int, str]]] = {}
            for batch in duplicates.all_cuts():
                for row in batch.to_pylist():
                    span = row["start"], row["end"], row["survivor_id"]
                    cuts.setdefault(row["doc_id"], []).append(span)
            return dropped, cuts


letters = st.lists(st.lists(st.sampled_from(LINES), max_size=6).map("\n".join), max_size=5)


@settings(deadline=None, max_examples=20)
@given(letters, st.sampled_from([0.0, 0.4, 0.9]), st.booleans())
def test_every_line_stays_in_one_document_at_least_whatever_is_cut_or_dropped(
    texts: list[str], most: float, cut: bool
) -> None:
    texts = [text.strip() for text in texts]
    policy = CUT.model_copy(update={"cut_repeated_lines": cut, "max_repeated_lines": most})
    dropped, cuts = found(texts, policy)
    assert found(texts, policy, order=-1) == (dropped, cuts)
    left = {
        f"d{number}": without(text, [span[:2] for span in cuts.get(f"d{number}", [])])
        for number, text in enumerate(texts)
        if f"d{number}" not in dropped
    }
    holders = Counter(line for text in texts for line in set(text.split("\n")))
    before = {line for line, n in holders.items() if len(line) >= LEAST_CHARS and n > 1}
    assert {line for text in left.values() for line in text.split("\n")} >= before
    assert not dropped.keys() & cuts.keys()
    for survivor, share in dropped.values():
        assert share > most
        assert survivor in left
    if cut:
        held = [set(text.split("\n")) & before for text in left.values()]
        assert sum(map(len, held)) == len(set().union(*held))
    else:
        assert cuts == {}


def test_a_thread_of_mail_is_left_with_each_letter_once() -> None:
    first, second, third = (f"{line}\n{line.upper()}" for line in LINES[:3])
    texts = [first, f"{second}\n\n{first}", f"Hej!\n{third}\n\n{second}\n\n{first}\nVi ses"]
    dropped, cuts = found(texts, CUT)
    assert dropped == {}
    assert list(cuts) == ["d1", "d2"]
    assert {survivor for _, _, survivor in cuts["d2"]} == {"d0", "d1"}
    for number, expected in ((1, second), (2, f"Hej!\n{third}\n\nVi ses")):
        spans = [span[:2] for span in cuts[f"d{number}"]]
        assert without(texts[number], spans) == expected


def test_what_is_mostly_others_lines_is_dropped_unless_others_need_it() -> None:
    mostly = f"{LINES[0]}\n{LINES[1]}\n{LINES[2]}\nHej!"
    strict = CUT.model_copy(update={"max_repeated_lines": 0.5})
    assert found(["\n".join(LINES[:2]), mostly], strict)[0]["d1"][0] == "d0"
    texts = ["\n".join(LINES[:2]), mostly, f"{LINES[2]}\n{'Noget helt andet. ' * 9}"]
    dropped, cuts = found(texts, strict)
    assert dropped == {}
    assert [span[2] for span in cuts["d2"]] == ["d1"]
    assert len(cuts["d1"]) == 2


def test_only_donations_whose_policy_asks_take_part() -> None:
    text = "\n".join(LINES[:3])
    silent = DuplicatesPolicy(exact=False, near=False)
    assert found([text, text, text], silent, CUT, silent) == ({}, {})
    dropped, cuts = found([text, f"{text}\nHej!", text], silent, CUT, CUT)
    assert dropped == {}
    assert {span[2] for span in cuts["d2"]} == {"d1"}


def test_duplicates_that_are_dropped_keep_no_lines() -> None:
    text = "\n".join(LINES)
    other = f"{LINES[0]}\n{'Noget helt andet. ' * 9}"
    policy = DuplicatesPolicy(cut_repeated_lines=True)
    _, cuts = found([text, text, other], policy)
    assert cuts == {"d2": [(0, len(LINES[0]) + 1, "d0")]}


@given(st.lists(st.text(alphabet=" \n\tæ😀ab", max_size=200), max_size=4))
def test_lines_are_found_at_their_places(texts: list[str]) -> None:
    texts = [(text + "\n" + LINES[1] + text).strip() for text in texts]
    found_lines = lines_of(pl.Series(texts, dtype=pl.String)).to_pylist()
    for text, packed in zip(texts, found_lines, strict=True):
        place, expected = 0, []
        for line in text.split("\n"):
            if len(line.strip()) >= LEAST_CHARS:
                rest = text[place + len(line) :]
                blank = len(rest) - len(rest.lstrip())
                white = rest[:blank].rpartition("\n")[0] + "\n" if rest.strip() else rest
                expected.append((place, len(line) + len(white)))
            place += len(line) + 1
        lines = np.frombuffer(packed, LINE)
        assert lines[["start", "size"]].tolist() == expected


def test_nothing_is_cut_where_there_is_nothing_to_cut() -> None:
    assert without(" a\n", []) == " a\n"
