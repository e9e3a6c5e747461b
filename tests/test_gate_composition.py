"""Gate composition: everything in a release may be trained on today."""

import datetime as dt

import pyarrow as pa
import pytest

from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Stale
from dsk_assets.gates.registry import GATES
from tests.gating import OTHER, TODAY, failed, judged, land, on, released, shard
from tests.support import DONATION, admit, seed


def test_a_release_of_admitted_donations_passes_until_the_first_of_them_ends(catalog: Catalog):
    released(catalog, DONATION, OTHER, until=dt.date(2027, 1, 1))
    decided = judged(on(catalog), "composition", "1.0.0")
    assert (decided.admitted, decided.refusals) == (True, [])
    assert decided.valid_until == dt.date(2027, 1, 1)
    assert {one.measure: one.actual for one in decided.findings}["tokens"] == 120


def test_an_expired_donation_refuses_the_release(catalog: Catalog):
    made = released(catalog, DONATION, OTHER, until=TODAY)
    assert judged(on(catalog), "composition", "1.0.0").admitted
    tomorrow = on(catalog, TODAY + dt.timedelta(days=1))
    with pytest.raises(Stale):
        GATES["composition"].judge(tomorrow.planning(), "1.0.0")
    found = failed(GATES["composition"].judge(tomorrow, "1.0.0"))
    assert {name: one.actual for name, one in found.items()} == {
        "unadmitted_donations": 2,
        "expired_donations": 2,
    }
    with pytest.raises(admission.NotAdmittedError, match="gate composition refused"):
        admission.require(tomorrow, "composition", made)


def test_a_withdrawn_donation_refuses_the_release(catalog: Catalog):
    released(catalog, DONATION)
    land(catalog, {"withdrawal.withdrawn_on": "2026-11-23"})
    found = failed(GATES["composition"].judge(on(catalog), "1.0.0"))
    assert set(found) == {"unadmitted_donations", "withdrawn_donations"}


def test_a_replaced_donation_is_warned_of(catalog: Catalog):
    released(catalog, DONATION)
    land(catalog, donation="dsk-2026-0001@1.0.1")
    decided = judged(on(catalog), "composition", "1.0.0")
    assert decided.admitted
    assert [one.measure for one in decided.findings if not one.passed] == ["superseded_donations"]


def test_newer_shards_leave_the_release_as_it_was(catalog: Catalog):
    released(catalog, DONATION)
    newer = shard(catalog, {"doc_id": ["d3", "d1", "d2"]})
    admit(catalog, "spans", newer, admitted=False)
    assert judged(on(catalog), "composition", "1.0.0").admitted


def test_shards_that_were_refused_later_refuse_the_release(catalog: Catalog):
    released(catalog, DONATION)
    admit(catalog, "spans", catalog.require("corpus/shards", DONATION), admitted=False)
    found = failed(GATES["composition"].judge(on(catalog), "1.0.0"))
    assert set(found) == {"donations_without_spans_gate"}


def test_a_release_with_shards_from_elsewhere_or_with_nothing_is_refused(catalog: Catalog):
    released(catalog, DONATION)
    stranger = [{"donation": "dsk-2026-0007@1.0.0", "sha256": "d" * 64, "tokens": 0}]
    seed(
        catalog,
        "corpus/release",
        "2.0.0",
        files={"release.json": {"donations": []}},
        tables={"release_shard": pa.Table.from_pylist(stranger)},
    )
    found = failed(GATES["composition"].judge(on(catalog), "2.0.0"))
    assert set(found) == {
        "tokens",
        "unadmitted_donations",
        "donations_without_spans_gate",
        "shards_with_other_bytes",
        "superseded_donations",
    }
    empty = pa.Table.from_pylist(stranger).slice(0, 0)
    seed(
        catalog,
        "corpus/release",
        "3.0.0",
        files={"release.json": {"donations": []}},
        tables={"release_shard": empty},
    )
    found = failed(GATES["composition"].judge(on(catalog), "3.0.0"))
    assert set(found) == {"donations", "tokens"}
