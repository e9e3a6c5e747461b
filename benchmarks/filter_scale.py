"""What each stage of ``dsk filter run`` costs, and what that makes of larger corpora.

    python benchmarks/filter_scale.py stages FILES…
    python benchmarks/filter_scale.py join

FILES are JSON lines with ``id`` and ``text``; some tens of megabytes are enough. ``stages`` prints
CPU seconds and stored bytes for each gigabyte of text and stage, measured in one process, and both
multiplied out to larger corpora. ``join`` looks for duplicates among more and more invented
signatures, and prints the memory, the disk and the time that this takes.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
import polars as pl
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dsk_assets.consortium.policy import DuplicatesPolicy  # noqa: E402
from dsk_assets.filters import language, quality, signatures  # noqa: E402
from dsk_assets.filters.join import Source, find_duplicates  # noqa: E402
from dsk_assets.filters.parts import tables_of  # noqa: E402
from dsk_assets.filters.run import chain, gather, inputs, run  # noqa: E402
from dsk_assets.lake.memo import Memo  # noqa: E402
from dsk_assets.lake.tables import write_parquet  # noqa: E402

POLICY = run.DEFAULT_POLICY
CORPORA = {
    "the consortium's donations to date": (371_800_000, 150_836),
    "all that DFM holds": (35_680_000_000, 16_230_000),
    "10 TB": (9_800_000_000_000, 4_460_000_000),
}
"""Characters and documents; the largest has documents of the same length as DFM's."""
BYTES_PER_CHARACTER = 1.02
SHARING = 0.3
"""Documents that duplicate another, of the invented ones."""
DOCUMENTS_A_PART = 20_000

Result = TypeVar("Result")


