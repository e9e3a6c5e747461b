"""What each stage of ``dsk filter run`` costs, and what that makes of larger corpora.

    python benchmarks/filter_scale.py FILES…

FILES are JSON lines with ``id`` and ``text``; some tens of megabytes are enough. Prints the tables
of docs/scale.md: CPU seconds and stored bytes for each gigabyte of text and stage, measured in one
process, the memory of the join for each document, and both multiplied out.
"""

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dsk_assets.filters import language, quality, signatures  # noqa: E402
from dsk_assets.filters.run import chain, gather, inputs, run  # noqa: E402
from dsk_assets.lake.memo import Memo  # noqa: E402

POLICY = run.DEFAULT_POLICY
JOIN_DOCUMENTS = 200_000
SHARING = 0.3
"""Documents that share a band or digest with another: only these are held for the join."""
CORPORA = {
    "the consortium's donations to date": (371_800_000, 150_836),
    "all that DFM holds": (35_680_000_000, 16_230_000),
    "10 TB": (9_800_000_000_000, 4_460_000_000),
}
"""Characters and documents; the largest has documents of the same length as DFM's."""
BYTES_PER_CHARACTER = 1.02

Result = TypeVar("Result")

JOIN = """
import sys, time
import numpy as np, polars as pl
from dsk_assets.filters.clusters import CANDIDATE, find_duplicates
from dsk_assets.filters.signatures import BANDS
from dsk_assets.filters.sketches import sketches_in

def kilobytes(name):
    return int(open("/proc/self/status").read().split(name + ":")[1].split()[0])

count = int(sys.argv[1])
before = kilobytes("VmRSS")
values = np.random.default_rng(1)
frame = pl.DataFrame({
    "doc_id": [f"{n:032x}" for n in range(count)],
    "text_sha256": [f"{n:064x}" for n in range(count)],
    "bands": [values.bytes(8 * BANDS) for _ in range(count)],
}).with_columns(
    drop_exact=pl.lit(True), drop_near=pl.lit(True), open=pl.lit(False), approved_on=pl.lit("")
).select(list(CANDIDATE))
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
began = time.process_time()
find_duplicates(frame, lambda ids: sketches_in([], ids))
print((kilobytes("VmHWM") - before) * 1024, time.process_time() - began)
"""


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
    for part in parts:
        path = memo.path(part.made)
        costs.of("language", language.tag_part, path, POLICY.language)
        costs.of("quality", quality.measure_part, path)
        costs.of("signatures", signatures.sign_part, path)
    tagged = [chain.tag(part, steps) for part in parts]
    costs.of("unique ids", run._demand_unique, memo, parts, run.Engine())
    duplicates = costs.of("join", run._duplicates, tagged, memo, POLICY)
    work = zip(tagged, run._by_part(duplicates, len(parts)), strict=True)
    decided = [costs.of("decide and write", chain.finish, one, steps) for one in work]
    costs.of("gather", gather.gather, memo, decided, duplicates.drop("part"), 1)
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


def join_cost() -> tuple[float, float]:
    """Bytes of memory and CPU seconds of the join for each document."""
    done = subprocess.run(
        [sys.executable, "-c", JOIN, str(JOIN_DOCUMENTS)],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    memory, seconds = map(float, done.stdout.split())
    return memory / JOIN_DOCUMENTS, seconds / JOIN_DOCUMENTS


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(files: tuple[Path, ...]) -> None:
    """Measure on FILES and print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        costs, stored, characters, documents = measured(files, Path(folder))
    size = characters * BYTES_PER_CHARACTER
    memory, seconds = join_cost()
    print(f"Measured on {documents:,} documents, {characters:,} characters.\n")
    print("| stage | CPU s/GB |\n|---|---:|")
    for stage, used in costs.seconds.items():
        print(f"| {stage} | {used / size * 1e9:,.0f} |")
    total = sum(costs.seconds.values()) / size
    print(f"| **all** | **{total * 1e9:,.0f}** |")
    print("\n| stored | share of the text |\n|---|---:|")
    for kind, found in stored.items():
        print(f"| {kind} | {found / size:.2f} |")
    print(f"\nJoin: {memory:,.0f} bytes and {seconds * 1e6:,.0f} µs a document that is held.\n")
    print("| corpus | parts | CPU hours | hours on 2 / 128 / 1,024 cores | stored | join memory |")
    print("|---|---:|---:|---:|---:|---:|")
    share = sum(stored.values()) / size
    for name, (chars, count) in CORPORA.items():
        text = chars * BYTES_PER_CHARACTER
        hours = text * total / 3600
        spread = " / ".join(f"{hours / cores:,.2f}" for cores in (2, 128, 1024))
        print(
            f"| {name} | {text / inputs.PART_BYTES:,.0f} | {hours:,.1f} | {spread} "
            f"| {text * share / 1e9:,.1f} GB | {memory * SHARING * count / 1e9:,.2f} GB |"
        )


if __name__ == "__main__":
    main()
