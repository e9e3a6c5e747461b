"""What all records of a corpus release say, gathered once, so that no two of them can disagree."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.records.provider import Provider

WEIGHTS = ".safetensors"
UNDETERMINED = "und"


@dataclass(frozen=True)
class Donation:
    """A donation in the release: what the register says of it, and its part of the corpus.

    ``digest`` is that of its shards; ``findings`` are the findings of personal data, by type, that
    were removed or replaced, None where the donation has been replaced since the release and is
    not counted any more. ``kept_findings`` are those that its policy lets stay, such as authors.
    ``canaries_missed`` of ``canaries_planted`` invented identifiers were left standing in copies;
    ``leaks_at_most`` for each 100,000 words is the upper bound (95 %) of a review by a person.
    They are None where that has not been measured; without a review nobody knows what is missed.
    ``recall_measured`` says whether it was searched by the recognisers of :attr:`Facts.recall`.
    """

    key: str
    register: Mapping[str, Any]
    digest: str
    documents: int
    tokens: int
    weight: float
    share: float
    findings: Mapping[str, int] | None
    kept_findings: int
    canaries_planted: int | None
    canaries_missed: int | None
    leaks_at_most: float | None
    recall_measured: bool | None

    @property
    def is_public(self) -> bool:
        """Whether the text itself is, or may be, public: its donor wants it open-sourced."""
        return bool(self.register["open_source_wish"] == "open-source")


@dataclass(frozen=True)
class Checkpoint:
    """The newest checkpoint of the release's training run."""

    key: str
    digest: str
    weights: Mapping[str, str]
    """SHA-256 of each file of weights, by its name."""
    step: int
    tokens: int
    parameters: int
    loss: float
    context: int
    batch: int
    passes: float
    flop: float
    first_loss: float
    base_model: Mapping[str, Any]
    device_hours: float | None
    energy_kwh: float | None
    """What the machine counted for the whole run; None where it does not count."""
    read: Mapping[str, Mapping[str, Any]]
    """By donation: ``tokens`` that are not held out, and ``tokens_read``, each reading counted."""
    held_out: Mapping[str, float]
    """Loss on documents that were not trained on, by domain."""
    tried: Mapping[str, Any] | None
    """``evaluation.json`` of ``training/evaluation``; None before the model has been tried."""


@dataclass(frozen=True)
class Facts:
    """The facts about one corpus release.

    ``updated`` is the newest of the days on which release and checkpoint were made and on which
    the provider last went through what it declares. ``languages`` are tokens by language of the
    donations that are still current, ``funnel`` documents by outcome, stage and rule, ``gates``
    the decisions on release, donations and checkpoint, ``findings`` every expectation of these and
    of what was refused, ``recall`` what the search for personal data finds in labelled text: for
    each type and each group of names the set in which it is lowest.
    """

    provider: Provider
    name: str
    version: str
    previous: tuple[str, ...]
    digest: str
    tokenizer: str
    released: dt.date
    updated: dt.date
    documents: int
    tokens: int
    characters: int
    shards: int
    donations: tuple[Donation, ...]
    languages: Mapping[str, int]
    funnel: tuple[Mapping[str, Any], ...]
    gates: tuple[Mapping[str, Any], ...]
    findings: tuple[Mapping[str, Any], ...]
    recall: tuple[Mapping[str, Any], ...]
    checkpoint: Checkpoint | None

    @property
    def model_version(self) -> str:
        """Name and version of the model, such as ``dsk-demo 1.0.0``."""
        return f"{self.provider.model.name} {self.version}"

    def main_languages(self, share: float) -> list[str]:
        """Codes of the languages that have at least this share of tokens, the most first."""
        least = share * sum(self.languages.values())
        return [
            code
            for code, tokens in self.languages.items()
            if code != UNDETERMINED and tokens >= least
        ]

    def tally(self, column: str, donations: Iterable[Donation] | None = None) -> list[str]:
        """Distinct values of a list *column* of the register over *donations*, sorted."""
        chosen = self.donations if donations is None else donations
        return sorted({value for one in chosen for value in one.register[column] or []})


