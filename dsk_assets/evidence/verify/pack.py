"""Evidence packs: one zip with all that an auditor needs to verify a release on a laptop."""

import base64
import os
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from dsk_assets.errors import CorruptedError, MissingInputError, StorageError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.merkle import inclusion_proof, node_hash, subtree_by_halves
from dsk_assets.evidence.notes import Checkpoint, Note
from dsk_assets.evidence.verify.bundle import verifier
from dsk_assets.evidence.verify.envelopes import Statement
from dsk_assets.evidence.verify.graph import Graph
from dsk_assets.evidence.verify.lake import POLICY, load
from dsk_assets.evidence.verify.log import FOLDER, LogView
from dsk_assets.evidence.verify.standalone import ALWAYS, ENTRIES, FILES, PROOF, PROOFS, RELEASE
from dsk_assets.lake.digests import canonical_json
from dsk_assets.lake.store import Lake, Zone

EPOCH = (1980, 1, 1, 0, 0, 0)
README = Path(__file__).with_name("PACK.md")
SHOWN = (f"{Zone.EVIDENCE}/", f"{Zone.PUBLIC}/")
"""Zones whose files go into a pack: decisions and records, never donated text."""

TABLES = ".parquet"


def pack(catalog: Catalog, release: str, target: Path) -> int:
    """Write the evidence pack of a corpus release to *target*; returns how many statements it has.

    It holds every statement that the release, the models trained on it and its records were made
    from, with proofs, keys, policy and verifier: equal bytes for an equal log. Raises
    :class:`MissingInputError` for a release that there is not, and :class:`CorruptedError` when
    the log or one of its statements is not what it should be. Where *target* cannot be written,
    :class:`StorageError` is raised, and what was there stays.
    """
    if target.exists() and not target.is_file():
        raise StorageError(f"{target} is no file that a pack could take the place of")
    loaded = load(catalog)
    wrong = [fault.text() for fault in loaded.faults if not fault.is_limit]
    if loaded.view is None or wrong:
        raise CorruptedError(f"{wrong[0]} — run `dsk evidence verify` to see all that is wrong")
    chosen = list(_chosen(loaded.graph, release))
    note = _note(catalog.lake, loaded.view, max(one.index or 0 for one in chosen))
    contents = dict(_contents(catalog.lake, loaded.view, note, loaded.graph, chosen, release))
    partial = target.with_name(f".{target.name}.new")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(contents):
                info = zipfile.ZipInfo(name, EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                archive.writestr(info, contents[name])
        partial.replace(target)
    except OSError as error:
        raise StorageError(
            f"could not write {target}: {os.strerror(error.errno or 0)} — free some space or "
            "choose another place, then pack again"
        ) from None
    finally:
        partial.unlink(missing_ok=True)
    return len(chosen)


def _chosen(graph: Graph, release: str) -> Iterator[Statement]:
    """What a release was made from, what was made from it and told of it, and what bears on all."""
    if (RELEASE, release) not in graph.histories:
        known = ", ".join(str(key) for asset, key in graph.histories if asset == RELEASE)
        raise MissingInputError(
            f"there is no corpus release {release} — the releases are: {known or 'none yet'}"
        )
    newest = graph.histories[RELEASE, release][-1]
    named = graph.policy["named"]
    shown = [newest, *(one for one in graph.downstream([newest.digest]) if one.asset in named)]
    queue = deque(shown)
    for gate, judged in graph.policy["judges"].items():
        decisions = [graph.newest(gate, one.partition) for one in shown if one.asset == judged]
        queue += [one for one in decisions if one is not None]
    seen: set[str] = set()
    while queue:
        one = queue.popleft()
        if one.digest not in seen:
            seen.add(one.digest)
            queue.extend(graph.inputs_of(one))
    for one in graph.statements:
        if one.digest in seen or one.asset.startswith(ALWAYS) or seen & set(one.attests):
            yield one


def _note(lake: Lake, view: LogView, last: int) -> Note:
    """The checkpoint over entry *last* that most witnesses have cosigned, the newest of them."""
    notes = [view.note]
    for name in lake.names(f"{FOLDER}/witness"):
        notes.append(Note.parse(lake.read(f"{FOLDER}/witness/{name}")))
    usable = [one for one in notes if last < Checkpoint.parse(one.text).size <= len(view.data)]
    return max(usable, key=lambda one: (len(one.signatures), Checkpoint.parse(one.text).size))


def _contents(
    lake: Lake,
    view: LogView,
    note: Note,
    graph: Graph,
    chosen: Sequence[Statement],
    release: str,
) -> Iterator[tuple[str, bytes]]:
    checkpoint = note.serialise()
    size = Checkpoint.parse(note.text).size
    levels = _levels(view.hashes[:size])
    subtree = partial(subtree_by_halves, lambda start, end: _full(levels, start, end))
    yield "README.md", README.read_bytes()
    yield "verify.py", verifier().encode()
    yield "policy.json", POLICY.read_bytes()
    yield "checkpoint", checkpoint
    yield ENTRIES, b"".join(one + b"\n" for one in view.data[:size])
    names = []
    for one in chosen:
        name = one.place.removeprefix(f"{Zone.EVIDENCE}/")
        names.append(name)
        yield name, lake.read(one.place)
        index = one.index or 0
        lines = [PROOF, f"index {index}"]
        lines += [base64.b64encode(two).decode() for two in inclusion_proof(index, size, subtree)]
        yield f"{PROOFS}{name}.tlog-proof", "\n".join([*lines, "", ""]).encode() + checkpoint
    yield "contents.json", canonical_json({"release": release, "statements": sorted(names)})
    for path, digest in _shown(chosen, {one.digest for one in graph.in_force()}):
        yield f"{FILES}{path}", lake.local_path(path, digest).read_bytes()


def _shown(chosen: Sequence[Statement], in_force: set[str]) -> Iterable[tuple[str, str]]:
    """Path and digest of the files to go along: decisions and records that are still in force."""
    return {
        f"{one.folder}/{name}": digest
        for one in chosen
        if one.digest in in_force and one.folder.startswith(SHOWN)
        for name, digest in one.files
        if not name.endswith(TABLES)
    }.items()


def _levels(hashes: list[bytes]) -> list[list[bytes]]:
    """The hashes of all full subtrees, by their height."""
    levels = [hashes]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(*below[i : i + 2]) for i in range(0, len(below) - 1, 2)])
    return levels


def _full(levels: list[list[bytes]], start: int, end: int) -> bytes:
    height = (end - start).bit_length() - 1
    return levels[height][start >> height]
