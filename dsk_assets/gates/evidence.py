"""Gate ``evidence``: does the evidence behind a release verify, from artefacts up?"""

from typing import Any

from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates.judging import judge
from dsk_assets.gates.suites import Measures

ASSET = "transparency/verification"
CODE_VERSION = "1"


def evidence(catalog: Catalog, release: str) -> Snapshot:
    """Judge the newest verification made before the records of *release*."""
    snapshot = catalog.require(ASSET, release)

    def measure() -> Measures:
        return evidence_measures(snapshot.json("verification.json"))

    return judge(catalog, "evidence", snapshot, measure, code_version=CODE_VERSION)


def evidence_measures(report: dict[str, Any]) -> Measures:
    """Faults by group, entries of the log that were verified, and witnesses of it."""
    faults = {f"{group}_faults": number for group, number in report["faults"].items()}
    entries = report["checkpoint"]["size"] if report["checkpoint"] else 0
    return {**faults, "log_entries": entries, "witnesses": report["witnesses"]}
