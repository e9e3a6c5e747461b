"""A filter run that was killed goes on, and redoes exactly what has changed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dsk_assets.consortium.policy import LanguagePolicy, Policy, QualityPolicy
from dsk_assets.errors import InputError
from dsk_assets.filters import quality
from dsk_assets.filters.run import inputs
from dsk_assets.filters.run.run import DEFAULT_POLICY, filter_files
from dsk_assets.filters.why import examples_in
from dsk_assets.settings import PROJECT_ROOT
from tests.dask_cluster import ENVIRONMENT, until
from tests.filter_inputs import digests, document, rows, write_lines

PROGRAM = """
import sys
from pathlib import Path
from dsk_assets.filters.run import inputs
from dsk_assets.filters.run.run import filter_files
from dsk_assets.lake.engine import Engine

inputs.PART_BYTES = 30_000
if __name__ == "__main__":
    filter_files([Path(sys.argv[1])], Path(sys.argv[2]), engine=Engine(2))
"""


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "PART_BYTES", 30_000)


def results(folder: Path, kind: str = "*") -> dict[str, int]:
    """The kept results with the time they were written at; a receipt stands for each."""
    return {
        path.stem: (folder / f".work/receipts/{path.stem[:2]}/{path.stem}.json").stat().st_mtime_ns
        for path in (folder / ".work" / "results").glob(f"{kind}/*/*.parquet")
        if (folder / f".work/receipts/{path.stem[:2]}/{path.stem}.json").exists()
    }


def children(pid: int) -> list[int]:
    """Ids of all processes below a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            child = int(path.parent.name)
            found += [child, *children(child)]
    return found


def test_a_killed_run_goes_on_and_keeps_every_part_that_was_done(tmp_path: Path):
    path = write_lines(tmp_path / "in.jsonl", map(document, range(500)))
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), str(tmp_path / "out")],
        env={**os.environ, **ENVIRONMENT},
        cwd=PROJECT_ROOT,
    )
    until(lambda: len(results(tmp_path / "out", "judged")) >= 3 or process.poll() is not None)
    below = children(process.pid)
    process.kill()
    process.wait()
    until(lambda: not any(_alive(pid) for pid in below))
    before = results(tmp_path / "out")
    assert 3 <= len(results(tmp_path / "out", "judged")) < len(inputs.blocks(path))
    assert not (tmp_path / "out" / "decisions.parquet").exists()

    filter_files([path], tmp_path / "out")
    after = results(tmp_path / "out")
    assert before == {key: written for key, written in after.items() if key in before}
    filter_files([path], tmp_path / "straight")
    assert digests(tmp_path / "out") == digests(tmp_path / "straight")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def done(tmp_path: Path) -> tuple[Path, Path]:
    path = write_lines(tmp_path / "in.jsonl", map(document, range(120)))
    filter_files([path], tmp_path / "out")
    return path, tmp_path / "out"


def redone(folder: Path, before: dict[str, int], kind: str) -> int:
    return sum(before.get(key) != written for key, written in results(folder, kind).items())


def test_nothing_is_redone_when_nothing_changed(done: tuple[Path, Path]):
    path, out = done
    before, same = results(out), digests(out)
    filter_files([path], out)
    assert results(out) == before
    assert digests(out) == same


def test_a_changed_byte_redoes_its_part_alone(done: tuple[Path, Path]):
    path, out = done
    before = results(out)
    data = path.read_bytes()
    at = data.rindex(b"Vejret bliver bedre")
    path.write_bytes(data[:at] + b"v" + data[at + 1 :])
    filter_files([path], out)
    for kind in ("parts", "language", "quality", "signature", "judged"):
        assert redone(out, before, kind) == 1, kind
    assert len(results(out, "quality")) == len(inputs.blocks(path))


def test_another_threshold_tags_nothing_again(done: tuple[Path, Path]):
    path, out = done
    before = results(out)
    stricter = Policy(
        name="stricter", version="1", quality=QualityPolicy(thresholds={"words-min": 145})
    )
    filter_files([path], out, stricter)
    for kind in ("parts", "language", "quality", "signature"):
        assert redone(out, before, kind) == 0, kind
    assert redone(out, before, "judged") == len(inputs.blocks(path))
    assert {row["rule"] for row in rows(out, "decisions")} >= {"words-min"}
    filter_files([path], out, DEFAULT_POLICY)
    assert "words-min" not in {row["rule"] for row in rows(out, "decisions")}


