"""Canaries: planted in every form, found by the recognisers, missed without any one of them."""

from collections.abc import Callable, Iterable, Iterator

import pytest

from dsk_assets.consortium.policy import Kept, PersonalDataPolicy
from dsk_assets.privacy.analyser import Analyser, analyser
from dsk_assets.privacy.canaries import COPIES, EACH, FORMS, measure, plant
from dsk_assets.privacy.entities import DIRECT, INDIRECT
from dsk_assets.privacy.recognisers.registry import all_recognisers
from dsk_assets.privacy.redact import Treatment, treat
from dsk_assets.privacy.synthetic import documents
from tests.engines import blind

POLICY = PersonalDataPolicy()


def type_name(recogniser: object) -> str:
    return type(recogniser).__name__


CARRIERS = [
    *(document["text"] for document in documents(8, 3)),
    "",
    "Vejret var godt.",
    "a;b;c\n1;2;3\n4;5;6",
    "<p>Kære &oslash;</p>",
    "ORD " * 400,
    "１２\u00a0",
]


def with_engine(engine: Analyser) -> Callable[..., Iterator[Treatment]]:
    def treated(texts: Iterable[str], policy: PersonalDataPolicy) -> Iterator[Treatment]:
        return (treat(text, policy, engine) for text in texts)

    return treated


def missed(engine: Analyser, seed: str = "1") -> dict[str, int]:
    found: dict[str, int] = {}
    for (entity, _), counts in measure(CARRIERS, POLICY, with_engine(engine), seed).items():
        found[entity] = found.get(entity, 0) + counts["missed"]
    return {entity: number for entity, number in found.items() if number}


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_at_least_a_thousand_well_formed_canaries_are_all_found(seed: str) -> None:
    counts = measure(CARRIERS, POLICY, with_engine(analyser()), seed)
    assert sum(one["planted"] for one in counts.values()) == len(FORMS) * EACH >= 340
    assert not [place for place, one in counts.items() if one["missed"]]


NAMES = {name for name in map(type_name, all_recognisers()) if "Name" in name}
"""Names are found by several recognisers, any of which may be silent without a canary missed."""


@pytest.mark.parametrize("name", sorted({*map(type_name, all_recognisers())} - NAMES))
def test_canaries_are_missed_without_any_one_recogniser(name: str) -> None:
    assert missed(blind(name))


def test_canaries_are_missed_without_those_for_names() -> None:
    assert set(missed(blind(*NAMES))) == {"PERSON"}


def test_a_canary_stands_where_the_copy_says_and_the_carrier_around_it() -> None:
    copies = list(plant(CARRIERS, set(), "7"))
    assert len(copies) == COPIES and sum(len(planted) for _, planted in copies) == len(FORMS) * EACH
    for text, planted in copies:
        rest, read = "", 0
        for one in planted:
            before, after = one.form.sentence.split("{}")
            assert text[: one.start].endswith("\n" + before)
            assert text[one.end :].startswith(after + "\n")
            rest += text[read : one.start - len(before) - 1]
            read = one.end + len(after) + 1
        assert any(rest + text[read:] in carrier for carrier in CARRIERS)


def test_the_same_seed_plants_the_same_and_another_one_other_values() -> None:
    once, again, other = (list(plant(CARRIERS, set(), seed)) for seed in ("7", "7", "8"))
    assert once == again != other


def test_a_type_that_the_policy_keeps_is_not_planted() -> None:
    kept = Kept(entity="PERSON", role="fictional", provenance="novels of the last century")
    policy = PersonalDataPolicy(keep=(kept,))
    counts = measure(CARRIERS, policy, with_engine(analyser()), "1")
    assert "PERSON" not in {entity for entity, _ in counts}
    assert sum(one["planted"] for one in counts.values()) >= 300
    assert not any(one["missed"] for one in counts.values())


def test_enough_are_planted_whatever_a_policy_may_keep() -> None:
    planted = [one for _, found in plant(CARRIERS, set(INDIRECT), "1") for one in found]
    assert len(planted) >= 300
    assert {one.form.entity for one in planted} == DIRECT


def test_copies_that_cannot_be_searched_count_as_missed() -> None:
    def fail(texts: Iterable[str], policy: PersonalDataPolicy) -> Iterator[Treatment]:
        return (Treatment(None, "recogniser-error") for _ in texts)

    counts = measure(CARRIERS, POLICY, fail, "1")
    assert all(one["missed"] == one["planted"] for one in counts.values())
