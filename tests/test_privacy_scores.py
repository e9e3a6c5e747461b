"""The scores that the package carries: of this version, and shown by the command."""

import json

from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.privacy import scores
from dsk_assets.privacy.analyser import digest


def test_the_stored_scores_are_those_of_this_version() -> None:
    assert scores.stored()["digests"] == digest(), "run python -m dsk_assets.privacy.scores"


def test_recall_is_that_of_the_set_where_it_is_lowest() -> None:
    sets = scores.stored()["sets"]
    persons = [counts["types"]["PERSON"] for counts in sets.values()]
    assert len(persons) == 3
    assert scores.lowest_recall()["PERSON"] == min(one["found"] / one["spans"] for one in persons)


def test_evaluate_without_a_set_shows_the_stored_scores() -> None:
    shown = CliRunner().invoke(main, ["privacy", "evaluate"]).output
    [cpr] = [line for line in shown.splitlines() if line.startswith("| DK_CPR |")]
    stored = scores.stored()["sets"]["invented"]["types"]["DK_CPR"]
    assert cpr.split(" | ")[1] == str(stored["spans"])
    told = CliRunner().invoke(main, ["privacy", "evaluate", "--json"]).output
    assert json.loads(told) == scores.stored()
