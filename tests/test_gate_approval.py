"""Gate approval: each fault of a manifest or agreement refuses, each day counts."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Stale
from dsk_assets.gates import suites
from dsk_assets.gates.registry import GATES
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings
from tests.gating import AGREEMENT, changed, failed, judged, land, on
from tests.support import DONATION, seed


def test_a_good_donation_is_approved_until_its_agreement_ends(catalog: Catalog):
    landing = land(catalog)
    decided = judged(on(catalog), "approval")
    assert (decided.admitted, decided.refusals) == (True, [])
    assert all(finding.passed for finding in decided.findings)
    assert decided.valid_until == dt.date(2030, 12, 31)
    assert (decided.principle, decided.judged_digest) == ("3", landing.digest)
    assert admission.require(on(catalog), "approval", landing)


FAULTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("key_matches", {"version": "1.0.1"}, {}),
    ("evidence", {"rights.approval.evidence": [], "rights.agreement_ref": None}, {}),
    ("approval_begun", {"rights.approval.approved_on": "2026-11-24"}, {}),
    ("approval_in_force", {"rights.approval.expires_on": "2026-11-22"}, {}),
    ("scope_includes_pretraining", {"rights.approval.scope": ["evaluation"]}, {}),
    ("purpose_accepted", {"purpose.code": "urn:other"}, {}),
    ("purpose_accepted", {"purpose.other_uses_prohibited": "yes"}, {}),
    ("rights_reserved", {"opt_out.status": "reserved"}, {}),
    ("legal_basis_named", {"personal_data.legal_basis": []}, {}),
    ("declaration_made", {"declaration.declared_on": "2026-11-24"}, {}),
    ("withdrawn", {"withdrawal.withdrawn_on": "2026-11-23"}, {}),
    ("licence_known", {"rights.licence_spdx": "CC-BY-9"}, {"licence_code": "CC-BY-9"}),
    ("licence_known", {"rights.licence_spdx": "MIT OR"}, {"licence_code": "MIT OR"}),
    ("licence_known", {"rights.licence_spdx": "LicenseRef-X"}, {"licence_code": "LicenseRef-X"}),
    ("licence_as_agreed", {}, {"licence_code": "LicenseRef-DSK-1"}),
    ("agreement_found", {"rights.agreement_ref": "aftale-3"}, {}),
    ("agreement_with_donor", {}, {"member_cvr": "61111111"}),
    ("agreement_evidence_delivered", {}, {"evidence_sha256": "b" * 64}),
    ("agreement_begun", {}, {"valid_from": "2026-11-24"}),
    ("agreement_in_force", {}, {"valid_to": "2026-11-22"}),
    ("agreement_may_train", {}, {"may_train": False}),
    ("agreement_may_release_model", {}, {"may_release_model": False}),
    ("agreement_covers_pretraining", {}, {"purposes": ["evaluation"]}),
    ("eu_storage", {"storage.allowed_countries": ["DK", "NO"]}, {}),
    ("kept_where_allowed", {"storage.allowed_countries": ["FI"]}, {}),
    ("encryption_at_rest", {"storage.encryption_at_rest": False}, {}),
]


@pytest.mark.parametrize(("measure", "manifest", "agreement"), FAULTS)
def test_each_fault_of_a_manifest_or_agreement_refuses(
    catalog: Catalog, measure: str, manifest: dict[str, Any], agreement: dict[str, Any]
):
    land(catalog, manifest, agreement)
    verdict = GATES["approval"].judge(on(catalog), DONATION)
    assert list(failed(verdict)) == [measure]
    assert failed(verdict)[measure].severity == "critical"
    assert not admission.decision(verdict).admitted


def test_no_storage_country_and_no_terms_refuse(catalog: Catalog):
    land(catalog, {"storage.allowed_countries": []})
    found = failed(GATES["approval"].judge(on(catalog), DONATION))
    assert set(found) == {"eu_storage", "kept_where_allowed"}
    land(catalog, {"rights.agreement_ref": None, "rights.licence_spdx": None})
    assert set(failed(GATES["approval"].judge(on(catalog), DONATION))) == {"licence_or_agreement"}


def test_an_unknown_donor_is_refused(catalog: Catalog):
    land(catalog, {"donor.cvr": "69191919", "rights.agreement_ref": None})
    verdict = GATES["approval"].judge(on(catalog), DONATION)
    assert failed(verdict)["donor_is_member"].severity == "critical"
    assert not admission.decision(verdict).admitted


def test_a_licence_alone_is_enough_and_ends_with_the_approval(catalog: Catalog):
    land(catalog, {"rights.agreement_ref": None})
    decided = judged(on(catalog), "approval")
    assert decided.admitted
    assert decided.valid_until == dt.date(2031, 8, 31)


def test_without_any_end_the_decision_has_none(catalog: Catalog):
    land(catalog, {"rights.approval.expires_on": None}, {"valid_to": None})
    decided = judged(on(catalog), "approval")
    assert (decided.admitted, decided.valid_until) == (True, None)


def test_an_announced_withdrawal_ends_the_decision_the_day_before(catalog: Catalog):
    land(catalog, {"withdrawal.withdrawn_on": "2027-01-01"})
    decided = judged(on(catalog), "approval")
    assert (decided.admitted, decided.valid_until) == (True, dt.date(2026, 12, 31))


def test_the_decision_is_taken_again_when_a_date_passes_and_not_before(catalog: Catalog):
    land(catalog)
    first = GATES["approval"].judge(on(catalog), DONATION)
    last_day = dt.date(2030, 12, 31)
    assert GATES["approval"].judge(on(catalog, last_day).planning(), DONATION) == first
    after = on(catalog, last_day + dt.timedelta(days=1))
    with pytest.raises(Stale):
        GATES["approval"].judge(after.planning(), DONATION)
    assert list(failed(GATES["approval"].judge(after, DONATION))) == ["agreement_in_force"]


def test_another_entry_of_a_register_does_not_judge_again(catalog: Catalog):
    land(catalog)
    first = GATES["approval"].judge(on(catalog), DONATION)
    others = [AGREEMENT, changed(AGREEMENT, {"agreement_id": "aftale-9"})]
    table = pa.Table.from_pylist(others)
    seed(catalog, "consortium/agreements", tables={"agreement": table}, zone=Zone.EVIDENCE)
    assert GATES["approval"].judge(on(catalog).planning(), DONATION) == first
    inputs = first.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [one["uri"] for one in inputs] == [
        f"dsk:donations/landing[{DONATION}]",
        "dsk-source:consortium/agreements#aftale-1",
        "dsk-source:consortium/members#60101010",
    ]


def test_a_donation_is_not_kept_in_a_region_its_donor_did_not_allow(catalog: Catalog):
    from dsk_assets.gates.approval import storage_measures

    settings = load_settings(home="h", lake="s3://lake", s3_region="eu-central-1")
    allowed = storage_measures(
        {"allowed_countries": ["DK", "DE"], "encryption_at_rest": True}, settings
    )
    refused = storage_measures({"allowed_countries": ["DK"], "encryption_at_rest": True}, settings)
    assert (allowed["kept_where_allowed"], refused["kept_where_allowed"]) == (True, False)


def test_a_changed_suite_judges_again(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    land(catalog)
    GATES["approval"].judge(on(catalog), DONATION)
    content = (suites.FOLDER / "approval.json").read_text("utf-8")
    (tmp_path / "approval.json").write_text(content.replace("expect_column_max", "expect_column"))
    monkeypatch.setattr(suites, "FOLDER", tmp_path)
    decided = judged(on(catalog), "approval")
    assert not decided.admitted
    assert not any(finding.passed for finding in decided.findings)
