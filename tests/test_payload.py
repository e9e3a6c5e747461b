"""The training payload: one job folder, whatever kills it, however many share the work."""

import errno
import json
import math
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsk_assets.consortium.reading import read_config
from dsk_assets.corpus.release import open_release
from dsk_assets.errors import CorruptedError, NotAdmittedError, StorageError, TrainingError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.digests import canonical_json
from dsk_assets.lake.store import Zone
from dsk_assets.settings import PROJECT_ROOT
from dsk_assets.training import answers, base_model, evaluation, launch, local, payload
from dsk_assets.training.energy import Meter
from dsk_assets.training.job import METRICS, RECEIPT, Job, weights_digest
from dsk_assets.training.order import Division
from dsk_assets.training.packing import Contents, pack
from dsk_assets.training.plot import loss_curve
from dsk_assets.training.released import held_out_below, release_dataset, release_order
from dsk_assets.training.run import checkpoints, train
from tests.corpora import (
    TRAINING,
    donate,
    in_process,
    open_catalog,
    released,
    texts,
    tokenise,
    write,
)
from tests.support import admit, seed

A, B = "dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0"
FORK = multiprocessing.get_context("fork")
HERE = payload.Where("DK")


def spread(name: str, number: int) -> dict[str, str]:
    """Documents whose ids are spread over all ids, as digests are."""
    made = texts(name, number).values()
    return {f"{place * 256 // number:02x}{0:030x}": text for place, text in enumerate(made)}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A release of two donations of different domains, of which a fifth is held out."""
    catalog = open_catalog(tmp_path_factory.mktemp("payload"))
    write(catalog.settings.consortium / "training.yaml", TRAINING | {"held_out": 0.2})
    for donation, domain, number in ((A, ["law"], 25), (B, None, 10)):
        donate(catalog, donation, spread("a", number))
        manifest = {"dataset": {"domain": domain}}
        landing = seed(
            catalog, "donations/landing", donation,
            zone=Zone.RESTRICTED, files={"manifest.json": manifest},
        )  # fmt: skip
        assert landing.json("manifest.json") == manifest
    tokenise_again(catalog)
    released(catalog)
    base_model.base_model(catalog)
    return catalog


def tokenise_again(catalog: Catalog) -> None:
    """Landing was replaced, so the screening gates judge it again."""
    from dsk_assets.gates.admitted import admitted

    for donation in (A, B):
        admit(catalog, "approval", catalog.require("donations/landing", donation))
        admitted(catalog, donation)
    tokenise(catalog, A, B)


def job(catalog: Catalog, folder: Path, **settings: Any) -> Job:
    """A job over the release, from scratch, with checkpoints after 4, 8 and 12 steps."""
    from dsk_assets.training.config import TrainingConfig

    config = TrainingConfig.model_validate(TRAINING | {"held_out": 0.2} | settings)
    release = open_release(catalog, "1.0.0")
    order = release_order(release, config.seed, config.sequence_length, config.held_out)
    contents = Contents(
        run="test-1.0.0", identity="x", config=config, release=release, order=order,
        domains={A: "law", B: "unspecified"}, base=None, base_digest=None, previous=None,
        targets=config.checkpoint_steps,
    )  # fmt: skip
    return pack(folder / "job", contents)


def weights(made: Job) -> list[str]:
    return [weights_digest(made.receipt(step)["files"]) for step in made.targets]


def metrics(made: Job) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (made.out / METRICS).read_text().splitlines()]


def losses(made: Job) -> list[float]:
    return [row["loss"] for row in metrics(made) if "loss" in row]


@pytest.fixture(scope="module")
def straight(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job whose payload ran without a stop."""
    made = job(catalog, tmp_path_factory.mktemp("straight"))
    payload.run(made.folder, HERE)
    return made


