"""What all gates share: a place in the flow, planning, and decisions without text."""

import pytest

from dsk_assets.errors import MissingInputError
from dsk_assets.evidence.catalog import Catalog, Stale
from dsk_assets.gates.admitted import SCREENING
from dsk_assets.gates.registry import GATES
from tests.gating import TEXTS, read, search
from tests.support import DONATION


def test_the_gates_are_those_of_the_flow():
    assert {gate.name: gate.asset for gate in GATES.values()} == {
        **dict(SCREENING),
        "spans": "corpus/shards",
        "composition": "corpus/release",
        "checkpoint": "training/checkpoint",
        "evidence": "transparency/verification",
    }
    assert all(gate.name == name for name, gate in GATES.items())
    for gate in GATES.values():
        assert gate.principle in "12345"
        assert gate.title != gate.title_da
        assert gate.description.endswith(".")
        assert gate.description_da.endswith(".")


@pytest.mark.parametrize("gate", list(GATES))
def test_a_gate_judges_nothing_that_is_not_there(catalog: Catalog, gate: str):
    with pytest.raises(MissingInputError, match="has not been materialised yet"):
        GATES[gate].judge(catalog, DONATION)


def test_a_gate_plans_without_writing(catalog: Catalog):
    read(catalog)
    with pytest.raises(Stale):
        GATES["statistics"].judge(catalog.planning(), DONATION)
    assert catalog.latest("gate/statistics", DONATION) is None
    first = GATES["statistics"].judge(catalog, DONATION)
    assert GATES["statistics"].judge(catalog.planning(), DONATION) == first


def test_a_decision_holds_no_text(catalog: Catalog):
    read(catalog)
    search(catalog)
    for gate in ("statistics", "personal_data"):
        verdict = GATES[gate].judge(catalog, DONATION)
        for file in verdict.files:
            content = verdict.path(file.name).read_text("utf-8")
            assert not any(text in content for text in TEXTS.values())
            assert "d1" not in content
