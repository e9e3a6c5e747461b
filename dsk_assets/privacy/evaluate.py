"""How well personal data is found: recall, precision and leaks by type on labelled documents.

A labelled document is a JSON line ``{"text", "spans": [{"start", "end", "label"}]}``, optionally
with ``decoys`` (``start``, ``end``, ``kind``): look-alikes that are no personal data.
A span may name a ``group``, such as where a name comes from; groups are counted by themselves.
A span is *found* when every letter and digit of it is covered by findings of any type, so that
redaction removes it whole; it is *labelled* when one of them has its type. A document *leaks*
when a span in it is not found. Precision is the share of findings that overlap a labelled span;
findings on case and order numbers, which a careful filter may take, do not count against it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsk_assets.errors import InputError
from dsk_assets.lake.progress import track
from dsk_assets.privacy.analyser import MIN_SCORE, Analyser, Finding, analyser
from dsk_assets.privacy.entities import RANK
from dsk_assets.privacy.guarded import guarded
from dsk_assets.privacy.redact import resolve
from dsk_assets.privacy.scan import EVERYTHING, in_utf8

TOLERATED = ("case_no", "order_no")
_NAMED = 10
"""So many lines with a problem are named; the others are counted."""


@dataclass
class Tally:
    """Counts for one type: labelled spans, those found and rightly labelled, and findings."""

    spans: int = 0
    found: int = 0
    labelled: int = 0
    findings: int = 0
    right: int = 0

    @property
    def recall(self) -> float | None:
        """Share of labelled spans that are found whole."""
        return self.found / self.spans if self.spans else None

    @property
    def precision(self) -> float | None:
        """Share of findings that overlap a labelled span."""
        return self.right / self.findings if self.findings else None


@dataclass
class Score:
    """The outcome over a set of documents.

    ``unsearched`` are further documents on which the search failed, hung or crashed. They would be
    withheld, so they neither leak nor count as found.
    """

    by_type: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    by_group: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    decoys: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    documents: int = 0
    with_personal_data: int = 0
    leaking: int = 0
    unsearched: int = 0

    @property
    def total(self) -> Tally:
        """All types together."""
        tallies = self.by_type.values()
        return Tally(*(sum(getattr(t, name) for t in tallies) for name in vars(Tally())))

    def markdown(self) -> str:
        """A table in Markdown: one line a type, then all of them, then the look-alikes."""
        lines = ["| type | spans | recall | leak | right label | findings | precision |"]
        lines.append("|---|---:|---:|---:|---:|---:|---:|")
        for name, tally in [*sorted(self.by_type.items()), ("**all**", self.total)]:
            leak = None if tally.recall is None else 1 - tally.recall
            right = tally.labelled / tally.spans if tally.spans else None
            lines.append(
                f"| {name} | {tally.spans} | {_percent(tally.recall)} | {_percent(leak)} | "
                f"{_percent(right)} | {tally.findings} | {_percent(tally.precision)} |"
            )
        share = self.leaking / self.with_personal_data if self.with_personal_data else None
        lines += [
            "",
            f"{self.documents} documents; of {self.with_personal_data} with personal data, "
            f"{self.leaking} ({_percent(share)}) leak at least one span.",
        ]
        if strange := sorted(self.by_type.keys() - RANK.keys()):
            lines.append(f"Not looked for under such a label: {', '.join(strange)}.")
        if self.unsearched:
            lines.append(f"{self.unsearched} further documents could not be searched.")
        if self.by_group:
            lines += ["", "| group | spans | recall | leak |", "|---|---:|---:|---:|"]
            for name, tally in sorted(self.by_group.items()):
                leak = None if tally.recall is None else 1 - tally.recall
                lines.append(
                    f"| {name} | {tally.spans} | {_percent(tally.recall)} | {_percent(leak)} |"
                )
        if self.decoys:
            lines += ["", "| look-alike | number | taken |", "|---|---:|---:|"]
            for kind, tally in sorted(self.decoys.items()):
                lines.append(f"| {kind} | {tally.spans} | {_percent(tally.recall)} |")
        return "\n".join(lines) + "\n"

    def counts(self) -> dict[str, Any]:
        """The same as numbers that JSON can hold."""
        return {
            "documents": self.documents,
            "with_personal_data": self.with_personal_data,
            "leaking": self.leaking,
            "unsearched": self.unsearched,
            "types": {name: vars(tally) for name, tally in sorted(self.by_type.items())},
            "groups": _found(self.by_group),
            "look_alikes": _found(self.decoys),
        }

    @classmethod
    def of_counts(cls, counts: Mapping[str, Any]) -> "Score":
        """The score whose :meth:`counts` these are."""
        return cls(
            {name: Tally(**one) for name, one in counts["types"].items()},
            {name: Tally(**one) for name, one in counts["groups"].items()},
            {name: Tally(**one) for name, one in counts["look_alikes"].items()},
            counts["documents"],
            counts["with_personal_data"],
            counts["leaking"],
            counts["unsearched"],
        )


def _found(tallies: Mapping[str, Tally]) -> dict[str, dict[str, int]]:
    return {n: {"spans": t.spans, "found": t.found} for n, t in sorted(tallies.items())}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def evaluate(labelled: Path) -> Score:
    """The score of the JSON lines of *labelled*, searched in a process of its own as by ``scan``.

    Raises :class:`InputError` before anything is searched where there is no labelled document, or
    lines are none: it names them and what they lack, without a word of them.
    """
    if not labelled.is_file():
        raise InputError(f"{labelled}: it is read twice, so a pipe will not do — save it as a file")
    checked = [problem for _, problem in _read(labelled)]
    problems = [problem for problem in checked if problem]
    if problems:
        named = "; ".join(problems[:_NAMED])
        others = f"; and {len(problems) - _NAMED} others" if len(problems) > _NAMED else ""
        raise InputError(f"{labelled}: {named}{others} — correct the file")
    if not checked:
        raise InputError(f"{labelled}: it holds no labelled document — see dsk privacy evaluate -h")
    outcome = Score()
    changed = InputError(f"{labelled}: it changed while it was read — start again")
    read = track(_read(labelled), "evaluate", total=len(checked), unit="documents")
    for document, problem in read:
        if problem:
            raise changed
        (treatment,) = guarded().treat([document["text"]], EVERYTHING)
        if treatment.reason is not None:
            outcome.unsearched += 1
            continue
        findings = [
            Finding(one.source_start, one.source_end, one.entity, one.score, one.recogniser)
            for one in treatment.spans
        ]
        _judge(document, findings, outcome)
    if outcome.documents + outcome.unsearched != len(checked):
        raise changed
    return outcome


def _read(labelled: Path) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The documents of *labelled*, and what is wrong with the line where it is none."""
    with labelled.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield _parsed(line), None
                except ValueError as error:
                    yield {}, f"line {number} {error}"