def forked(target: Callable[[], None]) -> int:
    """Run *target* in a fork of this process, which has PyTorch loaded; its exit status."""
    process = FORK.Process(target=target)
    process.start()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_in(name: str, call: int) -> Callable[[Job], None]:
    """The payload, killed at the *call*-th call of a function of its module."""

    def run(made: Job) -> None:
        original, calls = getattr(payload, name), iter(range(1, call))
        setattr(payload, name, lambda *given: (original if next(calls, 0) else die)(*given))
        payload.run(made.folder, HERE)

    return run


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("_append", 1),  # before any step is noted
        ("_append", 3),  # between checkpoints
        ("_publish", 1),  # a checkpoint is written but has not its name
        ("_publish", 2),
        ("_append", 22),
        ("sha256_file", 3),  # half a checkpoint
        ("_publish", 3),
    ],
)
def test_killed_at_any_point_it_ends_with_the_same_weights(
    catalog: Catalog, straight: Job, tmp_path: Path, name: str, call: int
) -> None:
    made = job(catalog, tmp_path)
    assert made.digest == straight.digest
    assert forked(lambda: killed_in(name, call)(made)) == -signal.SIGKILL
    with (made.out / METRICS).open("a") as file:
        file.write('{"step": 3, "lo')  # what a power cut leaves of a line
    payload.run(made.folder, HERE)
    assert weights(made) == weights(straight)
    assert metrics(made) == metrics(straight)
    assert not list(made.out.glob(".tmp-*"))


