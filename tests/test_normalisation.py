"""Normalisation: what is repaired, what is left alone, and the way back to what was delivered."""

import json
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsk_assets.consortium.policy import NormalisationPolicy
from dsk_assets.filters.normalisation import KINDS, normalise, normalise_texts

CONTROL = Path(__file__).parent / "data" / "danish_control.jsonl"
DEFAULT, SCANNED = NormalisationPolicy(), NormalisationPolicy(hyphenation=True)
PIECES = [
    "blå", "bla\u030a", "blÃ¥", "KÃ¸benhavn", "â€œHej", "\x00", "\x07", "\ufeff", "\u00ad", "\r\n",
    "\r", "\u2028", "\x85", "-\n", "arbejds-\nplads", "\ud83d\ude00", "\udc00", " ", "\n",
    "e\u0301", "\u212b", "ga\u0308rna\u0323", "\u1100\u1161", "😀", "– „citat“",
]  # fmt: skip

noisy = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("delivered", "expected", "kind"),
    [
        ("RÃ¸dgrÃ¸d med flÃ¸de pÃ¥ Ã˜en", "Rødgrød med fløde på Øen", "mojibake"),
        ("Ã¥bent", "åbent", "mojibake"),
        ("en\r\nto\rtre\u2028fire", "en\nto\ntre\nfire", "line_ends"),
        ("\ufeffblød\u00ad hyphen\x07", "blød hyphen", "control"),
        ("nul\x00byte", "nul\ufffdbyte", "control"),
        ("bla\u030a", "blå", "nfc"),
        ("smil \ud83d\ude00", "smil 😀", "surrogates"),
    ],
)
def test_each_kind_is_repaired_and_counted(delivered: str, expected: str, kind: str) -> None:
    found = normalise(delivered, DEFAULT)
    assert found.text == expected
    assert set(found.changes) == {kind}


def test_divided_words_are_joined_where_the_policy_asks_for_it() -> None:
    text = "Arbejds-\npladsen laa ved Aa¬\n  en, 1914-\n1918, Hans-\nJørgen"
    assert normalise(text, DEFAULT).text == text
    joined = normalise(text, SCANNED)
    assert joined.text == "Arbejdspladsen laa ved Aaen, 1914-\n1918, Hans-\nJørgen"
    assert joined.changes == {"hyphenation": 2}


def test_a_policy_may_leave_wrongly_decoded_text() -> None:
    assert normalise("pÃ¥", NormalisationPolicy(mojibake=False)).text == "pÃ¥"


def test_clean_danish_loses_nothing_but_a_soft_hyphen() -> None:
    texts = pl.Series([json.loads(line)["text"] for line in CONTROL.open(encoding="utf-8")])
    made = normalise_texts(texts, DEFAULT)
    assert made["text"].to_list() == texts.str.replace_all("\u00ad", "").str.strip_chars().to_list()
    assert made.select(KINDS).sum().row(0) == (0, 0, 0, 1, 0, 0)


@given(noisy, st.sampled_from([DEFAULT, SCANNED]))
def test_the_map_leads_back_to_what_was_delivered(
    delivered: str, policy: NormalisationPolicy
) -> None:
    found = normalise(delivered, policy)
    assert found.length == len(delivered)
    for start, original, length in found.stretches:
        assert length > 0
        assert found.text[start : start + length] == delivered[original : original + length]
    if not found.changes:
        assert found.text == delivered.strip()
        assert sum(length for _, _, length in found.stretches) == len(found.text)
    places = [found.original(place, place + 1) for place in range(len(found.text))]
    assert all(0 <= start <= end <= len(delivered) for start, end in places)
    assert [start for start, _ in places] == sorted(start for start, _ in places)
    for place, (start, end) in enumerate(places):
        if end - start == 1 and delivered[start] == found.text[place]:
            continue
        assert not any(s <= place < s + length for s, _, length in found.stretches)


@given(noisy)
def test_the_result_is_in_normal_form(delivered: str) -> None:
    text = normalise(delivered, DEFAULT).text
    assert unicodedata.is_normalized("NFC", text)
    assert not set(text) & set("\r\x00\x07\x0b\x85\u2028\u2029\ufeff\u00ad")
    assert text == text.strip()
    text.encode()


@given(st.lists(noisy.filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))))
def test_many_texts_are_normalised_as_one_is(batch: list[str]) -> None:
    for policy in (DEFAULT, SCANNED):
        made = normalise_texts(pl.Series(batch, dtype=pl.String), policy).to_dicts()
        for text, row in zip(batch, made, strict=True):
            alone = normalise(text, policy)
            assert row == {"text": alone.text, **{k: alone.changes.get(k, 0) for k in KINDS}}
