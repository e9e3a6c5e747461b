"""Training: the same bits every time, also after a kill, from sequences that can be computed."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from dsk_assets.corpus.release import open_release
from dsk_assets.corpus.shards import shard_file
from dsk_assets.errors import MissingInputError, NotAdmittedError, SettingsError, TrainingError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot, Stale
from dsk_assets.training import base_model, run
from dsk_assets.training.config import load_training
from dsk_assets.training.dataset import SequenceDataset
from dsk_assets.training.released import release_dataset
from dsk_assets.training.run import checkpoints
from tests import corpora
from tests.corpora import CORPUS, TRAINING, donate, open_catalog, released, texts, tokenise, write
from tests.support import admit

A, B = "dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0"
KILL_AT = "test-1.0.0.step-000008"

train = partial(run.train, launch=corpora.in_process)
checkpoint = partial(run.checkpoint, launch=corpora.in_process)


def prepare(folder: Path) -> Catalog:
    """A catalog whose release 1.0.0 is ready for training."""
    catalog = open_catalog(folder)
    donate(catalog, A, texts("a", 25))
    donate(catalog, B, texts("bb", 8))
    tokenise(catalog, A, B)
    released(catalog)
    base_model.base_model(catalog)
    return catalog


class KilledCatalog(Catalog):
    """A catalog whose process is killed when a checkpoint's files stand, but not its statement."""

    def materialise(self, asset: str, partition: str | None = None, **rest: Any) -> Snapshot:
        produce: Callable[[Output], None] = rest.pop("produce")

        def killed(out: Output) -> None:
            produce(out)
            if partition == KILL_AT:
                os.kill(os.getpid(), signal.SIGKILL)

        return super().materialise(asset, partition, produce=killed, **rest)


