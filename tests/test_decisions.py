"""Decisions: one for each document, with the reason, and no text lost to a document dropped."""

import json

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from dsk_assets.corpus.kept import kept_documents
from dsk_assets.errors import MissingInputError, NotAdmittedError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.filters.decisions import decisions
from dsk_assets.filters.decontamination import contamination
from dsk_assets.filters.duplicates import duplicates
from dsk_assets.filters.language import language
from dsk_assets.filters.measures import MEASURES
from dsk_assets.filters.measures_da import IN_DANISH
from dsk_assets.filters.quality import quality
from dsk_assets.filters.signatures import signatures
from dsk_assets.filters.why import why
from dsk_assets.gates.admitted import admitted
from dsk_assets.settings import load_settings
from tests.deciding import (
    GERMAN,
    HARBOUR,
    ONE,
    SHORT,
    STORY,
    TWO,
    decided,
    donate,
    reasons,
    set_policy,
)
from tests.deciding import catalog as catalog
from tests.support import admit, seed

STAGES = ("personal_data", "language", "quality", "decontamination", "duplicates")


def test_every_stage_gives_its_reason(catalog: Catalog) -> None:
    texts = {
        "a-story": STORY,
        "b-copy": STORY.upper(),
        "c-near": STORY + " Det var godt.",
        "d-german": GERMAN,
        "e-short": SHORT,
        "f-secret": HARBOUR,
        "g-empty": "",
    }
    donate(catalog, ONE, texts, withheld=frozenset({"f-secret"}))
    duplicates(catalog)
    snapshot = decisions(catalog, ONE)
    rows = decided(snapshot)
    assert {name: (row["stage"], row["rule"]) for name, row in rows.items()} == {
        "a-story": ("", ""),
        "b-copy": ("duplicates", "exact-duplicate"),
        "c-near": ("duplicates", "near-duplicate"),
        "d-german": ("language", "accepted-language"),
        "e-short": ("quality", "words-min"),
        "f-secret": ("personal_data", "density"),
        "g-empty": ("language", "accepted-language"),
    }
    assert list(rows) == list(texts)
    assert [row["kept"] for row in rows.values()] == [True] + [False] * 6
    assert rows["b-copy"]["survivor_id"] == rows["c-near"]["survivor_id"] == "a-story"
    assert (rows["d-german"]["value"], rows["d-german"]["threshold"]) == (0.0, 0.5)
    assert (rows["e-short"]["value"], rows["e-short"]["threshold"]) == (16.0, 50.0)
    assert snapshot.counts["documents"] == 7
    assert snapshot.counts["kept"] == 1
    assert snapshot.counts["characters_kept"] == len(STORY)
    assert snapshot.counts["characters"] == sum(map(len, texts.values()))
    assert snapshot.counts["dropped_by_stage"] == {
        "duplicates": 2,
        "language": 2,
        "personal_data": 1,
        "quality": 1,
    }


def test_a_document_that_stands_in_an_evaluation_set_is_dropped(catalog: Catalog) -> None:
    folder = catalog.settings.consortium / "evaluations"
    folder.mkdir()
    question = " ".join(HARBOUR.split()[10:40])
    (folder / "havne.jsonl").write_text(json.dumps({"question": question.upper(), "answer": "B"}))
    donate(catalog, ONE, {"clean": STORY, "seen": HARBOUR})
    duplicates(catalog)
    assert reasons(catalog, ONE) == {
        "clean": ("", ""),
        "seen": ("decontamination", "evaluation-overlap"),
    }
    told = why(catalog, "seen")
    assert (
        "18 of its sequences of 13 words also stand in evaluation sets, most of them in havne"
        in told
    )
    assert "18 af dets rækker på 13 ord også står i evalueringssæt, de fleste i havne" in told
    set_policy(catalog.settings.consortium, "decontamination: {max_overlaps: 18}\n")
    tags = catalog.require("filtering/contamination", ONE)
    duplicates(catalog)
    assert reasons(catalog, ONE)["seen"] == ("", "")
    assert contamination(catalog, ONE) == tags
    (folder / "flere.txt").write_text(STORY)
    assert contamination(catalog, ONE).counts["documents"] == 2


