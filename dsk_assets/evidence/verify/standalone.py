"""Verify an evidence pack. Needs Python 3.11 and the package ``cryptography``; no network.

    python verify.py                            the pack in whose folder (or zip) this file lies
    python verify.py PACK.zip                   another pack, as a zip or as a folder
    python verify.py --trust KEY_ID             the id of the first key, from another source
    python verify.py --earlier NOTE             a checkpoint that you have kept from before
    python verify.py --files FOLDER             files that you hold: compared by their digests
    python verify.py --lang da  --json          på dansk; for programs

It ends with 0 when all is proven, 1 when nothing is wrong but the proof has limits (they are
named), and 2 when something is wrong.
"""

import argparse
import base64
import datetime as dt
import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsk_assets.evidence.merkle import leaf_hash, root_of, verify_inclusion
from dsk_assets.evidence.notes import Checkpoint, Note
from dsk_assets.evidence.verify.attested import policy_logged, signatures
from dsk_assets.evidence.verify.envelopes import Unreadable, log_entry, parse, read_statement
from dsk_assets.evidence.verify.faults import Fault, exit_code, report
from dsk_assets.evidence.verify.graph import Graph
from dsk_assets.evidence.verify.rules import check, decided
from dsk_assets.evidence.verify.times import ahead, before_witnessed
from dsk_assets.evidence.verify.trust import KeyRing, cosigned, development, replay, signed_by_log

PROOF = "c2sp.org/tlog-proof@v1"
STATEMENTS = ("statements/", "attestations/")
FILES = "files/"
ENTRIES = "entries.ndjson"
PROOFS = "proofs/"
OTHERS = ("README.md", "verify.py", "policy.json", "checkpoint", ENTRIES, "contents.json")
"""What lies in a pack beside statements, their proofs and files."""

ALWAYS = ("key/", "policy/", "withdrawal/", "erasure/")
"""Statements that belong into every pack: they bear on all others."""

RELEASE = "corpus/release"
RULES_DIGEST = "sha256 of policy.json"
"""Of the rules that this verifier goes by; put in where a pack is made."""

NO_RULES: Mapping[str, Any] = {"named": ()}
"""In place of other rules than its own: they may say, and look like, anything."""


@dataclass(frozen=True)
class Pack:
    """The files of a pack, in a zip or in a folder."""

    names: Sequence[str]
    read: Callable[[str], bytes]

    @classmethod
    def open(cls, path: Path) -> "Pack":
        """The pack at *path*; ``ValueError`` where unpacking it might give other files."""
        if path.is_dir():
            names = [one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file()]
            return cls(names, lambda name: (path / name).read_bytes())
        archive = zipfile.ZipFile(path)
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(set(names)) < len(names):
            raise ValueError("two of its files have one name")
        return cls(names, archive.read)


@dataclass(frozen=True)
class Proven:
    """What a pack shows: its log's checkpoint, the first key, witnesses, and what is wrong."""

    graph: Graph
    faults: Sequence[Fault]
    checkpoint: Checkpoint
    root_key: str
    ring: KeyRing
    witnesses: Sequence[str]
    files: int
    release: str


def verify_pack(
    pack: Pack,
    trust: str | None = None,
    earlier: Mapping[str, bytes] | None = None,
    files: Sequence[Path] = (),
    rules_digest: str = "",
) -> Proven:
    """Check all that *pack* holds; raises ``ValueError`` or ``KeyError`` where it is no pack.

    *earlier* holds checkpoints kept from before, by where they were kept; *rules_digest* is the
    SHA-256 that the pack's rules must have, that of this verifier's own where none is given.
    """
    note = Note.parse(pack.read("checkpoint"))
    checkpoint = Checkpoint.parse(note.text)
    entries = pack.read(ENTRIES).splitlines()
    release = json.loads(pack.read("contents.json"))["release"]
    logged, faults = _logged(pack, note)
    keys = [one for one in logged if one[1].startswith("attestations/key/")]
    ring, problems = replay(keys, trust)
    faults += problems
    statements = []
    for index, place, data in logged:
        try:
            statements.append(read_statement(data, ring.public_keys, place, index))
        except Unreadable as error:
            faults.append(Fault("statement-unreadable", place, str(error)))
    rules = pack.read("policy.json")
    digest = hashlib.sha256(rules).hexdigest()
    expected = rules_digest or RULES_DIGEST
    own = digest == expected
    if not own:
        faults.append(Fault("policy-differs", "policy.json", f"sha256 {digest}, not {expected}"))
    graph = Graph(statements, json.loads(rules) if own else NO_RULES, excerpt=True)
    faults += policy_logged(graph, digest)
    for one in statements:
        proof = _proof(pack, one.place)[1]
        leaf = leaf_hash(log_entry(one))
        if not verify_inclusion(leaf, one.index or 0, checkpoint.size, proof, checkpoint.root):
            faults.append(Fault("proof-wrong", one.place, "", graph.affected([one.digest])))
    root_key = ring.keys[0].keyid if ring.keys else ""
    if trust is None:
        faults.append(Fault("keys-unconfirmed", "keys", root_key))
    faults += development(ring)
    faults += _seen(entries, note, ring, earlier or {})
    witnesses = {name: (checkpoint.size, time) for name, time in cosigned(note, ring).items()}
    if not witnesses:
        faults.append(Fault("no-witness", "checkpoint"))
    if own:
        faults += _whole(graph, entries, release)
        faults += signatures(graph, ring)
        faults += check(graph)
    faults += before_witnessed(graph, witnesses)
    faults += ahead(graph, dt.datetime.now(dt.UTC))
    faults += _strays(pack, [place for _, place, _ in logged])
    compared = list(_files(pack, graph, files))
    faults += [one for one in compared if one is not None]
    names = sorted(witnesses)
    return Proven(graph, faults, checkpoint, root_key, ring, names, len(compared), str(release))


