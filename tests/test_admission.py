"""Admission: bound to bytes, to the newest decision and to the day; nothing passes without it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsk_assets.errors import NotAdmittedError
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Snapshot, Stale
from dsk_assets.gates.admitted import (
    ADMISSION,
    SCREENING,
    admitted,
    admitted_donations,
    current_donations,
    require_admitted,
)
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings
from tests.support import DONATION, admit, seed

TODAY = dt.date(2026, 11, 23)


def on(catalog: Catalog, day: dt.date) -> Catalog:
    """The same lake, judged on *day*."""
    return Catalog(load_settings(home=catalog.settings.home, today=day, workers=1))


def screen(
    catalog: Catalog,
    donation: str = DONATION,
    *,
    until: Mapping[str, dt.date] | None = None,
    refused: str = "",
    supersedes: str | None = None,
    content: str = "first",
) -> dict[str, Snapshot]:
    """Materialisations of the screening with a decision on each; the judged ones by gate."""
    judged = {}
    for gate, asset in SCREENING:
        judged[gate] = seed(
            catalog,
            asset,
            donation,
            zone=Zone.RESTRICTED if asset.startswith("donations/") else Zone.CURATED,
            files={"manifest.json": {"content": content, "supersedes": supersedes}},
        )
        end = (until or {}).get(gate)
        admit(catalog, gate, judged[gate], admitted=gate != refused, valid_until=end)
    return judged


def test_what_no_gate_has_judged_is_refused(catalog: Catalog):
    judged = seed(catalog, "donations/documents", DONATION, files={"a.json": 1})
    with pytest.raises(NotAdmittedError, match="has not been judged by gate statistics"):
        admission.require(catalog, "statistics", judged)


def test_a_refusal_gives_its_reasons_in_english(catalog: Catalog):
    judged = seed(catalog, "donations/documents", DONATION, files={"a.json": 1})
    admit(catalog, "statistics", judged, admitted=False)
    with pytest.raises(
        NotAdmittedError, match=r"gate statistics refused donations/documents\[.*\]: refused by"
    ):
        admission.require(catalog, "statistics", judged)


def test_other_bytes_than_those_judged_are_refused(catalog: Catalog):
    judged = seed(catalog, "donations/documents", DONATION, files={"a.json": 1})
    admit(catalog, "statistics", judged)
    assert admission.require(catalog, "statistics", judged)
    changed = seed(catalog, "donations/documents", DONATION, files={"a.json": 2})
    with pytest.raises(NotAdmittedError, match="judged other bytes of donations/documents"):
        admission.require(catalog, "statistics", changed)


def test_the_newest_decision_counts(catalog: Catalog):
    judged = seed(catalog, "donations/documents", DONATION, files={"a.json": 1})
    admit(catalog, "statistics", judged)
    admit(catalog, "statistics", judged, admitted=False)
    with pytest.raises(NotAdmittedError, match="refused"):
        admission.require(catalog, "statistics", judged)


def test_an_admission_holds_on_its_last_day_and_not_after(catalog: Catalog):
    judged = seed(catalog, "donations/landing", DONATION, files={"a.json": 1})
    admit(catalog, "approval", judged, valid_until=TODAY)
    assert admission.require(on(catalog, TODAY), "approval", judged)
    with pytest.raises(NotAdmittedError, match="until 2026-11-23, and today is 2026-11-24"):
        admission.require(on(catalog, TODAY + dt.timedelta(days=1)), "approval", judged)


def test_a_consumer_depends_on_the_verdict_and_not_on_its_wording(catalog: Catalog):
    judged = seed(catalog, "donations/documents", DONATION, files={"a.json": 1})
    first = admit(catalog, "statistics", judged)
    before = admission.require(catalog, "statistics", judged)
    decided = admission.decision(first)
    reworded = [replace(finding, reason="in other words") for finding in decided.findings]
    admission.record(
        catalog,
        "statistics",
        judged,
        config={"suite": "another"},
        code_version="test",
        decide=lambda: replace(decided, findings=tuple(reworded)),
    )
    after = admission.require(catalog, "statistics", judged)
    assert after.statement_digest != before.statement_digest
    assert after.digest == before.digest


def test_all_gates_together_admit_a_donation(catalog: Catalog):
    judged = screen(
        catalog, until={"approval": dt.date(2027, 5, 1), "language": dt.date(2028, 1, 1)}
    )
    snapshot = admitted(catalog, DONATION)
    assert snapshot.json(ADMISSION) == {
        "donation": DONATION,
        "principle": "3",
        "validUntil": "2027-05-01",
        "gates": [
            {"gate": gate, "judged": one.key, "judgedDigest": one.digest}
            for gate, one in judged.items()
        ],
    }
    inputs = snapshot.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [one["uri"] for one in inputs] == [f"dsk:gate/{gate}[{DONATION}]" for gate in judged]
    assert require_admitted(catalog, DONATION).digest == snapshot.digest
    assert admitted(catalog.planning(), DONATION).digest == snapshot.digest


@pytest.mark.parametrize("gate", [gate for gate, _ in SCREENING])
def test_one_gate_that_refuses_is_enough(catalog: Catalog, gate: str):
    screen(catalog)
    admitted(catalog, DONATION)
    screen(catalog, refused=gate)
    with pytest.raises(NotAdmittedError, match=f"gate {gate} refused"):
        admitted(catalog, DONATION)
    with pytest.raises(NotAdmittedError, match=f"gate {gate} refused"):
        require_admitted(catalog, DONATION)
    assert admitted_donations(catalog) == []


@pytest.mark.parametrize(("gate", "asset"), SCREENING)
def test_changed_bytes_end_the_admission_until_judged_again(
    catalog: Catalog, gate: str, asset: str
):
    screen(catalog)
    admitted(catalog, DONATION)
    changed = seed(catalog, asset, DONATION, files={"manifest.json": {"content": "second"}})
    with pytest.raises(NotAdmittedError, match=f"gate {gate} judged other bytes"):
        require_admitted(catalog, DONATION)
    admit(catalog, gate, changed)
    with pytest.raises(NotAdmittedError, match="materialise filtering/admitted again"):
        require_admitted(catalog, DONATION)
    with pytest.raises(Stale):
        admitted(catalog.planning(), DONATION)
    admitted(catalog, DONATION)
    assert admitted_donations(catalog) == [DONATION]


def test_what_was_never_screened_or_admitted_is_refused(catalog: Catalog):
    with pytest.raises(NotAdmittedError, match="has not been admitted by the gates"):
        require_admitted(catalog, DONATION)
    with pytest.raises(NotAdmittedError, match="has not been materialised, so gate approval"):
        admitted(catalog, DONATION)
    screen(catalog)
    with pytest.raises(NotAdmittedError, match="has not been admitted by the gates"):
        require_admitted(catalog, DONATION)


def test_an_admission_ends_by_itself_and_a_renewal_is_taken_up(catalog: Catalog):
    screen(catalog, until={"approval": TODAY})
    admitted(on(catalog, TODAY), DONATION)
    tomorrow = on(catalog, TODAY + dt.timedelta(days=1))
    assert admitted_donations(on(catalog, TODAY)) == [DONATION]
    assert admitted_donations(tomorrow) == []
    with pytest.raises(NotAdmittedError, match="renew the approval"):
        require_admitted(tomorrow, DONATION)
    screen(catalog, until={"approval": dt.date(2030, 1, 1)})
    assert admitted(tomorrow, DONATION).json(ADMISSION)["validUntil"] == "2030-01-01"
    assert admitted_donations(tomorrow) == [DONATION]


def test_the_newest_version_is_the_current_one_also_when_refused(catalog: Catalog):
    for version in ("1.0.0", "1.9.0", "1.10.0"):
        screen(catalog, f"dsk-2026-0001@{version}")
        admitted(catalog, f"dsk-2026-0001@{version}")
    assert admitted_donations(catalog) == ["dsk-2026-0001@1.10.0"]
    screen(catalog, "dsk-2026-0001@2.0.0", refused="approval")
    assert current_donations(catalog) == ["dsk-2026-0001@2.0.0"]
    assert admitted_donations(catalog) == []


@pytest.mark.parametrize("supersedes", ["dsk-2026-0001", "dsk-2026-0001@1.0.0"])
def test_a_donation_may_replace_another(catalog: Catalog, supersedes: str):
    screen(catalog, "dsk-2026-0001@1.0.0")
    screen(catalog, "dsk-2026-0002@1.0.0", supersedes=supersedes)
    assert current_donations(catalog) == ["dsk-2026-0002@1.0.0"]


@pytest.mark.parametrize("supersedes", ["1.0.0", "dsk-2026-0001", "dsk-2026-0001@1.0.0"])
def test_a_new_version_does_not_replace_itself(catalog: Catalog, supersedes: str):
    screen(catalog, "dsk-2026-0001@1.0.0")
    screen(catalog, "dsk-2026-0001@1.0.1", supersedes=supersedes)
    assert current_donations(catalog) == ["dsk-2026-0001@1.0.1"]


@given(
    verdicts=st.lists(
        st.tuples(st.booleans(), st.sampled_from(["critical", "warning"])), max_size=4
    )
)
def test_refusals_are_the_failed_critical_findings(verdicts: list[tuple[bool, str]]):
    findings = tuple(
        admission.Finding("measure", "at least 1", 0, passed, severity, f"reason {number}")
        for number, (passed, severity) in enumerate(verdicts)
    )
    decided = admission.Decision("g", "3", "a", "0", False, findings, None)
    assert decided.refusals == [
        f"reason {number}"
        for number, (passed, severity) in enumerate(verdicts)
        if not passed and severity == "critical"
    ]
