"""Public keys as the log knows them: who may sign what, from which entry to which.

The first key statement in the log is the trust root: it is signed by the key that it adds. Every
later one must be signed by a key of the role ``statements`` in force. A verifier that has the
root's key id from elsewhere (``pinned``) need not trust the log for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dsk_assets.errors import CorruptedError
from dsk_assets.evidence.entries import Entry
from dsk_assets.evidence.envelope import Envelope, open_envelope
from dsk_assets.evidence.keys import STATEMENTS
from dsk_assets.evidence.predicates import KEY
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

    def apply(self, envelope: Envelope, position: int) -> None:
        """Take over what the key statement at *position* says.

        Raises :class:`CorruptedError` for one that no key in force has signed.
        """
        from securesystemslib.signer import Key

        says: dict[str, Any] = envelope.statement["predicate"]
        key = Key.from_dict(says["keyId"], dict(says["key"]))
        signed = {one.role for one in self.signers(envelope, position)}
        if not self.known:
            if self.pinned not in (None, key.keyid):
                raise CorruptedError(
                    f"the log begins with key {key.keyid}, not with the pinned {self.pinned}"
                )
            is_root = says["action"] == "add" and says["role"] == STATEMENTS
            signed = {STATEMENTS} if is_root and envelope.signed_by([key]) else set()
        if STATEMENTS not in signed:
            raise CorruptedError(
                f"entry {position} of the log is about key {key.keyid} and is not signed by a key "
                "in force of the role statements"
            )
        if says["action"] == "revoke":
            self._end(key.keyid, position, revoked=True)
            return
        if says["action"] == "rotate":
            self._end(says["replaces"], position, revoked=False)
        self.known[key.keyid] = KnownKey(
            key=key,
            role=says["role"],
            holder=says["holder"],
            development=says["development"],
            vkey=says["vkey"],
            since=position,
        )

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
