"""Public keys as the log knows them: who may sign what, from which entry to which.

The first key statement in the log is the trust root: it is signed by the key that it adds. Every
later one must be signed by a key of the role ``statements`` in force, and besides

- a rotation by the key that is replaced and by the one that takes its place, of the same role
  and holder;
- an addition, but of the first key of a role, by a key of the role ``consortium``, so that nobody
  gives the second of two signatures with a key that they have added themselves.

A key is added once, for one role. A verifier that has the root's key id from elsewhere (``pinned``)
need not trust the log for it. ``verify/trust.py`` holds the same rules for those who verify.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dsk_assets.errors import CorruptedError
from dsk_assets.evidence.entries import Entry
from dsk_assets.evidence.envelope import Envelope, open_envelope
from dsk_assets.evidence.keys import CONSORTIUM, DONOR, STATEMENTS
from dsk_assets.evidence.predicates import KEY, roles
from dsk_assets.lake.digests import sha256_bytes
from dsk_assets.lake.store import Lake

if TYPE_CHECKING:
    from securesystemslib.signer import Key


@dataclass(frozen=True)
class KnownKey:
    """A key in the log: in force for entries from *since* to before *until* (None: still)."""

    key: "Key"
    role: str
    holder: str | None
    development: bool
    vkey: str | None
    since: int
    until: int | None = None
    revoked: bool = False

    def in_force(self, position: int) -> bool:
        """Whether it may sign the entry at *position*."""
        return self.since <= position and (self.until is None or position < self.until)


@dataclass
class KeyRing:
    """All keys that the log has told of, by key id."""

    known: dict[str, KnownKey] = field(default_factory=dict)
    pinned: str | None = None

    def at(self, position: int, role: str | None = None) -> list[KnownKey]:
        """Keys that may sign the entry at *position*, of *role* or of any."""
        return [
            one
            for one in self.known.values()
            if one.in_force(position) and role in (None, one.role)
        ]

    def signers(self, envelope: Envelope, position: int) -> list[KnownKey]:
        """The keys in force at *position* whose signature *envelope* has."""
        found = self.at(position)
        signed = envelope.signed_by(one.key for one in found)
        return [one for one in found if one.key.keyid in signed]

    def roles(self, envelope: Envelope, position: int) -> set[str]:
        """The roles that have signed *envelope*; a donor only signs for what it has donated."""
        donor = envelope.statement["predicate"].get("donor")
        return {
            one.role
            for one in self.signers(envelope, position)
            if one.role != DONOR or one.holder is None or donor in (None, one.holder)
        }

    def needed(self, statement: Mapping[str, Any]) -> tuple[str, ...]:
        """The roles that must sign *statement*, one key each."""
        says = statement["predicate"]
        later = statement["predicateType"] == KEY and says["action"] == "add" and self._of(says)
        return (STATEMENTS, CONSORTIUM) if later else roles(statement["predicateType"])

    def missing(self, envelope: Envelope, position: int) -> tuple[str, ...]:
        """The roles that must sign *envelope* before it can stand at *position*, and have not."""
        signed = self.roles(envelope, position)
        return tuple(one for one in self.needed(envelope.statement) if one not in signed)

    def apply(self, envelope: Envelope, position: int) -> None:
        """Take over what the key statement at *position* says.

        Raises :class:`CorruptedError` for one that those have not signed who must.
        """
        from securesystemslib.signer import Key

        says: dict[str, Any] = envelope.statement["predicate"]
        key = Key.from_dict(says["keyId"], dict(says["key"]))
        missing: tuple[str, ...]
        if not self.known:
            if self.pinned not in (None, key.keyid):
                raise CorruptedError(
                    f"the log begins with key {key.keyid}, not with the pinned {self.pinned}"
                )
            is_root = says["action"] == "add" and says["role"] == STATEMENTS
            missing = () if is_root and envelope.signed_by([key]) else (STATEMENTS,)
        else:
            missing = self.missing(envelope, position)
        about = f"entry {position} of the log is about key {key.keyid} and"
        if missing:
            raise CorruptedError(
                f"{about} is not signed by a key in force of the role {' and '.join(missing)}"
            )
        if says["action"] == "revoke":
            if key.keyid not in self.known:
                raise CorruptedError(f"{about} revokes it, and the log does not know it")
            self._end(key.keyid, position, revoked=True)
            return
        if key.keyid in self.known:
            raise CorruptedError(f"{about} that key was in the log before")
        if says["action"] == "rotate":
            old = self.known.get(says["replaces"])
            if (
                old is None
                or not old.in_force(position)
                or (old.role, old.holder) != (says["role"], says["holder"])
            ):
                raise CorruptedError(
                    f"{about} replaces no key in force of the role {says['role']} and that holder"
                )
            if len(envelope.signed_by([old.key, key])) < 2:
                raise CorruptedError(f"{about} is not signed by both the old and the new key")
            self._end(says["replaces"], position, revoked=False)
        self.known[key.keyid] = KnownKey(
            key=key,
            role=says["role"],
            holder=says["holder"],
            development=says["development"],
            vkey=says["vkey"],
            since=position,
        )

    def _of(self, says: Mapping[str, Any]) -> bool:
        """Whether a key of the role that *says* names has ever been added."""
        return any(one.role == says["role"] for one in self.known.values())

    def _end(self, keyid: str, position: int, *, revoked: bool) -> None:
        if keyid in self.known:
            self.known[keyid] = replace(self.known[keyid], until=position, revoked=revoked)


def replay(
    key_entries: Iterable[tuple[int, Entry]], lake: Lake, pinned: str | None = None
) -> KeyRing:
    """The keys that the log's *key_entries* (those of predicate type key) tell of.

    Raises :class:`CorruptedError` when a key statement is not the one that was logged, or may not
    say what it says.
    """
    ring = KeyRing(pinned=pinned)
    for position, entry in key_entries:
        if entry.predicate_type != KEY:
            continue
        data = lake.read(entry.path)
        envelope = open_envelope(data)
        if sha256_bytes(data) != entry.envelope or envelope.digest != entry.statement:
            raise CorruptedError(
                f"{entry.path} is not the statement that was logged — restore it from a copy"
            )
        ring.apply(envelope, position)
    return ring
