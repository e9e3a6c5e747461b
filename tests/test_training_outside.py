"""Training elsewhere: what is sent, what is taken back, and what is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.defs.stage import Due
from dsk_assets.defs.training import assets
from dsk_assets.defs.training.assets import RUN as RUN_STAGE
from dsk_assets.errors import CorruptedError, MissingInputError, StorageError, TrainingError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.digests import canonical_json, sha256_file
from dsk_assets.training import outside, payload
from dsk_assets.training.awaited import awaited_run
from dsk_assets.training.job import METRICS, RECEIPT, WEIGHTS, Job
from dsk_assets.training.launch import launcher
from dsk_assets.training.run import checkpoints, train
from dsk_assets.training.slurm import RECORD
from tests.corpora import in_process, write
from tests.test_training import prepare

RUN = "test-1.0.0"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return prepare(tmp_path / "platform")


def trained(catalog: Catalog, folder: Path) -> Job:
    """A job folder that was sent, carried to a site, and trained there."""
    outside.send(catalog, "1.0.0", folder / "sent")
    site = Path(shutil.copytree(folder / "sent", folder / "site"))
    payload.run(site, payload.Where("FI", "mahti"))
    return Job.read(site)


def weights(catalog: Catalog) -> list[str]:
    made = [catalog.require("training/checkpoint", key) for key in checkpoints(catalog)]
    return [one.only(*WEIGHTS).digest for one in made]


def test_checkpoints_from_outside_are_assets_with_their_lineage(
    catalog: Catalog, tmp_path: Path
) -> None:
    there = trained(catalog, tmp_path)
    made = list(outside.receive(catalog, there.folder))
    assert [one.partition for one in made] == [*checkpoints(catalog), RUN]
    first, second, last, run = made
    assert (
        first.inputs["dsk:corpus/release[1.0.0]"]
        == catalog.require("corpus/release", "1.0.0").digest
    )
    assert second.inputs[f"dsk:{first.key}"] == first.digest
    receipt = last.byproduct(RECEIPT)
    assert receipt["where"] == {"country": "FI", "region": "mahti"}
    assert receipt["site"]["received"]
    assert run.byproduct(RECORD)["jobs"][0]["site"] == "mahti"
    other = prepare(tmp_path / "other")
    train(other, "1.0.0", in_process)
    assert weights(catalog) == weights(other)
    again = list(outside.receive(catalog, there.folder))
    assert [one.statement_digest for one in again] == [one.statement_digest for one in made]
    with pytest.raises(TrainingError, match="trained already"):
        outside.send(catalog, "1.0.0", tmp_path / "more")


def test_a_part_is_taken_and_the_rest_later(catalog: Catalog, tmp_path: Path) -> None:
    there = trained(catalog, tmp_path)
    kept = shutil.move(there.checkpoint(8), tmp_path / "later")
    assert [one.partition for one in outside.receive(catalog, there.folder)] == [
        checkpoints(catalog)[0]
    ]
    assert not catalog.partitions("training/run")
    shutil.move(kept, there.checkpoint(8))
    assert len(list(outside.receive(catalog, there.folder))) == 4


def test_what_is_sent_goes_on_from_the_newest_checkpoint(catalog: Catalog, tmp_path: Path) -> None:
    there = trained(catalog, tmp_path)
    shutil.rmtree(there.checkpoint(12))
    _, second = outside.receive(catalog, there.folder)
    shutil.rmtree(catalog.settings.home / "jobs")
    job = outside.send(catalog, "1.0.0", tmp_path / "rest")
    assert (job.start, job.targets) == (8, [12])
    assert job.content["start"]["digest"] == second.only(*WEIGHTS).digest


def test_what_is_sent_again_goes_on_from_what_came_back(catalog: Catalog, tmp_path: Path) -> None:
    there = trained(catalog, tmp_path)
    whole = Job.read(Path(shutil.copytree(there.folder, tmp_path / "whole")))
    shutil.rmtree(there.checkpoint(12))
    assert len(list(outside.receive(catalog, there.folder))) == 2
    again = outside.send(catalog, "1.0.0", tmp_path / "again")
    assert again.receipt(8) == there.receipt(8)
    payload.run(again.folder, payload.Where("DK", "elsewhere"))
    assert again.receipt(12)["from"]["step"] == 8
    made = list(outside.receive(catalog, again.folder))
    assert made[-1].partition == RUN
    assert weights(catalog)[-1] == whole.weights_at(12)


def rewrite(there: Job, metrics: str | None = None, **changed: object) -> None:
    """Change what the receipt after step 4 says, or the metrics beside it, as its writer could."""
    folder = there.checkpoint(4)
    receipt = json.loads((folder / RECEIPT).read_bytes()) | changed
    if metrics is not None:
        (folder / METRICS).write_text(metrics)
        receipt["files"][METRICS] = sha256_file(folder / METRICS)
    (folder / RECEIPT).write_bytes(canonical_json(receipt))


def test_what_a_script_of_the_sites_own_wrote_wrongly_is_named(
    catalog: Catalog, tmp_path: Path
) -> None:
    there = trained(catalog, tmp_path)
    kept = shutil.copytree(there.checkpoint(4), tmp_path / "kept")
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("lacks 'where'", {"where": "FI"}),
        (r"lacks 'where\.country'", {"where": {"country": ["FI"], "region": None}}),
        ("lacks 'from'", {"from": None}),
        ("lacks 'parameters'", {"parameters": -5}),
        ("lacks 'flop'", {"flop": "x"}),
        ("lacks 'energy", {"energy": {}}),
        ("a line for each step", {"metrics": "not JSON"}),
        ("a line for each step", {"metrics": '{"step": 4, "held_out": {}}'}),
    ]
    for message, changed in wrong:
        rewrite(there, **changed)
        with pytest.raises(CorruptedError, match=message):
            list(outside.receive(catalog, there.folder))
        assert not catalog.partitions("training/checkpoint")
        shutil.rmtree(there.checkpoint(4))
        shutil.copytree(kept, there.checkpoint(4))
    assert len(list(outside.receive(catalog, there.folder))) == 4


def change_weights(there: Job) -> None:
    path = there.checkpoint(8) / "model/model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def change_receipt(there: Job) -> None:
    """Weights that were trained elsewhere, with a receipt that fits them."""
    change_weights(there)
    path = there.checkpoint(8) / RECEIPT
    receipt = json.loads(path.read_bytes())
    receipt["files"]["model/model.safetensors"] = sha256_file(
        there.checkpoint(8) / "model/model.safetensors"
    )
    path.write_bytes(canonical_json(receipt))


@pytest.mark.parametrize(
    ("tamper", "error", "message"),
    [
        (change_weights, CorruptedError, r"model\.safetensors is not as its receipt says"),
        (change_receipt, CorruptedError, "trained from other weights"),
        (lambda there: shutil.rmtree(there.out), TrainingError, "holds no checkpoint"),
        (lambda there: (there.folder / "job.json").unlink(), TrainingError, "not a job folder"),
    ],
)
def test_what_was_changed_on_the_way_is_refused(
    catalog: Catalog,
    tmp_path: Path,
    tamper: Callable[[Job], object],
    error: type[Exception],
    message: str,
) -> None:
    there = trained(catalog, tmp_path)
    tamper(there)
    with pytest.raises(error, match=message):
        list(outside.receive(catalog, there.folder))
    assert not catalog.partitions("training/run")


@pytest.mark.parametrize("country", ["US", None])
def test_training_outside_the_eu_makes_no_asset(
    catalog: Catalog, tmp_path: Path, country: str | None
) -> None:
    there = trained(catalog, tmp_path)
    for step in there.targets:
        path = there.checkpoint(step) / RECEIPT
        receipt = json.loads(path.read_bytes())
        path.write_text(json.dumps(receipt | {"where": {"country": country, "region": None}}))
    with pytest.raises(TrainingError, match="not in the EU"):
        list(outside.receive(catalog, there.folder))
    assert not catalog.partitions("training/checkpoint")


def test_another_job_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    there = trained(catalog, tmp_path)
    other = prepare(tmp_path / "other")
    settings = {**there.content["settings"], "seed": 8}
    write(other.settings.consortium / "training.yaml", settings)
    with pytest.raises(TrainingError, match="another job"):
        list(outside.receive(other, there.folder))
    write(other.settings.consortium / "training.yaml", settings | {"name": "mine"})
    with pytest.raises(TrainingError, match=r"training\.yaml describes mine"):
        list(outside.receive(other, there.folder))


def test_the_night_waits_for_a_site_that_it_cannot_reach(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(catalog.settings.consortium / "site.yaml", {"name": "mahti", "transfer": "by hand"})
    monkeypatch.setattr(assets, "judge_again", lambda catalog, version: None)
    with pytest.raises(MissingInputError, match="waits for its checkpoints"):
        train(catalog, "1.0.0", launcher(catalog.settings))
    assert not catalog.partitions("training/checkpoint")
    assert not RUN_STAGE.stale(catalog, RUN), "a night that can make nothing is skipped"
    assert awaited_run(catalog) == RUN
    (catalog.settings.consortium / "site.yaml").unlink()
    assert RUN_STAGE.stale(catalog, RUN) == Due(f"training/run[{RUN}]")
    assert awaited_run(catalog) is None, "it is trained here"


def test_after_what_came_back_the_gates_are_due(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(catalog.settings.consortium / "site.yaml", {"name": "mahti", "transfer": "by hand"})
    monkeypatch.setattr(assets, "judge_again", lambda catalog, version: None)
    list(outside.receive(catalog, trained(catalog, tmp_path).folder))
    assert awaited_run(catalog) is None
    assert RUN_STAGE.stale(catalog, RUN) is None
    for key in checkpoints(catalog):
        assert assets.CHECKPOINTS.stale(catalog, key) == Due(f"gate/checkpoint[{key}]")


def test_the_commands(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSK_HOME", str(catalog.settings.home))
    monkeypatch.setenv("DSK_CONSORTIUM", str(catalog.settings.consortium))
    run = CliRunner().invoke
    sent = run(main, ["training", "send", str(tmp_path / "job")])
    assert sent.exit_code == 0, sent.output
    assert f"{RUN}, " in sent.output
    assert not (tmp_path / "job" / "shards/0000/00000.bin").is_symlink()
    payload.run(tmp_path / "job", payload.Where("FI"))
    received = run(main, ["training", "receive", str(tmp_path / "job")])
    assert received.exit_code == 0, received.output
    assert received.output.count("training/checkpoint[") == 3
    assert f"training/run[{RUN}]" in received.output
    with pytest.raises(StorageError, match="not empty"):
        outside.send(catalog, "1.0.0", tmp_path / "job")
