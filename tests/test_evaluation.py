"""What is measured on held-out documents, and what a trained model does."""

import json
import math
import random
import re
from pathlib import Path

import numpy as np
import pytest

from dsk_assets.consortium.reading import read_config
from dsk_assets.corpus.release import open_release
from dsk_assets.errors import NotAdmittedError, SettingsError, TrainingError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.store import Zone
from dsk_assets.settings import PROJECT_ROOT
from dsk_assets.training import answers, base_model, evaluation, tasks
from dsk_assets.training.job import RECEIPT
from dsk_assets.training.plot import loss_curve
from dsk_assets.training.released import held_out_below, release_dataset
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
from tests.jobs import (
    A,
    two_domains,
)
from tests.support import admit, seed


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return two_domains(tmp_path_factory.mktemp("payload"))


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


def test_a_model_that_reads_texts_of_any_length_is_tried_too(catalog: Catalog) -> None:
    """Bloom's configuration names no largest length."""
    from transformers import BloomConfig, BloomForCausalLM

    train(catalog, "1.0.0", in_process)
    checkpoint = catalog.require("training/checkpoint", checkpoints(catalog)[-1])
    release = open_release(catalog, "1.0.0")
    tried = evaluation._Tried(checkpoint, release, checkpoint.json("checkpoint.json"))
    config = BloomConfig(vocab_size=600, hidden_size=16, n_layer=1, n_head=2)
    vars(tried)["model"] = BloomForCausalLM(config).eval()
    answers = {"better": "mørk og stormfuld " * 50, "worse": "lys"}
    question = evaluation.Question(id="q", clauses=("1.1",), prompt="det var en", **answers)
    asked = evaluation.Values(charter="c", version="1", questions=(question,))
    assert len(tried.values(asked)["questions"]) == 1


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
    assert "4719-28" not in json.dumps(made.statement) + json.dumps(made.json("evaluation.json"))
    found = made.json("evaluation.json")["memorisation"]
    assert found["trained"]["exact"] > 0
    assert found["heldOut"]["exact"] == 0 < found["heldOut"]["prompts"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([{}, {"secret": "18"}], "two have the id 'a'"),
        ([{"secret": "\u0661\u0662"}], "secret is"),
        ([{"sentence": "Koden er {} {}."}], "sentence is"),
    ],
)
def test_canaries_that_could_not_be_told_apart_or_measured_are_refused(
    tmp_path: Path, changes: list[dict[str, str]], message: str
) -> None:
    canary = {"id": "a", "sentence": "Koden er {}.", "secret": "17"}
    write(tmp_path / "canaries.yaml", {"canaries": [canary | change for change in changes]})
    with pytest.raises(SettingsError, match=f"canaries.yaml: canaries.*{message}"):
        read_config(tmp_path / "canaries.yaml", evaluation.Canaries)


def test_the_consortium_asks_by_the_charters_clauses() -> None:
    values = read_config(PROJECT_ROOT / "examples/consortium/values.yaml", evaluation.Values)
    ids = [question.id for question in values.questions]
    assert len(ids) == len(set(ids)) > 10
    for question in values.questions:
        assert all(re.fullmatch(r"([1-9]|1\d|20)\.[1-9]", clause) for clause in question.clauses)
        assert question.better != question.worse


TASK = """
task: ordstilling
dataset_path: json
dataset_kwargs: {data_files: {test: ordstilling.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{prompt}}"
doc_to_choice: "{{choices}}"
doc_to_target: label
metric_list: [{metric: acc}]
"""


def tasks_of_its_own(catalog: Catalog) -> None:
    """A task whose answers the tiny model has read or not: it prefers what it has read."""
    folder = catalog.settings.consortium / "own_tasks"
    folder.mkdir(exist_ok=True)
    (folder / "ordstilling.yaml").write_text(TASK)
    rows = [
        {"prompt": "det var en", "choices": ["mørk og stormfuld", "xyzzy qwerty"], "label": label}
        for label in (0, 0, 1, 0)
    ]
    (folder / "ordstilling.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write(catalog.settings.consortium / "tasks.yaml", {
        "tasks": ["ordstilling"], "folder": "own_tasks",
    })  # fmt: skip


def test_tasks_of_the_harness_are_run_without_network(catalog: Catalog) -> None:
    pytest.importorskip("lm_eval")
    train(catalog, "1.0.0", in_process)
    key = checkpoints(catalog)[-1]
    admit(catalog, "checkpoint", catalog.require("training/checkpoint", key))
    tasks_of_its_own(catalog)
    try:
        made = evaluation.evaluation(catalog, key)
        assert made.json("evaluation.json")["tasks"]["ordstilling"]["acc"] == 0.75
        assert made.counts["tasks"]["ordstilling acc"] == 0.75
        assert evaluation.evaluation(catalog, key).statement_digest == made.statement_digest
        write(catalog.settings.consortium / "tasks.yaml", {"tasks": ["hellaswag"], "limit": 2})
        with pytest.raises(TrainingError, match="lm-eval could not run the tasks"):
            evaluation.evaluation(catalog, key)
    finally:
        (catalog.settings.consortium / "tasks.yaml").unlink()


def test_tasks_without_the_harness_are_named(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks_of_its_own(catalog)
    asked = tasks.load_tasks(catalog.settings.consortium)
    (catalog.settings.consortium / "tasks.yaml").unlink()
    assert asked
    monkeypatch.setattr(tasks, "LIBRARY", "no-such-harness")
    with pytest.raises(SettingsError, match="no-such-harness is not installed"):
        tasks.described(asked, catalog.settings.consortium)