def test_a_full_disk_is_named_and_nothing_is_lost(
    catalog: Catalog, straight: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job(catalog, tmp_path)
    original = payload._publish

    def full(folder: Path, target: Path) -> None:
        if target == made.checkpoint(8):
            raise OSError(errno.ENOSPC, "full")
        original(folder, target)

    with monkeypatch.context() as patch:
        patch.setattr(payload, "_publish", full)
        with pytest.raises(StorageError, match="No space left on device"):
            payload.run(made.folder, HERE)
    assert "No space left" in str(launch.failure(made, "ended"))
    assert made.checkpoint(4).is_dir()
    payload.run(made.folder, HERE)
    assert weights(made) == weights(straight)
    assert not (made.out / "error.txt").exists()


def test_a_damaged_checkpoint_is_trained_again(
    catalog: Catalog, straight: Job, tmp_path: Path
) -> None:
    made = job(catalog, tmp_path)
    shutil.copytree(straight.out, made.out, dirs_exist_ok=True)
    (made.checkpoint(8) / "model" / "config.json").write_text("{}")
    with pytest.raises(CorruptedError, match=r"model/config\.json is not as its receipt says"):
        made.receipt(8)
    payload.run(made.folder, HERE)
    assert weights(made) == weights(straight)


def test_a_receipt_says_what_ran_where(straight: Job) -> None:
    first, second, _ = (straight.receipt(step) for step in straight.targets)
    assert first["where"] == {"country": "DK", "region": None}
    assert first["job"] == straight.digest
    assert first["from"] == {"step": 0, "digest": None}
    assert second["from"] == {"step": 4, "digest": weights_digest(first["files"])}
    assert (first["processes"], first["precision"]) == (1, "float32")
    assert first["flop"] == 6 * first["parameters"] * 4 * 4 * 32
    assert first["energy"] == "not measured" or first["energy"]["joule"] > 0
    assert set(first["libraries"]) == {"python", "torch", "transformers", "numpy", "safetensors"}


def test_a_changed_input_is_refused_before_training(catalog: Catalog, tmp_path: Path) -> None:
    made = job(catalog, tmp_path)
    shard = made.folder / "shards/0000/00000.bin"
    data = bytearray(shard.read_bytes())
    shard.unlink()
    data[5] ^= 1
    shard.write_bytes(data)
    with pytest.raises(CorruptedError, match=r"shards/0000/00000\.bin"):
        payload.run(made.folder, HERE)
    assert "shards/0000/00000.bin" in (made.out / "error.txt").read_text()
    assert not (made.out / METRICS).exists()
    with pytest.raises(TrainingError, match="not a job folder"):
        Job.read(tmp_path)


def test_the_folder_carries_all_the_code_that_runs(catalog: Catalog, tmp_path: Path) -> None:
    """Runs the real command with the folder's own modules, and names each one it imported."""
    made = job(catalog, tmp_path)
    copied = shutil.copytree(made.folder, tmp_path / "elsewhere")
    code = (
        "import sys, runpy; sys.argv[0] = 'payload'\n"
        "try: runpy.run_module('dsk_assets.training.payload', run_name='__main__')\n"
        "except SystemExit as end: status = end.code\n"
        "own = {m.__file__ for n, m in list(sys.modules.items()) if n.startswith('dsk_assets')}\n"
        "assert all(f.startswith(sys.path[1]) for f in own if f), own\n"
        "assert not {'pyarrow', 'duckdb', 'polars', 'dagster'} & set(sys.modules)\n"
        "sys.exit(status)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(copied)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(copied / "code")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert Job.read(copied).receipt(12)["where"]["country"] is None


def member(made: Job, rank: int, port: int, dies_at: int | None) -> None:
    """One of two processes that train together; rank 1 may be killed in the middle."""
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    if rank == 1 and dies_at:
        from dsk_assets.training.trainer import Trainer

        original = Trainer._gradients
        Trainer._gradients = (  # type: ignore[method-assign]
            lambda self, step: die() if step == dies_at else original(self, step)
        )
    os._exit(payload.main([str(made.folder)]))


def pair(made: Job, dies_at: int | None = None) -> list[int | None]:
    from tests.object_store import free_ports

    [port] = free_ports(1)
    ranks = [FORK.Process(target=member, args=(made, rank, port, dies_at)) for rank in range(2)]
    for one in ranks:
        one.start()
    for one in ranks:
        one.join(120)
    return [one.exitcode for one in ranks]


def test_two_processes_learn_what_one_learns_also_after_a_kill(
    catalog: Catalog, straight: Job, tmp_path: Path
) -> None:
    whole = job(catalog, tmp_path / "whole", processes=2)
    assert pair(whole) == [0, 0]
    assert losses(whole) == pytest.approx(losses(straight), rel=1e-5)
    stopped = job(catalog, tmp_path / "stopped", processes=2)
    assert pair(stopped, dies_at=7) == [1, -signal.SIGKILL]
    assert not stopped.checkpoint(8).exists()
    assert pair(stopped) == [0, 0]
    assert weights(stopped) == weights(whole)
    assert stopped.receipt(12)["processes"] == 2


def test_torchrun_starts_the_processes_that_training_yaml_wants(
    catalog: Catalog, tmp_path: Path
) -> None:
    made = job(catalog, tmp_path, processes=2, steps=4, checkpoint_every=2)
    with pytest.raises(TrainingError, match="wants 2 processes and 1 were started"):
        payload.run(made.folder, HERE)
    assert list(local.launch(made, catalog.settings)) == [2, 4]
    assert made.receipt(4)["processes"] == 2


@pytest.mark.parametrize("rows", [1, 2])
def test_gradients_added_up_are_those_of_the_batch(
    catalog: Catalog, straight: Job, tmp_path: Path, rows: int
) -> None:
    made = job(catalog, tmp_path, micro_batch_size=rows)
    payload.run(made.folder, HERE)
    assert losses(made) == pytest.approx(losses(straight), rel=1e-5)


def test_a_killed_payload_is_named_and_the_next_run_goes_on(
    catalog: Catalog, straight: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job(catalog, tmp_path)
    kill = "import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(local, "_command", lambda *_: [sys.executable, "-c", kill])
    with pytest.raises(TrainingError, match=r"killed by signal 9 .* it goes on from step 0"):
        list(local.launch(made, catalog.settings))
    shutil.copytree(straight.checkpoint(4), made.checkpoint(4))
    with pytest.raises(TrainingError, match="goes on from step 4"):
        list(local.launch(made, catalog.settings))


def test_a_run_that_is_given_up_ends_its_payload(catalog: Catalog, tmp_path: Path) -> None:
    made = job(catalog, tmp_path, steps=100_000, checkpoint_every=2)
    running = local.launch(made, catalog.settings)
    assert next(running) == 2
    running.close()
    with payload._alone(made):  # nobody holds the folder any more
        pass


@given(
    share=st.integers(1, 6), processes=st.integers(1, 5), parts=st.integers(1, 4),
    step=st.integers(1, 10**9),
)  # fmt: skip
def test_the_division_can_be_turned_round(
    share: int, processes: int, parts: int, step: int
) -> None:
    size = share * parts * processes
    division = Division(size, processes, share)
    read = [
        sample
        for rank in range(processes)
        for part in division.parts(step, rank)
        for sample in part
    ]
    assert read == list(range((step - 1) * size, step * size))
    seats = [division.seat(sample) for sample in read]
    assert len(set(seats)) == size
    assert [division.sample(seat) for seat in seats] == read
    assert {seat.step for seat in seats} == {step}


def test_held_out_documents_are_measured_and_never_read(catalog: Catalog) -> None:
    train(catalog, "1.0.0", in_process)
    release = open_release(catalog, "1.0.0")
    data = release_dataset(release, seed=7, sequence_length=32, batch_size=4, held_out=0.2)
    below = held_out_below(0.2)
    assert below == f"{int(0.2 * 16**32):032x}"
    fed = [data.sequence(0, number) for number in range(data.order.sequences_per_pass)]
    stored = []
    for number, one in enumerate(release.members):
        spans = one.shards.table("shard_span").to_pylist()
        held = [span for span in spans if span["doc_id"] < below]
        assert 0 < len(held) < len(spans) / 2
        tokens = sum(span["end"] - span["start"] for span in held)
        assert data.order.sources[number].held_out == tokens
        assert sum(map(len, data.held_out(number))) == tokens
        everything = np.concatenate([np.fromfile(*file) for file in one.files()])
        assert np.array_equal(np.concatenate(list(data.held_out(number))), everything[:tokens])
        stored.append(everything[tokens:])
        for span in spans:
            last = [
                found
                for found in answers.of_document(catalog, span["doc_id"])
                if found.donation == one.donation
            ][-1]
            assert (last.tokens_read == 0) == (span["doc_id"] < below)
    trained_on = np.concatenate(stored)
    assert np.array_equal(np.concatenate(fed)[: len(trained_on)], trained_on)
    run = catalog.require("training/run", "test-1.0.0")
    rows = run.table("held_out").to_pylist()
    assert [(row["step"], row["domain"]) for row in rows] == [
        (step, domain) for step in (4, 8, 12) for domain in ("law", "unspecified")
    ]
    assert rows[-2]["loss"] < rows[0]["loss"]
    last = catalog.require("training/checkpoint", checkpoints(catalog)[-1])
    assert last.json("checkpoint.json")["heldOutLoss"]["law"] == rows[-2]["loss"]
    assert last.counts["held_out_loss"]["law"] == round(rows[-2]["loss"], 4)
    receipt = last.byproduct(RECEIPT)
    assert receipt["files"]["model/model.safetensors"] == next(
        file.sha256 for file in last.files if file.name == "model/model.safetensors"
    )
    drawn = loss_curve(run.table("loss").to_pylist(), rows)
    assert drawn.count("<polyline") == 3
    assert "held out: law" in drawn


def test_receipts_that_differ_do_not_make_another_checkpoint(
    catalog: Catalog, tmp_path: Path
) -> None:
    train(catalog, "1.0.0", in_process)
    key = checkpoints(catalog)[0]
    first = catalog.require("training/checkpoint", key)
    first.path("model/config.json").unlink()
    again = train(catalog, "1.0.0", in_process)
    repaired = catalog.require("training/checkpoint", key)
    assert repaired.digest == first.digest
    assert repaired.byproduct(RECEIPT)["started"] >= first.byproduct(RECEIPT)["started"]
    assert again.json("run.json")["checkpoints"][0]["digest"] == first.digest


def test_a_model_is_tried_and_the_counts_are_kept(catalog: Catalog) -> None:
    train(catalog, "1.0.0", in_process)
    key = checkpoints(catalog)[-1]
    checkpoint = catalog.require("training/checkpoint", key)
    with pytest.raises(NotAdmittedError):
        evaluation.evaluation(catalog, key)
    admit(catalog, "checkpoint", checkpoint)
    question = {"id": "q", "clauses": ["1.1"], "prompt": "det var en",
                "better": "mørk og stormfuld", "worse": "xyzzy qwerty"}  # fmt: skip
    swapped = question | {"id": "r", "better": question["worse"], "worse": question["better"]}
    values = {"charter": "c", "version": "1", "questions": [question, swapped]}
    write(catalog.settings.consortium / "values.yaml", values)
    made = evaluation.evaluation(catalog, key)
    content = made.json("evaluation.json")
    assert [one["better"] for one in content["values"]["questions"]] == [True, False]
    assert (made.counts["questions"], made.counts["better"]) == (2, 1)
    memorised = content["memorisation"]
    assert memorised["promptTokens"] == 16
    assert memorised["heldOut"]["prompts"] == 9
    assert memorised["trained"]["prompts"] == 26, "a run of more than a pass has read the rest"
    assert memorised["trained"]["exact"] == 0
    law = content["prediction"][A]
    assert law["loss"] == pytest.approx(
        checkpoint.json("checkpoint.json")["heldOutLoss"]["law"], rel=1e-4
    )
    assert 0 < law["bitsPerByte"] < law["loss"] / math.log(2)
    assert evaluation.evaluation(catalog, key).statement_digest == made.statement_digest
    write(catalog.settings.consortium / "values.yaml", values | {"questions": [question]})
    assert evaluation.evaluation(catalog, key).counts["questions"] == 1


def test_a_model_that_knows_its_documents_is_found_out(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path)
    write(
        catalog.settings.consortium / "training.yaml",
        TRAINING | {"steps": 400, "checkpoint_every": 200, "held_out": 0.2}
        | {"model": {"hidden_size": 64, "layers": 2, "heads": 4, "feed_forward": 128}},
    )  # fmt: skip
    words = texts("a", 1)["a" + 31 * "0"].split()
    shuffled = [random.Random(number).sample(words, len(words)) for number in range(10)]
    canaries = [
        {"id": name, "sentence": "Koden er {} i aften.", "secret": secret}
        for name, secret in (("planted", "4719-28"), ("absent", "9053-61"))
    ]
    write(catalog.settings.consortium / "canaries.yaml", {"canaries": canaries})
    shuffled = [["Koden er 4719-28 i aften.", *text] for text in shuffled]
    donate(catalog, A, {f"{n * 25:02x}{0:030x}": " ".join(text) for n, text in enumerate(shuffled)})
    tokenise(catalog, A)
    released(catalog)
    base_model.base_model(catalog)
    seed(
        catalog, "donations/landing", A,
        zone=Zone.RESTRICTED, files={"manifest.json": {}, "x": {}},
    )  # fmt: skip
    train(catalog, "1.0.0", in_process)
    key = checkpoints(catalog)[-1]
    admit(catalog, "checkpoint", catalog.require("training/checkpoint", key))
    made = evaluation.evaluation(catalog, key)
    exposed = made.counts["canary_exposure"]
    assert exposed["planted"] == 9.0 > 5.0 > exposed["absent"]
    assert "4719" not in json.dumps(made.statement) + json.dumps(made.json("evaluation.json"))
    found = made.json("evaluation.json")["memorisation"]
    assert found["trained"]["exact"] > 0
    assert found["heldOut"]["exact"] == 0 < found["heldOut"]["prompts"]


def test_the_consortium_asks_by_the_charters_clauses() -> None:
    values = read_config(PROJECT_ROOT / "examples/consortium/values.yaml", evaluation.Values)
    ids = [question.id for question in values.questions]
    assert len(ids) == len(set(ids)) > 10
    for question in values.questions:
        assert all(re.fullmatch(r"([1-9]|1\d|20)\.[1-9]", clause) for clause in question.clauses)
        assert question.better != question.worse


def test_energy_is_read_from_the_counters_there_are(tmp_path: Path) -> None:
    assert Meter(None, first_of_node=True, system=tmp_path).sources == []
    zone = tmp_path / "class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "max_energy_range_uj").write_text("10000000")
    (zone / "energy_uj").write_text("9000000")
    meter = Meter(None, first_of_node=True, system=tmp_path)
    (zone / "energy_uj").write_text("1000000")
    assert meter.joules() == pytest.approx(2.0)
    assert meter.sources == ["RAPL intel-rapl:0"]
    node = tmp_path / "cray/pm_counters/energy"
    node.parent.mkdir(parents=True)
    node.write_text("500 J 1 us")
    meter = Meter(None, first_of_node=True, system=tmp_path)
    node.write_text("730 J 2 us")
    assert (meter.sources, meter.joules()) == (["node counters"], 230.0)
    assert Meter(None, first_of_node=False, system=tmp_path).sources == []
    assert np.isclose(meter.joules(), 0)


def test_a_job_is_the_same_bytes_for_the_same_training(catalog: Catalog, tmp_path: Path) -> None:
    one, other = (job(catalog, tmp_path / name) for name in ("a", "b"))
    assert one.digest == other.digest
    assert canonical_json(dict(one.content)) == (one.folder / "job.json").read_bytes()
