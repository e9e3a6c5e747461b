"""What verification costs: ``python benchmarks/verification.py [--statements 100000]``.

Makes a lake of so many signed and logged statements in a temporary folder (``TMPDIR`` says where),
four in five of them made from the ten before, each with one small file. Then verifies it: in one
process, whose CPU time is that of all the work, and in as many as ``DSK_WORKERS`` says.
"""

import argparse
import datetime as dt
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dsk_assets.evidence import keys, sequencer, statements
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.entries import Entry
from dsk_assets.evidence.envelope import seal
from dsk_assets.evidence.log import Log
from dsk_assets.evidence.statements import PREDICATE_TYPE, WrittenFile
from dsk_assets.evidence.verify.lake import verify
from dsk_assets.lake.digests import sha256_bytes, sha256_json, sha256_set
from dsk_assets.settings import load_settings

CHAIN = 5
OTHERS = 9
BATCH = 20_000
CONTENT = b'"a small file"'


def lake(catalog: Catalog, count: int) -> None:
    """Write *count* statements with their files, and log them."""
    sequencer.append_new(catalog)
    signer = keys.signer(catalog.settings, keys.STATEMENTS)
    log = Log(catalog.settings, catalog.lake)
    entries = []
    for path, data, entry in _statements(count, signer):
        target = Path(catalog.lake.root) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        entries += [entry] if entry else []
        if len(entries) == BATCH:
            log.append(entries)
            entries = []
    log.append(entries)


def _statements(count: int, signer: object) -> Iterator[tuple[str, bytes, bytes]]:
    """Path, bytes and entry of the log of each file and statement; a file has no entry."""
    digest = sha256_set([("content.json", sha256_bytes(CONTENT))])
    made: list[tuple[str, str]] = []
    for number in range(count):
        partition = f"p{number:06d}"
        sources = made[-OTHERS - 1 :] if number % CHAIN else []
        dependencies = [
            {"uri": uri, "digest": {"sha256": digest},
             "annotations": {"files": 1, "statement": statement}}
            for uri, statement in dict(sources).items()
        ]  # fmt: skip
        inputs = sorted([one["uri"], digest] for one in dependencies)
        config = {"policy": sha256_bytes(b"policy"), "threshold": 0.5}
        fingerprint = sha256_json(
            {"asset": "study/part", "partition": partition, "config": config,
             "codeVersion": "1", "inputs": inputs}
        )  # fmt: skip
        now = dt.datetime.now(dt.UTC)
        folder = f"curated/study/part/{partition}/{fingerprint[:16]}"
        statement = statements.build(
            asset="study/part", partition=partition, folder=folder,
            files=[WrittenFile("content.json", sha256_bytes(CONTENT), len(CONTENT))],
            dependencies=dependencies, config=config, code_version="1", fingerprint=fingerprint,
            counts={"documents": number}, run_id="benchmark", country="DK", region=None,
            started=now, finished=now, previous=None,
        )  # fmt: skip
        envelope = seal(statement, [signer])
        data = envelope.as_bytes()
        made.append((f"dsk:study/part[{partition}]", envelope.digest))
        del made[: -OTHERS - 1]
        entry = Entry(
            "study/part", partition, 1, PREDICATE_TYPE, sha256_bytes(data), envelope.digest
        )
        yield f"{folder}/content.json", CONTENT, b""
        yield entry.path, data, entry.as_bytes()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--statements", type=int, default=100_000)
    count = parser.parse_args().statements
    home = Path(tempfile.mkdtemp(prefix="dsk-verification-"))
    try:
        settings = load_settings(home=home, lake="")
        lake(Catalog(settings), count)
        for workers, full in ((1, True), (settings.workers, True), (settings.workers, False)):
            catalog = Catalog(load_settings(home=home, lake="", workers=workers))
            wall, cpu = time.perf_counter(), time.process_time()
            report = verify(catalog, full=full)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            assert report.exit_code == 1, report.as_text()
            used = f", {cpu:.1f} s CPU" if workers == 1 else ""
            print(
                f"{report.counts['statements']:,} statements, {workers} workers, "
                f"{'all' if full else 'nothing new'}: {wall:.1f} s wall{used}"
            )
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
