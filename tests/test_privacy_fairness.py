"""Groups of names: the measurement that leaves a group's lists out, and what it found."""

import json
import re

from dsk_assets.privacy import fairness
from dsk_assets.privacy.gazetteer import key, names
from dsk_assets.privacy.names_build import faker_names
from dsk_assets.privacy.synthetic_names import GROUPS, names_of

COUNTS = json.loads(fairness.COUNTS.read_bytes())


def test_names_in_the_news_are_replaced_and_labelled() -> None:
    given, surnames = names_of("Polish")
    made = list(fairness.documents("Polish"))
    assert made == list(fairness.documents("Polish"))
    labelled = [one["text"][span["start"] : span["end"]] for one in made for span in one["spans"]]
    drawn = {part.rstrip(".") for name in labelled for part in name.split() if len(part) > 2}
    known = {part for name in (*given, *surnames) for part in name.split()}
    assert len(labelled) == 324 and len(drawn) > 200
    assert all(part in known or part.removesuffix("s") in known for part in drawn)


def test_lists_without_a_group_lack_the_names_that_only_it_has() -> None:
    left = dict(line.split("\t") for line in fairness.lists_without("Turkish").splitlines())
    own, others = set(), set()
    for locale, _, name in faker_names():
        (own if locale == "tr_TR" else others).update(map(key, name.split()))
    assert own - others and not (own - others) & left.keys()
    assert left.keys() == names().keys() - (own - others)
    unshared = names().keys() - own
    assert {name: left[name] for name in unshared} == {name: names()[name] for name in unshared}


def test_every_group_is_found_and_none_much_less_than_another() -> None:
    assert set(COUNTS["groups"]) == set(GROUPS) and len(GROUPS) >= 12
    shares = [one["found"] / one["spans"] for one in COUNTS["groups"].values()]
    assert min(shares) >= 0.90 and max(shares) - min(shares) <= 0.08
    assert all(one["found_without"] <= one["found"] for one in COUNTS["groups"].values())


def test_the_counts_are_those_of_the_search_here_within_what_a_change_may_do() -> None:
    """The whole measurement takes minutes; one group with its lists shows whether it is stale."""
    asked = list(fairness.documents("Vietnamese"))
    stated = COUNTS["groups"]["Vietnamese"]
    assert stated["spans"] == sum(len(one["spans"]) for one in asked)
    assert abs(stated["found"] - fairness.found(asked)) <= 0.02 * stated["spans"], (
        "run python -m dsk_assets.privacy.fairness"
    )


def test_the_table_in_the_documentation_is_that_of_the_counts() -> None:
    written = fairness.PAGE.read_text("utf-8")
    assert len(re.findall("<!-- names without their list -->", written)) == 1
    assert fairness.page(written, COUNTS) == written
    assert all(f"| {group} |" in written for group in COUNTS["groups"])
