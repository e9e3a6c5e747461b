"""Which keys may sign at each position of the log: the rules, and their replay.

The first key statement in the log is the trust root: it is signed by the key that it adds. What
changes the keys later says :func:`breach`, for those who verify and for those who append.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dsk_assets.evidence.notes import ED25519, Note, NoteKey
from dsk_assets.evidence.verify.envelopes import Unreadable, parse, read_statement, unseal
from dsk_assets.evidence.verify.faults import Fault

SIGNER = "statements"
"""The role of the keys that sign every statement, and every change of the keys."""

CONSORTIUM, DONOR = "consortium", "donor"
"""The roles that sign approvals; the consortium signs for new keys besides."""


@dataclass(frozen=True)
class Key:
    """A public key, in *form* as securesystemslib has it, and between which entries it may sign."""

    keyid: str
    role: str
    holder: str | None
    form: Mapping[str, Any]
    vkey: str | None
    development: bool
    since: int
    until: int | None = None
    revoked: bool = False

    @property
    def public(self) -> str:
        """The key itself, in hexadecimal or PEM."""
        return str(self.form["keyval"]["public"])

    def holds_at(self, index: int | None) -> bool:
        """Whether the key may sign the entry at *index*; None stands for the log's end."""
        if index is None:
            return self.until is None
        return self.since <= index and (self.until is None or index < self.until)


@dataclass(frozen=True)
class KeyRing:
    """All keys that key statements have ever added."""

    keys: tuple[Key, ...] = ()

    @property
    def public_keys(self) -> dict[str, str]:
        """Every public key by its id, whenever it was in force."""
        return {key.keyid: key.public for key in self.keys}

    def of_role(self, role: str, index: int | None = None) -> list[Key]:
        """The keys of *role* in force at *index*."""
        return [key for key in self.keys if key.role == role and key.holds_at(index)]

    def ever(self, role: str) -> list[Key]:
        """All keys that have ever had *role*."""
        return [key for key in self.keys if key.role == role]

    def roles(
        self, signers: Iterable[str], index: int | None, donor: str | None = None
    ) -> list[str]:
        """The role of each of the *signers* that was in force at *index*.

        A donor's key counts only for its holder, where the statement is about a *donor*.
        """
        signed = set(signers)
        return [
            key.role
            for key in self.keys
            if key.keyid in signed
            and key.holds_at(index)
            and (key.role != DONOR or key.holder is None or donor in (None, key.holder))
        ]


def key_id(key: Mapping[str, Any]) -> str:
    """The id of a public key in securesystemslib's form: SHA-256 of its canonical form."""
    kind, public, scheme = key["keytype"], key["keyval"]["public"], key["scheme"]
    form = f'{{"keytype":"{kind}","keyval":{{"public":"{public}"}},"scheme":"{scheme}"}}'
    return hashlib.sha256(form.encode()).hexdigest()


Logged = tuple[int | None, str, bytes]
"""An envelope: its position in the log, its path and its bytes."""