def train_and_die(folder: Path) -> None:
    """What the killed subprocess runs."""
    run.train(KilledCatalog(prepare(folder).settings), "1.0.0")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A catalog in which the run over release 1.0.0 is complete."""
    catalog = prepare(tmp_path_factory.mktemp("trained"))
    train(catalog, "1.0.0")
    return catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return prepare(tmp_path)


def steps(catalog: Catalog) -> list[Snapshot]:
    return [catalog.require("training/checkpoint", key) for key in checkpoints(catalog)]


def test_a_run_has_its_checkpoints_and_its_loss_falls(trained: Catalog) -> None:
    run = trained.require("training/run", "test-1.0.0")
    content = run.json("run.json")
    losses = run.table("loss").to_pylist()
    assert [row["step"] for row in losses] == list(range(1, 13))
    assert [row["tokens"] for row in losses] == [step * 4 * 32 for step in range(1, 13)]
    assert losses[-1]["loss"] < losses[0]["loss"] - 0.1
    assert (content["firstLoss"], content["lastLoss"]) == (losses[0]["loss"], losses[-1]["loss"])
    assert checkpoints(trained) == [f"test-1.0.0.step-{step:06d}" for step in (4, 8, 12)]
    assert [one["checkpoint"] for one in content["checkpoints"]] == checkpoints(trained)
    assert content["flop"] == 6 * content["parameters"] * 12 * 4 * 32
    rates = [row["learning_rate"] for row in losses]
    assert rates[1] == max(rates) == 0.01
    assert rates[-1] == pytest.approx(0.001)


def test_a_checkpoint_names_all_it_was_made_from(trained: Catalog) -> None:
    made = steps(trained)
    for before, one in zip([None, *made], made, strict=False):
        inputs = one.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        named = {entry["uri"] for entry in inputs}
        assert named == {
            "dsk:corpus/release[1.0.0]",
            "dsk:gate/composition[1.0.0]",
            "dsk:corpus/tokenizer",
            "dsk:training/base_model",
            *([f"dsk:{before.key}"] if before else []),
        }
    content = made[-1].json("checkpoint.json")
    assert content["baseModel"]["origin"] == "none: trained from scratch"
    assert content["order"]["release"] == trained.require("corpus/release", "1.0.0").digest
    assert content["previous"] == made[-2].digest
    assert made[-1].counts["tokens"] == content["tokens"] == 12 * 4 * 32


def test_transformers_loads_a_checkpoint(trained: Catalog, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    last = steps(trained)[-1]
    for file in last.files:
        if file.name.startswith("model/"):
            (tmp_path / Path(file.name).name).write_bytes(last.path(file.name).read_bytes())
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    text = "Det var en mørk aften på Ærø."
    tokens = tokenizer(text, return_tensors="pt")
    assert tokenizer.decode(tokens["input_ids"][0]) == text
    assert model(input_ids=tokens["input_ids"]).logits.shape[-1] == len(tokenizer)
    assert sum(one.numel() for one in model.parameters()) == last.counts["parameters"]


def test_a_killed_run_goes_on_and_ends_with_the_same_bits(trained: Catalog, tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; from tests.test_training import train_and_die; "
        "train_and_die(pathlib.Path(sys.argv[1]))"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    catalog = open_catalog(tmp_path)
    assert catalog.partitions("training/checkpoint") == checkpoints(catalog)[:1]
    run.train(catalog, "1.0.0")
    assert [one.digest for one in steps(catalog)] == [one.digest for one in steps(trained)]
    assert (
        catalog.require("training/run", "test-1.0.0").digest
        == trained.require("training/run", "test-1.0.0").digest
    )
    assert [key for asset, key in catalog.made if asset == "training/checkpoint"] == [
        "test-1.0.0.step-000008", "test-1.0.0.step-000012",
    ]  # fmt: skip


def test_nothing_is_trained_twice(trained: Catalog) -> None:
    before = list(trained.made)
    run = train(trained, "1.0.0")
    assert train(trained.planning(), "1.0.0").statement_digest == run.statement_digest
    key = checkpoints(trained)[1]
    assert checkpoint(trained, key).partition == key
    assert trained.made == before


def test_a_gate_that_judges_again_does_not_train_again(trained: Catalog) -> None:
    run = trained.require("training/run", "test-1.0.0")
    made = trained.require("corpus/release", "1.0.0")
    admit(trained, "composition", made, valid_until=trained.settings.date)
    assert train(trained, "1.0.0").statement_digest == run.statement_digest


def test_a_release_that_its_gate_does_not_admit_is_not_trained_on(catalog: Catalog) -> None:
    made = catalog.require("corpus/release", "1.0.0")
    admit(catalog, "composition", made, admitted=False)
    for demanded in (
        lambda: train(catalog, "1.0.0"),
        lambda: checkpoint(catalog, checkpoints(catalog)[0]),
    ):
        with pytest.raises(NotAdmittedError, match="composition refused"):
            demanded()
    assert catalog.partitions("training/checkpoint") == []


def test_planning_does_not_train(catalog: Catalog) -> None:
    with pytest.raises(Stale, match="step-000004"):
        train(catalog.planning(), "1.0.0")


@pytest.mark.parametrize(
    "key", ["test-1.0.0.step-000005", "other-1.0.0.step-000004", "test-1.0.0", "x"]
)
def test_a_checkpoint_that_no_run_makes_is_refused(trained: Catalog, key: str) -> None:
    with pytest.raises(SettingsError, match="not a checkpoint of the run"):
        checkpoint(trained, key)


def test_other_settings_are_another_training(catalog: Catalog) -> None:
    write(catalog.settings.consortium / "training.yaml", TRAINING | {"steps": 4})
    with pytest.raises(SettingsError, match="at least two checkpoints"):
        train(catalog, "1.0.0")
    short = TRAINING | {"steps": 3, "checkpoint_every": 2}
    write(catalog.settings.consortium / "training.yaml", short)
    first = train(catalog, "1.0.0")
    assert [one.counts["step"] for one in steps(catalog)] == [2, 3]
    write(catalog.settings.consortium / "training.yaml", short | {"seed": 8})
    second = train(catalog, "1.0.0")
    assert first.json("run.json")["lastLoss"] != second.json("run.json")["lastLoss"]


def test_a_loss_that_is_not_finite_stops_the_run(catalog: Catalog) -> None:
    write(catalog.settings.consortium / "training.yaml", TRAINING | {"learning_rate": 1e30})
    with pytest.raises(TrainingError, match=r"loss of run test is (nan|inf) at step \d+ — lower"):
        train(catalog, "1.0.0")
    assert catalog.partitions("training/checkpoint") == []


def test_a_release_without_tokens_is_refused(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path)
    donate(catalog, A, texts("a", 3), dropped=list(texts("a", 3)))
    tokenise(catalog, A)
    released(catalog)
    base_model.base_model(catalog)
    with pytest.raises(TrainingError, match="no tokens"):
        train(catalog, "1.0.0")


def dataset(catalog: Catalog, length: int) -> SequenceDataset:
    return release_dataset(
        open_release(catalog, "1.0.0"), seed=7, sequence_length=length, batch_size=4
    )


@pytest.mark.parametrize("length", [2, 31, 1000])
def test_a_pass_feeds_every_token_of_the_release(catalog: Catalog, length: int) -> None:
    data = dataset(catalog, length)
    fed = np.concatenate(
        [data.sequence(3, number) for number in range(data.order.sequences_per_pass)]
    )
    stored = [
        np.fromfile(made.path(shard_file(shard["shard"])), shard["dtype"])
        for made in (catalog.require("corpus/shards", key) for key in (A, B))
        for shard in made.table("shard").to_pylist()
    ]
    everything = np.concatenate(stored)
    assert np.array_equal(fed[: len(everything)], everything)
    assert np.array_equal(fed[len(everything) :], everything[: len(fed) - len(everything)])


def test_a_step_reads_what_the_order_says_without_the_steps_before(catalog: Catalog) -> None:
    data = dataset(catalog, 32)
    expected = [data.sequence(*place) for place in data.order.sequences(range(40, 44))]
    assert np.array_equal(dataset(catalog, 32).batch(11), np.stack(expected))


CARD = "---\nlicense: apache-2.0\n---\n"


def base(catalog: Catalog, sequence_length: int = 32, **change: Any) -> None:
    """Name the model in the consortium's folder ``models/base`` as base model."""
    named = {"name": "base", "folder": "models/base", "licence": "apache-2.0"}
    choice = named | {"training_data_known": "partly"} | change
    settings = {name: value for name, value in TRAINING.items() if name != "model"}
    settings |= {"base_model": choice, "sequence_length": sequence_length}
    write(catalog.settings.consortium / "training.yaml", settings)


