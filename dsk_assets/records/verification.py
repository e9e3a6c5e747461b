"""The verification that stands before the records of a release: no proof, no publication.

Its report is an asset, bound to the checkpoint of the log it was made at and to the very inputs
of the records; gate ``evidence`` judges it, and the records demand that decision.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from dsk_assets.errors import CorruptedError, NotAdmittedError
from dsk_assets.evidence import admission, sequencer
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.verify.faults import GROUPS
from dsk_assets.evidence.verify.lake import Report, Told, verify
from dsk_assets.lake.digests import sha256_json
from dsk_assets.lake.store import Zone

ASSET = "transparency/verification"
GATE = "evidence"
FILE = "verification.json"
CODE_VERSION = "1"
NAMED = 100
"""How many faults the report names one by one; all are counted."""


def verification(
    catalog: Catalog,
    release: str,
    inputs: Sequence[Snapshot],
    *,
    told: Told | None = None,
    full: bool = False,
) -> Snapshot:
    """Verify the lake before the records of *release* are made of *inputs*.

    What is not in the log yet is taken up first.
    ``verification.json``: ``checkpoint`` (``origin``, ``size``, ``root``), ``counts``, ``faults``
    by group, ``limits`` and ``named``, the faults themselves: codes, places and what they affect,
    never text. A verification that comes to the same over the same inputs stays; a plan looks at
    the inputs alone. Counts: ``entries``, ``statements``, ``files``, ``faults``, ``limits``.
    """
    latest = catalog.latest(ASSET, release)
    report = None
    if not catalog.plans:
        with suppress(CorruptedError):  # what cannot be taken up is named as a fault
            sequencer.append_new(catalog)
        report = verify(catalog, full=full, told=told)
    outcome = _outcome(report) if report else _recorded(latest)

    def produce(out: Output) -> None:
        if report is not None:
            content = _content(report)
            out.json(FILE, content)
            out.count(
                faults=sum(content["faults"].values()),
                limits=len(content["limits"]),
                **{name: report.counts[name] for name in ("entries", "statements", "files")},
            )

    return catalog.materialise(
        ASSET,
        release,
        zone=Zone.EVIDENCE,
        inputs=inputs,
        config={"outcome": outcome},
        code_version=CODE_VERSION,
        produce=produce,
    )


def require_verified(catalog: Catalog, release: str, inputs: Sequence[Snapshot]) -> Snapshot:
    """The verdict of gate ``evidence`` on a verification of exactly *inputs*; give it on.

    Raises :class:`NotAdmittedError` where faults were found, or where the inputs have changed
    since they were verified.
    """
    verified = catalog.latest(ASSET, release)
    if verified is None:
        raise NotAdmittedError(
            f"the evidence behind release {release} has not been verified — materialise {ASSET} "
            "first"
        )
    definition = verified.statement["predicate"]["buildDefinition"]
    known = {(one["uri"], one["digest"]["sha256"]) for one in definition["resolvedDependencies"]}
    for one in inputs:
        if (f"dsk:{one.key}", one.digest) not in known:
            raise NotAdmittedError(
                f"{one.key} has changed since the evidence was verified — materialise {ASSET} again"
            )
    return admission.require(catalog, GATE, verified)


def _content(report: Report) -> dict[str, Any]:
    wrong = [fault for fault in report.faults if not fault.is_limit]
    counted = Counter(fault.group for fault in wrong)
    return {
        "checkpoint": report.checkpoint,
        "witnesses": len(report.witnesses),
        "counts": dict(report.counts),
        "faults": {group: counted[group] for group in GROUPS},
        "limits": sorted({fault.code for fault in report.faults if fault.is_limit}),
        "named": [fault.as_json() for fault in wrong[:NAMED]],
    }


def _outcome(report: Report) -> str:
    """One digest for what was found wrong, and what limits the proof."""
    return sha256_json(sorted({(fault.code, fault.place) for fault in report.faults}))


def _recorded(latest: Snapshot | None) -> str:
    if latest is None:
        return ""
    definition = latest.statement["predicate"]["buildDefinition"]
    return str(definition["internalParameters"]["config"]["outcome"])