def replay(envelopes: Iterable[Logged], root: str | None = None) -> tuple[KeyRing, list[Fault]]:
    """The keys that the key statements in *envelopes*, in the order of the log, lead to.

    Where the first one has another id than *root* that is one fault, and the others are sought as
    if it had not. One that breaks a rule is a fault and changes nothing.
    """
    ring, faults = KeyRing(), []
    for index, place, data in envelopes:
        try:
            change = parse(unseal(data)[0])["predicate"]
            key = named(change, index or 0)
            if place.split("/")[-4:-1] != ["key", key.role, key.keyid]:
                raise Unreadable("it lies where the statement of another key or role belongs")
            known = {**ring.public_keys, key.keyid: key.public}
            signers = read_statement(data, known, place, index).signers
            if not ring.keys and root not in (None, key.keyid):
                faults.append(Fault("root-differs", place, f"{key.keyid}, not {root}"))
            code = breach(ring, change, key, signers)
            if code is None:
                ring = changed(ring, change, key)
            else:
                faults.append(Fault(code, place, f"key {key.keyid}"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            faults.append(Fault("statement-unreadable", place, str(error)))
    return ring, faults


def needed(ring: KeyRing, change: Mapping[str, Any]) -> tuple[str, ...]:
    """The roles that sign a change of the keys, one key each.

    An addition, but of the first key of a role, is signed by the consortium too, so that nobody
    gives the second of two signatures with a key that they have added themselves.
    """
    further = change["action"] == "add" and ring.ever(change["role"])
    return (SIGNER, CONSORTIUM) if further else (SIGNER,)


def breach(
    ring: KeyRing, change: Mapping[str, Any], key: Key, signers: Iterable[str]
) -> str | None:
    """The code of the rule that a change of the keys breaks.

    The first one adds the key for statements that signs it. All later ones are signed as
    :func:`needed` says. A rotation is signed by the key that is replaced and by the one that takes
    its place besides, of the same role and holder. A key is added once, for one role.
    """
    signed = set(signers)
    if not ring.keys:
        is_root = change["action"] == "add" and key.role == SIGNER and key.keyid in signed
        return None if is_root else "key-not-trusted"
    missing = set(needed(ring, change)) - set(ring.roles(signed, key.since))
    if SIGNER in missing:
        return "key-not-trusted"
    known = [one for one in ring.keys if one.keyid == key.keyid]
    if change["action"] == "revoke":
        return None if [one for one in known if one.role == key.role] else "key-unknown"
    if known:
        return "key-again"
    if change["action"] == "add":
        return "key-without-consortium" if missing else None
    held = [one for one in ring.of_role(key.role, key.since) if one.holder == key.holder]
    old = {one.keyid for one in held} & {change["replaces"]}
    return None if old and old | {key.keyid} <= signed else "key-rotated-alone"


def named(change: Mapping[str, Any], since: int) -> Key:
    """The key that a key statement is about; ``ValueError`` where its role cannot use it."""
    public, role, vkey = change["key"]["keyval"]["public"], change["role"], change["vkey"]
    if not isinstance(public, str) or not isinstance(role, str):
        raise Unreadable("not a key")
    keyid = key_id(change["key"])
    if role in ("log", "witness") and NoteKey.parse(vkey).public != bytes.fromhex(public):
        raise Unreadable("the key is not the one that its vkey writes")
    return Key(
        keyid=keyid,
        role=role,
        holder=change["holder"],
        form=change["key"],
        vkey=vkey,
        development=bool(change["development"]),
        since=since,
    )


def changed(ring: KeyRing, change: Mapping[str, Any], key: Key) -> KeyRing:
    """The keys after a change that breaks no rule."""
    revokes = change["action"] == "revoke"
    ended = {"add": None, "rotate": change["replaces"], "revoke": key.keyid}[change["action"]]
    keys = [
        replace(one, until=key.since if one.until is None else one.until, revoked=revokes)
        if one.keyid == ended
        else one
        for one in ring.keys
    ]
    return KeyRing((*keys, *([] if revokes else [key])))


def development(ring: KeyRing) -> Iterator[Fault]:
    """The limit that keys made for trying things out put on what is proven."""
    keys = [key for key in ring.keys if key.development and key.holds_at(None)]
    if keys:
        yield Fault("development-keys", "keys", ", ".join(sorted({key.role for key in keys})))


def signed_by_log(note: Note, keys: Iterable[Key]) -> bool:
    """Whether one of *keys*, which are keys of the log, has signed *note*."""
    origin = note.text.split("\n", 1)[0]
    known = [NoteKey(origin, ED25519, bytes.fromhex(one.public)) for one in keys]
    return any(_signed(note, key) is not None for key in known)


def cosigned(note: Note, ring: KeyRing) -> dict[str, int]:
    """When each known witness has cosigned *note*, in POSIX seconds, by its name."""
    times = {}
    for one in ring.of_role("witness"):
        key = NoteKey.parse(one.vkey or "")
        time = _signed(note, key)
        if time:
            times[key.name] = time
    return times


def _signed(note: Note, key: NoteKey) -> int | None:
    try:
        return note.verify(key)
    except ValueError:
        return None
