"""The catalog: statements, freshness, verified reads, crashes."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dsk_assets.errors import CorruptedError, MissingInputError, SettingsError, StorageError
from dsk_assets.evidence import clock, statements
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot, Stale
from dsk_assets.evidence.statements import Source
from dsk_assets.lake.digests import sha256_bytes, sha256_set
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings
from tests.support import seed

SCHEMA = pa.schema({"n": pa.int64()})


def numbers(catalog: Catalog, values: list[int], *inputs: Snapshot | Source, **changes) -> Snapshot:
    def produce(out: Output) -> None:
        out.table("number", [pa.table({"n": values}, SCHEMA)], SCHEMA)
        out.count(total=sum(values))

    arguments = {"config": {}, "code_version": "1", "inputs": inputs} | changes
    return catalog.materialise("a/numbers", "k", zone=Zone.CURATED, produce=produce, **arguments)


def test_a_fresh_partition_is_not_made_again(catalog: Catalog):
    first = numbers(catalog, [1, 2])
    assert numbers(catalog, [3]).digest == first.digest
    assert catalog.made == [("a/numbers", "k")]


@pytest.mark.parametrize(
    "change",
    [{"config": {"x": 1}}, {"code_version": "2"}, {"inputs": [Source("file", "0" * 64)]}],
)
def test_config_code_and_inputs_make_it_stale(catalog: Catalog, change):
    numbers(catalog, [1])
    assert numbers(catalog, [2], **change).table("number")["n"].to_pylist() == [2]
    assert len(catalog.history("a/numbers", "k")) == 2


def test_a_changed_byte_makes_it_stale_and_unreadable(catalog: Catalog):
    snapshot = numbers(catalog, [1])
    path = snapshot.path("number/part-00000.parquet")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptedError, match="other bytes than its statement says"):
        snapshot.table("number")
    with pytest.raises(Stale):
        numbers(catalog.planning(), [1])
    assert numbers(catalog, [1]).table("number")["n"].to_pylist() == [1]


def test_same_input_same_digest_on_another_lake(catalog: Catalog, tmp_path: Path):
    from dsk_assets.settings import load_settings

    other = Catalog(load_settings(home=tmp_path / "elsewhere"))
    assert numbers(catalog, [5, 6]).digest == numbers(other, [5, 6]).digest


def test_the_statement_names_every_input_and_file(catalog: Catalog):
    inputs = [seed(catalog, "a/in", f"p{i}", files={"x.json": i}) for i in range(150)]
    snapshot = numbers(catalog, [1], *inputs)
    definition = snapshot.statement["predicate"]["buildDefinition"]
    named = {item["uri"]: item["digest"]["sha256"] for item in definition["resolvedDependencies"]}
    assert named == {f"dsk:a/in[p{i}]": inputs[i].digest for i in range(150)}
    (subject,) = snapshot.statement["subject"]
    path = catalog.lake.local_path(subject["name"], subject["digest"]["sha256"])
    assert sha256_bytes(path.read_bytes()) == subject["digest"]["sha256"]


def test_a_part_of_an_input_stays_fresh_when_another_part_changes(catalog: Catalog):
    def two(x: int) -> Snapshot:
        return seed(catalog, "a/two", files={"left.json": 1, "right.json": x})

    assert two(1).only("left").digest == two(2).only("left").digest
    assert two(1).digest != two(2).digest


def test_an_input_of_which_a_part_was_read_says_which(catalog: Catalog):
    whole = seed(catalog, "a/two", files={"left.json": 1, "left2.json": 2, "right.json": 3})
    part = whole.only("left")
    assert part.dependency()["annotations"]["only"] == ["left"]
    assert part.only("left.json", "right").dependency()["annotations"]["only"] == ["left.json"]
    assert "only" not in whole.dependency()["annotations"]


def test_a_failing_function_leaves_the_earlier_materialisation(catalog: Catalog):
    numbers(catalog, [1])

    def broken(out: Output) -> None:
        out.table("number", [pa.table({"n": [9]}, SCHEMA)], SCHEMA)
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        catalog.materialise(
            "a/numbers", "k", zone=Zone.CURATED, inputs=[], config={}, code_version="2",
            produce=broken,
        )  # fmt: skip
    assert catalog.require("a/numbers", "k").table("number")["n"].to_pylist() == [1]


def test_killed_between_output_and_statement_the_next_run_repairs_it(catalog: Catalog, settings):
    script = """
import os, signal, sys
import pyarrow as pa
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings

def produce(out):
    out.json("x.json", [1, 2, 3])
    if sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)

