"""What evidence costs: a statement, an entry of the log, a proof.

``python benchmarks/evidence.py [--statements 2000] [--entries 1000000]`` measures on a lake in a
temporary folder (``TMPDIR`` says where):

* statements: the signed statement of a materialisation with ten inputs and three files, in CPU
  and wall time, beside the wall time of writing an unsigned file of the same size in the same way;
* the log: taking those statements up; then appending as many entries as asked for;
* proofs: looking a statement up and proving it, in the log of that size.
"""

import argparse
import datetime as dt
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dsk_assets.evidence import keys, merkle, statements
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.entries import Entry
from dsk_assets.evidence.envelope import seal
from dsk_assets.evidence.log import Log
from dsk_assets.evidence.log_index import LogIndex
from dsk_assets.evidence.proofs import prove
from dsk_assets.evidence.sequencer import append_new
from dsk_assets.evidence.statements import PREDICATE_TYPE, WrittenFile
from dsk_assets.lake.digests import sha256_text
from dsk_assets.settings import load_settings

BATCH = 50_000


@contextmanager
def timed(what: str, count: int) -> Iterator[Callable[[], float]]:
    """Print CPU and wall time of the block, and for each of *count*."""
    wall, cpu = time.perf_counter(), time.process_time()
    taken = [0.0]
    yield lambda: taken[0]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    taken[0] = wall
    print(
        f"{what:<46} {cpu:8.2f} s CPU {wall:8.2f} s wall "
        f"{1e3 * cpu / count:8.3f} ms CPU {1e3 * wall / count:8.3f} ms wall each"
    )


def statement(number: int) -> dict[str, object]:
    """A statement such as a materialisation has."""
    now = dt.datetime.now(dt.UTC)
    return statements.build(
        asset="a/benchmark",
        partition=f"dsk-2026-{number:06d}@1.0.0",
        folder=f"curated/a/benchmark/dsk-2026-{number:06d}@1.0.0/0123456789abcdef",
        files=[WrittenFile(f"table/part-{i:05d}.parquet", sha256_text(f"{number} {i}"), 4096, 7)
               for i in range(3)],
        dependencies=[
            {"uri": f"dsk:a/input[{i}]", "digest": {"sha256": sha256_text(str(i))},
             "annotations": {"files": 1, "statement": sha256_text(f"s{i}")}} for i in range(10)],
        config={"policy": sha256_text("policy"), "threshold": 0.5},
        code_version="1",
        fingerprint=sha256_text(f"f{number}"),
        counts={"documents": number, "tokens": 17},
        run_id="benchmark",
        country="DK",
        region=None,
        started=now,
        finished=now,
        previous=None,
    )  # fmt: skip


def measure_statements(catalog: Catalog, count: int) -> None:
    """Build, sign and write *count* statements; then take them up into the log."""
    signer = keys.signer(catalog.settings, keys.STATEMENTS)
    seal(statement(0), [signer])
    with timed("statement: build, canonical JSON, sign", count):
        sealed = [seal(statement(i), [signer]).as_bytes() for i in range(count)]
    print(f"{'bytes of a signed statement':<46} {sum(map(len, sealed)) / count:8.0f}")
    with timed("write one such file, synced, unsigned bytes", count):
        for i, data in enumerate(sealed):
            with catalog.lake.writing(f"evidence/plain/{i:06d}/000001.json") as path:
                path.write_bytes(bytes(len(data)))
    with timed("write the signed statement in the same way", count):
        for i, data in enumerate(sealed):
            name = f"evidence/statements/a/benchmark/dsk-2026-{i:06d}@1.0.0/000001.json"
            with catalog.lake.writing(name, replace=False) as path:
                path.write_bytes(data)
    with timed("take these statements up into the log", count):
        append_new(catalog)
    with timed("look again, with nothing new", 1):
        append_new(catalog)


def measure_log(catalog: Catalog, count: int) -> None:
    """Append entries until the log has *count*, then prove random ones."""
    log = Log(catalog.settings, catalog.lake)
    start = log.tree().size
    with timed(f"append {count - start:,} entries", count - start) as taken:
        for first in range(start, count, BATCH):
            log.append([entry(i) for i in range(first, min(first + BATCH, count))])
    print(f"{'entries a second (wall)':<46} {(count - start) / taken():8.0f}")
    with timed("the local index brought up to date", count - start), LogIndex(log).opened():
        pass
    places = random.Random(1).sample(range(start, count), 200)
    with timed("inclusion proof, cold, tiles read each time", len(places)):
        for place in places:
            log.proof(place)
    with timed("statement looked up by name and proven", len(places)):
        for place in places:
            prove(catalog, "a/entry", str(place))
    tree = log.tree()
    root = tree.root()
    with timed("inclusion proof verified", len(places)):
        for place in places:
            leaf = merkle.leaf_hash(entry(place))
            assert merkle.verify_inclusion(leaf, place, count, tree.inclusion(place), root)


def entry(number: int) -> bytes:
    """An entry such as a statement has."""
    digest = sha256_text(str(number))
    return Entry("a/entry", str(number), 1, PREDICATE_TYPE, digest, digest).as_bytes()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--statements", type=int, default=2000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="dsk-evidence-"))
    try:
        catalog = Catalog(load_settings(home=home, lake=""))
        measure_statements(catalog, arguments.statements)
        measure_log(catalog, arguments.entries)
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
