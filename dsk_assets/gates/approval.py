"""Gate ``approval``: may this donation be used at all, here and today?

It judges the manifest of ``donations/landing`` against the consortium's agreements and members.
What depends on the day is measured as yes or no, so the decision is taken again on the day on
which an answer changes and not on the days between.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dsk_assets.consortium.licences import canonical_licence
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.evidence.withdrawals import withdrawal, withdrawn_on
from dsk_assets.gates.judging import judge
from dsk_assets.gates.suites import Measures
from dsk_assets.lake.digests import sha256_json
from dsk_assets.settings import EU_COUNTRIES, EU_REGIONS, Settings

CODE_VERSION = "2"
PRETRAINING = "pre-training"
PURPOSE = "urn:dsk:purpose:danish-language-model-development"

Entry = Mapping[str, Any]


def approval(catalog: Catalog, donation: str) -> Snapshot:
    """Judge the landing of *donation*; the decision ends when approval or agreement end.

    Raises :class:`MissingInputError` before landing and registers are materialised.
    """
    landing = catalog.require("donations/landing", donation)
    manifest = landing.json("manifest.json")
    agreement_id = manifest["rights"].get("agreement_ref")
    agreement = _entry(catalog, "agreements", "agreement", "agreement_id", agreement_id)
    member = _entry(catalog, "members", "member", "cvr", manifest["donor"]["cvr"])
    withdrawn = withdrawal(catalog, donation)
    today = catalog.settings.date
    measures = {
        "key_matches": f"{manifest['donation_id']}@{manifest['version']}" == donation,
        "donor_is_member": member is not None,
        **approval_measures(manifest, today),
        **licence_measures(manifest["rights"].get("licence_spdx"), agreement),
        **agreement_measures(manifest, agreement, today),
        **storage_measures(manifest["storage"], catalog.settings),
        "withdrawn": is_withdrawn(catalog, landing),
    }
    return judge(
        catalog,
        "approval",
        landing,
        lambda: measures,
        code_version=CODE_VERSION,
        inputs=[
            *_source("agreements", agreement_id, agreement),
            *_source("members", manifest["donor"]["cvr"], member),
            *([] if withdrawn is None else [withdrawn.source]),
        ],
        config={"measures": measures},
        valid_until=_earliest(
            _day(manifest["rights"]["approval"].get("expires_on")),
            _day(agreement["valid_to"]) if agreement else None,
            _day_before(_day(manifest["withdrawal"].get("withdrawn_on"))),
            _day_before(withdrawn.withdrawn_on if withdrawn else None),
        ),
    )


def approval_measures(manifest: Entry, today: dt.date) -> Measures:
    """The approval itself: evidence, period, scope, purpose, legal basis, declaration."""
    approved = manifest["rights"]["approval"]
    personal = manifest["personal_data"]
    return {
        "evidence": len(approved["evidence"]),
        "approval_begun": _begun(approved["approved_on"], today),
        "approval_in_force": _in_force(approved.get("expires_on"), today),
        "scope_includes_pretraining": PRETRAINING in approved["scope"],
        "purpose_accepted": manifest["purpose"]["code"] == PURPOSE
        and manifest["purpose"]["other_uses_prohibited"] is True,
        "rights_reserved": manifest["opt_out"]["status"] == "reserved",
        "legal_basis_named": not personal["expected"] or bool(personal.get("legal_basis")),
        "declaration_made": _begun(manifest["declaration"]["declared_on"], today),
    }


def licence_measures(licence: str | None, agreement: Entry | None) -> Measures:
    """The licence: on the SPDX list or a registered reference, and the one that was agreed."""
    if licence is None:
        return {"licence_known": None, "licence_as_agreed": None}
    return {
        "licence_known": _known_licence(licence),
        "licence_as_agreed": None if agreement is None else licence == agreement["licence_code"],
    }


def agreement_measures(manifest: Entry, agreement: Entry | None, today: dt.date) -> Measures:
    """The agreement the donation rests on; none apply where it rests on a licence alone."""
    reference = manifest["rights"].get("agreement_ref")
    measures: dict[str, float | int | None] = {
        "licence_or_agreement": bool(reference or manifest["rights"].get("licence_spdx")),
        "agreement_found": None if reference is None else agreement is not None,
    }
    if agreement is None:
        return measures | dict.fromkeys(AGREEMENT_MEASURES)
    evidence = {one["sha256"] for one in manifest["rights"]["approval"]["evidence"]}
    answers = (
        agreement["member_cvr"] == manifest["donor"]["cvr"],
        agreement["evidence_sha256"] in evidence,
        _begun(agreement["valid_from"], today),
        _in_force(agreement["valid_to"], today),
        agreement["may_train"],
        agreement["may_release_model"],
        PRETRAINING in agreement["purposes"],
    )
    return measures | dict(zip(AGREEMENT_MEASURES, answers, strict=True))


AGREEMENT_MEASURES = (
    "agreement_with_donor",
    "agreement_evidence_delivered",
    "agreement_begun",
    "agreement_in_force",
    "agreement_may_train",
    "agreement_may_release_model",
    "agreement_covers_pretraining",
)


def storage_measures(storage: Entry, settings: Settings) -> Measures:
    """Where the donation may be kept, and whether this installation keeps it there."""
    allowed = set(storage["allowed_countries"])
    here = {settings.country}
    if settings.lake_url.startswith("s3://"):
        here.add(EU_REGIONS[settings.s3_region])
    return {
        "eu_storage": bool(allowed) and allowed <= EU_COUNTRIES,
        "kept_where_allowed": here <= allowed,
        "encryption_at_rest": storage["encryption_at_rest"] is True,
    }


def is_withdrawn(catalog: Catalog, landing: Snapshot) -> bool:
    """Whether a landed donation is withdrawn today."""
    day = withdrawn_on(catalog, landing)
    return day is not None and day <= catalog.settings.date


def _known_licence(expression: str) -> bool:
    try:
        canonical_licence(expression)
    except ValueError:
        return False
    return True


def _entry(
    catalog: Catalog, register: str, table: str, column: str, value: str | None
) -> dict[str, Any] | None:
    rows = catalog.require(f"consortium/{register}").table(table)
    found: list[dict[str, Any]] = rows.filter(
        pc.equal(rows[column], pa.scalar(value or ""))
    ).to_pylist()
    return found[0] if found else None


def _source(register: str, value: str | None, entry: Entry | None) -> Iterable[Source]:
    """The one entry that was read: other entries of the register may change."""
    if entry is not None:
        yield Source(f"consortium/{register}#{value}", sha256_json(dict(entry)))


def _day(value: str | None) -> dt.date | None:
    return dt.date.fromisoformat(value) if value else None


def _day_before(day: dt.date | None) -> dt.date | None:
    return day - dt.timedelta(days=1) if day else None


def _begun(value: str, today: dt.date) -> bool:
    return dt.date.fromisoformat(value) <= today


def _in_force(value: str | None, today: dt.date) -> bool:
    """Whether *value*, the last day of a period or None for one without an end, has not passed."""
    end = _day(value)
    return end is None or today <= end


def _earliest(*days: dt.date | None) -> dt.date | None:
    return min((day for day in days if day is not None), default=None)
