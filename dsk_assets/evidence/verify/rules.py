"""What must hold between statements: closure, order, gates, withdrawals; and what a fault reaches.

The rules that speak of assets by name stand in ``policy.json``.
"""

import datetime as dt
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from dsk_assets.evidence.verify.envelopes import PROVENANCE, Input, Statement
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.trust import SIGNER, KeyRing

SOURCE = "dsk-source:"
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
POLICY, RULES = "policy/evidence", "policy/verification"
"""The asset of policy statements, and their subject that is the file of rules."""

CLOCKS_DIFFER = dt.timedelta(minutes=5)
"""By how much clocks of two machines may differ, and how long a statement is under way."""


class Graph:
    """Statements by digest and by asset partition, and which of them were made from which.

    *lost* are the digests of statements that the log holds and that are not there, or changed, with
    their paths: they are faults themselves, and what refers to them is not named again. An
    *excerpt* need not hold earlier statements of an asset partition.
    """

    def __init__(
        self,
        statements: Iterable[Statement],
        policy: Mapping[str, Any],
        lost: Mapping[str, str] | None = None,
        *,
        excerpt: bool = False,
    ):
        self.statements = list(statements)
        self.policy = policy
        self.lost = lost or {}
        self.excerpt = excerpt
        self.by_digest = {one.digest: one for one in self.statements}
        self.made = [one for one in self.statements if one.predicate_type == PROVENANCE]
        self.histories: dict[tuple[str, str | None], list[Statement]] = {}
        for one in sorted(self.made, key=lambda one: one.number):
            self.histories.setdefault((one.asset, one.partition), []).append(one)

    @cached_property
    def users(self) -> dict[str, list[Statement]]:
        """The statements that name each digest as an input."""
        users: dict[str, list[Statement]] = {}
        for one in self.made:
            for used in one.inputs:
                if used.statement is not None:
                    users.setdefault(used.statement, []).append(one)
        return users

    def downstream(self, start: Iterable[str], *, without: str = "") -> Iterator[Statement]:
        """All statements made from those with the digests *start*, not through asset *without*."""
        queue, seen = deque(start), set(start)
        while queue:
            for user in self.users.get(queue.popleft(), ()):
                if user.digest not in seen and user.asset != without:
                    seen.add(user.digest)
                    queue.append(user.digest)
                    yield user

    def affected(self, digests: Iterable[str]) -> tuple[str, ...]:
        """Releases, checkpoints and records that are, or were made from, these statements."""
        start = list(digests)
        reached = [self.by_digest[one] for one in start if one in self.by_digest]
        reached += self.downstream(start)
        return tuple(sorted({one.key for one in reached if one.asset in self.policy["named"]}))

    def everything(self) -> tuple[str, ...]:
        """All releases, checkpoints and records: what a fault of the log itself affects."""
        return tuple(sorted({one.key for one in self.made if one.asset in self.policy["named"]}))

    def in_force(self) -> Iterator[Statement]:
        """The newest statement of each asset partition, and whatever the named assets read."""
        newest = [history[-1] for history in self.histories.values()]
        yield from newest
        for one in newest:
            if one.asset in self.policy["named"]:
                yield from self.inputs_of(one)

    def released(self) -> Iterator[Statement]:
        """The newest statement of each named asset, and what it was made from directly."""
        newest = {one.asset: one for one in self.made if one.asset in self.policy["named"]}
        for one in newest.values():
            yield one
            yield from self.inputs_of(one)

    def used(self) -> Iterator[Statement]:
        """Statements in force, and all that the named assets among them were made from."""
        in_force = {one.digest: one for one in self.in_force()}
        queue = deque(one for one in in_force.values() if one.asset in self.policy["named"])
        seen = dict(in_force)
        while queue:
            for source in self.inputs_of(queue.popleft()):
                if source.digest not in seen or source.digest in in_force:
                    in_force.pop(source.digest, None)
                    seen[source.digest] = source
                    queue.append(source)
        return iter(seen.values())

    def newest(self, asset: str, partition: str | None) -> Statement | None:
        """The newest statement of an asset partition."""
        return self.histories.get((asset, partition), [None])[-1]

    def inputs_of(self, one: Statement) -> Iterator[Statement]:
        """The statements that made the inputs of *one*."""
        for used in one.inputs:
            source = self.by_digest.get(used.statement or "")
            if source is not None:
                yield source


