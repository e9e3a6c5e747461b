"""The tokenizer: the same bytes for the same documents, no text lost, trained once."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from dsk_assets.corpus.config import load_corpus
from dsk_assets.corpus.encoding import BATCH, PIECE, encode_documents
from dsk_assets.corpus.tokenizer import Vocabulary, tokenizer, vocabulary
from dsk_assets.errors import MissingInputError, NotAdmittedError, SettingsError
from dsk_assets.evidence.catalog import Catalog
from tests.corpora import CORPUS, donate, open_catalog, texts, write
from tests.support import seed

A, B = "dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return open_catalog(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    catalog = open_catalog(tmp_path_factory.mktemp("trained"))
    donate(catalog, A, texts("a", 20))
    return vocabulary(tokenizer(catalog))


def retrain(folder: Path) -> str:
    """The digest of a tokenizer trained in *folder*; the subprocess below calls it too."""
    catalog = open_catalog(folder)
    donate(catalog, A, texts("a", 30))
    donate(catalog, B, texts("bb", 30))
    return tokenizer(catalog).digest


def test_the_same_documents_give_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; from tests.test_tokenizer import retrain; "
        "print(retrain(pathlib.Path(sys.argv[1])))"
    )
    other = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "other")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert retrain(tmp_path / "one") == retrain(tmp_path / "two") == other.stdout.strip()


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(exclude_categories=("Cs",))))
def test_no_text_is_lost(trained: Vocabulary, text: str) -> None:
    [encoded] = encode_documents(trained, [("d", text)])
    assert trained.decode(encoded.tokens[:-1]) == text
    assert encoded.tokens[-1] == trained.end_of_text
    assert trained.end_of_text not in encoded.tokens[:-1]
    assert encoded.characters == len(text)


def test_no_character_of_unicode_is_lost(trained: Vocabulary) -> None:
    everything = "".join(chr(n) for n in range(0x110000) if not 0xD800 <= n < 0xE000)
    [encoded] = encode_documents(trained, [("d", everything)])
    assert trained.decode(encoded.tokens[:-1]) == everything


@pytest.mark.parametrize("text", ["<|endoftext|>", "før<|endoftext|>efter", "<|padding|>"])
def test_text_cannot_forge_the_end_of_a_document(trained: Vocabulary, text: str) -> None:
    [encoded] = encode_documents(trained, [("d", text)])
    assert trained.end_of_text not in encoded.tokens[:-1]
    assert trained.decode(encoded.tokens[:-1]) == text


def test_documents_keep_their_bounds_across_pieces_and_batches(trained: Vocabulary) -> None:
    long_line = "aften på Ærø " * (PIECE // 13 + 5000)
    lines = "det var en aften\n" * (BATCH // 17 + 100)
    given_texts = [("a", "kort"), ("b", long_line), ("c", ""), ("d", lines), ("e", "slut")]
    encoded = list(encode_documents(trained, given_texts))
    assert [one.doc_id for one in encoded] == ["a", "b", "c", "d", "e"]
    for one, (_, text) in zip(encoded, given_texts, strict=True):
        assert trained.decode(one.tokens[:-1]) == text
        assert np.flatnonzero(one.tokens == trained.end_of_text).tolist() == [len(one.tokens) - 1]


def test_digits_stand_at_most_three_to_a_token(catalog: Catalog) -> None:
    donate(catalog, A, {f"{n:032d}": "1234567890 " * 50 for n in range(5)})
    made = vocabulary(tokenizer(catalog))
    pieces = [made.decode(np.array([n])) for n in range(made.size)]
    assert any(len(piece) == 3 for piece in pieces if piece.isdigit())
    assert all(len(piece) <= 3 for piece in pieces if piece.isdigit())


def test_only_kept_documents_of_admitted_donations_are_in_the_sample(catalog: Catalog) -> None:
    contents = {f"{0:032d}": "kvæk " * 100, f"{1:032d}": "zzyzx " * 100}
    donate(catalog, A, contents, dropped=[f"{1:032d}"])
    refused = {f"{2:032d}": "qwrtp " * 100}
    donate(catalog, B, refused)
    landing = seed(catalog, "donations/landing", B, files={"manifest.json": {"changed": True}})
    assert landing.digest  # gate approval has judged other bytes than these
    made = vocabulary(tokenizer(catalog)).tokenizer
    assert made.encode("kvæk", add_special_tokens=False).tokens == ["kvÃ¦k"]
    assert len(made.encode("zzyzx").tokens) == 5
    assert len(made.encode("qwrtp").tokens) == 5


def test_each_donation_gives_no_more_than_its_share(catalog: Catalog) -> None:
    write(
        catalog.settings.consortium / "corpus.yaml",
        CORPUS | {"tokenizer": CORPUS["tokenizer"] | {"sample_characters": 500}},
    )
    donate(catalog, A, texts("a", 40))
    donate(catalog, B, texts("bb", 1, words=5))
    small = sum(len(text) for text in texts("bb", 1, words=5).values())
    made = tokenizer(catalog)
    assert made.counts["characters"] == 500 + small
    assert made.counts["documents"] < 10


def test_a_new_donation_does_not_train_it_anew_but_a_new_version_does(catalog: Catalog) -> None:
    donate(catalog, A, texts("a", 10))
    first = tokenizer(catalog)
    donate(catalog, B, texts("bb", 10))
    assert tokenizer(catalog).statement_digest == first.statement_digest
    write(
        catalog.settings.consortium / "corpus.yaml",
        CORPUS | {"tokenizer": CORPUS["tokenizer"] | {"version": "2"}},
    )
    assert tokenizer(catalog).counts["donations"] == 2


def test_without_an_admitted_donation_there_is_none(catalog: Catalog) -> None:
    with pytest.raises(NotAdmittedError, match="no donation is admitted"):
        tokenizer(catalog)


def test_decisions_on_documents_that_are_gone_are_refused(catalog: Catalog) -> None:
    donate(catalog, A, texts("a", 10))
    donate(catalog, A, dict(list(texts("a", 10).items())[:9]))
    decisions = catalog.history("filtering/decisions", A)[0].table("decision")
    seed(catalog, "filtering/decisions", A, tables={"decision": decisions.slice(0, 10)})
    with pytest.raises(MissingInputError, match="1 of them"):
        tokenizer(catalog)


def use_given(catalog: Catalog, content: bytes, **more: str) -> None:
    (catalog.settings.consortium / "given.json").write_bytes(content)
    choice = {"name": "given", "version": "1", "given": "given.json"} | more
    write(catalog.settings.consortium / "corpus.yaml", CORPUS | {"tokenizer": choice})


def test_a_given_tokenizer_is_taken_as_it_is(catalog: Catalog, trained: Vocabulary) -> None:
    content = trained.tokenizer.to_str().encode()
    use_given(catalog, content)
    made = tokenizer(catalog)
    assert made.path("tokenizer.json").read_bytes() == content
    assert vocabulary(made).size == trained.size


def test_a_given_tokenizer_that_loses_text_is_refused(
    catalog: Catalog, trained: Vocabulary
) -> None:
    from tokenizers import Tokenizer, normalizers

    lossy = Tokenizer.from_str(trained.tokenizer.to_str())
    lossy.normalizer = normalizers.NFKC()
    use_given(catalog, lossy.to_str().encode())
    with pytest.raises(SettingsError, match="loses text"):
        tokenizer(catalog)


def test_a_given_tokenizer_neither_cuts_texts_off_nor_fills_them_up(
    catalog: Catalog, trained: Vocabulary
) -> None:
    """Many tokenizers are published with the limits of the model they were made for."""
    other = Tokenizer.from_str(trained.tokenizer.to_str())
    other.enable_truncation(8)
    other.enable_padding(pad_id=1)
    use_given(catalog, other.to_str().encode())
    made = vocabulary(tokenizer(catalog))
    documents = [("a", "kort"), ("b", "漢字" * 100), ("c", "lidt længere, mange ord " * 20)]
    for one, (_, text) in zip(encode_documents(made, documents), documents, strict=True):
        assert made.decode(one.tokens[:-1]) == text


def test_a_given_tokenizer_that_draws_lots_is_refused(
    catalog: Catalog, trained: Vocabulary
) -> None:
    content = json.loads(trained.tokenizer.to_str())
    content["model"]["dropout"] = 0.1
    use_given(catalog, json.dumps(content).encode())
    with pytest.raises(SettingsError, match="the same tokens twice"):
        tokenizer(catalog)


def test_a_given_tokenizer_needs_the_token_that_ends_a_document(
    catalog: Catalog, trained: Vocabulary
) -> None:
    use_given(catalog, trained.tokenizer.to_str().encode(), end_of_text="</s>")
    with pytest.raises(SettingsError, match="'</s>'"):
        tokenizer(catalog)
    use_given(catalog, b"{}")
    with pytest.raises(SettingsError, match="not a tokenizer"):
        tokenizer(catalog)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shards": {"target_tokens": -1}}, "shards.target_tokens is -1"),
        ({"shards": {}}, "shards.target_tokens is missing"),
        ({"shard": {"target_tokens": 9}}, "shard is .*Extra inputs"),
        ({"tokenizer": {"name": "a", "version": "1"}}, "either vocab_size and sample_characters"),
        ({"tokenizer": {"name": "a", "version": "1", "vocab_size": 600}}, "either vocab_size"),
    ],
)
def test_a_wrong_corpus_yaml_is_named(tmp_path: Path, change: object, message: str) -> None:
    assert isinstance(change, dict)
    write(tmp_path / "corpus.yaml", CORPUS | change)
    with pytest.raises(SettingsError, match=f"corpus.yaml: .*{message}"):
        load_corpus(tmp_path)


def test_a_missing_or_unreadable_corpus_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"corpus\.yaml is not in"):
        load_corpus(tmp_path)
    (tmp_path / "corpus.yaml").write_text("release: [")
    with pytest.raises(SettingsError, match="not readable YAML"):
        load_corpus(tmp_path)


def test_a_long_document_is_cut_after_lines_and_has_the_tokens_of_a_whole_one(
    trained: Vocabulary,
) -> None:
    text = "".join(f"aften på Ærø {number}.\n" for number in range(PIECE // 8))
    assert len(text) > 2 * PIECE
    assert text[PIECE - 1] != "\n", "a cut at the size alone would divide a line"
    [encoded] = encode_documents(trained, [("d", text)])
    whole = trained.tokenizer.encode(text, add_special_tokens=False).ids
    assert encoded.tokens[:-1].tolist() == whole
