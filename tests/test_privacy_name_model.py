"""The sequence model for names: its build is reproducible and its search is CRFsuite's."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsk_assets.lake.digests import sha256_file
from dsk_assets.privacy import name_model_build as build
from dsk_assets.privacy.gazetteer import DATA
from dsk_assets.privacy.name_model import BREAK, MODEL, NameModel, Token, search, tokens


@pytest.fixture(scope="module")
def part() -> list[dict[str, Any]]:
    return build.read(build.TRAIN)[:250]


def test_the_same_sentences_give_the_same_bytes(part: list[dict[str, Any]], tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        build.write(build.train(part), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    build.write(build.train(part[:-1]), files[1])
    assert files[0].read_bytes() != files[1].read_bytes()


def test_the_shipped_model_and_its_data_are_those_of_the_card() -> None:
    card = json.loads(build.CARD.read_text("utf-8"))
    assert card["sha256"] == sha256_file(MODEL)
    for part in (card["training"], card["development"]):
        assert part["sha256"] == sha256_file(DATA / part["file"])
    assert card["lists"] == {name: sha256_file(DATA / name) for name in card["lists"]}
    assert MODEL.stat().st_size == card["bytes"] < 5_000_000
    assert card["cpu_seconds"] < 300


def test_the_card_states_what_the_model_scores() -> None:
    card = json.loads(build.CARD.read_text("utf-8"))
    measured = build.scores(NameModel(), build.read(build.DEVELOPMENT), 0.3)
    assert card["scores"]["threshold 0.3"] == measured
    assert measured["covered"] > 0.9


def test_probabilities_are_those_of_crfsuite(
    part: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pycrfsuite

    monkeypatch.setattr(build, "_DECIMALS", 6)
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", params=build.PARAMETERS, verbose=False)
    sequences = [w for s in part for w in build.labelled(s["text"], s["persons"], s["others"])]
    rng, lists = random.Random(1), build._Drawn()
    for words in sequences:
        for variant in build.variants(words, rng, lists):
            trainer.append(build.attributes(variant), [word.label for word in variant])
    trainer.train(str(tmp_path / "crf"))
    build.write(build.train(part), tmp_path / "model")
    tagger = pycrfsuite.Tagger()
    tagger.open(str(tmp_path / "crf"))
    model = NameModel(tmp_path / "model")
    for words in sequences[:60]:
        tagger.set(build.attributes(words))
        wanted = [
            [1 - tagger.marginal("B", t) - tagger.marginal("I", t)]
            + [tagger.marginal(label, t) for label in "BI"]
            for t in range(len(words))
        ]
        found = model.probabilities([Token(word.text, i, i + 1) for i, word in enumerate(words)])
        assert np.allclose(found, wanted, atol=1e-4)


def test_sentences_of_a_text_are_scored_as_if_alone() -> None:
    sentences = ["Det sagde Xarla Blimfberg i går.", "Han bor i Viborg.", "Ole Krogh smilede"]
    together = search(" ".join(sentences) + "\n")
    alone = [row for s in sentences for row in NameModel().probabilities(tokens(s))]
    assert [t.text for t in together.found if t.text != BREAK] == [
        t.text for s in sentences for t in tokens(s) if t.text != BREAK
    ]
    rows = [row for row, t in zip(together.labels, together.found, strict=True) if t.text != BREAK]
    kept = [
        row
        for row, t in zip(alone, [t for s in sentences for t in tokens(s)], strict=True)
        if t.text != BREAK
    ]
    assert np.allclose(rows, kept)


@pytest.mark.parametrize(
    "text",
    [
        "Det oplyser politimester Zwibel Quantroth til avisen.",
        "»Vi er glade,« siger Xandri Plombeck, der leder klubben.",
        "det fortalte mette jensen til sin søster",
    ],
)
def test_names_that_no_list_has_are_found_by_what_stands_round_them(text: str) -> None:
    assert list(search(text).spans(0.15))


def test_an_empty_text_and_one_without_words() -> None:
    assert list(search("").spans(0.1)) == []
    assert list(search("\n\n…").spans(0.1)) == []
