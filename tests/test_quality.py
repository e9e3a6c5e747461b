"""Quality: what is measured of a text, and what the rule sets say of it."""

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsk_assets.consortium.policy import QualityPolicy
from dsk_assets.errors import NotAdmittedError, SettingsError
from dsk_assets.evidence.catalog import Catalog, Output
from dsk_assets.filters.measures import MEASURES, STOP_WORDS, measure
from dsk_assets.filters.quality import quality
from dsk_assets.filters.ruleset import for_policy, load
from dsk_assets.filters.signatures import signatures
from dsk_assets.filters.words import among, hash_words, words_of
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings
from tests.support import DONATION, admit, documents, seed

CONTROL = Path(__file__).parent / "data" / "danish_control.jsonl"
PUBLISHED = ("gopher-v1", "c4-v1", "fineweb2-dan-v1", "dfm-2024-v1", "dfm-2025-v1")
PROSE = (
    "Der var engang en gammel mølle, som stod på en bakke uden for byen. Hver morgen gik mølleren "
    "op ad stien for at se, om vinden var god. Han havde boet der hele sit liv, og han kendte "
    "hvert eneste hus i dalen. Børnene kom ofte og besøgte ham, fordi han fortalte dem historier "
    "om havet. Om vinteren sad han ved ovnen og læste i de bøger, som hans bror havde sendt ham."
)
WORDS = ["og", "huset", "å", "æble", "<DK_CPR>", "12", "Øl", "en-to", "§"]


def one(text: str) -> dict[str, float]:
    return measure(pl.Series([text])).to_dicts()[0]


def reference_words(text: str) -> list[str]:
    spaced = re.sub(r"[^\w]|__+", " ", text.lower())
    return [word for word in spaced.split(" ") if word]


def reference_duplicated(words: list[str], n: int) -> int:
    """Characters in repeated n-grams as datatrove 0.10.1 takes them."""
    seen = set()
    place = characters = 0
    while place <= len(words) - n:
        gram = tuple(words[place : place + n])
        if gram in seen:
            characters += len("".join(gram))
            place += n
        else:
            seen.add(gram)
            place += 1
    return characters


def reference_top(words: list[str], n: int) -> int:
    grams = [tuple(words[place : place + n]) for place in range(len(words) - n + 1)]
    best = max(((grams.count(g), len(" ".join(g))) for g in grams), default=(0, 0))
    return best[0] * best[1] if best[0] >= 3 else 0


texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join), max_size=5)


@given(texts)
def test_words_and_repetition_are_those_of_a_plain_implementation(batch: list[str]) -> None:
    measured = measure(pl.Series(batch, dtype=pl.String)).to_dicts()
    for text, row in zip(batch, measured, strict=True):
        words = reference_words(text)
        size = max(len(text), 1)
        assert row["n_word"] == len(words)
        for n in (2, 3, 4):
            expected = min(reference_top(words, n) / size, 1.0)
            assert row[f"top_{n}_gram_char_share"] == pytest.approx(expected)
        for n in range(5, 11):
            expected = reference_duplicated(words, n) / size
            assert row[f"dup_{n}_gram_char_share"] == pytest.approx(expected)


@given(st.lists(st.text(max_size=60), max_size=6))
def test_every_measure_is_a_number_and_does_not_depend_on_the_batch(batch: list[str]) -> None:
    together = measure(pl.Series(batch, dtype=pl.String))
    assert together.columns == list(MEASURES)
    assert together.height == len(batch)
    for number, text in enumerate(batch):
        alone = one(text)
        assert together.row(number, named=True) == alone
        for name, value in alone.items():
            assert value >= 0, name
            if name.endswith("_share"):
                assert value <= 1, name


def test_placeholders_are_words_with_letters_and_punctuation_is_no_word() -> None:
    row = one("Ring til <PERSON_1>, cpr <DK_CPR>! – § 12 …")
    assert row["n_word"] == 6
    assert row["alpha_ratio"] == pytest.approx(5 / 6)


def test_words_have_the_same_hash_on_every_machine() -> None:
    assert [int(value) for value in hash_words(["og", "æble"])] == [
        int(value) for value in words_of(pl.Series(["Og! ÆBLE"])).hash
    ]
    assert int(hash_words(["dansk"])[0]) == 8296586424919747227


@given(
    st.lists(
        st.text(st.sampled_from("ab_ \n.,é“\u0301日1Å_ß İΣς\x00\xa0٣²"), max_size=30), max_size=5
    )
)
def test_words_are_runs_of_letters_marks_digits_and_underscores(batch: list[str]) -> None:
    texts = pl.Series(batch, dtype=pl.String)
    plain = texts.str.to_lowercase().str.replace_all(r"[^\pL\pM0-9_]+|__+", " ")
    expected = [[word for word in text.split(" ") if word] for text in plain]
    words = words_of(texts)
    assert words.counts.tolist() == [len(some) for some in expected]
    flat = [word for some in expected for word in some]
    assert words.chars.tolist() == [len(word) for word in flat]
    assert words.hash.tolist() == [int(hash_words([word])[0]) for word in flat]
    assert words.has_letter.tolist() == [any(c > "_" for c in word) for word in flat]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.lists(st.integers(0, 29), max_size=5))
