"""Actions on findings, failing closed, and the second search."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dsk_assets.consortium.policy import Kept, PersonalDataPolicy
from dsk_assets.errors import SettingsError
from dsk_assets.privacy.analyser import Analyser, Finding, RecogniserFault, analyser
from dsk_assets.privacy.entities import PRIORITY
from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit
from dsk_assets.privacy.recognisers.cpr import CprRecognizer
from dsk_assets.privacy.recognisers.registry import all_recognisers
from dsk_assets.privacy.redact import check, redact, resolve, treat
from dsk_assets.privacy.residual import count_cpr
from dsk_assets.privacy.synthetic import documents

DEFAULT = PersonalDataPolicy()
AUTHOR = Kept(name="Inger Krogh", role="author", provenance="the catalogue of the library")
LETTER = (
    "Kære Anne Bundgaard (cpr 170389-1234), født 17.03.1989, Prøvevej 12, 4000 Roskilde.\n"
    "Annes nummer er 67 12 34 56. Anne Bundgaard får svar."
)


def redacted(text: str, policy: PersonalDataPolicy = DEFAULT) -> str:
    return redact(text, analyser().find(text), policy)[0]


def test_placeholders_take_the_place_of_values() -> None:
    assert redacted(LETTER) == (
        "Kære <PERSON> (cpr <DK_CPR>), født <DATE_OF_BIRTH>, <ADDRESS>.\n"
        "<PERSON> nummer er <PHONE_NUMBER>. <PERSON> får svar."
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_redaction_is_idempotent_and_spans_hold_what_was_put_there(seed: int) -> None:
    for document in documents(3, seed):
        text, spans = redact(document["text"], analyser().find(document["text"]), DEFAULT)
        assert redacted(text) == text
        assert all(text[s.start : s.end] == f"<{s.entity}>" for s in spans)
        assert [s.start for s in spans] == sorted(s.start for s in spans)


def test_text_outside_findings_is_untouched() -> None:
    text = "før \u200b 170389\u20111234 &amp; efter\u00a0"
    findings = resolve(analyser().find(text))
    assert [text[f.start : f.end] for f in findings] == ["170389\u20111234"]
    assert redacted(text) == "før \u200b <DK_CPR> &amp; efter\u00a0"


def test_overlapping_findings_are_redacted_as_one_under_the_first_type() -> None:
    findings = [Finding(0, 6, "PERSON", 0.9, "a"), Finding(4, 9, "DK_CPR", 0.5, "b")]
    text, spans = redact("abcdefghi!", findings, DEFAULT)
    assert (text, spans[0].entity) == ("<DK_CPR>!", "DK_CPR")


def test_pseudonyms_are_consistent_in_a_document() -> None:
    policy = PersonalDataPolicy(actions={"PERSON": "pseudonym"})
    text = redacted("Anne Bundgaard mødte Jens Krogh. Annes ven Jens Krogh kom.", policy)
    assert text == "<PERSON_1> mødte <PERSON_2>. <PERSON_1> ven <PERSON_2> kom."


def test_generalising_keeps_the_year_and_the_post_code() -> None:
    policy = PersonalDataPolicy(actions={"DATE_OF_BIRTH": "generalise", "ADDRESS": "generalise"})
    text = redacted(LETTER, policy)
    assert "født 1989, 4000." in text
    assert "Prøvevej" not in text and "17.03" not in text
    assert redacted(text, policy) == text


def test_names_on_the_list_are_kept_and_no_others() -> None:
    policy = PersonalDataPolicy(keep=(AUTHOR,))
    text = "Romanen er af Inger Krogh. Inger Kroghs forlægger er Jens Krogh."
    kept, spans = redact(text, analyser().find(text), policy)
    assert kept == "Romanen er af Inger Krogh. Inger Kroghs forlægger er <PERSON>."
    assert [s.action for s in spans] == ["keep", "keep", "placeholder"]


@pytest.mark.parametrize("entity", ["DK_CPR", "EMAIL_ADDRESS", "CPR"])
def test_a_policy_may_not_keep_direct_identifiers_or_unknown_types(entity: str) -> None:
    kept = Kept(entity=entity, role="public-body", provenance="a register of authorities")
    with pytest.raises(SettingsError, match=entity):
        check(PersonalDataPolicy(keep=(kept,)))


def test_a_policy_may_not_name_an_unknown_type() -> None:
    with pytest.raises(SettingsError, match="CPR"):
        check(PersonalDataPolicy(actions={"CPR": "pseudonym"}))


@pytest.mark.parametrize(
    "kept",
    [
        {"name": "Inger Krogh", "role": "author"},
        {"name": "Inger Krogh", "role": "author", "provenance": ""},
        {"name": "Inger Krogh", "role": "neighbour", "provenance": "the catalogue"},
        {"role": "author", "provenance": "the catalogue"},
        {"name": "Inger Krogh", "entity": "PERSON", "role": "author", "provenance": "a catalogue"},
    ],
)
def test_whoever_stays_needs_a_role_and_a_provenance(kept: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        PersonalDataPolicy.model_validate({"keep": [kept]})


def test_a_document_dense_with_direct_identifiers_is_withheld() -> None:
    text = "\n".join(f"mobil 6712345{n}" for n in range(10))
    assert treat(text, DEFAULT, analyser()).reason is None
    withheld = treat(f"{text}\nmobil 68123456", DEFAULT, analyser())
    assert (withheld.text, withheld.reason) == (None, "density")


class Failing(DanishRecognizer):
    ENTITIES = ("PERSON",)

    def find(self, text: str) -> Iterator[Hit]:
        raise ValueError(f"cannot read {text}")


def test_a_recogniser_that_raises_withholds_the_document_and_hides_its_message() -> None:
    engine = Analyser([*all_recognisers(), Failing()])
    assert treat("Anne Bundgaard", DEFAULT, engine).reason == "recogniser-error"
    with pytest.raises(RecogniserFault) as caught:
        engine.find("Anne Bundgaard")
    assert "Bundgaard" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_pattern_that_runs_out_of_time_withholds_the_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from presidio_analyzer import Pattern, PatternRecognizer

    monkeypatch.setattr("presidio_analyzer.pattern_recognizer.REGEX_TIMEOUT_SECONDS", 0.05)
    slow = PatternRecognizer(
        "PERSON", supported_language="da", patterns=[Pattern("slow", r"(a|aa)+$", 0.9)]
    )
    engine = Analyser([*all_recognisers(), slow])
    assert treat("a" * 60 + "!", DEFAULT, engine).reason == "recogniser-error"
    assert treat("intet", DEFAULT, engine).reason is None


def test_an_entity_that_no_recogniser_supports_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match="DK_CPR"):
        Analyser([r for r in all_recognisers() if not isinstance(r, CprRecognizer)], PRIORITY)


def test_without_the_cpr_recogniser_the_second_search_finds_what_is_left() -> None:
    others = [r for r in all_recognisers() if not isinstance(r, CprRecognizer)]
    blind = Analyser(others, [entity for entity in PRIORITY if entity != "DK_CPR"])
    text = "Personen med nummer 170389-1234 kom."
    assert treat(text, DEFAULT, blind).residual == 1
    assert treat(text, DEFAULT, analyser()).residual == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("170389-1234", 1),
        ("17.03.89 - 1234 og 170389\u20131235", 2),
        ("1703891234", 0),
        ("0102580018", 0),
        ("faktura 99-170389-1234-5", 0),
        ("320389-1234", 0),
        ("290201-1234", 0),
        ("<DK_CPR>", 0),
    ],
)
def test_the_second_search_counts_what_is_surely_a_cpr_number(text: str, number: int) -> None:
    assert count_cpr(text) == number


def test_special_categories_need_a_person_near_by() -> None:
    assert treat("Epilepsi er en sygdom.", DEFAULT, analyser()).categories == ()
    for word in ("epilepsi", "EPILEPSI", "Epilepsi"):
        text = f"Anne Bundgaard har {word}."
        assert treat(text, DEFAULT, analyser()).categories == ("health",)


@pytest.mark.parametrize(
    ("text", "role", "reason"),
    [
        ("Anne Bundgaard har epilepsi.", "author", "special-category"),
        ("Anne Bundgaards forfatterskab.", "author", None),
        ("Anne Bundgaard har epilepsi.", "fictional", None),
        ("Anne Bundgaard har epilepsi.", None, None),
    ],
)
def test_a_special_category_near_a_protected_person_who_stays_withholds_the_document(
    text: str, role: str | None, reason: str | None
) -> None:
    kept = [Kept(name="Anne Bundgaard", role=role, provenance="a record of works")] if role else []
    treated = treat(text, PersonalDataPolicy(keep=tuple(kept)), analyser())
    assert treated.reason == reason
    assert (treated.text is None) == (reason is not None)
    assert treated.text is None or ("Bundgaard" in treated.text) == (role is not None)


def test_nothing_reaches_for_the_network() -> None:
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise SystemExit('reached for the network')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from dsk_assets.privacy.analyser import analyser\n"
        "found = analyser().find('skriv til anna@kommune.local eller anna@example.dk')\n"
        "assert len(found) == 2, found\n"
    )
    assert socket.socket is not None
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