class Costs:
    """CPU seconds by stage."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def of(self, stage: str, work: Callable[..., Result], *arguments: Any) -> Result:
        """``work(*arguments)``, its CPU time booked on *stage*."""
        began = time.process_time()
        result = work(*arguments)
        self.seconds[stage] += time.process_time() - began
        return result

    @contextmanager
    def within(self, stage: str, block: AbstractContextManager[Result]) -> Iterator[Result]:
        """*block*, the CPU time of entering it booked on *stage*."""
        began = time.process_time()
        with block as result:
            self.seconds[stage] += time.process_time() - began
            yield result


def measured(files: tuple[Path, ...], folder: Path) -> tuple[Costs, dict[str, int], int, int]:
    """Costs, stored bytes by kind, characters and documents of filtering *files*."""
    costs, memo = Costs(), Memo(folder)
    steps = chain.Chain(folder, POLICY, "zst")
    language.tag_part(_warm(folder), POLICY.language)
    parts = [
        part
        for path in files
        for block in inputs.blocks(path)
        for part in costs.of("read", inputs.read_block, block, folder, POLICY.normalisation)
    ]
    works = {
        "quality": (quality.SCHEMA, quality.measure_batch),
        "signature": (signatures.SCHEMA, signatures.sign_batch),
    }
    for part in parts:
        path = memo.path(part.made)
        costs.of("language", language.tag_part, path, POLICY.language)
        texts = ["doc_id", "donation_id", "text"]
        costs.of("quality and signatures", tables_of, path, texts, works)
    tagged = [chain.tag(part, steps) for part in parts]
    costs.of("unique ids", run._demand_unique, memo, parts, run.Engine())
    sources = [run._source(one, memo, POLICY) for one in tagged]
    with costs.within("join", find_duplicates(sources, folder / "spill")) as found:
        work = ((one, found.of(n), found.cuts_of(n)) for n, one in enumerate(tagged))
        decided = [costs.of("decide and write", chain.finish, one, steps) for one in work]
        costs.of("gather", gather.gather, memo, decided, found, 1)
    stored = {
        name: sum(path.stat().st_size for path in (folder / place).rglob("*") if path.is_file())
        for name, place in {
            "parts": ".work/results/parts",
            "tags": ".work/results/language",
            "measures": ".work/results/quality",
            "signatures": ".work/results/signature",
            "kept documents": "documents",
            "their attributes": "attributes",
        }.items()
    }
    stored["tables"] = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    characters = sum(part.characters for part in parts)
    return costs, stored, characters, sum(part.documents for part in parts)


def _warm(folder: Path) -> Path:
    """A part that makes the language models load before anything is timed."""
    path = folder / "warm.jsonl"
    path.write_text('{"id": "a", "text": "Hva er det for noe rart, da?"}\n')
    block = inputs.Block(path)
    (part,) = inputs.read_block(block, folder / "warm", POLICY.normalisation)
    return Memo(folder / "warm").path(part.made)


@click.group()
def main() -> None:
    """What filtering costs by stage, and the join by the number of documents."""


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def stages(files: tuple[Path, ...]) -> None:
    """Measure on FILES and print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        costs, stored, characters, documents = measured(files, Path(folder))
    size = characters * BYTES_PER_CHARACTER
    texts = [chars * BYTES_PER_CHARACTER for chars, _ in CORPORA.values()]
    print(f"Measured on {documents:,} documents, {characters:,} characters.\n")
    print(f"| stage | CPU s/GB | {', CPU h | '.join(CORPORA)}, CPU h |")
    print("|---|---:" + "|---:" * len(CORPORA) + "|")
    everything = {**costs.seconds, "**all**": sum(costs.seconds.values())}
    for stage, used in everything.items():
        each = used / size
        hours = " | ".join(f"{each * text / 3600:,.3f}" for text in texts)
        print(f"| {stage} | {each * 1e9:,.0f} | {hours} |")
    print("\n| stored | bytes for each byte of text |\n|---|---:|")
    for kind, found in {**stored, "**all**": sum(stored.values())}.items():
        print(f"| {kind} | {found / size:.2f} |")
    print("\n| corpus | text | parts | CPU h | hours on 2 / 128 / 1,024 cores | stored |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, text in zip(CORPORA, texts, strict=True):
        hours = everything["**all**"] / size * text / 3600
        spread = " / ".join(f"{hours / cores:,.3f}" for cores in (2, 128, 1024))
        kept = sum(stored.values()) / size * text / 1e9
        print(
            f"| {name} | {text / 1e9:,.1f} GB | {text / inputs.PART_BYTES:,.0f} | {hours:,.1f} "
            f"| {spread} | {kept:,.1f} GB |"
        )


@main.command()
@click.option("--documents", multiple=True, default=[300_000, 1_200_000, 4_800_000])
def join(documents: tuple[int, ...]) -> None:
    """The search for duplicates among so many DOCUMENTS, each time in a process of its own."""
    print("| documents | duplicates | memory, MB | set aside on disk, MB | CPU s | CPU µs each |")
    print("|---:|---:|---:|---:|---:|---:|", flush=True)
    for count in documents:
        subprocess.run([sys.executable, __file__, "joined", str(count)], check=True, cwd=ROOT)


@main.command(hidden=True)
@click.argument("count", type=int)
def joined(count: int) -> None:
    """One row of the table that ``join`` prints."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = list(_invented(count, folder))
        scratch = folder / "scratch"
        scratch.mkdir()
        peak = _Peak(scratch)
        began = time.process_time()
        sources = (
            Source(path, pl.Series([True] * rows), DuplicatesPolicy()) for path, rows in paths
        )
        with find_duplicates(sources, scratch, threads=2) as found:
            for number in range(len(paths)):
                found.of(number)
            dropped = found.counts["near"]
        used = time.process_time() - began
        memory, disk = peak.ended()
        print(
            f"| {count:,} | {dropped:,} | {memory / 1e6:,.0f} | {disk / 1e6:,.0f} | {used:,.0f} "
            f"| {used / count * 1e6:,.0f} |"
        )


def _invented(count: int, folder: Path) -> Iterator[tuple[Path, int]]:
    """Parts of signatures, of which a share repeats half the bands and the sketch of another."""
    numbers = np.random.default_rng(1)
    for start in range(0, count, DOCUMENTS_A_PART):
        rows = min(DOCUMENTS_A_PART, count - start)
        bands = numbers.integers(0, 2**63, (rows, signatures.BANDS), np.uint64)
        sketches = np.sort(numbers.integers(0, 2**32, (rows, 200), np.uint32), axis=1)
        copies = np.flatnonzero(numbers.random(rows - 1) < SHARING) + 1
        for copy in copies:
            bands[copy, :10], sketches[copy] = bands[copy - 1, :10], sketches[copy - 1]
        columns = {
            "doc_id": [f"{number:032x}" for number in numbers.permutation(rows) + start],
            "donation_id": [""] * rows,
            "text_sha256": [f"{number:064x}" for number in range(start, start + rows)],
            "n_char": [2_000] * rows,
            "bands": [row.tobytes() for row in bands],
            "shingles": [row.tobytes() for row in sketches],
            "lines": [None] * rows,
        }
        path = folder / f"{start}.parquet"
        write_parquet(path, [pa.table(columns, signatures.SCHEMA)], signatures.SCHEMA)
        yield path, rows


class _Peak:
    """The most memory of this process's own, and of a folder's bytes, while it works."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._most = [0, 0]
        self._end = threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()

    def ended(self) -> tuple[int, int]:
        """Stop looking; bytes of memory and of disk."""
        self._end.set()
        self._watch.join()
        return self._most[0], self._most[1]

    def _look(self) -> None:
        while not self._end.wait(0.05):
            status = Path("/proc/self/status").read_text()
            memory = int(status.split("RssAnon:")[1].split()[0]) * 1024
            disk = 0
            for path in [*self._folder.rglob("*"), *Path("/proc/self/fd").iterdir()]:
                with suppress(OSError):
                    found = path.stat()
                    if path.is_relative_to(self._folder) or not found.st_nlink:
                        disk += found.st_blocks * 512
            self._most = [max(self._most[0], memory), max(self._most[1], disk)]


if __name__ == "__main__":
    main()