def check(graph: Graph) -> Iterator[Fault]:
    """Every fault that the statements show by themselves."""
    for one in graph.made:
        for code, place, detail in _of_statement(graph, one):
            yield Fault(code, place, detail, graph.affected([one.digest]))
    for history in graph.histories.values():
        yield from _of_history(graph, history)
    yield from _redaction(graph)
    yield from _withdrawals(graph)
    yield from _attestations(graph)
    yield from _unattested(graph)
    yield from _log_order(graph)


Found = Iterator[tuple[str, str, str]]
"""Code, place and detail of a fault."""


def _of_statement(graph: Graph, one: Statement) -> Found:
    for code, detail in one.problems:
        yield code, one.place, detail
    made_by = {}
    for used in one.inputs:
        source = graph.by_digest.get(used.statement or "")
        if used.statement not in graph.lost:
            yield from _input(one, used, source)
        if source is not None:
            made_by[used.uri] = source
        elif used.uri.startswith(SOURCE) and one.asset in graph.policy["sourceless"]:
            yield "input-unknown", one.place, f"{used.uri}: it may be made of assets alone"
    for demand in graph.policy["demands"]:
        if demand["asset"] == one.asset:
            yield from _demand(graph, one, demand, made_by)
    for demand in graph.policy["madeOf"]:
        if demand["asset"] == one.asset and not any(
            _asset(used) == demand["of"] for used in one.inputs
        ):
            yield "inputs-incomplete", one.place, f"it names no {demand['of']}"
    for rule in graph.policy["counted"]:
        if rule["asset"] == one.asset:
            named = sum(_asset(used) == rule["of"] for used in one.inputs)
            if named != one.counts.get(rule["count"]):
                counted = f"{named} inputs, {one.counts.get(rule['count'])} counted"
                yield "inputs-incomplete", one.place, f"{rule['of']}: {counted}"
    if one.asset.startswith(tuple(graph.policy["redactedOnly"])):
        for used in one.inputs:
            named = not used.uri.startswith(SOURCE)
            if named and not _asset(used).startswith(tuple(graph.policy["redactedFrom"])):
                yield "redaction-missing", one.place, used.uri


def _asset(used: Input) -> str:
    return used.uri.removeprefix("dsk:").split("[")[0]


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
    if decision.valid_until is not None and one.started[:10] > decision.valid_until:
        yield "gate-expired", one.place, f"{decision.place} until {decision.valid_until}"


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


def _attestations(graph: Graph) -> Iterator[Fault]:
    """An attestation is about what its statement made or read, and says of a gate what it did."""
    for one in graph.statements:
        for position, digest in enumerate(one.attests):
            told = graph.by_digest.get(digest)
            if told is None:
                if digest not in graph.lost:
                    yield Fault("input-unknown", one.place, f"statement {digest}")
                continue
            result = one.predicate.get("result")
            agrees = result is None or (result != "FAILED") == (told.counts.get("admitted") == 1)
            if one.files[position][1] not in _spoken_of(graph, told) or not agrees:
                yield Fault("attestation-differs", one.place, told.place, graph.affected([digest]))


def _unattested(graph: Graph) -> Iterator[Fault]:
    """What is used, and not attested as the policy asks.

    An approval is asked for where the gate's decision and the landing that it judged are in force.
    """
    attesting = {
        (one.asset, one.partition, digest)
        for one in graph.statements
        if one.index is not None
        for digest in one.attests
    }
    gone = {place.partition("/")[2] for place in graph.lost.values()}
    for one in graph.used():
        for rule in graph.policy["attested"] if one.index is not None else ():
            group, _, noun = one.asset.partition("/")
            if rule["asset"] not in (one.asset, f"{group}/*"):
                continue
            if rule.get("admitting") and not _admits_now(graph, one):
                continue
            by = rule["by"].replace("*", noun)
            path = f"attestations/{by}/{one.partition or '_'}/{one.number:06d}.json"
            if (by, one.partition, one.digest) not in attesting and path not in gone:
                yield Fault("attestation-missing", one.place, path, graph.affected([one.digest]))


