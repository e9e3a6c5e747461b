"""What every gate expected, found and decided: one plain page in each language.

Great Expectations' own pages quote the values they catch and load scripts from elsewhere; these
hold numbers alone and load nothing.
"""

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from dsk_assets.records.facts import Facts
from dsk_assets.records.rendering import LANGUAGES, page

_JUDGED = ("gate", "partition", "judged_asset", "principle", "admitted")


def render(facts: Facts) -> dict[str, bytes]:
    """``gates.en.html`` and ``gates.da.html``: refusals first, then by gate and what it judged."""
    decisions = [
        dict(zip(_JUDGED, judged, strict=True)) | {"findings": list(rows)}
        for judged, rows in groupby(sorted(facts.findings, key=_place), itemgetter(*_JUDGED))
    ]
    return {
        f"gates.{language}.html": page(
            "gate_results.html.j2", language, facts=facts, decisions=decisions
        )
        for language in LANGUAGES
    }


def _place(row: Mapping[str, Any]) -> tuple[bool, str, str, str]:
    return row["admitted"], row["gate"], row["partition"] or "", row["measure"]
