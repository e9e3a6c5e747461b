"""Encoding by words gives the tokens that ``tokenizers`` gives, whatever the text."""

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, pre_tokenizers

from dsk_assets.corpus import words
from dsk_assets.corpus.tokenizer import Vocabulary, tokenizer, vocabulary
from tests.corpora import donate, open_catalog, texts

A = "dsk-2026-0001@1.0.0"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    catalog = open_catalog(tmp_path_factory.mktemp("trained"))
    donate(catalog, A, texts("a", 20))
    return vocabulary(tokenizer(catalog))


def expected(made: Vocabulary, given: list[str]) -> list[list[int]]:
    return [made.tokenizer.encode(text, add_special_tokens=False).ids for text in given]


def encoded(made: Vocabulary, given: list[str]) -> list[list[int]]:
    return [one.tolist() for one in words.WordEncoder(made).encode(given)]


def test_every_settled_character_is_taken_for_what_tokenizers_takes_it(
    trained: Vocabulary,
) -> None:
    """Between, before and after letters, numbers, spaces, ends of lines and itself."""
    given = [
        f"a{c}b {c}1{c}2 {c}{c} \n{c}\r\n {c}x  {c}.{c} "
        for c in map(chr, chain.from_iterable(words._SETTLED))
    ]
    assert all(map(words._ALL_SETTLED.fullmatch, given))
    assert encoded(trained, given) == expected(trained, given)


ROUGH = st.text(st.sampled_from("aÆé1½²  \t\n\r\x1c\x85\u2028\xa0.,-'_»€😀")) | st.text(
    st.characters(codec="utf-8")
)


@settings(max_examples=300, deadline=None)
@given(given_texts=st.lists(ROUGH, max_size=6))
def test_any_texts_get_the_same_tokens(trained: Vocabulary, given_texts: list[str]) -> None:
    assert encoded(trained, given_texts) == expected(trained, given_texts)


def test_words_are_encoded_once(trained: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = words.WordEncoder(trained)
    asked: list[str] = []
    original = encoder._encode
    monkeypatch.setattr(
        encoder, "_encode", lambda given: [*map(asked.append, given)] and original(given)
    )
    given = ["en mørk aften", "en aften til", "漢字 en"]
    assert [one.tolist() for one in encoder.encode(given)] == expected(trained, given)
    assert sorted(asked) == sorted(["en", " mørk", " aften", " til", "漢字 en"])


def test_forgetting_changes_nothing(trained: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "REMEMBERED", 3)
    encoder = words.WordEncoder(trained)
    for text in ("en to tre fire fem", "fem seks", "to syv otte ni"):
        assert [one.tolist() for one in encoder.encode([text])] == expected(trained, [text])


@pytest.mark.parametrize("change", ["pre_tokenizer", "added"])
def test_a_tokenizer_of_another_kind_is_left_to_its_library(
    trained: Vocabulary, change: str
) -> None:
    other = Tokenizer.from_str(trained.tokenizer.to_str())
    other.encode_special_tokens = True
    if change == "added":
        other.add_tokens([AddedToken("aften på", special=False)])
    else:
        other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made = Vocabulary(other, trained.end_of_text)
    given = ["det var en aften på Ærø", "aften 12345"]
    assert trained.by_words and not made.by_words
    assert encoded(made, given) == expected(made, given) != expected(trained, given)
