"""What may come back from a site: garbled, hostile, twice, in part, after a kill or an upgrade."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load_file, save_file

from dsk_assets.cli.main import main
from dsk_assets.errors import CorruptedError, NotAdmittedError, TrainingError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake import store
from dsk_assets.lake.digests import canonical_json, sha256_file
from dsk_assets.lake.folders import files_below
from dsk_assets.training import launch, outside, packing, payload
from dsk_assets.training.job import METRICS, RECEIPT, WEIGHTS, Job
from dsk_assets.training.run import checkpoints
from tests.corpora import write
from tests.jobs import die, forked
from tests.support import admit
from tests.test_training import prepare

MODEL = "model/model.safetensors"
STATE = "state/optimizer.safetensors"


@pytest.fixture(scope="module")
def came_back(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A platform that sent a job, and the folder as it came back, trained."""
    folder = tmp_path_factory.mktemp("came")
    outside.send(prepare(folder / "platform"), "1.0.0", folder / "site")
    payload.run(folder / "site", payload.Where("FI", "mahti"))
    return folder


@pytest.fixture
def there(came_back: Path, tmp_path: Path) -> Job:
    """The folder of a test of its own."""
    return Job.read(Path(shutil.copytree(came_back / "site", tmp_path / "site")))


@pytest.fixture
def catalog(came_back: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The platform as it was when the job had been sent, for a test of its own."""
    shutil.copytree(came_back / "platform", tmp_path / "platform", symlinks=True)
    monkeypatch.setenv("DSK_HOME", str(tmp_path / "platform" / "dsk"))
    monkeypatch.setenv("DSK_CONSORTIUM", str(tmp_path / "platform" / "consortium"))
    from tests.corpora import open_catalog

    return open_catalog(tmp_path / "platform")


def receive(folder: Path) -> Result:
    """The command; it ends with a message and never with a traceback."""
    result = CliRunner().invoke(main, ["training", "receive", str(folder)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(folder: Path) -> str:
    result = receive(folder)
    assert result.exit_code == 1, result.output
    assert "Error: " in result.output
    return result.output


def received(catalog: Catalog) -> list[str]:
    return catalog.partitions("training/checkpoint")


def sign(folder: Path, **changed: Any) -> None:
    """Give the checkpoint in *folder* a receipt that names its files, as a site could."""
    receipt = json.loads((folder / RECEIPT).read_bytes()) | changed
    files = {name: sha256_file(path) for name, path in files_below(folder).items()}
    files.pop(RECEIPT)
    (folder / RECEIPT).write_bytes(canonical_json(receipt | {"files": files}))


def job_with(**changed: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_bytes(canonical_json(json.loads(path.read_bytes()) | changed))

    return change


def job_without(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = json.loads(path.read_bytes())
        del content[name]
        path.write_bytes(canonical_json(content))

    return change


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "garble",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff\xfe{"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text("[" * 200_000),
        lambda path: os.truncate(path, 2**29),
        pipe,
        *[job_without(name) for name in ("run", "settings", "order", "targets", "start", "files")],
        job_with(run="../../etc/passwd-1.0.0"),
        job_with(run="test"),
        job_with(run=["test-1.0.0"]),
        job_with(settings={"steps": -4}),
        job_with(targets=[]),
        job_with(targets=[-4]),
        job_with(targets=[8, 4]),
        job_with(targets=[5]),
        job_with(targets=["4"]),
        job_with(targets=[True]),
        job_with(start={"step": 4.5, "digest": None}),
        job_with(files=[{"name": "../../up", "sha256": "0" * 64, "bytes": 1}]),
        job_with(files=[{"name": "/etc/passwd", "sha256": "0" * 64, "bytes": 1}]),
        job_with(countries="all"),
        job_with(files="all"),
        job_with(order={"name": "another"}),
    ],
)
def test_a_garbled_job_is_named(
    catalog: Catalog, there: Job, garble: Callable[[Path], None]
) -> None:
    garble(there.folder / "job.json")
    assert "is not a job folder of this version" in refused(there.folder)
    assert not received(catalog)


def link_to_a_file(folder: Path) -> None:
    (folder / "model" / "secret").symlink_to("/etc/hostname")
    sign(folder)


def link_to_a_folder(folder: Path) -> None:
    (folder / "model" / "up").symlink_to(folder)


def a_link_itself(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def strange_name(folder: Path) -> None:
    (folder / os.fsdecode(b"model/\xff\n.bin")).write_bytes(b"x")


def cut(name: str) -> Callable[[Path], None]:
    """The end of a file is missing, and the receipt does not know better."""

    def change(folder: Path) -> None:
        os.truncate(folder / name, (folder / name).stat().st_size - 100)
        sign(folder)

    return change


def without(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        sign(folder)

    return change


def other_shapes(folder: Path) -> None:
    """Weights of another model, with a receipt that names the parameters of the right one."""
    tensors = load_file(folder / MODEL)
    name = next(name for name, tensor in tensors.items() if tensor.ndim == 2)
    save_file(tensors | {name: tensors[name][:-1].copy()}, folder / MODEL)
    sign(folder)


def more_moments(folder: Path) -> None:
    tensors = load_file(folder / STATE)
    name = next(name for name in tensors if name.endswith(".exp_avg"))
    save_file(tensors | {"another.exp_avg": tensors[name]}, folder / STATE)
    sign(folder)


def test_weights_may_have_other_names_than_the_optimiser_knows(
    catalog: Catalog, there: Job
) -> None:
    """As those of GPT-NeoX, and a model may have buffers."""
    folder = there.checkpoint(12)
    tensors = {f"other.{name}": tensor for name, tensor in load_file(folder / MODEL).items()}
    buffer = next(iter(tensors.values()))[:1].copy()
    save_file(tensors | {"buffer": buffer}, folder / MODEL)
    sign(folder)
    assert "training/run[test-1.0.0]" in receive(there.folder).output


def says(**changed: Any) -> Callable[[Path], None]:
    return lambda folder: sign(folder, **changed)


def metrics(change: Callable[[list[dict[str, Any]]], None]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        rows = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
        change(rows)
        (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows))
        sign(folder)

    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (link_to_a_file, "model/secret is neither file nor folder"),
        (link_to_a_folder, "model/up is neither file nor folder"),
        (a_link_itself, "is neither file nor folder"),
        (lambda folder: pipe(folder / METRICS), r"metrics.jsonl is neither file nor folder"),
        (lambda folder: pipe(folder / RECEIPT), r"receipt.json is neither file nor folder"),
        (strange_name, r"model/\udcff\n.bin is no name for a file"),
        (lambda folder: (folder / RECEIPT).unlink(), "has no receipt"),
        (lambda folder: os.truncate(folder / RECEIPT, 2**29), "has no receipt"),
        (lambda folder: (folder / RECEIPT).write_text("[" * 200_000), "has no receipt"),
        (lambda folder: (folder / MODEL).unlink(), "model.safetensors is not as its receipt says"),
        (lambda folder: (folder / "more").touch(), "more is not as its receipt says"),
        (cut(MODEL), "model/model.safetensors is no whole safetensors file"),
        (cut(STATE), "state/optimizer.safetensors is no whole safetensors file"),
        (cut(METRICS), "is not as the payload writes it"),
        (without(MODEL), "there is no model/*.safetensors in it"),
        (without(STATE), "there is no state/*.safetensors in it"),
        (other_shapes, "parameters, and the weights have"),
        (more_moments, "parameters, and the weights have"),
        (says(parameters=1), "it names 1 parameters, and the weights have"),
        (says(flop=1.0), "it names 1 operations, and 6 × parameters × tokens is"),
        (says(**{"from": {"step": 7, "digest": None}}), "goes on from step 7"),
        (says(**{"from": {"step": 4, "digest": None}}), "does not tell of steps 5 to 12"),
        (says(**{"from": {"step": 8, "digest": None}}), "trained from other weights"),
        (metrics(lambda rows: rows.pop(1)), "does not tell of steps 9 to 12 with 128 tokens"),
        (metrics(lambda rows: rows[0].update(tokens=1)), "does not tell of steps 9 to 12"),
        (metrics(lambda rows: rows[0].update(loss=float("inf"))), "not as the payload writes it"),
    ],
)
def test_a_checkpoint_that_cannot_be_right_is_refused_and_the_others_are_kept(
    catalog: Catalog, there: Job, change: Callable[[Path], None], message: str
) -> None:
    """What is refused can be given again once it is mended."""
    last = there.checkpoint(12)
    kept = shutil.copytree(last, there.folder / "kept")
    change(last)
    output = refused(there.folder).replace("\n", " ")
    assert message in output
    assert received(catalog) == checkpoints(catalog)[:2]
    assert not list(catalog.settings.home.rglob(".tmp-fetch-*"))
    assert not (catalog.settings.home / "jobs/test-1.0.0/out/step-000012").exists()
    last.unlink() if last.is_symlink() else shutil.rmtree(last)
    kept.rename(last)
    assert "training/run[test-1.0.0]" in receive(there.folder).output


def kill_at(module: Any, name: str, call: int, folder: Path) -> Callable[[], None]:
    """Receive, killed at the *call*-th call of a function."""

    def run() -> None:
        original, calls = getattr(module, name), iter(range(1, call))
        setattr(module, name, lambda *a, **k: original(*a, **k) if next(calls, 0) else die())
        CliRunner().invoke(main, ["training", "receive", str(folder)])

    return run


@pytest.mark.parametrize(
    ("module", "name", "call"),
    [
        (shutil, "copyfile", 3),  # half a checkpoint is copied to the job
        (shutil, "copyfile", 12),  # half of it to the lake, or the next to the job
        (launch, "plain_files", 2),
        (outside, "record", 2),  # it is there, and nothing was made of it
        (store, "publish", 4),
        (store, "publish", 20),
    ],
)
def test_killed_while_it_receives_it_receives_the_rest(
    catalog: Catalog, there: Job, module: Any, name: str, call: int
) -> None:
    assert forked(kill_at(module, name, call, there.folder)) == -signal.SIGKILL
    output = receive(there.folder).output
    assert output.count("training/checkpoint[") == 3
    assert "training/run[test-1.0.0]" in output
    made = [catalog.require("training/checkpoint", key) for key in checkpoints(catalog)]
    assert [one.only(*WEIGHTS).digest for one in made] == [
        there.weights_at(step) for step in there.targets
    ]


def upgrade(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the platform's code is another, and does the same."""
    for module in packing.MODULES:
        copy = folder / "upgraded" / "dsk_assets" / f"{module}.py"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(packing.PROJECT_ROOT / "dsk_assets" / f"{module}.py", copy)
    with copy.open("a") as file:
        file.write("# a newer version\n")
    monkeypatch.setattr(packing, "PROJECT_ROOT", folder / "upgraded")


@pytest.mark.parametrize("before", [0, 1, 2])
def test_it_is_received_when_the_job_was_lost_and_the_code_is_newer(
    catalog: Catalog, there: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    later = [there.checkpoint(step) for step in there.targets[before:]]
    for path in later:
        path.rename(there.folder / path.name)
    if before:
        assert receive(there.folder).exit_code == 0
    assert len(received(catalog)) == before
    for path in later:
        (there.folder / path.name).rename(path)
    shutil.rmtree(catalog.settings.home / "jobs")
    upgrade(tmp_path, monkeypatch)
    assert "training/run[test-1.0.0]" in receive(there.folder).output
    last = catalog.require("training/checkpoint", checkpoints(catalog)[-1]).byproduct(RECEIPT)
    assert last["job"] == there.digest
    assert last["site"]["code"] == there.code


def test_another_release_or_version_of_training_is_not_received(
    catalog: Catalog, there: Job
) -> None:
    path = there.folder / "job.json"
    content = json.loads(path.read_bytes())
    shard = next(file for file in content["files"] if file["name"].startswith("shards/"))
    for changed in (
        {"identity": "0" * 64},
        {"files": [*content["files"], shard | {"name": "shards/9999/00000.bin"}]},
        {"order": content["order"] | {"seed": 8}},
    ):
        path.write_bytes(canonical_json(content | changed))
        assert "holds another job" in refused(there.folder)
    assert not received(catalog)


def test_what_came_of_a_withdrawn_release_is_not_received(catalog: Catalog, there: Job) -> None:
    admit(catalog, "composition", catalog.require("corpus/release", "1.0.0"), admitted=False)
    with pytest.raises(NotAdmittedError):
        list(outside.receive(catalog, there.folder))
    assert "gate composition" in refused(there.folder)
    assert not received(catalog)


def test_the_country_must_be_the_one_that_was_agreed(catalog: Catalog, there: Job) -> None:
    site = {"name": "mahti", "transfer": "by hand", "country": "SE"}
    write(catalog.settings.consortium / "site.yaml", site)
    with pytest.raises(TrainingError, match=r"country FI, and site\.yaml SE"):
        list(outside.receive(catalog, there.folder))
    write(catalog.settings.consortium / "site.yaml", site | {"country": "US"})
    assert "needs a country in the EU" in refused(there.folder)
    write(catalog.settings.consortium / "site.yaml", site | {"country": "FI"})
    assert len(list(outside.receive(catalog, there.folder))) == 4


def test_a_copy_has_its_name_only_once_it_is_verified(
    came_back: Path, there: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Job.read(Path(shutil.copytree(came_back / "site", tmp_path / "here")))
    shutil.rmtree(here.checkpoint(4))
    original = Job.receipt

    def looked(self: Job, step: int, folder: Path | None = None) -> dict[str, Any]:
        assert folder is not None
        assert not here.checkpoint(4).exists()
        return original(self, step, folder)

    monkeypatch.setattr(Job, "receipt", looked)
    launch.fetch(there, here, 4)
    assert here.checkpoint(4).is_dir()
    shutil.rmtree(here.checkpoint(4))
    (there.checkpoint(4) / "more").touch()
    with pytest.raises(CorruptedError, match="more is not as its receipt says"):
        launch.fetch(there, here, 4)
    assert not [path for path in here.out.iterdir() if path.is_dir() and "4" in path.name]
