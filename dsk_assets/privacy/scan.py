"""Personal data in JSON lines, without Dagster or a lake: find it, or write the text without it."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from dsk_assets.consortium.policy import PersonalDataPolicy
from dsk_assets.errors import DonationError
from dsk_assets.lake.progress import track
from dsk_assets.privacy.analyser import MIN_SCORE, Analyser, RecogniserFault, analyser
from dsk_assets.privacy.guarded import guarded
from dsk_assets.privacy.redact import ERROR, Span, check, resolve
from dsk_assets.privacy.special import categories, persons


def scan_lines(
    lines: Iterable[str], engine: Analyser | None = None, min_score: float = MIN_SCORE
) -> Iterator[dict[str, Any]]:
    """For each ``{"id", "text"}`` line what was found, without overlaps.

    ``{"id", "spans": [{"start", "end", "label", "score"}], "flags": [...]}``; flags are special
    categories of personal data, or ``recogniser-error`` for a text that could not be searched.
    """
    engine = engine or analyser()
    for identity, text in track(_documents(lines), "scan", unit="documents"):
        try:
            found = engine.find(text, min_score)
        except RecogniserFault:
            yield {"id": identity, "spans": [], "flags": [ERROR]}
            continue
        flags = categories(text, persons(found))
        spans = [
            {"start": f.start, "end": f.end, "label": f.entity, "score": f.score}
            for f in resolve(found)
        ]
        yield {"id": identity, "spans": spans, "flags": list(flags)}


def redact_lines(
    lines: Iterable[str], policy: PersonalDataPolicy | None = None
) -> Iterator[dict[str, Any]]:
    """For each ``{"id", "text"}`` line ``{"id", "text", "withheld", "spans", "flags"}``.

    ``text`` is the redacted text, or None where ``withheld`` says why there is none:
    ``recogniser-error``, ``recogniser-stopped``, ``density`` or ``special-category``. ``spans``
    map places: what stands at ``start:end`` of the redacted text has taken the place of
    ``source_start:source_end``. ``flags`` are special categories of personal data.
    """
    policy = policy or PersonalDataPolicy()
    check(policy)
    for identity, text in track(_documents(lines), "redact", unit="documents"):
        (treatment,) = guarded().treat([text], policy)
        yield {
            "id": identity,
            "text": treatment.text,
            "withheld": treatment.reason,
            "spans": [_placed(span) for span in treatment.spans],
            "flags": list(treatment.categories),
        }


def _placed(span: Span) -> dict[str, Any]:
    return {
        "start": span.start,
        "end": span.end,
        "label": span.entity,
        "action": span.action,
        "source_start": span.source_start,
        "source_end": span.source_end,
    }


def _documents(lines: Iterable[str]) -> Iterator[tuple[Any, str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            identity, text = document["id"], document["text"]
        except (ValueError, KeyError, TypeError):
            document, identity, text = None, None, None
        if not isinstance(text, str):
            raise DonationError(
                f'line {number} is no JSON object with "id" and "text" — correct the file'
            )
        yield identity, text