def gather(
    catalog: Catalog,
    provider: Provider,
    warehouse: Snapshot,
    release: Snapshot,
    checkpoint: Snapshot | None,
    evaluation: Snapshot | None,
) -> Facts:
    """The facts about *release*, with the marts of *warehouse*, and its newest *checkpoint*.

    *evaluation* is what that checkpoint did when it was tried, if it was.
    """
    content = release.json("release.json")
    donations = _donations(warehouse, content)
    keys = {one.key for one in donations}
    versions = [one for one in catalog.partitions("corpus/release") if one != content["version"]]
    released = _day(release)
    trained = [] if checkpoint is None else [_day(checkpoint)]
    judged = keys | {content["version"], checkpoint.partition if checkpoint else None}
    return Facts(
        provider=provider,
        name=content["name"],
        version=content["version"],
        previous=tuple(sorted(versions, key=lambda one: [int(part) for part in one.split(".")])),
        digest=release.digest,
        tokenizer=content["tokenizer"],
        released=released,
        updated=max(released, provider.reviewed_on, *trained),
        documents=content["documents"],
        tokens=content["tokens"],
        characters=content["characters"],
        shards=content["shards"],
        donations=donations,
        languages=_languages(warehouse, keys),
        funnel=tuple(
            row for row in _rows(warehouse, "filtering_funnel") if row["donation"] in keys
        ),
        gates=tuple(row for row in _rows(warehouse, "gate_overview") if row["partition"] in judged),
        findings=tuple(
            row
            for row in _rows(warehouse, "gate_findings")
            if row["partition"] in judged or not row["admitted"]
        ),
        recall=tuple(row for row in _rows(warehouse, "measured_recall") if row["is_lowest"]),
        checkpoint=None if checkpoint is None else _checkpoint(catalog, checkpoint, evaluation),
    )


def _donations(warehouse: Snapshot, release: Mapping[str, Any]) -> tuple[Donation, ...]:
    register = {row["donation"]: row for row in _rows(warehouse, "donation_register")}
    shares = {
        row["donation"]: row["share"]
        for row in _rows(warehouse, "corpus_composition")
        if row["release"] == release["version"]
    }
    removed: dict[str, Counter[str]] = {
        row["donation"]: Counter() for row in _rows(warehouse, "personal_data_outcomes")
    }
    risks = {row["donation"]: row for row in _rows(warehouse, "residual_risk")}
    measured = ("canaries_planted", "canaries_missed", "leaks_at_most", "recall_measured")
    kept: Counter[str] = Counter()
    for row in _rows(warehouse, "personal_data_counts"):
        if row["action"] == "keep":
            kept[row["donation"]] += row["findings"]
        else:
            removed[row["donation"]][row["entity_type"]] += row["findings"]
    return tuple(
        Donation(
            key=entry["donation"],
            register=register[entry["donation"]],
            digest=entry["digest"],
            documents=entry["documents"],
            tokens=entry["tokens"],
            weight=entry["weight"],
            share=shares[entry["donation"]],
            findings=removed.get(entry["donation"]),
            kept_findings=kept[entry["donation"]],
            **{name: risks.get(entry["donation"], {}).get(name) for name in measured},
        )
        for entry in release["donations"]
    )


def _languages(warehouse: Snapshot, keys: set[str]) -> Mapping[str, int]:
    """Tokens by language, the most first."""
    tokens: dict[str, int] = {}
    for row in _rows(warehouse, "tokens_by_donor_licence_language"):
        if row["donation"] in keys:
            tokens[row["language"]] = tokens.get(row["language"], 0) + row["tokens"]
    return dict(sorted(tokens.items(), key=lambda item: (-item[1], item[0])))


def _checkpoint(catalog: Catalog, snapshot: Snapshot, evaluation: Snapshot | None) -> Checkpoint:
    content = snapshot.json("checkpoint.json")
    trained = catalog.require("training/run", content["run"])
    run = trained.json("run.json")
    return Checkpoint(
        key=str(snapshot.partition),
        digest=snapshot.digest,
        weights={
            file.name: file.sha256
            for file in snapshot.files
            if file.name.startswith("model/") and file.name.endswith(WEIGHTS)
        },
        step=content["step"],
        tokens=content["tokens"],
        parameters=content["parameters"],
        loss=content["loss"],
        context=content["order"]["sequenceLength"],
        batch=content["order"]["batchSize"],
        passes=run["passes"],
        flop=run["flop"],
        first_loss=run["firstLoss"],
        base_model=content["baseModel"],
        device_hours=trained.counts.get("device_hours"),
        energy_kwh=trained.counts.get("energy_kwh"),
        read={row["donation"]: row for row in snapshot.table("exposure").to_pylist()},
        held_out=content.get("heldOutLoss", {}),
        tried=None if evaluation is None else evaluation.json("evaluation.json"),
    )


def _rows(warehouse: Snapshot, mart: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = warehouse.table(mart).to_pylist()
    return rows


def _day(snapshot: Snapshot) -> dt.date:
    """The day on which a materialisation was finished, in UTC."""
    finished = snapshot.statement["predicate"]["runDetails"]["metadata"]["finishedOn"]
    return dt.date.fromisoformat(finished[:10])
