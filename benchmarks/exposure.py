"""How fast exposure is answered at the size of a real corpus: ``python benchmarks/exposure.py``.

Makes a lake with the span tables of a release of 10 billion tokens (``--tokens`` for another size)
in 100 donations, one of which holds a fifth of it, documents of 700 tokens on average, without the
tokens themselves, and ten checkpoints of a run of a pass and a half. Then asks of each kind of
question 25 times, each time with a catalog that has opened nothing: with the lake's files in
memory, and with none of them (their pages are dropped before each question). Last it runs the
command itself, whose start is that of Python and its libraries.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dsk_assets.corpus.release import ASSET as RELEASE  # noqa: E402
from dsk_assets.corpus.release import FILE, Member, OpenedRelease  # noqa: E402
from dsk_assets.corpus.shards import SHARD, SHARD_SPAN, write_spans  # noqa: E402
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot  # noqa: E402
from dsk_assets.lake.store import Zone  # noqa: E402
from dsk_assets.settings import load_settings  # noqa: E402
from dsk_assets.training import answers  # noqa: E402
from dsk_assets.training.exposure import EXPOSURE, exposure  # noqa: E402
from dsk_assets.training.order import NAME, Order  # noqa: E402
from dsk_assets.training.released import release_order  # noqa: E402

DONATIONS = 100
LARGEST = 0.2
"""Share of the tokens that the first donation holds."""
MEAN = 700
SHARD_TOKENS = 2**26
SEQUENCE = 4096
BATCH = 256
CHECKPOINTS = 10
ASKED = 25


def materialise(
    catalog: Catalog, asset: str, partition: str | None, produce: Callable[[Output], None]
) -> Snapshot:
    return catalog.materialise(
        asset, partition, zone=Zone.CURATED, inputs=[], config={}, code_version="benchmark",
        produce=produce,
    )  # fmt: skip


def shards(catalog: Catalog, number: int, tokens: int) -> Snapshot:
    """Span tables of one donation, documents in the order of their ids."""
    random = np.random.default_rng(number)
    lengths = random.geometric(1 / MEAN, tokens // MEAN)
    ids = pa.array(sorted(random.bytes(16).hex() for _ in lengths))
    at = np.cumsum(lengths) - lengths
    shard = at // SHARD_TOKENS
    begins = at[np.searchsorted(shard, np.arange(shard[-1] + 1))]
    donation = f"dsk-2026-{number:04d}"

    def produce(out: Output) -> None:
        write_spans(out, map(spans, range(shard[-1] + 1)))
        rows = [
            {"shard": n, "donation_id": donation, "tokens": int(lengths[shard == n].sum()),
             "documents": int((shard == n).sum()), "sha256": "0" * 64, "dtype": "uint16",
             "leaf": "0" * 64}
            for n in range(shard[-1] + 1)
        ]  # fmt: skip
        out.table("shard", [pa.Table.from_pylist(rows, SHARD)], SHARD)
        out.count(tokens=int(lengths.sum()), documents=len(lengths), characters=0, shards=len(rows))

    def spans(n: int) -> pa.Table:
        [rows] = np.nonzero(shard == n)
        start = at[rows] - begins[n]
        columns = [
            np.full(len(rows), n), np.arange(len(rows)), start, start + lengths[rows],
            ids.take(pa.array(rows)), pa.repeat(donation, len(rows)),
        ]  # fmt: skip
        return pa.table(columns, names=SHARD_SPAN.names)

    return materialise(catalog, "corpus/shards", f"{donation}@1.0.0", produce)


def release(catalog: Catalog, tokens: int) -> OpenedRelease:
    """A release of :data:`DONATIONS` donations."""
    tokenizer = materialise(
        catalog, "corpus/tokenizer", None, lambda out: out.json("tokenizer.json", {})
    )
    rest = tokens * (1 - LARGEST) / (DONATIONS - 1)
    sizes = [int(tokens * LARGEST), *[int(rest)] * (DONATIONS - 1)]
    made = [shards(catalog, number, size) for number, size in enumerate(sizes)]
    members = tuple(Member(str(one.partition), one, 1.0) for one in made)
    content = {"tokenizer": tokenizer.digest, "donations": [one.as_json() for one in members]}
    snapshot = materialise(catalog, RELEASE, "1.0.0", lambda out: out.json(FILE, content))
    return OpenedRelease(snapshot, tokenizer, members)


def checkpoint(catalog: Catalog, made: OpenedRelease, order: Order, step: int) -> None:
    """What a checkpoint says of what it has read, without its weights."""
    content = {
        "release": made.version,
        "order": {
            "name": NAME, "seed": 7, "release": made.snapshot.digest, "sequenceLength": SEQUENCE,
            "batchSize": BATCH, "heldOut": 0.01,
        },
    }  # fmt: skip

    def produce(out: Output) -> None:
        out.json("checkpoint.json", content)
        table = exposure(order, step, BATCH)
        assert sum(table["tokens_read"].to_pylist()) == step * BATCH * SEQUENCE
        out.table("exposure", [table], EXPOSURE)
        out.count(step=step)

    materialise(catalog, answers.CHECKPOINT, f"bench-1.0.0.step-{step:06d}", produce)


def prepare(catalog: Catalog, tokens: int) -> None:
    """Fill the lake."""
    made = release(catalog, tokens)
    order = release_order(made, 7, SEQUENCE, 0.01)
    documents = sum(one.shards.counts["documents"] for one in made.members)
    total = sum(one.tokens for one in made.members)
    print(f"{total:,} tokens, {documents:,} documents, {DONATIONS} donations", flush=True)
    steps = order.sequences_per_pass * 3 // 2 // BATCH
    for number in range(1, CHECKPOINTS + 1):
        checkpoint(catalog, made, order, max(1, steps * number // CHECKPOINTS))


def main(tokens: int) -> None:
    """Build the lake and ask."""
    with tempfile.TemporaryDirectory(prefix="dsk-bench-") as folder:
        prepare(Catalog(load_settings(home=Path(folder))), tokens)
        ask(Path(folder))


def ask(home: Path) -> None:
    """Ask each kind of question, with files in memory and without."""
    catalog = Catalog(load_settings(home=home))
    random = np.random.default_rng(1)
    donations = catalog.partitions("corpus/shards")
    documents = []
    for donation in random.choice(donations, ASKED):
        spans = catalog.require("corpus/shards", str(donation)).table("shard_span", ["doc_id"])
        documents.append(spans["doc_id"][int(random.integers(spans.num_rows))].as_py())
    checkpoints = catalog.partitions(answers.CHECKPOINT)
    kinds = {
        "--document": (answers.of_document, documents),
        "--donation": (answers.of_donation, [str(one) for one in random.choice(donations, ASKED)]),
        "--checkpoint": (
            answers.of_checkpoint, [str(one) for one in random.choice(checkpoints, ASKED)],
        ),
    }  # fmt: skip
    for name, (answer, asked) in kinds.items():
        answer(catalog, asked[0])  # loads what the answer needs of libraries
        for state in ("in memory", "on disk"):
            seconds = []
            for one in asked:
                if state == "on disk":
                    drop_pages(home)
                opened = Catalog(load_settings(home=home))
                begun = time.perf_counter()
                found = answer(opened, one)
                seconds.append(time.perf_counter() - begun)
                assert len(found) in (CHECKPOINTS, DONATIONS)
            timed(f"{name}, files {state}", seconds)
        timed(f"{name}, the whole command", [command(home, name, one) for one in asked[:5]])


def command(home: Path, option: str, asked: str) -> float:
    """Seconds that the command takes, from the start of Python to its end."""
    environment = os.environ | {"DSK_HOME": str(home), "PYTHONPATH": str(ROOT)}
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "dsk_assets.cli", "exposure", option, asked, "--json"],
        env=environment, check=True, capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - begun


def drop_pages(home: Path) -> None:
    """Have the kernel forget the files of the lake."""
    for path in home.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def timed(what: str, seconds: list[float]) -> None:
    """Print the median and the largest of some times."""
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(
        f"{what:<36} {median:9.1f} ms median {worst:9.1f} ms largest of {len(seconds)}", flush=True
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=10**10)
    main(parser.parse_args().tokens)
