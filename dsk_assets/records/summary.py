"""What is in the lake now: the numbers that stages recorded, added up for a person or a program.

It reads statements and gate decisions and nothing else, so it takes no longer on a large corpus,
and it works on a lake that is half made.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dsk_assets.evidence import admission, failures
from dsk_assets.evidence.catalog import STATEMENTS, Catalog, Snapshot
from dsk_assets.evidence.failures import Failure
from dsk_assets.evidence.withdrawals import withdrawn_on
from dsk_assets.gates.admitted import SCREENING, current_donations
from dsk_assets.training.awaited import awaited_run

DECIDED = "filtering/decisions"
REVIEWED, NOT_REVIEWED = "reviewed", "not reviewed"
FLOW = ("approval", "statistics", "language", "personal_data", "spans", "composition", "checkpoint")
"""The gates in the order of the flow; others follow by name."""


@dataclass(frozen=True)
class DonationLine:
    """One current donation.

    ``status`` is admitted, refused, withdrawn or waiting (not judged by all gates). It is withdrawn
    from the day ``withdrawn_on``, also before a night has heeded that. ``documents`` were read from
    it, ``kept`` of them by filtering; None before that stage. ``review`` says whether a person has
    read a sample of its redacted text, and ``leaks_at_most`` how many leaks for each 100,000 words
    that leaves possible (95 %).
    """

    donation: str
    status: str
    refused_because: tuple[str, ...]
    documents: int | None
    kept: int | None
    tokens: int | None
    review: str | None
    leaks_at_most: float | None
    withdrawn_on: str | None


@dataclass(frozen=True)
class GateLine:
    """The newest decisions of one gate: how many admit, refuse, or admit with a warning."""

    gate: str
    admitted: int
    refused: int
    warned: int


@dataclass(frozen=True)
class CheckpointLine:
    """One checkpoint; ``loss`` in nats a token."""

    checkpoint: str
    step: int
    tokens: int
    loss: float


@dataclass(frozen=True)
class Summary:
    """What is in the lake. Mappings go from a name to a count, the largest first.

    All but ``releases`` are of current donations, refused ones too, as far as each was worked off.
    ``recall`` is the share of each type of personal data that is found in labelled text;
    ``awaited_run`` is to be trained where the platform cannot reach.
    """

    lake: str
    landed: int
    donations: tuple[DonationLine, ...]
    documents: int
    kept: int
    dropped_by_stage: Mapping[str, int]
    dropped_by_rule: Mapping[str, int]
    findings: Mapping[str, int]
    recall: Mapping[str, float]
    withheld: Mapping[str, int]
    tokens: int
    shards: int
    releases: Mapping[str, Mapping[str, Any]]
    checkpoints: tuple[CheckpointLine, ...]
    awaited_run: str | None
    gates: tuple[GateLine, ...]
    records: Mapping[str, str]
    failures: tuple[Failure, ...]

    def as_json(self) -> dict[str, Any]:
        """The summary for programs: its fields by their names, in JSON types."""
        return asdict(self)


def summary(catalog: Catalog) -> Summary:
    """What is in the lake of *catalog* now."""
    current = current_donations(catalog)
    personal = list(_counts(catalog, "filtering/personal_data", current))
    decided = list(_counts(catalog, DECIDED, current))
    sharded = list(_counts(catalog, "corpus/shards", current))
    read = list(_counts(catalog, "donations/documents", current))
    recall = catalog.latest("filtering/recall")
    return Summary(
        lake=catalog.lake.url(""),
        landed=len(catalog.partitions("donations/landing")),
        donations=tuple(_donation(catalog, donation) for donation in current),
        documents=_sum(read, "documents"),
        kept=_sum(decided, "kept"),
        dropped_by_stage=_tally(decided, "dropped_by_stage"),
        dropped_by_rule=_tally(decided, "dropped_by_rule"),
        findings=_tally(personal, "findings"),
        recall={} if recall is None else recall.counts["recall"],
        withheld=_tally(personal, "withheld"),
        tokens=_sum(sharded, "tokens"),
        shards=_sum(sharded, "shards"),
        releases={
            str(release.partition): dict(release.counts)
            for release in sorted(_all(catalog, "corpus/release"), key=_numbers)
        },
        checkpoints=tuple(_checkpoint(one) for one in _all(catalog, "training/checkpoint")),
        awaited_run=awaited_run(catalog),
        gates=tuple(_gate(catalog, gate) for gate in _gates(catalog)),
        records={
            f"{made.partition}/{file.name}": made.lake.url(f"{made.folder}/{file.name}")
            for made in _all(catalog, "transparency/records")
            for file in made.files
        },
        failures=tuple(failures.failures(catalog)),
    )


def _donation(catalog: Catalog, donation: str) -> DonationLine:
    verdicts = [catalog.latest(admission.asset_of(gate), donation) for gate, _ in SCREENING]
    decisions = [admission.decision(verdict) for verdict in verdicts if verdict is not None]
    reasons = [reason for decision in decisions for reason in decision.refusals]
    reasons += [
        f"{decision.gate} admitted it until {decision.valid_until}"
        for decision in decisions
        if decision.admitted
        and decision.valid_until is not None
        and decision.valid_until < catalog.settings.date
    ]
    refused = bool(reasons) or not all(decision.admitted for decision in decisions)
    waiting = len(decisions) < len(SCREENING)
    measured = {
        finding.measure: finding.actual
        for decision in decisions
        if decision.gate == "personal_data"
        for finding in decision.findings
    }
    status = "refused" if refused else "waiting" if waiting else "admitted"
    landing = catalog.require("donations/landing", donation)
    day = withdrawn_on(catalog, landing)
    withdrawn = day is not None and day <= catalog.settings.date
    return DonationLine(
        donation=donation,
        status="withdrawn" if withdrawn else status,
        refused_because=tuple(reasons),
        documents=_count(catalog, "donations/documents", donation, "documents"),
        kept=_count(catalog, DECIDED, donation, "kept"),
        tokens=_count(catalog, "corpus/shards", donation, "tokens"),
        review=(REVIEWED if measured.get("reviewed") else NOT_REVIEWED) if measured else None,
        leaks_at_most=measured.get("leaks_at_most"),
        withdrawn_on=day.isoformat() if day else None,
    )


def _numbers(release: Snapshot) -> list[int]:
    return [int(number) for number in str(release.partition).split(".")]


def _gates(catalog: Catalog) -> list[str]:
    judged = catalog.lake.names(f"{STATEMENTS}/gate")
    return sorted(judged, key=lambda gate: (FLOW.index(gate) if gate in FLOW else len(FLOW), gate))


def _gate(catalog: Catalog, gate: str) -> GateLine:
    decisions = [admission.decision(one) for one in _all(catalog, admission.asset_of(gate))]
    admitted = [decision for decision in decisions if decision.admitted]
    return GateLine(
        gate=gate,
        admitted=len(admitted),
        refused=len(decisions) - len(admitted),
        warned=sum(not all(finding.passed for finding in one.findings) for one in admitted),
    )


def _checkpoint(snapshot: Snapshot) -> CheckpointLine:
    counts = snapshot.counts
    key = str(snapshot.partition)
    return CheckpointLine(key, counts["step"], counts["tokens"], counts["loss"])


def _all(catalog: Catalog, asset: str) -> Iterator[Snapshot]:
    for partition in catalog.partitions(asset):
        snapshot = catalog.latest(asset, partition)
        if snapshot is not None:
            yield snapshot


def _counts(catalog: Catalog, asset: str, keys: list[str]) -> Iterator[Mapping[str, Any]]:
    for key in keys:
        snapshot = catalog.latest(asset, key)
        if snapshot is not None:
            yield snapshot.counts


def _count(catalog: Catalog, asset: str, key: str, name: str) -> int | None:
    snapshot = catalog.latest(asset, key)
    return None if snapshot is None else snapshot.counts[name]


def _sum(counts: list[Mapping[str, Any]], name: str) -> int:
    return sum(one[name] for one in counts)


def _tally(counts: list[Mapping[str, Any]], name: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one[name])
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
