"""Withdrawal of a donation, and erasure of what is kept apart from a statement."""

import datetime as dt
import stat
from pathlib import Path

import pytest

from dsk_assets.errors import DonationError, MissingInputError, NotAdmittedError
from dsk_assets.evidence import admission, details
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.entries import ATTESTATIONS
from dsk_assets.evidence.envelope import open_envelope
from dsk_assets.evidence.sequencer import append_new
from dsk_assets.evidence.withdrawals import withdraw, withdrawal
from tests.gating import judged, land, on
from tests.support import DONATION
from tests.test_sequencer import assert_whole, logged

DAY = dt.date(2026, 11, 23)  # tests.gating judges as of this day


def test_a_withdrawn_donation_is_refused_from_its_day_on(catalog: Catalog):
    landing = land(catalog)
    before = judged(on(catalog), "approval")
    assert before.admitted
    withdraw(catalog, DONATION, DAY + dt.timedelta(days=3), "the agreement ended")
    soon = judged(on(catalog), "approval")
    assert (soon.admitted, soon.valid_until) == (True, DAY + dt.timedelta(days=2))
    withdraw(catalog, DONATION, DAY, "sooner")
    decided = judged(on(catalog), "approval")
    assert not decided.admitted
    assert [one.measure for one in decided.findings if not one.passed] == ["withdrawn"]
    with pytest.raises(NotAdmittedError, match="gate approval refused"):
        admission.require(on(catalog), "approval", landing)
    inputs = catalog.require("gate/approval", DONATION).statement["predicate"]["buildDefinition"]
    newest = withdrawal(catalog, DONATION)
    assert {"uri": f"dsk-source:withdrawal/{DONATION}", "digest": {"sha256": newest.statement}} in (
        inputs["resolvedDependencies"]
    )


def test_the_withdrawal_is_in_the_log_and_its_reason_is_not(catalog: Catalog):
    land(catalog)
    (made,) = withdraw(catalog, DONATION.partition("@")[0], DAY, "Inga Opfundet asked for it")
    assert made.withdrawn_on == DAY
    assert_whole(catalog)
    (entry,) = [one for one in logged(catalog) if one.asset == "withdrawal/donation"]
    envelope = open_envelope(catalog.lake.read(entry.path))
    assert b"Opfundet" not in envelope.payload
    detail = Path(catalog.lake.root) / details.detail_path(
        envelope.statement["predicate"]["detail"]
    )
    assert "Opfundet" in detail.read_text()
    assert stat.S_IMODE(detail.stat().st_mode) == 0o600


def test_an_erased_detail_is_gone_and_everything_verifies(catalog: Catalog):
    land(catalog)
    withdraw(catalog, DONATION, DAY, "Inga Opfundet asked for it")
    for is_first in (True, False):
        digest, was_there = details.erase(catalog, "withdrawal/donation", DONATION, 1, "case 17")
        assert was_there is is_first
        assert not catalog.lake.exists(details.detail_path(digest))
        assert withdrawal(catalog, DONATION).withdrawn_on == DAY
        assert_whole(catalog)
    erased = [one for one in logged(catalog) if one.asset == "erasure/detail"]
    assert [one.partition for one in erased] == [digest]
    for path in Path(catalog.lake.root).rglob("*"):
        assert not path.is_file() or b"Opfundet" not in path.read_bytes()


def test_equal_reasons_have_different_digests(catalog: Catalog):
    """The salt: who guesses the reason cannot find it by its digest."""
    assert details.keep(catalog.lake, "a reason") != details.keep(catalog.lake, "a reason")


def test_what_has_no_detail_cannot_be_erased(catalog: Catalog):
    land(catalog)
    append_new(catalog)
    with pytest.raises(MissingInputError, match="has no detail to erase"):
        details.erase(catalog, "policy/evidence", None, 1, "case 17")
    with pytest.raises(MissingInputError, match="there is no statement"):
        details.erase(catalog, "withdrawal/donation", DONATION, 1, "case 17")
    assert catalog.lake.exists(f"{ATTESTATIONS}/policy/evidence/_/000001.json")


def test_a_withdrawal_cannot_be_taken_back_or_put_off(catalog: Catalog):
    land(catalog)
    withdraw(catalog, DONATION, DAY, "first")
    for later in (DAY, DAY + dt.timedelta(days=1)):
        with pytest.raises(DonationError, match="withdrawn already"):
            withdraw(catalog, DONATION, later, "second")
    with pytest.raises(DonationError, match="has not been landed"):
        withdraw(catalog, "dsk-2026-9999", DAY, "none")