def save_base(catalog: Catalog, source: Snapshot) -> None:
    """Copy the model of a checkpoint to the consortium's folder ``models/base``."""
    folder = catalog.settings.consortium / "models" / "base"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    for file in source.files:
        if file.name.startswith("model/"):
            (folder / Path(file.name).name).write_bytes(source.path(file.name).read_bytes())


def test_training_goes_on_from_a_base_model(trained: Catalog, tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path)
    save_base(catalog, steps(trained)[-1])
    choice = {"name": "base", "version": "1", "given": "models/base/tokenizer.json"}
    write(catalog.settings.consortium / "corpus.yaml", CORPUS | {"tokenizer": choice})
    base(catalog)
    prepare(tmp_path)
    run = train(catalog, "1.0.0")
    described = run.json("run.json")["baseModel"]
    assert described["origin"] == "folder"
    assert described["licence"] == "Apache-2.0"
    assert described["trainingDataKnown"] == "partly"
    assert "model.safetensors" in [file["name"] for file in described["files"]]
    scratch = trained.require("training/run", "test-1.0.0").json("run.json")
    assert run.json("run.json")["firstLoss"] < scratch["firstLoss"] - 0.1


def test_a_base_model_that_was_changed_is_described_again(trained: Catalog, tmp_path: Path) -> None:
    catalog = prepare(tmp_path)
    save_base(catalog, steps(trained)[-1])
    base(catalog)
    with pytest.raises(MissingInputError, match="another base model"):
        train(catalog, "1.0.0")
    first = base_model.base_model(catalog)
    assert base_model.base_model(catalog).statement_digest == first.statement_digest
    (tmp_path / "consortium/models/base/README.md").write_text(f"{CARD}changed")
    assert base_model.base_model(catalog).digest != first.digest


def test_a_base_model_needs_the_corpus_to_have_its_tokenizer(
    trained: Catalog, tmp_path: Path
) -> None:
    catalog = prepare(tmp_path)
    save_base(catalog, steps(trained)[-1])
    tokenizer = tmp_path / "consortium/models/base/tokenizer.json"
    tokenizer.write_text(tokenizer.read_text("utf-8").replace("<|padding|>", "<|other|>"), "utf-8")
    base(catalog)
    base_model.base_model(catalog)
    with pytest.raises(SettingsError, match="not that of base model base"):
        train(catalog, "1.0.0")


@pytest.mark.parametrize("licence", ["llama3.1", "CC-BY-NC-4.0", "CC-BY-SA-4.0", "gemma", "other"])
def test_principle_1_refuses_a_base_model_that_cannot_be_released(
    catalog: Catalog, licence: str
) -> None:
    base(catalog, licence=licence)
    with pytest.raises(SettingsError, match=f"'{licence}', which principle 1"):
        base_model.base_model(catalog)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folder": "models/none"}, "no config.json with safetensors"),
        ({"hub": "org/name"}, "either folder or hub"),
        ({"folder": None, "hub": "org/name"}, "needs revision"),
        ({"folder": None, "hub": "org/name", "revision": "main"}, "revision is 'main'"),
        ({"training_data_known": "maybe"}, "training_data_known is 'maybe'"),
    ],
)
def test_a_wrong_base_model_is_named(
    catalog: Catalog, change: dict[str, Any], message: str
) -> None:
    base(catalog, **change)
    with pytest.raises(SettingsError, match=f"training.yaml: .*{message}"):
        base_model.base_model(catalog)