catalog = Catalog(load_settings(home=sys.argv[1]))
made = catalog.materialise("a/x", None, zone=Zone.CURATED, inputs=[], config={},
                           code_version="1", produce=produce)
print(made.digest)
"""
    command = [sys.executable, "-c", script, str(settings.home)]
    killed = subprocess.run([*command, "kill"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert catalog.latest("a/x") is None
    done = subprocess.run([*command, "go on"], check=True, capture_output=True, text=True)
    assert catalog.require("a/x").json("x.json") == [1, 2, 3]
    assert catalog.require("a/x").digest == done.stdout.strip()
    left = [name for _, _, names in os.walk(settings.home / "lake") for name in names]
    assert not [name for name in left if name.startswith(".tmp-")]


def test_a_full_disk_is_named_and_harms_nothing(catalog: Catalog, settings):
    numbers(catalog, [1])
    script = """
import resource, signal, sys
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.errors import StorageError
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
catalog = Catalog(load_settings(home=sys.argv[1]))
try:
    catalog.materialise("a/numbers", "k", zone=Zone.CURATED, inputs=[], config={},
                        code_version="2", produce=lambda out: out.json("big.json", "x" * 200_000))
except StorageError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(settings.home)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "could not write curated/a/numbers/k/" in done.stdout
    assert "free some space and run again" in done.stdout
    assert catalog.require("a/numbers", "k").table("number")["n"].to_pylist() == [1]


def test_killed_before_its_first_statement_a_partition_is_not_there(catalog: Catalog, settings):
    """A crash leaves a folder for the statement; the next run must not take it for one."""
    script = """
import os, signal, sys
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings

def produce(out):
    out.json("x.json", 1)
    with out.file("y.bin") as path:
        path.write_bytes(b"half")
        if sys.argv[2] == "file":
            os.kill(os.getpid(), signal.SIGKILL)

catalog = Catalog(load_settings(home=sys.argv[1]))
next_statement = Catalog._next_statement
def last(self, *arguments):
    path = next_statement(self, *arguments)
    with self.lake.writing(path, replace=False):
        os.kill(os.getpid(), signal.SIGKILL)
Catalog._next_statement = last
catalog.materialise("a/numbers", "k", zone=Zone.CURATED, inputs=[], config={},
                    code_version="1", produce=produce)
"""
    lake = settings.home / "lake"
    for moment in ("file", "statement"):
        killed = subprocess.run([sys.executable, "-c", script, str(settings.home), moment])
        assert killed.returncode == -signal.SIGKILL
        assert list(lake.rglob(".tmp-*"))
        assert catalog.partitions("a/numbers") == []
        assert catalog.latest("a/numbers", "k") is None
    numbers(catalog, [1])
    assert catalog.partitions("a/numbers") == ["k"]
    assert list(lake.rglob(".tmp-*")) == []


def test_a_broken_statement_is_named(catalog: Catalog, settings):
    numbers(catalog, [1])
    path = settings.home / "lake/evidence/statements/a/numbers/k/000001.json"
    path.write_text("{}")
    with pytest.raises(CorruptedError, match="not a readable statement"):
        catalog.latest("a/numbers", "k")


def test_what_is_missing_is_named(catalog: Catalog):
    with pytest.raises(MissingInputError, match=r"a/numbers\[k\] has not been materialised yet"):
        catalog.require("a/numbers", "k")


def test_statements_form_a_chain(catalog: Catalog):
    first, second = numbers(catalog, [1]), numbers(catalog, [1], code_version="2")
    assert first.statement["predicate"]["dsk"]["previous"] is None
    assert second.statement["predicate"]["dsk"]["previous"] == first.statement_digest


def test_restricted_files_are_for_their_owner_alone(catalog: Catalog):
    snapshot = seed(catalog, "a/secret", zone=Zone.RESTRICTED, files={"x.json": 1})
    assert snapshot.path("x.json").stat().st_mode & 0o077 == 0


