"""What must hold between statements: closure, order, gates, withdrawals.

The rules that speak of assets by name stand in ``policy.json``.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dsk_assets.evidence.verify.attested import attestations, unattested
from dsk_assets.evidence.verify.envelopes import Input, Statement
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.graph import SOURCE, Graph, asset_of_input
from dsk_assets.evidence.verify.times import log_order

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def check(graph: Graph) -> Iterator[Fault]:
    """Every fault that the statements show by themselves."""
    for one in graph.made:
        for code, place, detail in _of_statement(graph, one):
            yield Fault(code, place, detail, graph.affected([one.digest]))
    for history in graph.histories.values():
        yield from _of_history(graph, history)
    yield from _redaction(graph)
    yield from _withdrawals(graph)
    yield from attestations(graph)
    yield from unattested(graph)
    yield from log_order(graph)


Found = Iterator[tuple[str, str, str]]
"""Code, place and detail of a fault."""


def _of_statement(graph: Graph, one: Statement) -> Found:
    for code, detail in one.problems:
        yield code, one.place, detail
    made_by = {}
    uris: set[str] = set()
    for used in one.inputs:
        source = graph.by_digest.get(used.statement or "")
        if used.statement not in graph.lost:
            yield from _input(one, used, source)
        if used.uri in uris:
            yield "inputs-incomplete", one.place, f"{used.uri} is named twice"
        uris.add(used.uri)
        if used.uri.startswith(SOURCE):
            if one.asset in graph.policy["sourceless"]:
                yield "input-unknown", one.place, f"{used.uri}: it may be made of assets alone"
        elif source is not None:
            made_by[used.uri] = source
    for demand in graph.policy["demands"]:
        if demand["asset"] == one.asset:
            yield from _demand(graph, one, demand, made_by)
    for demand in graph.policy["madeOf"]:
        if demand["asset"] == one.asset and not any(
            asset_of_input(used) == demand["of"] for used in one.inputs
        ):
            yield "inputs-incomplete", one.place, f"it names no {demand['of']}"
    for demand in graph.policy["ofTheSame"]:
        if demand["asset"] == one.asset:
            yield from _of_the_same(one, demand, made_by)
    if one.asset in graph.policy["judges"]:
        yield from _outlives(graph, one)
    for rule in graph.policy["verified"]:
        if rule["asset"] == one.asset:
            yield from _verified(graph, one, made_by.get(f"dsk:{rule['gate']}[{one.partition}]"))
    for rule in graph.policy["counted"]:
        if rule["asset"] == one.asset:
            named = sum(asset_of_input(used) == rule["of"] for used in one.inputs)
            if named != one.counts.get(rule["count"]):
                counted = f"{named} inputs, {one.counts.get(rule['count'])} counted"
                yield "inputs-incomplete", one.place, f"{rule['of']}: {counted}"
    if one.asset.startswith(tuple(graph.policy["redactedOnly"])):
        for used in one.inputs:
            named = not used.uri.startswith(SOURCE)
            if named and not asset_of_input(used).startswith(tuple(graph.policy["redactedFrom"])):
                yield "redaction-missing", one.place, used.uri


def _input(one: Statement, used: Input, source: Statement | None) -> Found:
    if used.uri.startswith(SOURCE):
        return
    if source is None or used.uri != f"dsk:{source.key}":
        yield "input-unknown", one.place, f"{used.uri}, statement {used.statement}"
        return
    if source.digest_of(used.only) != used.digest:
        yield "input-differs", one.place, f"{used.uri} of {source.place}"
    if source.finished > one.started:
        yield "time-backwards", one.place, f"{used.uri} ended {source.finished} > {one.started}"
    if source.index is not None and one.index is not None and source.index > one.index:
        yield "input-unknown", one.place, f"{used.uri} is later in the log"


def _demand(
    graph: Graph, one: Statement, demand: Mapping[str, Any], made_by: Mapping[str, Statement]
) -> Found:
    of = demand["of"]
    used = [one] if of is None else [source for source in made_by.values() if source.asset == of]
    for source in used:
        for needed in demand["needs"]:
            name = f"{needed}[{source.partition}]"
            decision = made_by.get(f"dsk:{name}")
            if decision is None:
                if not _names_lost(graph, one, name):
                    yield "gate-missing", one.place, name
            elif needed.startswith("gate/"):
                yield from decided(graph, one, source, decision)
            else:  # an admission stands for the gates that it was made of
                for gate in graph.inputs_of(decision):
                    if graph.policy["judges"].get(gate.asset) == source.asset:
                        yield from decided(graph, one, source, gate)
                    else:
                        yield from _expired(one, gate)


def _of_the_same(
    one: Statement, rule: Mapping[str, Any], made_by: Mapping[str, Statement]
) -> Found:
    """What speaks of another asset, such as a trial of a model, is of the bytes that *one* read."""
    for told in made_by.values():
        if told.asset == rule["reads"]:
            of = made_by.get(f"dsk:{rule['of']}[{told.partition}]")
            if of is None:
                yield "inputs-incomplete", one.place, f"it names no {rule['of']}[{told.partition}]"
            elif not any(
                used.uri == f"dsk:{of.key}" and used.digest == of.digest_of(used.only)
                for used in told.inputs
            ):
                yield "input-differs", one.place, f"{told.place} is not of {of.place}"


def _verified(graph: Graph, one: Statement, decision: Statement | None) -> Found:
    """What *one* was made of, but for gates' decisions, is what was verified before.

    That there is a *decision* on the verification is demanded elsewhere.
    """
    verification = next(graph.inputs_of(decision), None) if decision else None
    if verification is None:
        return
    known = {(used.uri, used.digest) for used in verification.inputs}
    for used in one.inputs:
        made = not used.uri.startswith(SOURCE) and not used.uri.startswith("dsk:gate/")
        if made and (used.uri, used.digest) not in known:
            detail = f"{used.uri}, not as in {verification.place}"
            yield "verification-differs", one.place, detail


def _names_lost(graph: Graph, one: Statement, name: str) -> bool:
    return any(used.uri == f"dsk:{name}" and used.statement in graph.lost for used in one.inputs)


def decided(graph: Graph, one: Statement, used: Statement, decision: Statement) -> Found:
    """Where a gate's *decision* does not let *one* be made of *used*."""
    if decision.counts.get("admitted") != 1:
        yield "gate-refused", one.place, decision.place
    judged = decision.inputs[0] if decision.inputs else None
    judges = graph.policy["judges"].get(decision.asset)
    if judged is None or judged.uri != f"dsk:{judges}[{decision.partition}]":
        yield "gate-other-bytes", one.place, f"{decision.place} did not judge its {judges}"
    elif judged.uri == f"dsk:{used.key}" and judged.digest != used.digest_of():
        yield "gate-other-bytes", one.place, f"{decision.place} judged {judged.digest}"
    yield from _expired(one, decision)