def test_a_base_model_whose_files_name_weights_otherwise_is_trained(tmp_path: Path) -> None:
    """GPT-NeoX writes ``lm_head`` as ``embed_out``, and the optimiser knows it as the former."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    catalog = prepare(tmp_path)
    folder = catalog.settings.consortium / "models" / "base"
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = GPTNeoXConfig(vocab_size=600, intermediate_size=32, max_position_embeddings=32, **size)
    GPTNeoXForCausalLM(config).save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    base(catalog)
    base_model.base_model(catalog)
    assert train(catalog, "1.0.0").counts["checkpoints"] == 3


def without(name: str, folder: Path) -> None:
    """Take a tensor out of a model's weights."""
    tensors = load_file(folder / "model.safetensors")
    del tensors[name]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def with_code(folder: Path) -> None:
    """Have a model ask for code of its own, which would leave a file."""
    config = json.loads((folder / "config.json").read_text())
    own = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": own}))
    (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")


@pytest.mark.parametrize(
    ("damage", "settings", "message"),
    [
        (
            partial(without, "model.norm.weight"),
            {},
            r"lacks 1 of its weights.* model\.norm\.weight",
        ),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"?"), {}, "cannot be loaded"),
        (with_code, {}, "cannot be loaded"),
        (lambda folder: None, {"sequence_length": 33}, "sequence_length is 33, .* 32 tokens"),
    ],
)
def test_a_base_model_that_would_not_be_trained_as_it_is_stops_the_run(
    trained: Catalog,
    tmp_path: Path,
    damage: Callable[[Path], object],
    settings: dict[str, Any],
    message: str,
) -> None:
    catalog = prepare(tmp_path)
    save_base(catalog, steps(trained)[-1])
    folder = catalog.settings.consortium / "models" / "base"
    (folder / "tokenizer.json").unlink()
    damage(folder)
    base(catalog, **settings)
    base_model.base_model(catalog)
    with pytest.raises(SettingsError, match=f"training.yaml: .*{message}"):
        train(catalog, "1.0.0")
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"warmup_steps": 12}, "warmup_steps below steps"),
        ({"model": None}, "either model, for training from scratch, or base_model"),
        ({"model": TRAINING["model"] | {"heads": 3}}, "multiple of twice heads"),
        ({"dropout": 0.1}, "dropout is 0.1"),
        ({"sharding": "half"}, "sharding is 'half'"),
        ({"learning_rate": math.inf}, "learning_rate is inf"),
        ({"sharding": "full"}, "more than one of processes for sharding"),
    ],
)
def test_a_wrong_training_yaml_is_named(
    catalog: Catalog, change: dict[str, Any], message: str
) -> None:
    write(catalog.settings.consortium / "training.yaml", TRAINING | change)
    with pytest.raises(SettingsError, match=f"training.yaml: .*{message}") as raised:
        load_training(catalog.settings.consortium)
    assert len(str(raised.value)) < 150  # the field, not the whole file


def test_gradients_are_clipped(trained: Catalog, tmp_path: Path, monkeypatch) -> None:
    """A limit far below the optimiser's epsilon leaves nothing to learn from."""
    monkeypatch.setattr("dsk_assets.training.trainer.MAX_GRADIENT_NORM", 1e-14)
    stopped = train(prepare(tmp_path), "1.0.0").json("run.json")
    learning = trained.require("training/run", "test-1.0.0").json("run.json")
    assert stopped["firstLoss"] == learning["firstLoss"]
    assert stopped["lastLoss"] > learning["lastLoss"] + 0.1


def test_dropout_is_the_same_after_a_stop(trained: Catalog, tmp_path: Path) -> None:
    """Random numbers belong to a step, so a run that goes on from a checkpoint repeats them."""
    runs = []
    for name in ("straight", "stopped"):
        catalog = open_catalog(tmp_path / name)
        save_base(catalog, steps(trained)[-1])
        folder = catalog.settings.consortium / "models" / "base"
        config = json.loads((folder / "config.json").read_text("utf-8"))
        (folder / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.5}))
        choice = {"name": "base", "version": "1", "given": "models/base/tokenizer.json"}
        write(catalog.settings.consortium / "corpus.yaml", CORPUS | {"tokenizer": choice})
        base(catalog)
        prepare(tmp_path / name)
        runs.append(catalog)
    straight, stopped = runs
    checkpoint(stopped, checkpoints(stopped)[0])
    for catalog in (straight, Catalog(stopped.settings, run_id="later")):
        train(catalog, "1.0.0")
    assert [one.digest for one in steps(straight)] == [one.digest for one in steps(stopped)]
    plain = trained.require("training/run", "test-1.0.0").json("run.json")
    assert steps(straight)[-1].counts["loss"] != plain["lastLoss"]
