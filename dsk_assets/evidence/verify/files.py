"""Files against the statements that name them, and what was kept apart from a statement."""

import errno
import hashlib
import json
import re
from collections.abc import Iterator, Sequence

from dsk_assets.evidence import predicates
from dsk_assets.evidence.derived import LANDING, MANIFEST, approved
from dsk_assets.evidence.verify.envelopes import SHA_256, Unreadable
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.graph import Graph
from dsk_assets.evidence.verify.log import printable, read_bytes, refuse_unreachable
from dsk_assets.lake.engine import Engine, map_parts
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Lake, Zone
from dsk_assets.settings import Settings

DETAILS = f"{Zone.RESTRICTED}/details"
CHUNK = 500
LEFT_BEHIND = re.compile(r"[^/]+/[^/]+/[^/]+/[^/]+/[0-9a-f]{16}(?=/)")
"""The folder of a materialisation: zone, asset, partition, fingerprint."""

SMALL = 4
"""Chunks that are not worth another process."""

BLOCK = 1024 * 1024

Problem = tuple[Fault, str]
"""A fault, and the digest of the statement that it is about."""


def compare_files(
    settings: Settings, graph: Graph, verified: int
) -> tuple[dict[str, int], list[Problem]]:
    """Compare files with the statements that name them.

    Every file of a statement in force must be there; one of a superseded statement may be gone,
    or written anew by a newer one.
    """
    in_force = {one.digest for one in graph.in_force()}
    released = {one.digest for one in graph.released()}
    newest: dict[str, str] = {}
    for one in graph.made:
        newest.update({f"{one.folder}/{name}": digest for name, digest in one.files})
    wanted: dict[str, tuple[str, str, bool]] = {}
    for one in graph.made:
        if verified and (one.index or 0) < verified and one.digest not in released:
            continue
        for name, digest in one.files:
            path = f"{one.folder}/{name}"
            if one.digest in in_force or newest[path] == digest:
                kept = one.digest in in_force or (path in wanted and wanted[path][2])
                wanted[path] = (digest, one.digest, kept)
    items = [(path, *named) for path, named in wanted.items()]
    chunks = [(settings, items[start : start + CHUNK]) for start in range(0, len(items), CHUNK)]
    problems: list[Problem] = []
    size = gone = 0
    with Engine(settings.workers).pool(len(chunks) // SMALL + 1) as executor:
        results = map_parts(_compare, chunks, executor)
        for read, missing, wrong in track(results, "files", total=len(chunks), unit="chunks"):
            size += read
            gone += missing
            problems += wrong
    counts = {"files": len(items) - gone, "bytes": size, "superseded_files_gone": gone}
    return counts, problems


def strays(lake: Lake, graph: Graph) -> Iterator[Fault]:
    """Files that no statement names in the folders that the policy closes.

    A run that was killed leaves such files in a folder of their own, named by a fingerprint that
    no statement has: a limit. Anywhere else nobody honest writes them. What it leaves under a
    temporary name, there or among the evidence, is a limit too.
    """
    named = {f"{one.folder}/{name}" for one in graph.made for name, _ in one.files}
    folders = {one.folder for one in graph.made}
    for closed in graph.policy["closed"]:
        for name in lake.files(closed):
            path = f"{closed}/{name}"
            if path not in named:
                left = LEFT_BEHIND.match(path)
                code = "file-unnamed" if left and left[0] not in folders else "file-stray"
                yield Fault(code, printable(path))
    for swept in (*graph.policy["closed"], Zone.EVIDENCE):
        for name in lake.left_behind(swept):
            yield Fault("file-unnamed", printable(f"{swept}/{name}"))


def compare_approvals(lake: Lake, graph: Graph) -> Iterator[Fault]:
    """An approval says of donor, licence and scope what the manifest says that was landed."""
    for one in graph.statements:
        if one.predicate_type != predicates.APPROVAL:
            continue
        for landing in (graph.by_digest.get(digest) for digest in one.attests):
            if landing is None or landing.asset != LANDING:
                continue
            path = f"{landing.folder}/{MANIFEST}"
            try:
                data = read_bytes(lake, path)
                digest = hashlib.sha256(data or b"").hexdigest()
                if data is None or (MANIFEST, digest) not in landing.files:
                    continue  # the file is at fault itself
                said = approved(json.loads(data))
                wrong = [name for name in said if one.predicate.get(name) != said[name]]
            except (ValueError, KeyError, TypeError, AttributeError):
                wrong = [MANIFEST]
            if wrong:
                detail = f"{', '.join(wrong)}: not as in {path}"
                yield Fault("attestation-differs", one.place, detail, graph.affected(one.attests))


def compare_details(lake: Lake, graph: Graph) -> Iterator[Fault]:
    """What may concern a person lies apart from its statement, and is there until it is erased."""
    erased = {one.partition for one in graph.statements if one.asset == "erasure/detail"}
    for one in graph.statements:
        digest = str(one.predicate.get("detail", ""))
        if SHA_256.fullmatch(digest) and one.asset != "erasure/detail":
            path = f"{DETAILS}/{digest}.json"
            try:
                data = read_bytes(lake, path)
            except Unreadable as error:
                yield Fault("file-changed", path, str(error))
                continue
            if data is not None and digest in erased:
                yield Fault("detail-not-erased", path, one.place)
            elif data is None and digest not in erased:
                yield Fault("file-missing", path, one.place)
            elif data is not None and hashlib.sha256(data).hexdigest() != digest:
                yield Fault("file-changed", path, one.place)


def _compare(
    part: tuple[Settings, Sequence[tuple[str, str, str, bool]]],
) -> tuple[int, int, list[Problem]]:
    settings, items = part
    lake = Lake(settings)
    size = gone = 0
    problems: list[Problem] = []
    for path, expected, statement, kept in items:
        digest = hashlib.sha256()
        try:
            if lake.is_other(path):
                raise IsADirectoryError(errno.EISDIR, path)
            with lake.fs.open(f"{lake.root}/{path}", "rb") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
                    size += len(block)
        except FileNotFoundError:
            gone += 1
            if kept:
                problems.append((Fault("file-missing", path), statement))
            continue
        except (OSError, ValueError) as error:
            refuse_unreachable(error, path)
            detail = f"it cannot be read ({type(error).__name__})"
            problems.append((Fault("file-changed", path, detail), statement))
            continue
        if digest.hexdigest() != expected:
            detail = f"sha256 {digest.hexdigest()}, the statement says {expected}"
            problems.append((Fault("file-changed", path, detail), statement))
    return size, gone, problems