def test_documents_made_of_others_lines_are_dropped_where_the_policy_asks(
    catalog: Catalog,
) -> None:
    mail, harbour = (text.replace(". ", ".\n") for text in (STORY, HARBOUR))
    texts = {"a": mail, "b": f"{harbour}\n{mail}", "c": f"{mail}\nMed venlig hilsen fra os her"}
    set_policy(catalog.settings.consortium, "duplicates: {near: false, max_repeated_lines: 0.4}\n")
    donate(catalog, ONE, texts)
    duplicates(catalog)
    assert reasons(catalog, ONE) == {
        "a": ("", ""),
        "b": ("duplicates", "lines-duplicate"),
        "c": ("duplicates", "lines-duplicate"),
    }
    row = decided(decisions(catalog, ONE))["b"]
    assert (row["survivor_id"], row["threshold"]) == ("a", 0.4)
    assert row["value"] == pytest.approx(len(STORY) / len(texts["b"]), abs=0.02)
    assert "of its characters stand in lines of other documents" in why(catalog, "b")
    set_policy(catalog.settings.consortium, "duplicates: {near: false, max_repeated_lines: 0.6}\n")
    duplicates(catalog)
    assert reasons(catalog, ONE)["b"] == ("", "")
    assert reasons(catalog, ONE)["c"][1] == "lines-duplicate"


