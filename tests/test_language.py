"""Language: which one a text is in, and how much of it a policy accepts."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsk_assets.consortium.policy import LanguagePolicy
from dsk_assets.errors import NotAdmittedError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.filters.detection import detect, detect_pieces
from dsk_assets.filters.language import PIECE_CHARS, language, pieces
from dsk_assets.filters.language import tag as tag_texts
from dsk_assets.lake.store import Zone
from tests.support import DONATION, admit, documents, seed

CONTROL = Path(__file__).parent / "data" / "danish_control.jsonl"
PARAGRAPHS = Path(__file__).parent / "data" / "paragraphs.jsonl.gz"

TEXTS = {
    "da": "Vi skal hente børnene i skolen klokken tre, og bagefter går vi ud i haven, fordi vejret "
    "er så godt. Han sagde, at han gerne ville have et stykke kage mere, før vi tog af sted.",
    "nb": "Vi skal hente barna på skolen klokka tre, og etterpå går vi ut i hagen fordi været er "
    "så fint. Han sa at han gjerne ville ha et stykke kake til før vi dro av gårde.",
    "nn": "Vi skal hente borna på skulen klokka tre, og etterpå går vi ut i hagen fordi vêret er "
    "så fint. Han sa at han gjerne ville ha eit kakestykke til før me drog, men eg veit ikkje.",
    "sv": "Vi ska hämta barnen i skolan klockan tre, och efteråt går vi ut i trädgården eftersom "
    "vädret är så fint. Han sade att han gärna ville ha en bit kaka till innan vi åkte.",
    "fo": "Vit skulu heinta børnini í skúlanum klokkan trý, og aftaná fara vit út í havan, tí "
    "veðrið er so gott. Hann segði, at hann fegin vildi hava eitt kakustykki afturat.",
    "is": "Við eigum að sækja börnin í skólann klukkan þrjú og á eftir förum við út í garð af því "
    "að veðrið er svo gott. Hann sagðist gjarnan vilja fá aðra kökusneið áður en við færum.",
    "de": "Wir müssen die Kinder um drei Uhr von der Schule abholen, und danach gehen wir in den "
    "Garten, weil das Wetter so schön ist. Er sagte, er wolle gern noch ein Stück Kuchen.",
    "en": "We must fetch the children from school at three, and afterwards we will go into the "
    "garden because the weather is so fine. He said he would like another piece of cake.",
}
RIKSMAAL = (
    "Og det skjedde efter disse ting at kongen gikk ut av byen, og folket fulgte ham. Da sa han "
    "til dem: I har hørt hvad jeg har sagt eder, og nu skal I vite at jeg ikke vil gi dere op."
)
BIBLE_1930 = (
    "Og Herren sa til Moses: Gå frem foran folket og ta med dig nogen av Israels eldste, og din "
    "stav som du slo i elven med, ta den i hånden og gå! Se, jeg vil stå der foran dig på klippen.",
    "Og presten gav høvedsmennene de spyd og skjold som hadde tilhørt kong David, og som var i "
    "Herrens hus. Og drabantene stod opstilt, hver mann med våben i hånd, fra husets høire side.",
)
"""Bokmål that both CLD2 and lingua take for Danish."""
OLD_DANISH = (
    "Naar Manden kom hjem om Aftenen, da sad Konen altid paa Bænken ved Kakkelovnen og spandt; hun "
    "saae ikke op, men sagde blot, at Maden stod paa Bordet, og at han selv maatte tage for sig."
)


def tag(text: str, policy: LanguagePolicy) -> dict[str, Any]:
    return tag_texts(pl.Series([text]), policy).to_dicts()[0]


@pytest.mark.parametrize("code", TEXTS)
def test_each_language_is_told_from_its_neighbours(code: str) -> None:
    assert detect(TEXTS[code])[0] == code


def test_old_danish_is_danish_and_old_bokmaal_is_not() -> None:
    assert detect(OLD_DANISH)[0] == "da"
    assert [detect(text)[0] for text in (RIKSMAAL, *BIBLE_1930)] == ["nb", "nb", "nb"]


def test_no_passage_of_the_danish_control_set_is_refused() -> None:
    passages = [json.loads(line)["text"] for line in CONTROL.open(encoding="utf-8")]
    policy = LanguagePolicy()
    tagged = tag_texts(pl.Series(passages), policy)
    assert len(passages) >= 200
    assert tagged.filter(pl.col("accepted_share") < policy.min_share).height == 0


def test_a_mixed_document_has_the_language_of_most_letters() -> None:
    text = "\n\n".join([TEXTS["da"]] * 3 + [TEXTS["de"]])
    tagged = tag(text, LanguagePolicy())
    assert tagged["language"] == "da"
    assert tagged["accepted_share"] == pytest.approx(0.75, abs=0.05)
    assert tagged["n_char"] == len(text)


def test_neighbours_are_accepted_in_short_documents_only() -> None:
    policy = LanguagePolicy(confusable_below=200)
    assert tag(TEXTS["nb"], policy)["accepted_share"] == 1.0
    assert tag(TEXTS["nb"] + "\n" + TEXTS["nb"], policy)["accepted_share"] == 0.0
    assert tag(TEXTS["de"], policy)["accepted_share"] == 0.0


@pytest.mark.parametrize("text", ["", " \n\n ", "12 345,67 § 4 — 2026", "\x00\x01\ufffe"])
def test_text_without_letters_has_no_language(text: str) -> None:
    tagged = tag(text, LanguagePolicy())
    assert (tagged["language"], tagged["accepted_share"]) == ("und", 0.0)


@settings(deadline=None)
@given(st.text(max_size=400))
def test_any_text_gets_a_language_and_a_share(text: str) -> None:
    tagged = tag(text, LanguagePolicy())
    assert 0.0 <= float(tagged["accepted_share"]) <= 1.0
    assert 0.0 <= float(tagged["confidence"]) <= 1.0
    assert tagged["language"]


@given(st.text(alphabet="ab \n", max_size=5000))
def test_paragraphs_are_the_whole_text_in_order(text: str) -> None:
    assert "".join(text[start:end] for start, end in pieces(text)) == text
    assert all(end - start <= PIECE_CHARS[1] for start, end in pieces(text))


def test_each_paragraph_has_its_language() -> None:
    text = "\n\n".join(TEXTS[code] for code in ("da", "de", "nb", "da"))
    paragraphs = tag(text, LanguagePolicy())["paragraphs"]
    assert [one["language"] for one in paragraphs] == ["da", "de", "nb", "da"]
    assert [text[one["start"] : one["end"]].strip() for one in paragraphs] == text.split("\n\n")


def test_languages_do_not_depend_on_what_else_is_in_the_batch() -> None:
    texts = pl.Series([*TEXTS.values(), "", RIKSMAAL, "\n".join(TEXTS.values())])
    together = tag_texts(texts, LanguagePolicy())
    assert together.to_dicts() == [tag(text, LanguagePolicy()) for text in texts]


def test_paragraphs_of_five_sentences_and_more_are_told_apart() -> None:
    lines = gzip.decompress(PARAGRAPHS.read_bytes()).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    texts = pl.Series([row["text"] for row in rows])
    found = detect_pieces(texts, np.arange(len(rows)))["language"].to_list()
    pairs = Counter((row["lang"], language) for row, language in zip(rows, found, strict=True))
    danish = sum(count for (true, _), count in pairs.items() if true == "da")
    taken = sum(count for (_, seen), count in pairs.items() if seen == "da")
    assert danish >= 100
    assert pairs["da", "da"] / danish >= 0.995
    assert pairs["da", "da"] / taken >= 0.995
    assert pairs["nb", "da"] <= 0.01 * sum(n for (true, _), n in pairs.items() if true == "nb")
    assert sum(n for (true, seen), n in pairs.items() if true == seen) / len(rows) >= 0.99


def test_control_characters_do_not_stop_detection() -> None:
    assert detect(TEXTS["da"].replace(" ", "\x07 \ufdd0"))[0] == "da"


def _prepared(catalog: Catalog, texts: dict[str, str]) -> None:
    landing = seed(catalog, "donations/landing", DONATION, zone=Zone.RESTRICTED, files={"m": 1})
    table = documents(texts)
    made = seed(
        catalog, "donations/documents", DONATION, zone=Zone.RESTRICTED, tables={"document": table}
    )
    admit(catalog, "approval", landing)
    admit(catalog, "statistics", made)


def test_the_stage_writes_a_row_for_each_document_and_no_text(catalog: Catalog) -> None:
    _prepared(catalog, {"d1": TEXTS["da"], "d2": TEXTS["en"], "d3": ""})
    snapshot = language(catalog, DONATION)
    rows = {row["doc_id"]: row for row in snapshot.table("language").to_pylist()}
    assert {name: row["language"] for name, row in rows.items()} == {
        "d1": "da",
        "d2": "en",
        "d3": "und",
    }
    assert snapshot.counts["by_language"] == {"da": 1, "en": 1, "und": 1}
    assert snapshot.counts["documents"] == 3
    total = len(TEXTS["da"]) + len(TEXTS["en"])
    assert snapshot.counts["accepted_share"] == pytest.approx(len(TEXTS["da"]) / total, abs=1e-3)
    assert pa.string() not in {field.type for field in list(snapshot.table("language").schema)[2:]}


def test_the_stage_takes_an_empty_donation(catalog: Catalog) -> None:
    _prepared(catalog, {})
    snapshot = language(catalog, DONATION)
    assert snapshot.table("language").num_rows == 0
    assert snapshot.counts["accepted_share"] == 0.0


def test_the_stage_refuses_documents_that_no_gate_has_admitted(catalog: Catalog) -> None:
    _prepared(catalog, {"d1": TEXTS["da"]})
    landing = catalog.require("donations/landing", DONATION)
    admit(catalog, "approval", landing, admitted=False)
    with pytest.raises(NotAdmittedError, match="approval"):
        language(catalog, DONATION)
