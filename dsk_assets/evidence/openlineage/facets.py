"""The project's own facets: what the OpenLineage standard has no words for.

Approval, licence, withdrawal, the filter for personal data, a gate's decision and the statement
that proves a run. Names follow the standard's rule for custom facets (``dsk_<name>``, class
``Dsk<Name><Entity>Facet``; https://openlineage.io/docs/spec/facets/). Their JSON Schemas lie in
``schemas/dsk`` and are named by URN, so that they never point to a page that is not there.
Facets hold identifiers, dates, codes and counts: no person's name, no address, no text.
"""

from collections.abc import Mapping
from typing import Any

import attr
from openlineage.client.generated.base import DatasetFacet, RunFacet

from dsk_assets.evidence.admission import Decision
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.withdrawals import withdrawal

SCHEMAS = "urn:dsk:openlineage:1-0-0"


def _schema(name: str) -> str:
    return f"{SCHEMAS}:{name}#/$defs/{name}"


@attr.define
class DskApprovalDatasetFacet(DatasetFacet):
    """The rights holder's approval of a donation, as its manifest names it."""

    agreement: str | None
    approvedOn: str
    expiresOn: str | None
    scope: list[str]
    evidence: list[dict[str, str]]

    @staticmethod
    def _get_schema() -> str:
        return _schema("DskApprovalDatasetFacet")


@attr.define
class DskLicenceDatasetFacet(DatasetFacet):
    """The terms a donation is used under: an SPDX licence, an agreement, or both."""

    licence: str | None
    agreement: str | None
    openSourceWish: str

    @staticmethod
    def _get_schema() -> str:
        return _schema("DskLicenceDatasetFacet")


@attr.define
class DskWithdrawalDatasetFacet(DatasetFacet):
    """How a donation may be withdrawn; from what day it is, and the statement that says so."""

    noticeDays: int | None = None
    effect: str | None = None
    withdrawnOn: str | None = None
    statement: str | None = None

    @staticmethod
    def _get_schema() -> str:
        return _schema("DskWithdrawalDatasetFacet")


@attr.define
class DskPersonalDataDatasetFacet(DatasetFacet):
    """What the filter for personal data found and did: counts by type, action and reason."""

    counts: dict[str, Any]

    @staticmethod
    def _get_schema() -> str:
        return _schema("DskPersonalDataDatasetFacet")


@attr.define
class DskGateDatasetFacet(DatasetFacet):
    """A gate's decision on the materialisation with the digest ``judgedDigest``."""

    gate: str
    principle: str
    judged: str
    judgedDigest: str
    admitted: bool
    validUntil: str | None

    @staticmethod
    def _get_schema() -> str:
        return _schema("DskGateDatasetFacet")


@attr.define
class DskEvidenceRunFacet(RunFacet):
    """The statement that a run event was made from."""

    statement: str
    previous: str | None
    fingerprint: str
    codeVersion: str
    configDigest: str
    commit: str | None
    uncommittedChanges: bool | None
    packages: dict[str, str]
    country: str
    region: str | None
    startedOn: str
    finishedOn: str
    invocation: str
    folder: str
    files: int
    counts: dict[str, Any]

    @staticmethod
    def _get_schema() -> str:
        return _schema("DskEvidenceRunFacet")


def of_evidence(snapshot: Snapshot) -> DskEvidenceRunFacet:
    """The facet that binds a run to its statement."""
    predicate = snapshot.statement["predicate"]
    internal = predicate["buildDefinition"]["internalParameters"]
    details, dsk = predicate["runDetails"], predicate["dsk"]
    return DskEvidenceRunFacet(
        statement=snapshot.statement_digest,
        previous=dsk["previous"],
        fingerprint=internal["fingerprint"],
        codeVersion=internal["codeVersion"],
        configDigest=dsk["configDigest"],
        commit=dsk["code"].get("commit"),
        uncommittedChanges=dsk["code"].get("dirty"),
        packages=details["builder"]["version"],
        country=dsk["country"],
        region=dsk["region"],
        startedOn=details["metadata"]["startedOn"],
        finishedOn=details["metadata"]["finishedOn"],
        invocation=details["metadata"]["invocationId"],
        folder=dsk["folder"],
        files=len(snapshot.files),
        counts=dsk["counts"],
    )


def of_manifest(manifest: Mapping[str, Any]) -> dict[str, DatasetFacet]:
    """Facets of a landed donation, from its manifest."""
    rights, terms = manifest["rights"], manifest["withdrawal"]
    approval = rights["approval"]
    return {
        "dsk_approval": DskApprovalDatasetFacet(
            agreement=rights.get("agreement_ref"),
            approvedOn=approval["approved_on"],
            expiresOn=approval.get("expires_on"),
            scope=approval["scope"],
            evidence=[
                {"kind": one["kind"], "sha256": one["sha256"]} for one in approval["evidence"]
            ],
        ),
        "dsk_licence": DskLicenceDatasetFacet(
            licence=rights.get("licence_spdx"),
            agreement=rights.get("agreement_ref"),
            openSourceWish=rights["open_source_wish"],
        ),
        "dsk_withdrawal": DskWithdrawalDatasetFacet(
            noticeDays=terms.get("notice_days"),
            effect=terms.get("effect"),
            withdrawnOn=terms.get("withdrawn_on"),
        ),
    }


def of_withdrawal(catalog: Catalog, snapshot: Snapshot) -> DskWithdrawalDatasetFacet | None:
    """The withdrawal that a gate heeded, if there was one among its inputs."""
    heeded = {
        dependency["digest"]["sha256"]
        for dependency in snapshot.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        if dependency["uri"].startswith("dsk-source:withdrawal/")
    }
    found = withdrawal(catalog, snapshot.partition or "") if heeded else None
    if found is None or found.statement not in heeded:
        return None
    return DskWithdrawalDatasetFacet(
        withdrawnOn=found.withdrawn_on.isoformat(), statement=found.statement
    )


def of_decision(decision: Decision) -> DskGateDatasetFacet:
    """The facet of a gate's decision."""
    return DskGateDatasetFacet(
        gate=decision.gate,
        principle=decision.principle,
        judged=decision.judged,
        judgedDigest=decision.judged_digest,
        admitted=decision.admitted,
        validUntil=decision.valid_until.isoformat() if decision.valid_until else None,
    )