def test_hashes_are_found_among_few_others(hashes: list[int], chosen: list[int]) -> None:
    few = sorted({hashes[place] for place in chosen if place < len(hashes)})
    places = among(np.array(hashes, np.uint64), np.array(few, np.uint64))
    assert places.tolist() == [at for at, value in enumerate(hashes) if value in few]


def test_lines_and_stop_words() -> None:
    row = one("- et punkt\n- to punkter\nSlut på det hele...\n\nJa, og nej…\n- Nej! sagde han.\n")
    assert row["n_line"] == 5
    assert row["bullet_line_share"] == pytest.approx(2 / 5)
    assert row["ellipsis_line_share"] == pytest.approx(2 / 5)
    assert row["line_punct_share"] == pytest.approx(2 / 5)
    assert row["short_line_share"] == 1.0
    assert row["stop_words"] == 5  # et, på, det, og, han
    assert one("- et punkt\nog en linje")["bullet_line_share"] == 0
    assert len(STOP_WORDS) == 20


def test_repeated_lines_and_paragraphs() -> None:
    row = one("samme linje\nen anden\nsamme linje\n\nafsnit et\n \nafsnit et")
    assert row["dup_line_share"] == pytest.approx(2 / 5)
    assert row["dup_line_char_share"] == pytest.approx((11 + 9) / 56, abs=0.01)
    assert row["dup_paragraph_char_share"] == pytest.approx(9 / 56, abs=0.01)


