"""The summary of the lake as tables for the terminal."""

import io
from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.table import Table

from dsk_assets.counted import counted
from dsk_assets.evidence.failures import grouped, named
from dsk_assets.records.summary import DonationLine, Summary
from dsk_assets.training.awaited import told

WIDTH = 100
FURTHER = """
Look further
  make ui            the Dagster UI on http://127.0.0.1:3000, make ui-auditor: read-only
  dsk why            what became of a document, and by which rule
  dsk status --json  this summary for programs
  dsk donate PATH    land a donation of your own; the next night works it off
(dsk lies in .venv/bin)"""
RULES_SHOWN = 12


def text(summary: Summary) -> str:
    """All of *summary*, section by section; what is not there yet is said."""
    console = Console(file=io.StringIO(), width=WIDTH, force_terminal=False)
    for section in _sections(summary):
        if isinstance(section, Table):
            console.print(section)
        else:
            console.print(section, soft_wrap=True, markup=False, highlight=False)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().strip().splitlines())


def _sections(summary: Summary) -> Iterable[Table | str]:
    if not summary.landed:
        yield (
            "No donation has been landed yet. `make demo` shows the whole flow; `dsk donate PATH` "
            "lands a donation and `dsk nightly` works it off."
        )
        yield from _failures(summary)
        return
    yield f"\nDonations: {len(summary.donations)} current, {summary.landed} versions landed"
    yield _donations(summary)
    yield from _refusals(summary)
    yield "\nDocuments"
    yield _funnel(summary)
    yield from _findings(summary)
    yield from _withheld(summary)
    yield from _corpus(summary)
    yield from _checkpoints(summary)
    yield from _gates(summary)
    yield from _records(summary)
    yield from _failures(summary)
    yield FURTHER


def _donations(summary: Summary) -> Table:
    table = _table(["donation", "status"], ["documents", "kept", "tokens"])
    table.add_column("personal data left")
    for one in summary.donations:
        numbers = (_number(one.documents), _number(one.kept), _number(one.tokens))
        table.add_row(one.donation, one.status, *numbers, _left(one))
    return table


def _left(one: DonationLine) -> str:
    """What a review by a person says is left, if there has been one."""
    if one.leaks_at_most is None:
        return one.review or ""
    return f"at most {one.leaks_at_most:g} in 100,000 words"


def _refusals(summary: Summary) -> Iterable[str]:
    for one in summary.donations:
        if one.withdrawn_on:
            yield f"withdrawn {one.donation}: from {one.withdrawn_on} on"
        for reason in one.refused_because:
            yield f"refused {one.donation}: {reason}"


def _funnel(summary: Summary) -> Table:
    table = _table(["", ""], ["documents"])
    table.add_row("read", "", _number(summary.documents))
    for stage, documents in summary.dropped_by_stage.items():
        table.add_row("dropped by stage", stage, _number(documents))
    for rule, documents in list(summary.dropped_by_rule.items())[:RULES_SHOWN]:
        table.add_row("dropped by rule", rule, _number(documents))
    others = list(summary.dropped_by_rule.values())[RULES_SHOWN:]
    if others:
        table.add_row("dropped by rule", f"{len(others)} others", _number(sum(others)))
    undecided = summary.documents - summary.kept - sum(summary.dropped_by_stage.values())
    if undecided > 0:
        table.add_row("not decided", "donation refused or waiting", _number(undecided))
    table.add_row("kept", "", _number(summary.kept))
    aside = sum(one.kept or 0 for one in _set_aside(summary))
    if aside:
        table.add_row("of these", "donation refused or withdrawn since", _number(aside))
    return table


def _set_aside(summary: Summary) -> list[DonationLine]:
    """Donations that are in no new release, whatever had been made of them."""
    return [one for one in summary.donations if one.status in ("refused", "withdrawn")]


def _findings(summary: Summary) -> Iterable[Table | str]:
    yield f"\nFindings of personal data: {_number(sum(summary.findings.values()))}"
    if summary.findings:
        table = _table(["type"], ["findings", "found in labelled text"])
        for entity, count in summary.findings.items():
            share = summary.recall.get(entity)
            table.add_row(
                entity, _number(count), "not measured" if share is None else f"{share:.1%}"
            )
        yield table


def _withheld(summary: Summary) -> Iterable[Table | str]:
    yield f"\nDocuments withheld: {_number(sum(summary.withheld.values()))}"
    if summary.withheld:
        table = _table(["reason"], ["documents"])
        for reason, count in summary.withheld.items():
            table.add_row(reason, _number(count))
        yield table


def _corpus(summary: Summary) -> Iterable[Table | str]:
    aside = sum(one.tokens or 0 for one in _set_aside(summary))
    yield (
        f"\nShards of current donations: {counted(summary.tokens, 'token')} in "
        f"{counted(summary.shards, 'shard')}, those of held-out documents too (`dsk exposure` "
        "counts them apart)"
        + (f"; {_number(aside)} of donations refused or withdrawn since" if aside else "")
    )
    if not summary.releases:
        yield "no release yet"
        return
    names = ["donations", "documents", "tokens"]
    table = _table(["release"], names)
    newest = list(summary.releases)[-1]
    for release, counts in summary.releases.items():
        shown = f"{release} (newest)" if release == newest else release
        table.add_row(shown, *(_number(counts[name]) for name in names))
    yield table


def _checkpoints(summary: Summary) -> Iterable[Table | str]:
    yield f"\nCheckpoints: {len(summary.checkpoints)}"
    if summary.checkpoints:
        table = _table(["checkpoint"], ["step", "tokens read", "loss"])
        for one in summary.checkpoints:
            numbers = (_number(one.step), _number(one.tokens), f"{one.loss:.3f}")
            table.add_row(one.checkpoint, *numbers)
        yield table
    if summary.awaited_run:
        yield told(summary.awaited_run)


def _gates(summary: Summary) -> Iterable[Table | str]:
    yield f"\nGate decisions: {sum(one.admitted + one.refused for one in summary.gates)}"
    if summary.gates:
        table = _table(["gate"], ["admitted", "of these, warned", "refused"])
        for one in summary.gates:
            numbers = (one.admitted, one.warned, one.refused)
            table.add_row(one.gate, *map(_number, numbers))
        yield table


def _records(summary: Summary) -> Iterable[str]:
    yield f"\nRecords: {counted(len(summary.records), 'file')}"
    addresses = [url.removeprefix("file://") for url in summary.records.values()]
    for folder, files in groupby(addresses, key=lambda address: address.rpartition("/")[0]):
        names = (address.rpartition("/")[2] for address in files)
        yield f"{folder}/\n    {', '.join(names)}"


def _failures(summary: Summary) -> Iterable[str]:
    if summary.failures:
        yield "\nFailed, to be tried again on the next run"
    for message, group in grouped(summary.failures):
        attempts = max(one.attempts for one in group)
        yield f"{named(group)} after {counted(attempts, 'attempt')}: {message}"


def _table(names: Iterable[str], numbers: Iterable[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
