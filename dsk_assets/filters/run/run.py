"""Filter files of documents without Dagster or a lake: what ``dsk filter run`` does.

Five steps: cut the files into parts, tag each part, look for duplicates over all of them, decide
and write what is kept part by part, and gather the tables. All but the third and the last run on
the engine over parts; results are kept in ``DIR/.work`` so that a killed run goes on where it was.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import polars as pl
from filelock import FileLock, Timeout

from dsk_assets.consortium.policy import Policy
from dsk_assets.counted import counted
from dsk_assets.errors import InputError
from dsk_assets.filters import decontamination
from dsk_assets.filters.decontamination import NGRAM_WORDS, evaluation_files, load_evaluations
from dsk_assets.filters.join import Source, find_duplicates
from dsk_assets.filters.ruleset import for_policy
from dsk_assets.filters.run.chain import (
    ATTRIBUTES,
    DOCUMENTS,
    PACKED,
    Chain,
    Compression,
    Decided,
    Tagged,
    finish,
    read,
    tag,
)
from dsk_assets.filters.run.gather import SPILL, TABLES, duplicate_ids, gather
from dsk_assets.filters.run.inputs import Part, blocks, place, read_block
from dsk_assets.filters.why import POLICY
from dsk_assets.lake.digests import canonical_json, sha256_file, sha256_set
from dsk_assets.lake.engine import Engine, map_parts
from dsk_assets.lake.memo import RECEIPTS, RESULTS, Made, Memo, whole
from dsk_assets.lake.progress import track

WORK = ".work"
MODELS = "dsk_assets.filters.models"
"""What workers share on a first run; a later one finds most tags made and may need none."""
DEFAULT_POLICY = Policy(name="default", version="1.0")


@dataclass(frozen=True)
class Report:
    """What came of a run, in numbers."""

    files: int
    parts: int
    documents: int
    characters: int
    kept: int
    characters_kept: int
    characters_cut: int
    """Characters of kept documents in lines that were cut out because others have them too."""
    clusters: int
    dropped: dict[str, int]
    """Documents by the rule that dropped them, most first."""
    languages: dict[str, int]
    normalised: dict[str, int]
    """Changes that normalisation made to texts, by kind."""
    evaluations_too_short: int
    """Texts of the evaluation sets that have too few words to be looked for."""

    def as_text(self) -> str:
        """The report for people."""
        share = 100 * self.kept / self.documents
        lines = [
            f"{counted(self.documents, 'document')} ({counted(self.characters, 'character')}) "
            f"in {counted(self.files, 'file')}, worked in {counted(self.parts, 'part')}",
            f"{self.kept:,} kept ({share:.1f} %, {self.characters_kept:,} characters)",
            f"{sum(self.dropped.values()):,} dropped"
            + (f"; {self.clusters:,} clusters of duplicates" if self.clusters else ""),
            *(f"  {rule:<32}{count:>12,}" for rule, count in self.dropped.items()),
            "languages: " + _listed(self.languages),
        ]
        if self.characters_cut:
            lines.append(f"{self.characters_cut:,} characters cut out: lines that others have too")
        if any(self.normalised.values()):
            lines.append("changed by normalisation: " + _listed(self.normalised))
        if self.evaluations_too_short:
            lines.append(
                f"not looked for: {self.evaluations_too_short:,} texts of the evaluation sets, "
                f"which have fewer than {NGRAM_WORDS} words"
            )
        return "\n".join(lines)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)


def filter_files(
    files: Sequence[Path],
    folder: Path,
    policy: Policy = DEFAULT_POLICY,
    engine: Engine | None = None,
    compression: Compression = "zst",
    evaluations: Path | None = None,
) -> Report:
    """Filter the documents in *files* by *policy* and write what comes of it to *folder*.

    Files are JSON lines (plain, gzip, Zstandard) or Parquet with ``id`` and ``text``; other
    fields are carried along. Writes, each sorted by ``id`` and the same to the byte whatever the
    engine, the number of workers or the order of the files:

    - ``attributes.parquet``: ``id``, ``language``, ``confidence``, ``accepted_share`` and each of
      :data:`~dsk_assets.filters.measures.MEASURES`
    - ``duplicates.parquet``: ``id``, ``cluster_id``, ``survivor_id``, ``similarity``
    - ``decisions.parquet``: ``id``, ``kept``, ``rule``, ``value``, ``threshold``, ``survivor_id``
      and ``n_cut``, the characters that were cut out of it
    - ``cuts.parquet``: ``id``, ``start``, ``end`` of the lines that were cut out of a kept document
      because ``survivor_id`` has them too, where the policy asks for that
    - ``documents/`` and ``attributes/dsk/``: the kept documents in the layout of the Dolma toolkit
    - ``policy.json``: the policy

    All of them are gone while they are made anew, and ``policy.json`` is written last: what a
    killed run leaves there was decided by one policy.

    Documents that have word sequences in common with the evaluation sets in the folder
    *evaluations* are dropped as the policy says.

    Raises :class:`InputError` for files that cannot be read, ids that stand twice, and a folder
    that holds something else; :class:`SettingsError` for an unknown rule in the policy.
    """
    engine = engine or Engine()
    for_policy(policy.quality)
    paths = sorted({file.resolve() for file in files})
    pieces = [block for path in paths for block in blocks(path)]
    folder = folder.resolve()
    sets = ""
    if evaluations is not None:
        evaluations = evaluations.resolve()
        found = [(path.name, sha256_file(path)) for path in evaluation_files(evaluations)]
        if not found:
            raise InputError(f"{evaluations} has no evaluation sets — name another folder")
        sets = sha256_set(found)
    known = (folder / RECEIPTS).exists()
    with _own(folder), engine.pool(preload="" if known else MODELS) as executor:
        memo = Memo(folder)
        searched = [_searched(memo, evaluations, sets)] if evaluations else []
        chain = Chain(folder, policy, compression, evaluations, sets)
        reader = partial(read_block, folder=folder, policy=policy.normalisation)
        reading = map_parts(reader, pieces, executor)
        read_blocks = track(reading, "read", total=len(pieces), unit="blocks")
        parts = _in_order([part for some in read_blocks for part in some], paths)
        _demand_unique(memo, parts, engine)
        tagging = map_parts(partial(tag, chain=chain), parts, executor)
        tagged = list(track(tagging, "tag", total=len(parts), unit="parts"))
        _withdraw(folder)
        sources = (_source(one, memo, policy) for one in track(tagged, "duplicates", unit="parts"))
        with find_duplicates(sources, folder / SPILL, engine.workers) as duplicates:
            work = ((one, duplicates.of(n), duplicates.cuts_of(n)) for n, one in enumerate(tagged))
            deciding = map_parts(partial(finish, chain=chain), work, executor)
            decided = list(track(deciding, "decide", total=len(parts), unit="parts"))
            gather(memo, decided, duplicates, engine.workers)
            clusters = duplicates.counts["clusters"]
        kept = [made for one in decided for made in one.made]
        memo.forget_others([*kept, *searched], (RECEIPTS, RESULTS, PACKED))
        for name in (DOCUMENTS, ATTRIBUTES):
            if (folder / PACKED / name).exists():
                (folder / PACKED / name).rename(folder / name)
        with whole(folder / POLICY) as path:
            path.write_bytes(canonical_json(policy.model_dump(mode="json")))
        too_short = sum(made.facts["short"] for made in searched)
        return _report(len(paths), decided, memo, clusters, too_short)


def _searched(memo: Memo, evaluations: Path, digest: str) -> Made:
    """How many texts of the evaluation sets are too *short* to be looked for."""
    key = {"evaluations": digest, "words": NGRAM_WORDS, "code": decontamination.CODE_VERSION}
    return memo.recall(key, lambda _: {"short": load_evaluations(evaluations).short})


def _withdraw(folder: Path) -> None:
    """Take all results out of *folder*; the packed documents are kept for those that stay."""
    for name in (POLICY, *(f"{table}.parquet" for table in TABLES)):
        (folder / name).unlink(missing_ok=True)
    for name in (DOCUMENTS, ATTRIBUTES):
        if (folder / name).exists():
            (folder / PACKED).mkdir(exist_ok=True)
            (folder / name).rename(folder / PACKED / name)


@contextmanager
def _own(folder: Path) -> Iterator[None]:
    """Hold *folder*, which is new, empty or made by an earlier run; another run waits for none."""
    work = folder / WORK
    if folder.exists() and not work.is_dir() and any(folder.iterdir()):
        raise InputError(
            f"{folder} holds files that no earlier run wrote — choose a folder that is new or empty"
        )
    work.mkdir(parents=True, exist_ok=True)
    work.chmod(0o700)
    try:
        with FileLock(work / "lock", timeout=0):
            shutil.rmtree(folder / SPILL, ignore_errors=True)
            yield
    except Timeout:
        raise InputError(f"another run is writing to {folder} — wait for it to end") from None


def _in_order(parts: list[Part], files: Iterable[Path]) -> list[Part]:
    """*parts* by their digest: an order that does not depend on names and places of files."""
    with_documents = {part.source for part in parts if part.documents}
    for path in files:
        if path not in with_documents:
            raise InputError(f"{path} has no documents — leave it out")
    return sorted(parts, key=lambda part: (part.digest, part.source, part.start))


def _demand_unique(memo: Memo, parts: Sequence[Part], engine: Engine) -> None:
    """:class:`InputError` where two documents have the same id."""
    paths = {str(memo.path(part.made)): part for part in parts}
    if len(paths) < len(parts):
        by_digest = groupby(parts, key=lambda part: part.digest)
        same = next(twins for _, some in by_digest if len(twins := list(some)) > 1)
        found = [(part, read(memo, part.made, ["record"])["record"][0]) for part in same[:2]]
    else:
        twice = duplicate_ids(memo, list(paths), engine.workers)
        found = [(paths[path], record) for path, record in twice]
    if found:
        found.sort(key=lambda one: (one[0].source, one[0].start, one[1]))
        first, second = (place(part, record) for part, record in found)
        raise InputError(
            f"the same id stands in {first} and in {second} — give each document an id of its own"
        )


def _source(tagged: Tagged, memo: Memo, policy: Policy) -> Source:
    """A part, all donated alike: the survivor of a cluster is the one with the lowest id."""
    kept = read(memo, tagged.judged, ["stage"])["stage"] == ""
    return Source(memo.path(tagged.signature), kept, policy.duplicates)


def _report(
    files: int, decided: Sequence[Decided], memo: Memo, clusters: int, too_short: int
) -> Report:
    kept = characters_kept = cut = 0
    dropped: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    for one in decided:
        rows = read(memo, one.decisions, ["kept", "rule", "n_char", "n_cut"])
        cut += int(rows["n_cut"].sum())
        kept += int(rows["kept"].sum())
        characters_kept += int(rows.filter("kept")["n_char"].sum())
        dropped.update(rows.filter(~pl.col("kept"))["rule"].to_list())
        languages.update(read(memo, one.tagged.language, ["language"])["language"].to_list())
    parts = [one.tagged.part for one in decided]
    normalised: Counter[str] = Counter()
    for part in parts:
        normalised.update(part.made.facts["normalised"])
    return Report(
        files=files,
        parts=len(parts),
        documents=sum(part.documents for part in parts),
        characters=sum(part.characters for part in parts),
        kept=kept,
        characters_kept=characters_kept - cut,
        characters_cut=cut,
        clusters=clusters,
        dropped=_most_first(dropped),
        languages=_most_first(languages),
        normalised=_most_first(normalised),
        evaluations_too_short=too_short,
    )


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
