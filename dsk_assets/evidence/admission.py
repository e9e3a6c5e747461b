"""Admission records: what a gate decided about exactly which bytes, and the demand for them.

Dagster shows a gate as an asset check, but a failed check does not stop a later run, a click in
the UI or a command. So each consumer of gated data calls :func:`require` first: it passes only
when the newest decision of the gate is about these very bytes, admits them, and is valid today.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dsk_assets.errors import NotAdmittedError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.lake.store import Zone

RESULT = "result.json"
"""The whole decision, with its findings."""

VERDICT = "verdict.json"
"""What consumers depend on: they stay fresh when findings are reworded or approvals renewed."""


@dataclass(frozen=True)
class Finding:
    """One expectation of a gate: what was expected of which measure, and what was found.

    ``severity`` is ``critical`` (refuses) or ``warning`` (is shown). ``expected`` is a readable
    bound such as ``between 2.4 and 4.3``; ``actual`` a number. ``reason`` says what a failure
    means and what to do, ``reason_da`` the same in Danish.
    """

    measure: str
    expected: str
    actual: float | int | None
    passed: bool
    severity: str
    reason: str
    reason_da: str = ""


@dataclass(frozen=True)
class Decision:
    """What a gate decided about one materialisation."""

    gate: str
    principle: str
    judged: str
    judged_digest: str
    admitted: bool
    findings: tuple[Finding, ...]
    valid_until: dt.date | None

    @property
    def refusals(self) -> list[str]:
        """The reasons of the critical findings that failed."""
        return [
            finding.reason
            for finding in self.findings
            if not finding.passed and finding.severity == "critical"
        ]

    def as_json(self) -> dict[str, Any]:
        """The content of the gate's ``result.json``."""
        return {
            "gate": self.gate,
            "principle": self.principle,
            "judged": self.judged,
            "judgedDigest": self.judged_digest,
            "admitted": self.admitted,
            "validUntil": self.valid_until.isoformat() if self.valid_until else None,
            "findings": [vars(finding) for finding in self.findings],
        }

    def verdict(self) -> dict[str, Any]:
        """The content of the gate's ``verdict.json``."""
        return {
            "gate": self.gate,
            "judgedDigest": self.judged_digest,
            "admitted": self.admitted,
        }


def decision(snapshot: Snapshot) -> Decision:
    """The decision that a gate's materialisation holds."""
    result: Mapping[str, Any] = snapshot.json(RESULT)
    until = result["validUntil"]
    return Decision(
        gate=result["gate"],
        principle=result["principle"],
        judged=result["judged"],
        judged_digest=result["judgedDigest"],
        admitted=result["admitted"],
        findings=tuple(Finding(**finding) for finding in result["findings"]),
        valid_until=dt.date.fromisoformat(until) if until else None,
    )


def record(
    catalog: Catalog,
    gate: str,
    judged: Snapshot,
    *,
    inputs: Sequence[Snapshot | Source] = (),
    config: Mapping[str, Any],
    code_version: str,
    decide: Callable[[], Decision],
) -> Snapshot:
    """The gate's decision on *judged*: taken by *decide*, unless one on the same bytes stands.

    *inputs* are what *decide* reads besides *judged*.
    """

    def produce(out: Output) -> None:
        decided = decide()
        out.json(RESULT, decided.as_json())
        out.json(VERDICT, decided.verdict())
        out.count(
            admitted=int(decided.admitted),
            expectations=len(decided.findings),
            failed=sum(not finding.passed for finding in decided.findings),
        )

    return catalog.materialise(
        asset_of(gate),
        judged.partition,
        zone=Zone.EVIDENCE,
        inputs=[judged, *inputs],
        config=config,
        code_version=code_version,
        produce=produce,
    )


def asset_of(gate: str) -> str:
    """The asset under which a gate's decisions are kept."""
    return f"gate/{gate}"


def require(catalog: Catalog, gate: str, judged: Snapshot) -> Snapshot:
    """The gate's verdict that admits *judged*; give it on as an input.

    It is the newest materialisation cut down to the file ``verdict.json``. Raises
    :class:`NotAdmittedError` like :func:`admitting`.
    """
    return admitting(catalog, gate, judged)[0]


def admitting(catalog: Catalog, gate: str, judged: Snapshot) -> tuple[Snapshot, Decision]:
    """The gate's verdict that admits *judged*, and the whole decision.

    Raises :class:`NotAdmittedError` when the gate has not judged these bytes, has refused them,
    or admitted them only until a day that has passed.
    """
    newest = catalog.latest(asset_of(gate), judged.partition)
    if newest is None:
        raise NotAdmittedError(
            f"{judged.key} has not been judged by gate {gate} — materialise {judged.asset} first"
        )
    decided = decision(newest)
    if decided.judged_digest != judged.digest:
        raise NotAdmittedError(
            f"gate {gate} judged other bytes of {judged.key} than the present ones — "
            f"materialise {judged.asset} again"
        )
    if not decided.admitted:
        raise NotAdmittedError(f"gate {gate} refused {judged.key}: {'; '.join(decided.refusals)}")
    if decided.valid_until is not None and catalog.settings.date > decided.valid_until:
        raise NotAdmittedError(
            f"gate {gate} admitted {judged.key} until {decided.valid_until}, and today is "
            f"{catalog.settings.date} — renew the approval and deliver a new version"
        )
    return newest.only(VERDICT), decided