def test_two_writers_make_one_materialisation(catalog: Catalog, settings):
    script = """
import sys
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings

catalog = Catalog(load_settings(home=sys.argv[1]))
for i in range(20):
    catalog.materialise("a/race", str(i), zone=Zone.CURATED, inputs=[], config={},
                        code_version="1", produce=lambda out: out.json("x.json", i))
print(len(catalog.made))
"""
    command = [sys.executable, "-c", script, str(settings.home)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    made = [int(process.communicate()[0]) for process in both]
    assert sum(made) == 20
    assert all(len(catalog.history("a/race", str(i))) == 1 for i in range(20))


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
def test_a_set_digest_ignores_order(items: dict[str, str]):
    pairs = list(items.items())
    assert sha256_set(pairs) == sha256_set(reversed(pairs))


@hypothesis_settings(max_examples=25)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_different_bytes_different_digest(a: bytes, b: bytes):
    assert (sha256_bytes(a) == sha256_bytes(b)) == (a == b)


def test_bytes_that_were_changed_under_the_same_time_are_found(catalog: Catalog):
    path = seed(catalog, "a/x", files={"x.json": 1}).path("x.json")
    before = path.stat()
    path.write_bytes(b"2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(CorruptedError, match="other bytes"):
        catalog.require("a/x").json("x.json")


def test_replace_is_refused_where_a_name_is_taken(catalog: Catalog):
    with catalog.lake.writing("evidence/x", replace=False) as path:
        path.write_text("1")
    with (
        pytest.raises(FileExistsError),
        catalog.lake.writing("evidence/x", replace=False) as path,
    ):
        path.write_text("2")
    assert catalog.lake.read("evidence/x") == b"1"


def test_an_unwritable_lake_is_named(settings, monkeypatch):
    catalog = Catalog(settings)
    (settings.home / "lake" / "curated").write_text("a file where a folder should be")
    with pytest.raises(StorageError, match="could not write curated/a/numbers/k"):
        numbers(catalog, [1])


def test_a_home_that_is_no_folder_is_named(tmp_path: Path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StorageError, match=r"the lake cannot be made: .*/home/lake \(Not a dir"):
        Catalog(load_settings(home=tmp_path / "home"))


def test_statements_hold_no_text_of_counts_but_numbers(catalog: Catalog):
    snapshot = numbers(catalog, [1, 2, 3])
    assert json.dumps(snapshot.counts) == '{"total": 6}'


def test_a_large_statement_is_decoded_once_until_its_bytes_change(catalog: Catalog) -> None:
    inputs = [Source(f"delivery-{number}", "0" * 64) for number in range(1000)]

    def write(number: int) -> Snapshot:
        return catalog.materialise(
            "corpus/tokenizer", None, zone=Zone.CURATED, inputs=inputs,
            config={"n": number}, code_version="1", produce=lambda out: out.json("a.json", number),
        )  # fmt: skip

    write(1)
    first = catalog.require("corpus/tokenizer")
    assert catalog.require("corpus/tokenizer") is first
    assert catalog.planning().require("corpus/tokenizer") is first
    write(2)
    assert catalog.require("corpus/tokenizer").json("a.json") == 2
    path = Path(catalog.lake.root) / "evidence/statements/corpus/tokenizer/_/000002.json"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorruptedError, match="not a readable statement"):
        catalog.require("corpus/tokenizer")


def after_a_step_back(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, step: dt.timedelta
) -> Snapshot:
    """What was made before the clock was stepped back by *step*."""
    with monkeypatch.context() as ahead:
        ahead.setattr(clock, "now", lambda after: dt.datetime.now(dt.UTC) + step)
        return numbers(catalog, [1])


def test_a_clock_that_was_stepped_back_a_little_is_waited_for(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
):
    first = after_a_step_back(catalog, monkeypatch, dt.timedelta(seconds=0.3))
    second = numbers(catalog, [2], code_version="2")
    times = [one.statement["predicate"]["runDetails"]["metadata"] for one in (first, second)]
    assert times[0]["finishedOn"] <= times[1]["startedOn"] <= times[1]["finishedOn"]


def test_nothing_is_made_while_the_clock_is_behind_its_inputs(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
):
    late = after_a_step_back(catalog, monkeypatch, dt.timedelta(hours=2))
    with pytest.raises(SettingsError, match=r"clock is 7,\d\d\d seconds behind .* set the clock"):
        catalog.materialise(
            "b/sum",
            zone=Zone.CURATED,
            inputs=[late],
            config={},
            code_version="1",
            produce=lambda out: out.json("sum.json", 1),
        )
    with pytest.raises(SettingsError, match="clock"):
        numbers(catalog, [2], code_version="2")
    assert catalog.latest("b/sum") is None and catalog.latest("a/numbers", "k") == late


def test_code_counts_as_changed_when_code_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    code = tmp_path / "dsk_assets" / "code.py"
    code.parent.mkdir()
    code.write_text("1")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(statements, "PROJECT_ROOT", tmp_path)
    (tmp_path / "export.zip").write_text("what a command wrote here")
    assert statements.code_revision.__wrapped__()["dirty"] is False
    (code.parent / "new.py").write_text("2")
    assert statements.code_revision.__wrapped__()["dirty"] is True