def test_lines_of_other_donations_are_cut_out_where_the_policy_asks(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsk_assets.corpus.kept.ROWS", 1)
    backwards = ". ".join(reversed(STORY.rstrip(".").split(". "))) + "."
    mail, harbour = (text.replace(". ", ".\n") for text in (STORY, HARBOUR))
    set_policy(catalog.settings.consortium, "duplicates: {cut_repeated_lines: true}\n")
    donate(catalog, ONE, {"a": f"{mail}\n\n{harbour}", "c": backwards, "x": GERMAN})
    donate(catalog, TWO, {"b": harbour}, is_open=True)
    duplicates(catalog)
    found = decisions(catalog, ONE)
    row = decided(found)["a"]
    assert (row["kept"], row["n_cut"]) == (True, len(harbour))
    assert decided(decisions(catalog, TWO))["b"]["n_cut"] == 0
    assert found.counts["characters_cut"] == len(harbour)
    (cut,) = {row["survivor_id"] for row in found.table("cut").to_pylist()}
    assert cut == "b"
    assert dict(kept_documents(catalog, ONE).texts()) == {"a": mail, "c": backwards}
    english, danish = why(catalog, "a").split("\n")
    lines, size = harbour.count("\n") + 1, len(harbour)
    assert "kept, without the lines that other documents have too" in english
    assert f"({lines} of {size} characters in all, most of them in b)" in english
    assert (
        f"beholdt, uden de linjer, som andre dokumenter også har ({lines} på i alt {size}" in danish
    )
    set_policy(catalog.settings.consortium, "")
    signatures(catalog, ONE), signatures(catalog, TWO)
    duplicates(catalog)
    decisions(catalog, ONE)
    assert dict(kept_documents(catalog, ONE).texts())["a"] == f"{mail}\n\n{harbour}"


def test_another_threshold_decides_again_without_tagging_again(catalog: Catalog) -> None:
    donate(catalog, ONE, {"a": STORY, "b": SHORT})
    duplicates(catalog)
    assert reasons(catalog, ONE)["b"] == ("quality", "words-min")
    sections = "quality: {thresholds: {words-min: 10}}\nlanguage: {min_share: 0.9}\n"
    set_policy(catalog.settings.consortium, sections)
    catalog.made.clear()
    language(catalog, ONE)
    quality(catalog, ONE)
    signatures(catalog, ONE)
    assert catalog.made == []
    duplicates(catalog)
    assert reasons(catalog, ONE)["b"] == ("", "")
    assert [asset for asset, _ in catalog.made] == ["filtering/duplicates", "filtering/decisions"]


def test_decisions_are_not_made_from_duplicates_of_other_tags(catalog: Catalog) -> None:
    donate(catalog, ONE, {"a": STORY})
    duplicates(catalog)
    set_policy(catalog.settings.consortium, "quality: {disabled: [words-min]}\n")
    with pytest.raises(MissingInputError, match="filtering/duplicates has not considered"):
        decisions(catalog, ONE)
    duplicates(catalog)
    decisions(catalog, ONE)
    donate(catalog, TWO, {"b": STORY})
    with pytest.raises(MissingInputError, match=TWO):
        decisions(catalog, TWO)


def test_a_dropped_document_never_stands_for_another(catalog: Catalog) -> None:
    (catalog.settings.consortium / "policies").mkdir(exist_ok=True)
    lenient = f"applies_to: [{TWO.partition('@')[0]}]\nquality: {{disabled: [words-min]}}\n"
    set_policy(catalog.settings.consortium, lenient, "lenient")
    donate(catalog, ONE, {"a": SHORT}, is_open=True)
    donate(catalog, TWO, {"b": SHORT}, approved_on="2026-06-01")
    duplicates(catalog)
    assert reasons(catalog, ONE) == {"a": ("quality", "words-min")}
    assert reasons(catalog, TWO) == {"b": ("", "")}


def test_the_survivor_over_donations_is_the_open_one_whatever_came_first(catalog: Catalog) -> None:
    donate(catalog, ONE, {"a": STORY}, approved_on="2025-01-01")
    duplicates(catalog)
    assert reasons(catalog, ONE) == {"a": ("", "")}
    donate(catalog, TWO, {"b": STORY}, is_open=True)
    duplicates(catalog)
    assert reasons(catalog, ONE) == {"a": ("duplicates", "exact-duplicate")}
    assert reasons(catalog, TWO) == {"b": ("", "")}
    admit(catalog, "approval", catalog.require("donations/landing", TWO), admitted=False)
    duplicates(catalog)
    assert reasons(catalog, ONE) == {"a": ("", "")}


def test_a_policy_can_keep_duplicates(catalog: Catalog) -> None:
    set_policy(catalog.settings.consortium, "duplicates: {near: false}\n")
    donate(catalog, ONE, {"a": STORY, "b": STORY + " Det var godt.", "c": STORY})
    duplicates(catalog)
    assert reasons(catalog, ONE) == {
        "a": ("", ""),
        "b": ("", ""),
        "c": ("duplicates", "exact-duplicate"),
    }


def test_a_new_donation_leaves_the_decisions_on_others_fresh(catalog: Catalog) -> None:
    donate(catalog, ONE, {"a": STORY})
    duplicates(catalog)
    before = decisions(catalog, ONE)
    donate(catalog, TWO, {"b": HARBOUR})
    duplicates(catalog)
    assert decisions(catalog, ONE).statement_digest == before.statement_digest


def test_a_donation_without_measures_does_not_hold_the_others(catalog: Catalog) -> None:
    donate(catalog, ONE, {"a": STORY})
    donate(catalog, TWO, {"b": HARBOUR})
    redacted = catalog.require("filtering/personal_data", TWO)
    table = redacted.table("document")
    tables = {"document": table.slice(0, 0), "pii_outcome": redacted.table("pii_outcome")}
    admit(catalog, "personal_data", seed(catalog, redacted.asset, TWO, tables=tables))
    admitted(catalog, TWO)
    assert duplicates(catalog).counts["donations"] == 1
    assert reasons(catalog, ONE) == {"a": ("", "")}
    with pytest.raises(MissingInputError, match="has not considered"):
        decisions(catalog, TWO)


def test_a_document_that_a_stage_lost_is_an_error(catalog: Catalog) -> None:
    donate(catalog, ONE, {"a": STORY, "b": HARBOUR})
    tags = catalog.require("filtering/language", ONE)
    shortened = seed(catalog, tags.asset, ONE, tables={"language": tags.table("language")[:1]})
    admit(catalog, "language", shortened)
    admitted(catalog, ONE)
    with pytest.raises(MissingInputError, match="lacks 1 of the donation's 2 documents"):
        duplicates(catalog)


def test_decisions_demand_an_admission_in_force(catalog: Catalog) -> None:
    donate(catalog, ONE, {"a": STORY})
    duplicates(catalog)
    admit(catalog, "approval", catalog.require("donations/landing", ONE), admitted=False)
    with pytest.raises(NotAdmittedError, match="approval"):
        decisions(catalog, ONE)


@pytest.mark.parametrize("texts", [{}, {"a": ""}, {"a": STORY}])
def test_tiny_donations_are_decided(catalog: Catalog, texts: dict[str, str]) -> None:
    donate(catalog, ONE, texts)
    duplicates(catalog)
    assert list(decided(decisions(catalog, ONE))) == list(texts)


def test_without_any_donation_there_are_no_duplicates(catalog: Catalog) -> None:
    assert duplicates(catalog).counts["documents"] == 0


corpora = st.lists(
    st.tuples(
        st.sampled_from([STORY, STORY + " Slut.", HARBOUR, GERMAN, SHORT, "", "1 2 3"]),
        st.booleans(),
    ),
    max_size=6,
)


@given_settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(corpora, corpora)
def test_each_document_has_one_decision_and_each_text_survives_once(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[tuple[str, bool]],
    second: list[tuple[str, bool]],
) -> None:
    home = tmp_path_factory.mktemp("lake")
    (home / "policies").mkdir()
    set_policy(home, "")
    catalog = Catalog(load_settings(home=home / "dsk", lake="", consortium=home, workers=1))
    kept = {}
    for donation, corpus in ((ONE, first), (TWO, second)):
        texts = {f"{donation[:13]}-{n}": text for n, (text, _) in enumerate(corpus)}
        withheld = frozenset(
            name for name, (_, secret) in zip(texts, corpus, strict=True) if secret
        )
        donate(catalog, donation, texts, withheld=withheld)
        kept |= {name: text for name, text in texts.items() if name not in withheld}
    duplicates(catalog)
    rows: dict[str, dict[str, object]] = {}
    for donation, corpus in ((ONE, first), (TWO, second)):
        table = decisions(catalog, donation).table("decision")
        assert table.num_rows == len(corpus)
        rows |= decided(decisions(catalog, donation))
    for row in rows.values():
        assert row["kept"] == (row["stage"] == "")
        assert row["stage"] in ("", *STAGES)
        assert (row["stage"] == "duplicates") == (row["survivor_id"] is not None)
        if row["survivor_id"]:
            assert rows[str(row["survivor_id"])]["kept"]
    surviving = sorted(kept[name][: len(STORY)] for name, row in rows.items() if row["kept"])
    good = {text[: len(STORY)] for text in kept.values() if text[:3] in (STORY[:3], HARBOUR[:3])}
    assert surviving == sorted(good)


def test_why_tells_the_reason_in_english_and_danish(catalog: Catalog) -> None:
    texts = {"a": STORY, "b": STORY, "c": GERMAN, "d": SHORT, "e": HARBOUR}
    texts["f"] = f"{STORY} Og så var det slut."
    donate(catalog, ONE, texts, withheld=frozenset({"e"}))
    duplicates(catalog)
    decisions(catalog, ONE)
    told = {name: why(catalog, name) for name in texts}
    assert told["a"].splitlines() == [
        f"Document a of {ONE} ({len(STORY)} characters): kept.",
        f"Dokument a i {ONE} ({len(STORY)} tegn): beholdt.",
    ]
    assert "because document a is kept and has the same text" in told["b"]
    assert "because 0 % of its letters are in accepted" in told["c"]
    assert "at least 50 % must be; most of it is in German." in told["c"]
    assert "fordi 0 % af bogstaverne er på de tilladte sprog" in told["c"]
    assert "mindst 50 % skal være det; det meste er på tysk." in told["c"]
    assert "has few words (words: 16, least allowed 50; rule words-min of danish-prose" in told["d"]
    assert "dokumentet har få ord (ord: 16, mindst tilladt 50; regel" in told["d"]
    assert "direct identifiers of persons than the policy allows (density)" in told["e"]
    assert "dokument a beholdes og har næsten samme tekst (lighed 0," in told["f"]
    assert MEASURES.keys() == IN_DANISH.keys()
    assert not any(text[:40] in line for text in texts.values() for line in told.values())
    with pytest.raises(MissingInputError, match="no decision on a document with the id x"):
        why(catalog, "x")