def _parsed(line: str) -> dict[str, Any]:
    """The labelled document of *line*; a ``ValueError`` says what it lacks."""
    in_utf8(line)
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not {"text", "spans"} <= document.keys():
        raise ValueError('is no JSON object with "text" and "spans"')
    if not isinstance(document["text"], str):
        raise ValueError('has a "text" that is no text')
    for listed, name in (("spans", "label"), ("decoys", "kind")):
        places = document.get(listed, [])
        if not isinstance(places, list):
            raise ValueError(f'has "{listed}" that are no list')
        for number, place in enumerate(places, 1):
            if not _is_place(place, len(document["text"])):
                raise ValueError(
                    f'has "start" and "end" that are no place in its text: {listed} number {number}'
                )
            if not isinstance(place.get(name), str) or not isinstance(place.get("group", ""), str):
                raise ValueError(f'has no "{name}" in {listed} number {number}')
    return document


def _is_place(place: Any, length: int) -> bool:
    if not isinstance(place, dict):
        return False
    start, end = place.get("start"), place.get("end")
    return type(start) is type(end) is int and 0 <= start < end <= length


def score(
    documents: Iterable[Mapping[str, Any]],
    engine: Analyser | None = None,
    min_score: float = MIN_SCORE,
) -> Score:
    """Score *engine* (the usual analyser by default) on labelled *documents*, in this process."""
    engine = engine or analyser()
    outcome = Score()
    for document in documents:
        _judge(document, resolve(engine.find(document["text"], min_score)), outcome)
    return outcome


def _judge(document: Mapping[str, Any], findings: list[Finding], score: Score) -> None:
    text, spans = document["text"], document["spans"]
    decoys = document.get("decoys", [])
    covered = {place for f in findings for place in range(f.start, f.end)}
    leaks = False
    for span in spans:
        tally = score.by_type[span["label"]]
        inside = range(span["start"], span["end"])
        found = all(place in covered for place in inside if text[place].isalnum())
        if "group" in span:
            score.by_group[span["group"]].spans += 1
            score.by_group[span["group"]].found += found
        tally.spans += 1
        tally.found += found
        tally.labelled += found and any(
            f.entity == span["label"] and _overlap(f, span) for f in findings
        )
        leaks |= not found
    tolerated = [decoy for decoy in decoys if decoy["kind"] in TOLERATED]
    for finding in findings:
        right = any(_overlap(finding, span) for span in spans)
        if right or not any(_overlap(finding, decoy) for decoy in tolerated):
            tally = score.by_type[finding.entity]
            tally.findings += 1
            tally.right += right
    for decoy in decoys:
        tally = score.decoys[decoy["kind"]]
        tally.spans += 1
        tally.found += any(place in covered for place in range(decoy["start"], decoy["end"]))
    score.documents += 1
    score.with_personal_data += bool(spans)
    score.leaking += leaks


def _overlap(finding: Finding, span: Mapping[str, Any]) -> bool:
    return bool(finding.start < span["end"] and span["start"] < finding.end)
