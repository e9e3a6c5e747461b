"""Statements and which of them were made from which; and what a fault reaches."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from dsk_assets.evidence.verify.envelopes import PROVENANCE, Input, Statement

SOURCE = "dsk-source:"
"""Begins the address of an input that no statement made: a declared source."""


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


def asset_of_input(used: Input) -> str:
    """The asset that an input is of."""
    return used.uri.removeprefix("dsk:").split("[")[0]
