"""Folding before the search, and the way back to the original text."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsk_assets.privacy.normalise import fold

AWKWARD = st.text(
    st.sampled_from("ab Å&;#x2<>-\n\u00a0\u200b\u00ad\u0301\u2011７٣Ã¦ø@."), max_size=60
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("170389\u20111234", "170389-1234"),
        ("67\u00a012\u202f34\u200956", "67 12 34 56"),
        ("17\u200b03\u00ad89", "170389"),
        ("１７０３８９", "170389"),
        ("١٧٠٣", "1703"),
        ("S&oslash;ren &amp; &#197;se", "Søren & Åse"),
        ("SÃ¸ren", "Søren"),
        ("A\u030age", "Åge"),
        ("> Hej\n> > du", "Hej\ndu"),
        ("perso-\nnummer", "personummer"),
        ("17O3l9 og 2O24, ol3", "170319 og 2024, ol3"),
        ("＠example", "@example"),
    ],
)
def test_folds_what_hides_from_patterns(text: str, plain: str) -> None:
    assert fold(text).text == plain


def test_letters_misread_twice_are_read_back_once() -> None:
    assert fold("\u00c5\u00c5\u00a0").text == "\u00c5\u0160"


@given(st.text(max_size=80) | AWKWARD)
def test_every_folded_span_maps_inside_the_original_in_order(text: str) -> None:
    folded = fold(text)
    places = [folded.original(i, i + 1) for i in range(len(folded.text))]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(places)
    for (start, end), character in zip(places, folded.text, strict=True):
        if end - start == 1 and text[start].isascii():
            assert text[start] == character


@given(AWKWARD)
def test_folding_twice_changes_only_what_an_entity_or_misread_letter_revealed(text: str) -> None:
    if not set("&>ÃÅ") & set(text) and "-\n" not in text:
        once = fold(text).text
        if not any("\u0300" <= c < "\u0370" for c in once):
            assert fold(once).text == once


def test_an_entity_maps_to_all_its_characters() -> None:
    text = "x &lt;anna&gt;"
    folded = fold(text)
    start, end = folded.original(2, len(folded.text))
    assert folded.text == html.unescape(text)
    assert text[start:end] == "&lt;anna&gt;"
