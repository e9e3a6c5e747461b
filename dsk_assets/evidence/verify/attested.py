"""Who has signed for what: attestations, the policy, and the signatures that statements need."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dsk_assets.evidence.verify.envelopes import PROVENANCE, Statement
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.graph import Graph
from dsk_assets.evidence.verify.trust import SIGNER, KeyRing

POLICY, RULES = "policy/evidence", "policy/verification"
"""The asset of policy statements, and their subject that is the file of rules."""


def attestations(graph: Graph) -> Iterator[Fault]:
    """An attestation is about what its statement made or read, and says of a gate what it did.

    It is of the type that is signed for under its name, and an approval is the donor's whom the
    gate has found among the members.
    """
    for one in graph.statements:
        wanted = graph.policy["types"].get(one.asset.partition("/")[0])
        if one.predicate_type not in (PROVENANCE, wanted):
            affected = graph.affected([one.digest, *one.attests])
            yield Fault("statement-inconsistent", one.place, one.predicate_type, affected)
        elif one.predicate_type == graph.policy["types"]["approval"]:
            yield from _approved(graph, one)
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


def _approved(graph: Graph, one: Statement) -> Iterator[Fault]:
    """An approval is of the donation that it is filed under, by the donor of that donation.

    It is for the use that is made of donations, and until the day that the gate's decision ends.
    """
    members = graph.policy["members"]
    donors = {
        used.uri.removeprefix(members)
        for told in (graph.by_digest.get(digest) for digest in one.attests)
        for used in (told.inputs if told else ())
        if used.uri.startswith(members)
    }
    donor, donation = one.predicate.get("donor"), one.predicate.get("donation")
    if donation != one.partition or (donors and donors != {donor}):
        detail = f"it is about {donation} of {donor}, the gate judged {', '.join(sorted(donors))}"
        yield Fault("attestation-differs", one.place, detail, graph.affected(one.attests))
    rule, scope = graph.policy["approved"], one.predicate.get("scope")
    if not isinstance(scope, Sequence) or rule["scope"] not in scope:
        detail = f"it does not approve {rule['scope']}"
        yield Fault("attestation-differs", one.place, detail, graph.affected(one.attests))
    until = one.predicate.get("validUntil")
    for told in (graph.by_digest.get(digest) for digest in one.attests):
        if told is not None and told.asset == rule["gate"] and told.valid_until != until:
            detail = f"it approves until {until}, {told.place} admits until {told.valid_until}"
            yield Fault("attestation-differs", one.place, detail, graph.affected(one.attests))


def unattested(graph: Graph) -> Iterator[Fault]:
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