def _logged(pack: Pack, note: Note) -> tuple[list[tuple[int, str, bytes]], list[Fault]]:
    """Position, name and bytes of each statement, in the order of the log."""
    logged, faults = [], []
    listed = set(json.loads(pack.read("contents.json"))["statements"])
    there = {name for name in pack.names if name.startswith(STATEMENTS)}
    faults += [Fault("statement-removed", name) for name in sorted(listed - there)]
    for name in sorted(there):
        try:
            index, _, proven = _proof(pack, name)
            if proven != note:
                faults.append(Fault("proof-wrong", name, "it is for another checkpoint"))
        except (ValueError, KeyError, OSError) as error:
            faults.append(Fault("proof-wrong", name, str(error)))
            continue
        logged.append((index, name, pack.read(name)))
    return sorted(logged), faults


def _proof(pack: Pack, name: str) -> tuple[int, list[bytes], Note]:
    """Position, hashes and checkpoint of a statement's proof (https://c2sp.org/tlog-proof)."""
    text, _, note = pack.read(f"{PROOFS}{name}.tlog-proof").decode().partition("\n\n")
    first, index, *hashes = text.split("\n")
    if first != PROOF or not index.startswith("index "):
        raise ValueError("not a proof")
    return int(index[6:]), [base64.b64decode(one) for one in hashes], Note.parse(note.encode())


def _whole(graph: Graph, entries: Sequence[bytes], release: str) -> Iterator[Fault]:
    """What the log names and the pack must hold: see ``ALWAYS``, and all that shows the release.

    The release is its newest statement, and the newest decision of each gate that judges releases
    is there and admits it.
    """
    there = {(one.asset, one.partition, one.number) for one in graph.statements}
    newest: dict[tuple[str, str | None], int] = {}
    for index, entry in enumerate(entries):
        try:
            named = parse(entry)
            asset, partition, number = named["asset"], named["partition"], named["number"]
            newest[asset, partition] = max(number, newest.get((asset, partition), 0))
            if asset.startswith(ALWAYS) and (asset, partition, number) not in there:
                yield Fault("statement-removed", f"{asset}[{partition or ''}] {number}")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield Fault("log-entry", f"log entry {index}", str(error))
    made = graph.newest(RELEASE, release)
    if made is None or made.number != newest.get((RELEASE, release)):
        yield Fault("release-missing", f"{RELEASE}[{release}]")
        return
    for gate, judged in graph.policy["judges"].items():
        if judged == RELEASE:
            decision = graph.newest(gate, release)
            if decision is None or decision.number != newest.get((gate, release)):
                yield Fault("release-missing", f"{gate}[{release}]")
            else:
                for code, place, detail in decided(graph, decision, made, decision):
                    yield Fault(code, place, detail, (made.key,))