def _admits_now(graph: Graph, decision: Statement) -> bool:
    judged = graph.by_digest.get((decision.inputs[0].statement or "") if decision.inputs else "")
    return (
        decision.counts.get("admitted") == 1
        and decision is graph.newest(decision.asset, decision.partition)
        and judged is not None
        and judged is graph.newest(judged.asset, judged.partition)
    )


def policy_logged(graph: Graph, digest: str) -> Iterator[Fault]:
    """The rules with this *digest* are those that the newest policy statement in the log names."""
    stated = [one for one in graph.statements if one.asset == POLICY and one.index is not None]
    newest = max(stated, key=lambda one: one.index or 0, default=None)
    named = dict(newest.files).get(RULES) if newest else None
    if named != digest:
        detail = f"sha256 {digest}, the log names {named or 'none'}"
        yield Fault("policy-differs", newest.place if newest else POLICY, detail)


def _spoken_of(graph: Graph, one: Statement) -> set[str]:
    """The digests of what a statement made and read, what its decisions judged, and its detail."""
    digests = {one.digest_of(), *(digest for _, digest in one.files)}
    digests.add(str(one.predicate.get("detail", "")))
    for source in (one, *graph.inputs_of(one)):
        digests.update(used.digest for used in source.inputs)
    return digests


def _log_order(graph: Graph) -> Iterator[Fault]:
    """Statements come into the log as they are made, so time runs forward along it."""
    latest = dt.datetime.min.replace(tzinfo=dt.UTC)
    for one in graph.made:
        if one.index is None:
            continue
        finished = dt.datetime.fromisoformat(one.finished)
        if latest - finished > CLOCKS_DIFFER:
            detail = f"it ended {one.finished}, an earlier entry of the log {latest.isoformat()}"
            yield Fault("time-backwards", one.place, detail, graph.affected([one.digest]))
        latest = max(latest, finished)


def signatures(graph: Graph, ring: KeyRing, verified: int = 0) -> Iterator[Fault]:
    """Statements, from position *verified* of the log on, without the signatures they need."""
    for one in graph.statements:
        if one.index is not None and one.index >= verified:
            for fault in signature(one, ring, graph.policy):
                yield replace(fault, affects=graph.affected([one.digest, *one.attests]))


def signature(one: Statement, ring: KeyRing, policy: Mapping[str, Any]) -> Iterator[Fault]:
    """The fault of a statement that the keys in force at its position have not signed.

    Key statements are judged where they are replayed.
    """
    roles = ring.roles(one.signers, one.index, one.predicate.get("donor"))
    needed = policy["signatures"].get(one.predicate_type, [SIGNER])
    if one.asset.startswith("key/") or set(needed) <= set(roles):
        return
    in_force = {key.keyid for key in ring.keys if key.holds_at(one.index)}
    strangers = sorted(one.signed - in_force, key=str)
    if strangers:
        yield Fault("signature-by-unknown-key", one.place, f"key {strangers[0]}")
    else:
        missing = ", ".join(sorted(set(needed) - set(roles)))
        yield Fault("signature-missing", one.place, f"missing: {missing}")


def before_witnessed(graph: Graph, witnesses: Mapping[str, tuple[int, int]]) -> Iterator[Fault]:
    """Statements that say they ended after a witness had seen them in the log.

    *witnesses* gives the size that each witness has cosigned, and when (POSIX seconds).
    """
    for name, (size, seconds) in witnesses.items():
        seen = dt.datetime.fromtimestamp(seconds, dt.UTC)
        for one in graph.made:
            late = dt.datetime.fromisoformat(one.finished) - seen > CLOCKS_DIFFER
            if late and one.index is not None and one.index < size:
                detail = f"{name} saw it at {seen.isoformat()}, it ended {one.finished}"
                yield Fault("time-after-witness", one.place, detail, graph.affected([one.digest]))