def _expired(one: Statement, decision: Statement) -> Found:
    if decision.valid_until is not None and one.started[:10] > decision.valid_until:
        yield "gate-expired", one.place, f"{decision.place} until {decision.valid_until}"


def _outlives(graph: Graph, decision: Statement) -> Found:
    """Where a gate's *decision* ends later than one behind the admissions that it read."""
    for admission in graph.inputs_of(decision):
        if admission.asset == graph.policy["admission"]:
            for gate in graph.inputs_of(admission):
                ends, until = gate.valid_until, decision.valid_until
                if ends is not None and (until is None or until > ends):
                    yield "gate-expired", decision.place, f"{gate.place} until {ends}, not {until}"


def _of_history(graph: Graph, history: Sequence[Statement]) -> Iterator[Fault]:
    """The statements of one asset partition follow each other without a gap, forward in time."""
    before: Statement | None = None
    for one in history:
        number, digest = (before.number, before.digest) if before else (0, None)
        follows = (one.number, one.previous) == (number + 1, digest)
        skips = one.previous in graph.lost or (graph.excerpt and one.number > number + 1)
        if not follows and not skips:
            detail = f"number {one.number} comes after number {number}"
            yield Fault("statement-order", one.place, detail, graph.affected([one.digest]))
        if before is not None and before.finished > one.started:
            detail = f"number {before.number} ended {before.finished}, this began {one.started}"
            yield Fault("time-backwards", one.place, detail, graph.affected([one.digest]))
        before = one


def _redaction(graph: Graph) -> Iterator[Fault]:
    """Whatever is made of redacted text only is made after the search for personal data ended."""
    only = tuple(graph.policy["redactedOnly"])
    for one, ended in _searched(graph):
        if not one.asset.startswith(only) or one.asset in graph.policy["withoutText"]:
            continue
        if not ended:
            yield Fault("redaction-missing", one.place, "", graph.affected([one.digest]))
        elif ended > one.started:
            detail = f"the search ended {ended}, this began {one.started}"
            yield Fault("redaction-after-use", one.place, detail, graph.affected([one.digest]))


def _searched(graph: Graph) -> Iterator[tuple[Statement, str]]:
    """Each statement with the end of the last search for personal data behind it, inputs first."""
    behind: dict[str, str] = {}
    missing = {
        one.digest: sum(used.statement in graph.by_digest for used in one.inputs)
        for one in graph.made
    }
    ready = deque(one for one in graph.made if not missing[one.digest])
    while ready:
        one = ready.popleft()
        latest = max((behind.get(used.statement or "", "") for used in one.inputs), default="")
        yield one, latest
        search = one.finished if one.asset == graph.policy["redaction"] else ""
        behind[one.digest] = max(latest, search)
        for user in graph.users.get(one.digest, ()):
            missing[user.digest] -= 1
            if not missing[user.digest]:
                ready.append(user)


def _withdrawals(graph: Graph) -> Iterator[Fault]:
    """No donation is used after the day it was withdrawn on."""
    rules = graph.policy["withdrawn"]
    for withdrawal in graph.statements:
        if withdrawal.asset != "withdrawal/donation":
            continue
        donation = (withdrawal.partition or "").partition("@")[0]
        day = str(withdrawal.predicate.get("withdrawnOn"))
        about = withdrawal.predicate.get("donation")
        if not DAY.fullmatch(day) or about != withdrawal.partition:
            detail = f"it is about {about} from {day} on"
            yield Fault("statement-inconsistent", withdrawal.place, detail)
            continue
        own = [
            one.digest for one in graph.made if (one.partition or "").partition("@")[0] == donation
        ]
        used = [graph.by_digest[digest] for digest in own]
        used += graph.downstream(own, without=rules["learntBy"])
        for one in used:
            if one.asset.startswith(tuple(rules["uses"])) and one.started[:10] > day:
                detail = f"{donation} was withdrawn on {day}, this began {one.started}"
                yield Fault("withdrawn-used", one.place, detail, graph.affected([one.digest]))
        for one in graph.downstream(own):
            if one.asset == rules["learntBy"]:
                yield Fault("withdrawn-in-tokenizer", one.place, donation)