def _seen(
    entries: Sequence[bytes], note: Note, ring: KeyRing, earlier: Mapping[str, bytes]
) -> Iterator[Fault]:
    """The log's key signed the checkpoint, and its tree continues what was seen before."""
    checkpoint = Checkpoint.parse(note.text)
    if not signed_by_log(note, ring.of_role("log")):
        yield Fault("log-unsigned", "checkpoint")
    leaves = [leaf_hash(one) for one in entries]
    if len(leaves) != checkpoint.size or root_of(leaves) != checkpoint.root:
        yield Fault("log-root", ENTRIES, f"at {checkpoint.size} entries")
    for place, data in earlier.items():
        try:
            kept = Note.parse(data)
            before = Checkpoint.parse(kept.text)
        except ValueError as error:
            yield Fault("log-unsigned", place, str(error))
            continue
        if before.size > checkpoint.size:
            yield Fault("log-rolled-back", place, f"{before.size} > {checkpoint.size}")
        elif before.origin != checkpoint.origin or root_of(leaves[: before.size]) != before.root:
            yield Fault("log-forked", place, f"at {before.size} entries")
        elif not signed_by_log(kept, ring.ever("log")):
            yield Fault("log-unsigned", place)


def _files(pack: Pack, graph: Graph, folders: Sequence[Path]) -> Iterator[Fault | None]:
    """Compare the files that are at hand with the statements: None for each that is named."""
    held = [(name.removeprefix(FILES), pack.read(name)) for name in _packed_files(pack)]
    named: dict[str, list[tuple[str, str]]] = {}
    for one in graph.made:
        for name, digest in one.files:
            named.setdefault(f"{one.folder}/{name}", []).append((digest, one.digest))
    for path, data in held:
        expected = named.get(path, [])
        if hashlib.sha256(data).hexdigest() in (digest for digest, _ in expected):
            yield None
        else:
            affected = graph.affected(statement for _, statement in expected)
            yield Fault("file-changed", path, "", affected)
    digests = {digest for names in named.values() for digest, _ in names}
    for folder in folders:
        held_paths = [folder] if folder.is_file() else folder.rglob("*")
        for held_path in sorted(one for one in held_paths if one.is_file()):
            with held_path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            yield None if digest in digests else Fault("file-unnamed", str(held_path), digest)


def _strays(pack: Pack, places: Sequence[str]) -> Iterator[Fault]:
    """What a pack has no place for: nothing shows where it is from."""
    known = {*OTHERS, *places, *(f"{PROOFS}{place}.tlog-proof" for place in places)}
    for name in sorted(set(pack.names) - known):
        if not name.startswith((FILES, *STATEMENTS)):
            yield Fault("file-unnamed", name)


def _packed_files(pack: Pack) -> list[str]:
    return sorted(name for name in pack.names if name.startswith(FILES))


WORDS = {
    "en": "Release {release}\nLog {origin}, {size} entries, root {root}\nFirst key {key}\n"
    "Witnesses: {witnesses}\n"
    "{statements} statements and {files} files were checked.",
    "da": "Udgivelse {release}\nLog {origin}, {size} poster, rod {root}\nFørste nøgle {key}\n"
    "Vidner: {witnesses}\n"
    "{statements} erklæringer og {files} filer er kontrolleret.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify a pack from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pack", type=Path, nargs="?", default=Path(sys.argv[0]).parent)
    parser.add_argument("--trust", metavar="KEY_ID")
    parser.add_argument("--earlier", metavar="NOTE", type=Path, action="append", default=[])
    parser.add_argument("--files", metavar="FOLDER", type=Path, action="append", default=[])
    parser.add_argument("--lang", choices=("en", "da"), default="en")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    absent = [str(one) for one in (*chosen.files, *chosen.earlier) if not one.exists()]
    if absent:
        print(f"{absent[0]}: there is no such file or folder")
        return 2
    try:
        earlier = {str(path): path.read_bytes() for path in chosen.earlier}
        proven = verify_pack(Pack.open(chosen.pack), chosen.trust, earlier, chosen.files)
    except Exception as error:  # whatever a pack holds, it never ends with 0 or 1
        print(f"{chosen.pack}: this is not an evidence pack that can be read ({error})")
        return 2
    code = exit_code(proven.faults)
    described = {
        "release": proven.release,
        "origin": proven.checkpoint.origin,
        "size": proven.checkpoint.size,
        "root": proven.checkpoint.root.hex(),
        "key": proven.root_key,
        "witnesses": ", ".join(proven.witnesses) or "-",
        "statements": len(proven.graph.statements),
        "files": proven.files,
    }
    if chosen.json:
        faults = [fault.as_json() for fault in proven.faults]
        _say(json.dumps({"exitCode": code, **described, "faults": faults}, indent=1))
    else:
        _say(f"{report(proven.faults, chosen.lang)}\n{WORDS[chosen.lang].format(**described)}")
    return code


def _say(text: str) -> None:
    """Print *text*; a reader such as ``head`` may stop before its end."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
