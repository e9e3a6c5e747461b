"""The scores that the package carries: of this version, and shown by the command."""

import copy
import json
import re

from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.defs import metadata
from dsk_assets.evidence.admission import Decision
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.privacy import scores
from dsk_assets.privacy.analyser import digest
from dsk_assets.privacy.entities import PRIORITY
from dsk_assets.privacy.recall import recall


def test_the_stored_scores_are_those_of_this_version() -> None:
    assert scores.stored()["digests"] == digest(), "run python -m dsk_assets.privacy.scores"


def test_the_tables_in_the_documentation_are_those_of_the_stored_scores() -> None:
    written = scores.PAGE.read_text("utf-8")
    assert re.findall(r"<!-- scores: (\w+) -->", written) == [*scores.stored()["sets"]]
    assert scores.page(written, scores.stored()) == written, "python -m dsk_assets.privacy.scores"
    other = copy.deepcopy(scores.stored())
    other["sets"]["names"]["groups"]["Turkish"]["found"] -= 1
    assert scores.page(written, other) != written


def test_every_type_that_is_looked_for_is_measured() -> None:
    assert set(scores.lowest_recall(scores.stored())) == set(PRIORITY)


def test_recall_is_that_of_the_set_where_it_is_lowest() -> None:
    sets = scores.stored()["sets"]
    persons = [counts["types"]["PERSON"] for counts in sets.values()]
    assert len(persons) == 4
    lowest = min(one["found"] / one["spans"] for one in persons)
    assert scores.lowest_recall(scores.stored())["PERSON"] == round(lowest, 4)


def test_evaluate_without_a_set_shows_the_stored_scores() -> None:
    shown = CliRunner().invoke(main, ["privacy", "evaluate"]).output
    told = [line.split(" | ")[1] for line in shown.splitlines() if line.startswith("| DK_CPR |")]
    sets = scores.stored()["sets"]
    assert told == [str(sets[name]["types"]["DK_CPR"]["spans"]) for name in ("forms", "invented")]
    told = CliRunner().invoke(main, ["privacy", "evaluate", "--json"]).output
    assert json.loads(told) == scores.stored()


def test_the_scores_become_evidence_with_recall_by_type_and_group(catalog: Catalog) -> None:
    made = recall(catalog)
    assert made.json("scores.json") == scores.stored()
    assert made.counts["recall"]["DK_CPR"] == scores.lowest_recall(scores.stored())["DK_CPR"]
    assert set(made.counts["recall_by_group"]) == {*scores.stored()["sets"]["names"]["groups"]}
    assert list(made.inputs) == ["dsk-source:privacy/scores.json"]
    told = metadata.of_snapshot(made)
    assert "| DK_CPR |" in told["measured on invented"].value
    assert "| Turkish |" in told["measured on names"].value


def test_the_check_of_the_gate_shows_recall_by_type() -> None:
    def shown(gate: str) -> dict[str, object]:
        return metadata.of_decisions([("d", Decision(gate, "3", "a[d]", "0", True, (), None))])

    share = scores.lowest_recall(scores.stored())["PERSON"]
    assert f"| PERSON | {share:.1%} |" in shown("personal_data")["measured recall"].value  # type: ignore[attr-defined]
    assert "measured recall" not in shown("language")
