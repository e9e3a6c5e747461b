"""Verification of a lake from artefacts up: log, statements, files, and what holds between them.

Nothing is believed that can be computed: the tree comes from the log's entries, digests from
bytes, lineage from the inputs that statements name. Nothing is written.
"""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.verify import memory, schemas
from dsk_assets.evidence.verify.attested import policy_logged, signature, signatures
from dsk_assets.evidence.verify.envelopes import (
    Statement,
    Unreadable,
    log_entry,
    read_statement,
)
from dsk_assets.evidence.verify.faults import Fault, exit_code, report
from dsk_assets.evidence.verify.files import (
    CHUNK,
    SMALL,
    Problem,
    compare_approvals,
    compare_details,
    compare_files,
    strays,
)
from dsk_assets.evidence.verify.graph import Graph
from dsk_assets.evidence.verify.log import (
    Entry,
    LogView,
    check_seen,
    printable,
    read_bytes,
    read_log,
)
from dsk_assets.evidence.verify.rules import check
from dsk_assets.evidence.verify.times import ahead, before_witnessed
from dsk_assets.evidence.verify.trust import KeyRing, replay
from dsk_assets.lake.digests import sha256_file
from dsk_assets.lake.engine import Engine, map_parts
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Lake, Zone
from dsk_assets.settings import Settings

POLICY = Path(__file__).with_name("policy.json")
FOLDERS = (f"{Zone.EVIDENCE}/statements", f"{Zone.EVIDENCE}/attestations")
KEYS = f"{Zone.EVIDENCE}/attestations/key/"