def test_sentences_are_counted_in_the_lines_that_c4_keeps() -> None:
    text = (
        "Han gik. Hun kom, og de sov! »Nu?«\n"
        "En linje uden slutning\n"
        "For kort.\n"
        "Vi bruger cookies på denne side.\n"
        "Og saa videre til enden...\n"
        "Til sidst kom foråret til byen.\n"
    )
    assert one(text)["c4_sentences"] == 4
    row = one("Lorem ipsum dolor {sit} amet, lorem  ipsum.\n\nEns afsnit.\n\nEns afsnit.")
    assert (row["lorem_ipsum"], row["curly_brackets"]) == (1, 1)
    assert row["dup_paragraph_share"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("name", [*PUBLISHED, "danish-prose-v1"])
def test_every_published_rule_set_passes_plain_prose_and_stops_junk(name: str) -> None:
    broken = [rule.broken().alias(rule.id) for rule in load(name).rules]
    junk = "Lorem ipsum { 17 33 12 8 } " * 80
    measured = measure(pl.Series([PROSE, junk]))
    assert load(name).name == name
    assert measured.select(pl.any_horizontal(broken)).to_series().to_list() == [False, True]


def control(register: str, passages: int = 1) -> pl.Series:
    """The clean Danish control set, in documents of so many *passages* of one source."""
    rows = [json.loads(line) for line in CONTROL.open(encoding="utf-8")]
    by_source: dict[str, list[str]] = {}
    for row in rows:
        if row["register"] == register:
            by_source.setdefault(row["source"], []).append(row["text"])
    return pl.Series(
        "\n\n".join((texts + texts)[place : place + passages])
        for texts in by_source.values()
        for place in range(len(texts))
    )


def dropped_by(rules: str, texts: pl.Series) -> pl.DataFrame:
    """Which rules each of *texts* breaks, of those that break any."""
    broken = [rule.broken().alias(rule.id) for rule in load(rules).rules]
    return measure(texts).select(broken).filter(pl.any_horizontal(pl.all()))


@pytest.mark.parametrize(
    ("register", "rules"), [("prose", "danish-prose-v1"), ("formulaic", "danish-records-v1")]
)
def test_under_half_a_percent_of_clean_danish_is_dropped(register: str, rules: str) -> None:
    chosen = control(register)
    assert len(chosen) >= 60
    assert dropped_by(rules, chosen).height / len(chosen) < 0.005


@pytest.mark.parametrize("rules", PUBLISHED)
def test_published_sets_drop_under_half_a_percent_of_clean_danish_of_some_length(
    rules: str,
) -> None:
    chosen = control("prose", passages=2)
    assert len(chosen) == 200
    assert dropped_by(rules, chosen).height / len(chosen) < 0.005


@pytest.mark.parametrize("rules", PUBLISHED)
def test_of_short_passages_published_sets_drop_only_what_has_under_five_sentences(
    rules: str,
) -> None:
    """C4 demands five whole sentences, which a passage of 900 characters need not have."""
    broken = dropped_by(rules, control("prose"))
    demands = any(rule.id == "sentences" for rule in load(rules).rules)
    others = broken.drop("sentences") if demands else broken
    assert others.filter(pl.any_horizontal(pl.all())).is_empty()
    assert bool(broken.height) == demands


@pytest.mark.parametrize(
    ("junk", "rule"),
    [
        ("Køb nu! " * 100, "top-2-gram"),
        ("17 33 12 8 44 91 2 5 " * 20, "alpha-ratio"),
        ("Hus bil kat hund " * 2, "words-min"),
        ("\n".join(f"- ting nummer {chr(97 + i)}{i} på listen" for i in range(26)), "bullet-lines"),
    ],
)
def test_junk_breaks_the_rule_made_for_it(junk: str, rule: str) -> None:
    rules = {one.id: one for one in load("danish-prose-v1").rules}
    assert measure(pl.Series([junk])).select(rules[rule].broken()).item()


def test_a_policy_disables_rules_and_moves_thresholds() -> None:
    policy = QualityPolicy(disabled=("words-min",), thresholds={"alpha-ratio": 0.9})
    rules = {rule.id: rule for rule in for_policy(policy).rules}
    assert "words-min" not in rules
    assert rules["alpha-ratio"].threshold == 0.9
    assert load("danish-prose-v1").rules[0].id == "words-min"


@pytest.mark.parametrize(
    "policy",
    [
        QualityPolicy(rules="../policy"),
        QualityPolicy(disabled=("words-mni",)),
        QualityPolicy(thresholds={"alpha": 0.5}),
    ],
)
def test_unknown_rule_sets_and_rules_are_named_with_the_known_ones(policy: QualityPolicy) -> None:
    with pytest.raises(SettingsError, match="danish-prose-v1"):
        for_policy(policy)


def _prepared(catalog: Catalog, texts: dict[str, str]) -> None:
    landing = seed(catalog, "donations/landing", DONATION, zone=Zone.RESTRICTED, files={"m": 1})
    table = documents(texts).drop(["file_id"])
    redacted = seed(catalog, "filtering/personal_data", DONATION, tables={"document": table})
    admit(catalog, "approval", landing)
    admit(catalog, "personal_data", redacted)


def test_the_stage_writes_each_documents_measures_and_nothing_else(catalog: Catalog) -> None:
    huge = ("Der var engang en mand, som boede i en by ved havet og talte om vejret. " * 69_445)[
        :5_000_000
    ]
    texts = {"d1": "Kort tekst.", "d2": huge, "d3": ""}
    _prepared(catalog, texts)
    snapshot = quality(catalog, DONATION)
    table = snapshot.table("attribute")
    assert table.column_names == ["doc_id", *MEASURES]
    assert table["doc_id"].to_pylist() == list(texts)
    assert table["n_char"].to_pylist() == [11, 5_000_000, 0]
    assert snapshot.counts["documents"] == 3


def test_the_stage_takes_an_empty_donation(catalog: Catalog) -> None:
    _prepared(catalog, {})
    assert quality(catalog, DONATION).table("attribute").num_rows == 0


def test_the_stage_refuses_text_that_the_personal_data_gate_refused(catalog: Catalog) -> None:
    _prepared(catalog, {"d1": "tekst"})
    redacted = catalog.require("filtering/personal_data", DONATION)
    admit(catalog, "personal_data", redacted, admitted=False)
    with pytest.raises(NotAdmittedError, match="personal_data"):
        quality(catalog, DONATION)


def test_parts_give_the_same_files_with_one_worker_and_with_two(tmp_path: Path) -> None:
    passages = [json.loads(line)["text"] for line in CONTROL.open(encoding="utf-8")][:40]
    table = documents({f"d{n:02}": text for n, text in enumerate(passages)}).drop(["file_id"])

    def produce(out: Output) -> None:
        for part in range(4):
            out.table("document", [table.slice(part * 10, 10)], table.schema, part=part)

    made = {}
    for workers in (1, 2):
        catalog = Catalog(load_settings(home=tmp_path / str(workers), lake="", workers=workers))
        _prepared(catalog, {})
        redacted = catalog.materialise(
            "filtering/personal_data",
            DONATION,
            zone=Zone.CURATED,
            inputs=[],
            config={},
            code_version="parts",
            produce=produce,
        )
        admit(catalog, "personal_data", redacted)
        made[workers] = (quality(catalog, DONATION), signatures(catalog, DONATION))
    for one_worker, two_workers in zip(made[1], made[2], strict=True):
        assert [file.rows for file in one_worker.files] == [10] * 4
        assert one_worker.digest == two_workers.digest
