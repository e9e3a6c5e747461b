"""Taking statements up into the log: all that lie in the lake and are not in it yet.

Nothing is handed over in memory, so nothing is lost with a process: whatever a crash left out of
the log is taken up the next time. The order of a batch is fixed by its content: a statement comes
after those that it names, and otherwise earlier ends, then paths, come first.
"""

import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dsk_assets.errors import (
    CorruptedError,
    DskError,
    MissingInputError,
    SettingsError,
    safe_message,
)
from dsk_assets.evidence import attestations, keys, predicates
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.derived import derived, is_source
from dsk_assets.evidence.entries import ATTESTATIONS, STATEMENTS, Entry, is_place, located
from dsk_assets.evidence.envelope import Envelope, open_envelope
from dsk_assets.evidence.keyring import KeyRing, replay
from dsk_assets.evidence.log import Log
from dsk_assets.evidence.log_index import LogIndex
from dsk_assets.evidence.statements import PREDICATE_TYPE
from dsk_assets.lake.digests import sha256_bytes
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Zone

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Waiting:
    """A statement that is not in the log yet, with the digests of the statements it names."""

    entry: Entry
    path: str
    envelope: Envelope
    ended: str
    names: frozenset[str]


@dataclass(frozen=True)
class Appended:
    """What a run of the sequencer did: *added* entries, *size* of the log after them."""

    added: int
    size: int


def append_new(catalog: Catalog) -> Appended:
    """Append all statements that are not in the log, and those that follow from them.

    One process does so at a time; others wait. What killed writers left among the evidence under
    temporary names is removed. Raises :class:`CorruptedError`, after appending
    all others, when a statement cannot be read or is signed by no key in force.
    """
    log = Log(catalog.settings, catalog.lake)
    with log.sequencing() as renew, LogIndex(log).opened() as index:
        for name in catalog.lake.left_behind(Zone.EVIDENCE):
            catalog.lake.remove(f"{Zone.EVIDENCE}/{name}")
        ring = replay(index.of_type(predicates.KEY), catalog.lake)
        _introduce(catalog, log, ring)
        faults: list[str] = []
        fresh: dict[str, Waiting] = {}
        for folder in (STATEMENTS, ATTESTATIONS):
            _gather(catalog, index, folder, fresh, faults, renew)
        if not _closed(fresh, index):  # a statement was written while the folders were listed
            for folder in (STATEMENTS, ATTESTATIONS):
                _gather(catalog, index, folder, fresh, faults, renew)
        originals = _originals(fresh, index, faults)
        accepted = _accepted(ring, in_order(originals), log.tree().size, faults)
        checkpoint = log.append_locked([entry.as_bytes() for entry in accepted], renew)
    if faults:
        raise CorruptedError(
            f"{len(faults)} statements were not taken up into the log:\n" + "\n".join(faults)
        )
    return Appended(len(accepted), checkpoint.size if checkpoint else 0)


def keyring(catalog: Catalog) -> tuple[KeyRing, int]:
    """The keys that the log tells of, and its size."""
    log = Log(catalog.settings, catalog.lake)
    with LogIndex(log).opened() as index:
        return replay(index.of_type(predicates.KEY), catalog.lake), log.tree().size