@dataclass(frozen=True)
class Report:
    """What a verification came to: faults and limits, and how much was looked at.

    ``counts``: ``entries`` of the log, ``statements``, ``files`` and ``bytes`` read, and
    ``superseded_files_gone``, files of statements that newer ones have replaced. ``checkpoint``
    holds ``origin``, ``size`` and ``root`` of the log, or is None without one.
    """

    faults: tuple[Fault, ...]
    counts: Mapping[str, int]
    checkpoint: Mapping[str, Any] | None
    witnesses: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0: all is proven; 1: nothing is wrong, but the proof has limits; 2: faults."""
        return exit_code(self.faults)

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "exitCode": self.exit_code,
            "checkpoint": self.checkpoint,
            "witnesses": list(self.witnesses),
            "counts": dict(self.counts),
            "faults": [fault.as_json() for fault in self.faults],
        }

    def as_text(self, language: str = "en") -> str:
        """The report for readers, in English (``en``) or Danish (``da``)."""
        counted = {
            "en": "{entries} entries of the log, {statements} statements and {files} files "
            "({bytes} bytes) were checked; {superseded_files_gone} files of superseded statements "
            "are gone.",
            "da": "{entries} poster i loggen, {statements} erklæringer og {files} filer "
            "({bytes} bytes) er kontrolleret; {superseded_files_gone} filer fra afløste "
            "erklæringer findes ikke mere.",
        }[language]
        return f"{report(self.faults, language)}\n{counted.format(**self.counts)}"


Told = Callable[[Graph], Iterable[Fault]]
"""What somebody else, such as Dagster, says about the same materialisations, compared."""


@dataclass(frozen=True)
class Loaded:
    """The log and the statements of a lake, as far as they are what the log says they are.

    Entries before *verified* were verified here earlier and have not changed. *witnesses* gives
    for each witness how many entries it has cosigned, and when (POSIX seconds).
    """

    view: LogView | None
    entries: Sequence[Entry]
    ring: KeyRing
    graph: Graph
    faults: Sequence[Fault]
    witnesses: Mapping[str, tuple[int, int]]
    verified: int = 0


def load(
    catalog: Catalog,
    *,
    full: bool = True,
    earlier: Mapping[str, bytes] | None = None,
    trust: str | None = None,
) -> Loaded:
    """Read the log and every statement in it, and say what is wrong with them."""
    view, faults = read_log(catalog.lake)
    entries = []
    for item in view.entries() if view else ():
        if isinstance(item, Fault):
            faults.append(item)
        else:
            entries.append(item)
    ring, problems = _keys(catalog.lake, entries, trust)
    faults += problems
    verified = 0
    witnesses: dict[str, tuple[int, int]] = {}
    if view is not None:
        known, limits = memory.recall(catalog.settings)
        seen = known | dict(earlier or {})
        problems, witnesses = check_seen(view, catalog.lake, ring, seen)
        faults += limits + problems
        if not full and exit_code(faults) < 2:
            verified = memory.verified_size(catalog.settings, view)
    statements, about = _statements(catalog.settings, entries, ring, verified)
    whole = view is not None and len(view.data) == view.checkpoint.size
    for fault, one in _not_logged(catalog.lake, entries):
        about += [(fault, one.digest if one else "")] if whole else []
        statements += [one] if one else []
    there = {one.digest for one in statements}
    lost = {one.statement: one.path for one in entries if one.statement not in there}
    graph = Graph(statements, policy(), lost)
    if whole:
        for fault in policy_logged(graph, sha256_file(POLICY)):
            detail = f"{fault.detail} — if the platform was updated: dsk evidence append"
            faults.append(replace(fault, detail=detail))
    everything = graph.everything()
    faults = [one if one.is_limit else replace(one, affects=everything) for one in faults]
    faults += _reaching(graph, about)
    return Loaded(view, entries, ring, graph, faults, witnesses, verified)


def verify(
    catalog: Catalog,
    *,
    full: bool = True,
    earlier: Mapping[str, bytes] | None = None,
    told: Told | None = None,
    trust: str | None = None,
) -> Report:
    """Verify the lake of *catalog*: log, statements, lineage, order, gates, withdrawals, files.

    *earlier* holds checkpoints seen before (signed notes) by the place where they were kept,
    besides those remembered below ``DSK_HOME``. Without *full*, what lies before the checkpoint
    last verified here is taken as verified where the tree has not changed: only newer statements
    have their signatures, forms and files checked, and so have the files of the newest release.
    *told* compares with what others say of the same materialisations. *trust* is the id that the
    log's first key must have.
    """
    loaded = load(catalog, full=full, earlier=earlier, trust=trust)
    graph = loaded.graph
    faults = [*loaded.faults]
    faults += signatures(graph, loaded.ring, loaded.verified)
    faults += [_waiting(catalog.lake, fault) for fault in check(graph)]
    faults += before_witnessed(graph, loaded.witnesses)
    faults += ahead(graph, dt.datetime.now(dt.UTC))
    counts, about = compare_files(catalog.settings, graph, loaded.verified)
    faults += _reaching(graph, about)
    faults += strays(catalog.lake, graph)
    faults += compare_approvals(catalog.lake, graph)
    faults += compare_details(catalog.lake, graph)
    faults += told(graph) if told else ()
    if loaded.view is not None and full and exit_code(faults) < 2:
        faults += memory.remember(catalog.settings, loaded.view)
    return Report(
        faults=tuple(faults),
        counts={"entries": len(loaded.entries), "statements": len(graph.statements), **counts},
        checkpoint=_described(loaded.view) if loaded.view else None,
        witnesses=tuple(sorted(loaded.witnesses)),
    )


def not_told(home: str, *, wanted: bool) -> Told:
    """What is said where Dagster's records are not compared, though its runs made something.

    It is a fault where they are *wanted* and not there, else a limit. *home* is Dagster's folder.
    """

    def compare(graph: Graph) -> Iterator[Fault]:
        runs = {one.run for one in graph.made if is_run(one.run)}
        if runs:
            detail = f"{len(runs)} of its runs are named by statements"
            yield Fault("dagster-missing" if wanted else "without-dagster", home, detail)

    return compare


def is_run(name: str) -> bool:
    """Whether *name* is the id of a run of Dagster's, and not ``dsk`` or ``schedule``."""
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def _reaching(graph: Graph, problems: Iterable[Problem]) -> list[Fault]:
    """The faults with what was made from the statements that they are about."""
    return [replace(fault, affects=graph.affected([about])) for fault, about in problems]


@cache
def policy() -> Mapping[str, Any]:
    """What must hold between assets, by their names."""
    found: Mapping[str, Any] = json.loads(POLICY.read_text("utf-8"))
    return found


def _described(view: LogView) -> dict[str, Any]:
    checkpoint = view.checkpoint
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}


