"""Very long and very many documents; at full size by ``make test-scale``."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dsk_assets.consortium.policy import Policy, QualityPolicy
from dsk_assets.filters.run.run import filter_files
from dsk_assets.settings import PROJECT_ROOT
from tests.filter_inputs import SENTENCES, kept_documents, rows, write_lines

FULL = pytest.mark.scale
WAIT = pytest.mark.timeout(1_800)
"""Five minutes, as other tests have, are few for these on a machine that has other work."""
AT_FULL_SIZE = (FULL, WAIT)
LONG = Policy(
    name="long",
    version="1",
    quality=QualityPolicy(rules="danish-records-v1", thresholds={"characters-max": 100_000_000}),
)


def long_text(characters: int) -> str:
    """A text without repetition, line after line."""
    picked = random.Random(5)
    lines: list[str] = []
    size = 0
    while size < characters:
        number = picked.randrange(10**9)
        lines.append(" ".join([*picked.sample(SENTENCES, 5), f"Sag {number} blev lukket."]))
        size += len(lines[-1]) + 1
    return "\n".join(lines)[:characters].strip()


def tiny(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        text = f"Tak for hjælpen med nr. {number % (count // 2)}. {SENTENCES[number % 20]}"
        yield {"id": number, "text": text}


@pytest.mark.parametrize("characters", [2_000_000, pytest.param(40_000_000, marks=AT_FULL_SIZE)])
def test_one_very_long_document(tmp_path: Path, characters: int):
    text = long_text(characters)
    path = write_lines(tmp_path / "in.jsonl", [{"id": "long", "text": text}])
    report = filter_files([path], tmp_path / "out", LONG)
    assert (report.documents, report.kept, report.parts) == (1, 1, 1)
    assert kept_documents(tmp_path / "out") == [{"id": "long", "text": text}]
    (tags,) = rows(tmp_path / "out", "attributes")
    assert tags["n_char"] == len(text)
    assert tags["language"] == "da"


@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=AT_FULL_SIZE)])
def test_very_many_tiny_documents(tmp_path: Path, count: int):
    policy = Policy(name="short", version="1", quality=QualityPolicy(rules="danish-records-v1"))
    path = write_lines(tmp_path / "in.jsonl", tiny(count))
    report = filter_files([path], tmp_path / "out", policy)
    assert report.documents == count
    assert report.dropped["exact-duplicate"] == count // 2
    decisions = rows(tmp_path / "out", "decisions")
    assert [row["id"] for row in decisions] == sorted(str(number) for number in range(count))
    assert all(row["kept"] or row["rule"] for row in decisions)


PROGRAM = """
import resource, sys
from pathlib import Path
from dsk_assets.filters.run import inputs
from dsk_assets.filters.run.run import filter_files

inputs.PART_BYTES = 200_000
filter_files([Path(sys.argv[1])], Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_megabytes(path: Path, folder: Path) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), str(folder)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout)


@FULL
@WAIT
def test_memory_does_not_grow_with_the_number_of_parts(tmp_path: Path):
    """Four times the documents, 25 times the megabytes of one part: the same peak within 10 %."""
    few = write_lines(tmp_path / "few.jsonl", _letters(2_500))
    many = write_lines(tmp_path / "many.jsonl", _letters(10_000))
    least = peak_megabytes(few, tmp_path / "a")
    assert peak_megabytes(many, tmp_path / "b") <= 1.1 * least


JOIN = """
import sys, tempfile, threading
from pathlib import Path
from dsk_assets.filters.join import find_duplicates
from dsk_assets.lake import database
from tests.test_duplicates import many

database.MEMORY_LIMIT = "100MB"
end, most = threading.Event(), [0]

def look():
    while not end.wait(0.02):
        status = Path("/proc/self/status").read_text()
        most[0] = max(most[0], int(status.split("RssAnon:")[1].split()[0]))

with tempfile.TemporaryDirectory() as name:
    sources = []
    for part in range(int(sys.argv[1])):
        (Path(name) / str(part)).mkdir()
        sources.append(many(Path(name) / str(part), 20_000, part))
    looking = threading.Thread(target=look)
    looking.start()
    with find_duplicates(sources, Path(name) / "scratch") as found:
        assert found.counts["near"] == 6667 * len(sources)
    end.set()
    looking.join()
print(most[0] // 1024)
"""


@FULL
@WAIT
def test_memory_of_the_search_for_duplicates_does_not_grow_with_them():
    """Four times the documents, a third of them duplicates: the same peak within 15 %."""
    few, many = (
        int(
            subprocess.run(
                [sys.executable, "-c", JOIN, parts],
                capture_output=True, text=True, check=True, cwd=PROJECT_ROOT,
            ).stdout
        )
        for parts in ("10", "40")
    )  # fmt: skip
    assert many <= 1.15 * few


def _letters(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        picked = random.Random(number)
        yield {"id": number, "text": " ".join(picked.choices(SENTENCES, k=12)) + f" Nr. {number}"}