def in_order(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Statements, no two alike, after those that they name; else new keys first, then by end."""
    by_digest = {one.entry.statement: one for one in waiting}
    before = {
        digest: {name for name in one.names if name in by_digest and name != digest}
        for digest, one in by_digest.items()
    }
    after: dict[str, list[str]] = {}
    for digest, names in before.items():
        for name in names:
            after.setdefault(name, []).append(digest)
    ready = [(_rank(by_digest[digest]), digest) for digest, names in before.items() if not names]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, digest = heapq.heappop(ready)
        ordered.append(by_digest[digest])
        for follower in after.get(digest, ()):
            before[follower].discard(digest)
            if not before[follower]:
                heapq.heappush(ready, (_rank(by_digest[follower]), follower))
    return ordered


def _rank(one: Waiting) -> tuple[bool, bool, str, str]:
    added = (
        one.entry.predicate_type == predicates.KEY
        and one.envelope.statement["predicate"]["action"] == "add"
    )
    root = added and one.entry.asset == f"key/{keys.STATEMENTS}"
    return not root, not added, one.ended, one.path


def _closed(fresh: Mapping[str, Waiting], index: LogIndex) -> bool:
    """Whether all statements that *fresh* ones name are among them or in the log."""
    digests = {one.entry.statement for one in fresh.values()}
    return all(
        name in digests or index.has_statement(name) for one in fresh.values() for name in one.names
    )


def _gather(
    catalog: Catalog,
    index: LogIndex,
    folder: str,
    fresh: dict[str, Waiting],
    faults: list[str],
    renew: Callable[[], None],
) -> None:
    """Add to *fresh* what lies in *folder* and is not in the log; writes what follows from it."""
    paths = [
        path
        for path in catalog.lake.files(folder)
        if f"{folder}/{path}" not in fresh
        and not (is_place(path) and index.position(*located(path)) is not None)
    ]
    for path in track(paths, "Statements for the log", unit="statements"):
        renew()
        full = f"{folder}/{path}"
        try:
            data = catalog.lake.read(full)
            fresh[full] = _waiting(full, path, data, open_envelope(data))
        except (CorruptedError, MissingInputError, KeyError, TypeError, ValueError):
            fault = f"{full} is not a readable statement of its place — restore it from a copy"
            if fault not in faults:
                faults.append(fault)
            continue
        if folder == STATEMENTS and is_source(fresh[full].entry.asset):
            _derive(catalog, path)


def _originals(
    fresh: Mapping[str, Waiting], index: LogIndex, faults: list[str]
) -> Iterator[Waiting]:
    """The *fresh* statements but copies of others, which are named in *faults*."""
    seen: set[str] = set()
    for path, one in sorted(fresh.items()):
        digest = one.entry.statement
        if digest in seen or index.has_statement(digest):
            faults.append(f"{path} is a copy of another statement — remove it")
            continue
        seen.add(digest)
        yield one


def _waiting(full: str, path: str, data: bytes, envelope: Envelope) -> Waiting:
    statement = envelope.statement
    predicate = statement["predicate"]
    asset, partition, number = located(path)
    attested = predicates.GROUPS.get(asset.partition("/")[0])
    kind = attested if full.startswith(f"{ATTESTATIONS}/") else PREDICATE_TYPE
    if statement["predicateType"] != kind:
        raise ValueError("a statement of another type than belongs there")
    made = predicate.get("buildDefinition", {}).get("externalParameters")
    if made not in (None, {"asset": asset, "partition": partition}):
        raise ValueError("a statement of another asset or partition")
    entry = Entry(
        asset, partition, number, statement["predicateType"], sha256_bytes(data), envelope.digest
    )
    return Waiting(entry, full, envelope, _ended(predicate), frozenset(_names(statement)))


def _ended(predicate: dict[str, Any]) -> str:
    run = predicate.get("runDetails", {}).get("metadata", {})
    return str(run.get("finishedOn") or predicate.get("at") or predicate.get("timeVerified") or "~")


def _names(statement: dict[str, Any]) -> Iterable[str]:
    """Digests of the statements that *statement* names."""
    predicate = statement["predicate"]
    named = [
        *statement["subject"],
        *predicate.get("buildDefinition", {}).get("resolvedDependencies", []),
    ]
    for one in named:
        digest = one.get("annotations", {}).get("statement")
        if digest:
            yield digest
    previous = predicate.get("dsk", {}).get("previous")
    if previous:
        yield previous


def _derive(catalog: Catalog, path: str) -> None:
    """Write the statements that follow from a materialisation, unless they are there."""
    try:
        made = catalog.numbered(*located(path))
        for asset, statement in derived(catalog, made):
            attestations.write(
                catalog.settings, catalog.lake, asset, made.partition, statement,
                number=made.number,
            )  # fmt: skip
    except (CorruptedError, MissingInputError, KeyError, TypeError, ValueError) as error:
        _log.warning("nothing could be derived from %s: %s", path, safe_message(error))


def _accepted(ring: KeyRing, ordered: list[Waiting], size: int, faults: list[str]) -> list[Entry]:
    """The entries to append: those that keys in force have signed."""
    accepted: list[Entry] = []
    for one in ordered:
        position = size + len(accepted)
        try:
            if one.entry.predicate_type == predicates.KEY:
                ring.apply(one.envelope, position)
            elif missing := ring.missing(one.envelope, position):
                faults.append(
                    f"{one.path} is not signed by a key in force of the role "
                    f"{', '.join(missing)} — if it is yours, remove it and run again"
                )
                continue
            accepted.append(one.entry)
        except DskError as error:
            faults.append(f"{one.path}: {error}")
    return accepted


def _introduce(catalog: Catalog, log: Log, ring: KeyRing) -> None:
    """Write the key and policy statements that the log lacks; refuses keys it does not know."""
    settings, lake = catalog.settings, catalog.lake
    for role in keys.own_roles(settings):
        key = keys.signer(settings, role).public_key
        known = [one for one in ring.known.values() if one.role == role]
        if not known:
            statement = predicates.key_statement(
                "add",
                role,
                key,
                development=keys.is_development(settings, role),
                vkey=log.key().vkey if role == keys.LOG else None,
            )
            attestations.write(settings, lake, f"key/{role}", key.keyid, statement, number=1)
        elif not any(one.keyid == key.keyid and one.until is None for one in known):
            if _finish_rotation(log, ring, role):
                continue
            raise SettingsError(
                f"this machine's key for {role} is {key.keyid}, which the log does not know as one "
                "in force — `dsk evidence keys list` names those that are; give one of them as "
                f"{keys.place(settings, role)}"
            )
    policy = predicates.policy_statement()
    newest = attestations.newest(lake, "policy/evidence", None)
    if newest is None or newest.statement["subject"] != policy["subject"]:
        attestations.write(settings, lake, "policy/evidence", None, policy)


def _finish_rotation(log: Log, ring: KeyRing, role: str) -> bool:
    """Take the new key in use where a crash came between its statement and that."""
    from dsk_assets.evidence.rotation import finish

    path = keys.next_path(log.settings, role)
    if not path.exists():
        return False
    new = keys.load(path)
    known = ring.known.get(new.public_key.keyid)
    if known is None or known.until is not None:
        return False
    finish(log, role, new, path)
    return True
