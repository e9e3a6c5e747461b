"""What was approved against what was used: its scope, its licence, and how long."""

import datetime as dt

import pytest

from dsk_assets.evidence import keys, sequencer
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.lake.store import Zone
from tests.evidence_lake import DONATIONS, RELEASE, Home, make
from tests.support import admit
from tests.tampered_lake import checked, codes, logged_anew, read_by
from tests.tampered_lake import home as home
from tests.tampered_lake import intact as intact
from tests.tampering import sign_anew, statement

KEY = DONATIONS[0]
END = dt.date(2090, 1, 31)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scope": ["evaluation"]}, "does not approve pre-training"),
        ({"validUntil": "2026-01-31"}, "it approves until 2026-01-31"),
        ({"licence": "MIT"}, "licence: not as in restricted/donations/landing"),
        ({"evidence": ["0" * 64]}, "evidence: not as in restricted/donations/landing"),
    ],
)
def test_an_approval_of_something_else_than_was_used(home: Home, changes: dict, said: str):
    path = home.lake / "evidence/attestations/approval/donation" / KEY / "000001.json"
    content = statement(path)
    content["predicate"].update(changes)
    signers = (keys.signer(home.settings, role) for role in (keys.CONSORTIUM, keys.DONOR))
    sign_anew(path, content, *signers)
    report = logged_anew(home)
    assert codes(report) == {"attestation-differs"}
    found = [one for one in report.faults if not one.is_limit]
    assert any(said in one.detail for one in found)
    assert all(KEY in one.place and f"corpus/release[{RELEASE}]" in one.affects for one in found)


def admitted_until(catalog: Catalog, end: dt.date) -> Snapshot:
    """The admission of a donation that is approved until *end*."""
    landing = catalog.require("donations/landing", KEY)
    member = Source("consortium/members#60101010", "e" * 64)
    approval = admit(catalog, "approval", landing, valid_until=end, inputs=[member])
    others = read_by(catalog, "filtering/admitted", KEY)[1:]
    return make(
        catalog, "filtering/admitted", KEY, approval.only("verdict.json"), *others,
        zone=Zone.EVIDENCE, files={"admission.json": {"gates": [], "validUntil": str(end)}},
    )  # fmt: skip


def expired(home: Home) -> set[str]:
    return {fault.place for fault in checked(home).faults if fault.code == "gate-expired"}


def test_a_donation_used_after_the_day_until_which_it_was_approved(home: Home):
    """Shards name an admission that was made of a decision which has run out."""
    catalog = home.catalog("dsk")
    texts = read_by(catalog, "corpus/shards", KEY)[:2]
    admission = admitted_until(catalog, dt.date(2026, 1, 31))
    make(catalog, "corpus/shards", KEY, *texts, admission, files={"shard/part-1.json": 1})
    sequencer.append_new(catalog)
    assert {place.split("/")[-3] for place in expired(home)} == {"admitted", "shards"}


def test_a_gate_that_admits_for_longer_than_what_it_rests_on(home: Home):
    """Composition ends with the earliest approval of the release's donations."""
    catalog = home.catalog("dsk")
    admission = admitted_until(catalog, END)
    release = catalog.require("corpus/release", RELEASE)
    for until in (END, END + dt.timedelta(days=1), None):
        decision = admit(catalog, "composition", release, valid_until=until, inputs=[admission])
        sequencer.append_new(catalog)
        path = str(home.statement(decision.asset, RELEASE, decision.number))
        assert (path in {f"{home.lake}/{place}" for place in expired(home)}) == (until != END)
