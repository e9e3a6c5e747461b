"""What the UI shows of the search for personal data: counts and measured recall, never a value."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dsk_assets.evidence.catalog import Snapshot
from dsk_assets.gates.screening import RECALL, RECALL_FILE
from dsk_assets.privacy.evaluate import Score
from dsk_assets.privacy.scores import lowest_recall, stored

ASSET = "filtering/personal_data"
GATE = "personal_data"
ACTIONS = ("placeholder", "pseudonym", "generalise", "keep")


def of_search(snapshot: Snapshot) -> dict[str, Any]:
    """Metadata of one ``filtering/personal_data``; nothing for other assets.

    A table with a row for each type, those with most findings first: findings, what was done with
    them, canaries missed of those planted, and the recall that was measured, in the set where it is
    lowest; types without findings or missed canaries share the last row. Findings are of kept and
    withheld documents; actions are of kept ones alone, and only those taken have a column. Dagster
    shows a table at once when it has less than a thousand characters.
    """
    if snapshot.asset != ASSET:
        return {}
    actions = Counter(
        (row["entity_type"], row["action"])
        for row in snapshot.table("pii_span", ["entity_type", "action"]).to_pylist()
    )
    planted: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for row in snapshot.table("canary").to_pylist():
        planted[row["entity_type"]] += row["planted"]
        missed[row["entity_type"]] += row["missed"]
    findings: Mapping[str, int] = snapshot.counts["findings"]
    recall = lowest_recall(stored())
    taken = [action for action in ACTIONS if any(one == action for _, one in actions)]
    columns = ["type", "findings", *taken, "canaries missed", "measured recall"]
    lines = [_row(columns), "|---|" + "---:|" * (len(columns) - 1)]
    told = {entity for entity in {*findings, *missed} if findings.get(entity) or missed[entity]}
    for entity in sorted(told, key=lambda one: (-findings.get(one, 0), one)):
        done = (actions[entity, action] or "" for action in taken)
        canaries = f"{missed[entity]} of {planted[entity]}" if planted[entity] else ""
        share = f"{recall[entity]:.1%}" if entity in recall else "not measured"
        lines.append(_row([entity, findings.get(entity, 0), *done, canaries, share]))
    others = planted.keys() - told
    if others:
        canaries = f"0 of {sum(planted[entity] for entity in others)}"
        lowest = min((recall[entity] for entity in others if entity in recall), default=0)
        name = f"{len(others)} other types"
        lines.append(_row([name, 0, *("" for _ in taken), canaries, f"{lowest:.1%}"]))
    config = snapshot.statement["predicate"]["buildDefinition"]["internalParameters"]["config"]
    same = config["digests"] == stored()["digests"]
    return {
        "personal data": dg.MetadataValue.md("\n".join(lines)),
        "recall was measured with": "these recognisers, lists and models"
        if same
        else "OTHER recognisers, lists or models: run python -m dsk_assets.privacy.scores",
    }


def _row(cells: Sequence[object]) -> str:
    return f"|{'|'.join(map(str, cells))}|"


def of_recall(snapshot: Snapshot) -> dict[str, Any]:
    """Metadata of ``filtering/recall``, the scores on each labelled set; nothing for others."""
    if snapshot.asset != RECALL:
        return {}
    return {
        f"measured on {name}": dg.MetadataValue.md(Score.of_counts(counts).markdown())
        for name, counts in snapshot.json(RECALL_FILE)["sets"].items()
    }


def of_gate(gate: str) -> dict[str, Any]:
    """What the check of the gate on personal data shows besides its expectations: recall by type.

    Nothing for other gates. ``recall_measured`` among the expectations says whether a donation was
    searched by the recognisers that were measured.
    """
    if gate != GATE:
        return {}
    lines = ["| type, or group of names | found in labelled text |", "|---|---:|"]
    for kind in ("types", "groups"):
        for name, share in lowest_recall(stored(), kind).items():
            lines.append(f"| {name} | {share:.1%} |")
    return {"measured recall": dg.MetadataValue.md("\n".join(lines))}