def _keys(lake: Lake, entries: Sequence[Entry], trust: str | None) -> tuple[KeyRing, list[Fault]]:
    """The keys that the logged key statements lead to; damaged ones are named with the others."""
    logged = []
    for entry in entries:
        if entry.path.startswith(KEYS):
            with suppress(Unreadable):
                data = read_bytes(lake, entry.path)
                if data is not None and hashlib.sha256(data).hexdigest() == entry.envelope:
                    logged.append((entry.index, entry.path, data))
    return replay(logged, trust)


def _waiting(lake: Lake, fault: Fault) -> Fault:
    """An attestation that is missing because it waits for a signature is named as that."""
    path = f"{Zone.EVIDENCE}/{fault.detail.replace('attestations/', 'pending/', 1)}"
    if fault.code == "attestation-missing" and lake.exists(path):
        return replace(fault, code="signature-missing", place=path, detail="dsk evidence pending")
    return fault


@dataclass(frozen=True)
class _Chunk:
    """Entries whose statements one worker reads; those from *verified* on are checked wholly."""

    settings: Settings
    ring: KeyRing
    entries: tuple[Entry, ...]
    verified: int


def _statements(
    settings: Settings, entries: Sequence[Entry], ring: KeyRing, verified: int
) -> tuple[list[Statement], list[Problem]]:
    chunks = [
        _Chunk(settings, ring, tuple(entries[start : start + CHUNK]), verified)
        for start in range(0, len(entries), CHUNK)
    ]
    statements: list[Statement] = []
    problems: list[Problem] = []
    with Engine(settings.workers).pool(len(chunks) // SMALL + 1) as executor:
        results = map_parts(_read, chunks, executor)
        for found, wrong in track(results, "statements", total=len(chunks), unit="chunks"):
            statements += found
            problems += wrong
    elsewhere = {entry.envelope: entry.path for entry in entries}
    return statements, [
        (replace(fault, detail=f"it is {elsewhere[fault.detail]}"), about)
        if fault.detail in elsewhere
        else (fault, about)
        for fault, about in problems
    ]


def _read(chunk: _Chunk) -> tuple[list[Statement], list[Problem]]:
    """The statements of a chunk that are what the log says they are, and what is wrong."""
    lake = Lake(chunk.settings)
    statements: list[Statement] = []
    problems: list[Problem] = []
    for entry in chunk.entries:
        found = [Fault("statement-removed", entry.path)]
        try:
            data = read_bytes(lake, entry.path)
            if data is not None:
                one, found = _read_one(entry, data, chunk.ring, entry.index >= chunk.verified)
                statements += [one] if one else []
        except Unreadable as error:
            found = [Fault("statement-unreadable", entry.path, str(error))]
        problems += [(fault, entry.statement) for fault in found]
    return statements, problems


def _read_one(
    entry: Entry, data: bytes, ring: KeyRing, whole: bool
) -> tuple[Statement | None, list[Fault]]:
    """The statement where it is the one that was logged, and what is wrong; or Unreadable."""
    envelope = hashlib.sha256(data).hexdigest()
    one = read_statement(data, ring.public_keys if whole else {}, entry.path, entry.index)
    if envelope != entry.envelope:
        faults = [Fault("statement-changed", entry.path, envelope)]
        return None, faults + list(signature(one, ring, policy()))
    if log_entry(one) != entry.data:
        return None, [Fault("log-entry", f"log entry {entry.index}", entry.path)]
    wrong = schemas.problems(data) if whole else ()
    return one, [Fault("statement-schema", entry.path, text) for text in wrong]


def _not_logged(lake: Lake, entries: Sequence[Entry]) -> Iterator[tuple[Fault, Statement | None]]:
    """Envelopes that lie among the statements and are in no entry of the log."""
    logged = {entry.path for entry in entries}
    for folder in FOLDERS:
        for name in lake.files(folder):
            path = f"{folder}/{name}"
            if path in logged:
                continue
            place = printable(path)
            try:
                one = read_statement(read_bytes(lake, path) or b"", {}, path)
                yield Fault("statement-not-logged", place), one
            except Unreadable as error:
                yield Fault("statement-unreadable", place, str(error)), None
