"""Public keys as the log knows them: who may sign what, from which entry to which.

The rules are those of ``verify/trust.py``. A verifier that has the root's key id from elsewhere
(``pinned``) need not trust the log for it.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dsk_assets.errors import CorruptedError
from dsk_assets.evidence.entries import Entry
from dsk_assets.evidence.envelope import Envelope, open_envelope
from dsk_assets.evidence.predicates import KEY, roles
from dsk_assets.evidence.verify import trust
from dsk_assets.evidence.verify.faults import TEXTS
from dsk_assets.lake.digests import sha256_bytes
from dsk_assets.lake.store import Lake

if TYPE_CHECKING:
    from securesystemslib.signer import Key


class KeyRing:
    """All keys that the log has told of."""

    def __init__(self, pinned: str | None = None):
        self.pinned = pinned
        self._ring = trust.KeyRing()

    @property
    def known(self) -> dict[str, trust.Key]:
        """Every key by its id, whenever it was in force."""
        return {one.keyid: one for one in self._ring.keys}

    def at(self, position: int, role: str | None = None) -> list[trust.Key]:
        """Keys that may sign the entry at *position*, of *role* or of any."""
        return [
            one for one in self._ring.keys if one.holds_at(position) and role in (None, one.role)
        ]

    def signers(self, envelope: Envelope, position: int) -> list[trust.Key]:
        """The keys in force at *position* whose signature *envelope* has."""
        found = [one for one in self.at(position) if one.keyid in envelope.signatures]
        signed = envelope.signed_by(map(public_key, found))
        return [one for one in found if one.keyid in signed]

    def needed(self, statement: Mapping[str, Any]) -> tuple[str, ...]:
        """The roles that must sign *statement*, one key each."""
        if statement["predicateType"] == KEY:
            return trust.needed(self._ring, statement["predicate"])
        return roles(statement["predicateType"])

    def missing(self, envelope: Envelope, position: int) -> tuple[str, ...]:
        """The roles that must sign *envelope* before it can stand at *position*, and have not.

        A donor only signs for what it has donated.
        """
        signers = [one.keyid for one in self.signers(envelope, position)]
        donor = envelope.statement["predicate"].get("donor")
        signed = self._ring.roles(signers, position, donor)
        return tuple(one for one in self.needed(envelope.statement) if one not in signed)

    def apply(self, envelope: Envelope, position: int) -> None:
        """Take over what the key statement at *position* says.

        Raises :class:`CorruptedError` for one that breaks a rule.
        """
        says: dict[str, Any] = envelope.statement["predicate"]
        about = f"entry {position} of the log is about a key, and"
        try:
            key = trust.named(says, position)
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptedError(f"{about} it is none ({error})") from None
        if not self.known and self.pinned not in (None, key.keyid):
            raise CorruptedError(
                f"the log begins with key {key.keyid}, not with the pinned {self.pinned}"
            )
        signed = envelope.signed_by(map(public_key, (*self.at(position), key)))
        code = trust.breach(self._ring, says, key, signed)
        if code is not None:
            raise CorruptedError(f"{about} {TEXTS[code][0]} (key {key.keyid})")
        self._ring = trust.changed(self._ring, says, key)


def public_key(key: trust.Key) -> "Key":
    """A key of the log, to verify signatures with."""
    from securesystemslib.signer import Key

    return Key.from_dict(key.keyid, dict(key.form))


def replay(
    key_entries: Iterable[tuple[int, Entry]], lake: Lake, pinned: str | None = None
) -> KeyRing:
    """The keys that the log's *key_entries* (those of predicate type key) tell of.

    Raises :class:`CorruptedError` when a key statement is not the one that was logged, or may not
    say what it says.
    """
    ring = KeyRing(pinned)
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
