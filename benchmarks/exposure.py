"""How fast exposure is answered at the size of a real corpus: ``python benchmarks/exposure.py``.

Makes the span tables of a release of 10 billion tokens (``--tokens`` for another size) in 100
donations, documents of 700 tokens on average, without the tokens themselves, and asks for random
documents after a pass and a half. Prints the time to open the release (which verifies every file),
to answer for a document, and to compute what a checkpoint records of all donations.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dsk_assets.corpus.release import Member, OpenedRelease  # noqa: E402
from dsk_assets.corpus.shards import SHARD, SHARD_SPAN, row_groups  # noqa: E402
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot  # noqa: E402
from dsk_assets.lake.store import Zone  # noqa: E402
from dsk_assets.settings import load_settings  # noqa: E402
from dsk_assets.training.answers import Spans  # noqa: E402
from dsk_assets.training.exposure import exposure, reads  # noqa: E402
from dsk_assets.training.released import release_order  # noqa: E402

DONATIONS = 100
MEAN = 700
SHARD_TOKENS = 2**26
SEQUENCE = 4096
BATCH = 256


def shards(catalog: Catalog, number: int, tokens: int) -> Snapshot:
    """Span tables of one donation, documents in the order of their ids."""
    random = np.random.default_rng(number)
    lengths = random.geometric(1 / MEAN, tokens // MEAN)
    ids = pa.array(sorted(random.bytes(16).hex() for _ in lengths))
    at = np.cumsum(lengths) - lengths
    shard = at // SHARD_TOKENS
    begins = at[np.searchsorted(shard, np.arange(shard[-1] + 1))]

    def produce(out: Output) -> None:
        tables = (group for n in range(shard[-1] + 1) for group in row_groups(spans(n)))
        out.table("shard_span", tables, SHARD_SPAN)
        rows = [
            {"shard": n, "donation_id": "d", "tokens": int(lengths[shard == n].sum()),
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
            ids.take(pa.array(rows)), pa.repeat("d", len(rows)),
        ]  # fmt: skip
        return pa.table(columns, names=SHARD_SPAN.names)

    return catalog.materialise(
        "corpus/shards", f"d{number}@1.0.0", zone=Zone.CURATED, inputs=[],
        config={"number": number}, code_version="benchmark", produce=produce,
    )  # fmt: skip


def timed(what: str, seconds: list[float]) -> None:
    """Print the median and the largest of some times."""
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    print(f"{what:<44} {median:9.1f} ms median {worst:9.1f} ms largest of {len(seconds)}")


def main(tokens: int) -> None:
    """Build the release and ask."""
    with tempfile.TemporaryDirectory(prefix="dsk-bench-") as folder:
        catalog = Catalog(load_settings(home=Path(folder)))
        made = [shards(catalog, n, tokens // DONATIONS) for n in range(DONATIONS)]
        members = tuple(Member(str(one.partition), one, 1.0) for one in made)
        release = OpenedRelease(snapshot=made[0], tokenizer=made[0], members=members)
        order = release_order(release, 7, SEQUENCE)
        documents = sum(one.counts["documents"] for one in made)
        print(f"{order.tokens_per_pass:,} tokens, {documents:,} documents, {DONATIONS} donations")
        steps = order.sequences_per_pass * 3 // 2 // BATCH

        begun = time.perf_counter()
        opened = Spans.of(release)
        timed("open the release, every file verified", [time.perf_counter() - begun])

        random = np.random.default_rng(1)
        asked = [
            made[n].table("shard_span", ["doc_id"])["doc_id"][int(random.integers(1000))].as_py()
            for n in range(0, DONATIONS, 4)
        ]
        answers = []
        for doc_id in asked:
            begun = time.perf_counter()
            [place] = opened.find(doc_id)
            found = reads(order, place.source, place.start, place.end, steps, BATCH)
            answers.append(time.perf_counter() - begun)
            assert found.first is not None
        timed("answer for a document", answers)

        begun = time.perf_counter()
        table = exposure(order, steps, BATCH)
        timed("what a checkpoint records of all donations", [time.perf_counter() - begun])
        assert sum(table["tokens_read"].to_pylist()) == steps * BATCH * SEQUENCE


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=10**10)
    main(parser.parse_args().tokens)