def test_other_languages_redo_languages_alone(done: tuple[Path, Path]):
    path, out = done
    before = results(out)
    both = Policy(name="both", version="1", language=LanguagePolicy(accept=("da", "en")))
    filter_files([path], out, both)
    assert redone(out, before, "language") == len(inputs.blocks(path))
    assert redone(out, before, "quality") == redone(out, before, "signature") == 0
    assert "accepted-language" not in {row["rule"] for row in rows(out, "decisions")}


def test_other_code_redoes_what_it_makes(done: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch):
    path, out = done
    before = results(out)
    monkeypatch.setattr(quality, "CODE_VERSION", "changed")
    filter_files([path], out)
    assert redone(out, before, "quality") == len(inputs.blocks(path))
    assert redone(out, before, "language") == redone(out, before, "signature") == 0


def test_a_damaged_or_lost_result_is_made_again(done: tuple[Path, Path]):
    path, out = done
    same = digests(out)
    kept = sorted((out / ".work" / "results").glob("*/*/*.parquet"))
    kept[0].write_bytes(b"damaged")
    kept[-1].unlink()
    next((out / "documents").iterdir()).write_bytes(b"cut")
    next((out / "attributes" / "dsk").iterdir()).unlink()
    filter_files([path], out)
    assert digests(out) == same


def test_what_no_longer_belongs_is_removed(done: tuple[Path, Path]):
    path, out = done
    write_lines(path, map(document, range(40)))
    filter_files([path], out)
    filter_files([path], out.parent / "anew")
    assert digests(out) == digests(out.parent / "anew")
    assert len(results(out)) == len(results(out.parent / "anew"))


@pytest.mark.parametrize("step", ["gather", "Memo.forget_others", "whole"])
def test_a_killed_run_leaves_nothing_that_two_policies_decided(
    done: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, step: str
):
    path, out = done
    same = digests(out)
    other = Policy(name="both", version="1", language=LanguagePolicy(accept=("da", "en")))

    class Killed(BaseException): ...

    def end(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as ended, pytest.raises(Killed):
        ended.setattr(f"dsk_assets.filters.run.run.{step}", end)
        filter_files([path], out, other)
    with pytest.raises(InputError, match="no results of a run that ended"):
        examples_in(out)
    left = digests(out)
    assert not set(left.values()) & {same["decisions.parquet"], same["policy.json"]}
    if step != "whole":  # killed before all was there
        assert not [name for name in left if "/" in name]
    filter_files([path], out)
    assert digests(out) == same


NIGHT = """
import os, signal, sys
from pathlib import Path
import pyarrow as pa
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.filters.parts import write_parts
from dsk_assets.lake.engine import Engine
from dsk_assets.lake.store import Zone
from dsk_assets.lake.tables import read_batches
from dsk_assets.settings import load_settings

SCHEMA = pa.schema([("number", pa.int64())])
catalog = Catalog(load_settings(home=Path(sys.argv[1])), run_id="test")
numbers = [int(name) for name in sys.argv[3].split(",")]

def parts(out):
    for number, value in enumerate(numbers):
        out.table("document", [pa.table({"number": [value]}, schema=SCHEMA)], SCHEMA, part=number)

def work(path):
    (number,) = next(read_batches(path))["number"].to_pylist()
    if number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    print(number)
    return pa.table({"number": [number * number]}, schema=SCHEMA)

def squares(out):
    for _ in write_parts(out, "square", SCHEMA, work, source, "document", Engine()):
        pass

how = dict(zone=Zone.CURATED, code_version="1")
config = {"numbers": numbers}
source = catalog.materialise("a/b", "x", inputs=[], config=config, produce=parts, **how)
made = catalog.materialise("a/c", "x", inputs=[source], config={}, produce=squares, **how)
print(made.table("square")["number"].to_pylist())
"""


def night(home: Path, dies_at: int, numbers: str) -> tuple[int, list[str]]:
    command = [sys.executable, "-u", "-c", NIGHT, str(home), str(dies_at), numbers]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=PROJECT_ROOT)
    return done.returncode, done.stdout.split("\n")[:-1]


def test_a_killed_night_works_no_part_of_a_donation_twice(tmp_path: Path):
    code, worked = night(tmp_path, 5, "3,4,5,6")
    assert (code, worked) == (-signal.SIGKILL, ["3", "4"])
    assert list((tmp_path / "parts").rglob("*.parquet"))
    assert night(tmp_path, 0, "3,4,7,6") == (0, ["7", "6", "[9, 16, 49, 36]"])
    assert not list((tmp_path / "parts").rglob("*.parquet"))
