"""Training as batch jobs of a real Slurm: stopped, cancelled, failed, its node lost."""

import os
import subprocess
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dsk_assets.defs.partitions import TRAINING_RUN
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.defs.stage import Stage
from dsk_assets.defs.training import pipes
from dsk_assets.errors import CorruptedError, TrainingError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.lake.digests import sha256_file
from dsk_assets.training import slurm as launcher
from dsk_assets.training.job import METRICS, RECEIPT, WEIGHTS, Job, weights_digest
from dsk_assets.training.place import Remote, Shared, UnreachableError
from dsk_assets.training.run import checkpoints, train
from dsk_assets.training.site import Site
from tests.corpora import TRAINING, in_process, write
from tests.dask_cluster import until
from tests.jobs import job, pair
from tests.sites import command, held_script, site_yaml
from tests.slurm import Slurm
from tests.ssh_server import SshServer
from tests.test_training import prepare

RUN = "test-1.0.0"
LONG = {"steps": 600, "checkpoint_every": 300}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A release ready for training, with enough steps that a job can be met half way."""
    catalog = prepare(tmp_path_factory.mktemp("sites"))
    write(catalog.settings.consortium / "training.yaml", TRAINING | LONG)
    return catalog


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    slurm = Slurm(tmp_path_factory.mktemp("slurm") / "s", nodes=2, patience=8, accounts=True)
    with pytest.MonkeyPatch.context() as patch:
        try:
            slurm.start()
            patch.setenv("SLURM_CONF", slurm.environment["SLURM_CONF"])
            patch.setattr(launcher, "TICK", 0.1)
            yield slurm
        finally:
            slurm.stop()


def weights(catalog: Catalog) -> list[str]:
    made = [catalog.require("training/checkpoint", key) for key in checkpoints(catalog)]
    return [one.only(*WEIGHTS).digest for one in made]


def run_of(catalog: Catalog) -> Snapshot:
    return catalog.require("training/run", RUN)


def told(catalog: Catalog) -> list[dict[str, Any]]:
    """What each checkpoint's statement says of the site."""
    made = [catalog.require("training/checkpoint", key) for key in checkpoints(catalog)]
    return [one.byproduct(RECEIPT)["site"] for one in made]


@pytest.mark.servers
def test_a_run_that_loses_its_node_ends_with_the_same_weights(
    catalog: Catalog, slurm: Slurm, tmp_path: Path
) -> None:
    """Its daemon and all processes are killed, and another job goes on elsewhere."""
    nodes: list[str] = []
    seen: list[int] = []

    def launch(made: Job) -> Generator[int, None, None]:
        for step in launcher.launch(made, Site.model_validate(site_yaml(tmp_path / "shared"))):
            seen.append(len((made.out / METRICS).read_text().splitlines()))
            if step == 300:
                nodes.append(command("squeue", "--noheader", "--format=%N").strip())
                slurm.lose(nodes[-1])
            yield step

    try:
        train(catalog, "1.0.0", launch)
    finally:
        slurm.join(nodes[-1])
    assert seen[0] < 600, "metrics come while the job runs"
    assert len({one["job"] for one in told(catalog)}) == 2
    second = command("sacct", "-nXPj", told(catalog)[-1]["job"], "--format=NodeList").strip()
    assert {nodes[-1], second} == {"n1", "n2"}
    receipts = [catalog.require("training/checkpoint", key).byproduct(RECEIPT)
                for key in checkpoints(catalog)]  # fmt: skip
    assert {one["where"]["country"] for one in receipts} == {"FI"}
    [folder] = (tmp_path / "shared").iterdir()
    assert {one["script"] for one in told(catalog)} == {sha256_file(folder / "job.sbatch")}
    kept = {path.name for path in folder.iterdir()}
    assert kept == {"job.json", "job.sbatch", *(f"slurm-{one['job']}.log" for one in told(catalog))}
    [*others, last] = run_of(catalog).byproduct(launcher.RECORD)["jobs"]
    assert [one["accounting"]["State"] for one in others] == ["NODE_FAIL"]
    assert last["accounting"]["JobID"] == last["job"] == told(catalog)[-1]["job"]
    assert (last["accounting"]["State"], last["accounting"]["NNodes"]) == ("COMPLETED", "1")

    other = prepare(tmp_path / "other")
    write(other.settings.consortium / "training.yaml", TRAINING | LONG)
    train(other, "1.0.0", in_process)
    assert weights(catalog) == weights(other)


@pytest.mark.servers
def test_a_preempted_run_goes_on_by_a_script_of_the_sites_own(slurm: Slurm, tmp_path: Path) -> None:
    """Slurm takes the nodes for a partition of higher rank; script, configuration and image are
    in the checkpoints' statements by digest."""
    small = prepare(tmp_path)
    script, gate = held_script(tmp_path, step=8)
    config, image = tmp_path / "run.toml", tmp_path / "image.sif"
    config.write_text("steps = 12\n")
    image.write_bytes(b"an image")
    named = {"script": str(script), "script_config": str(config)}
    named |= {"container": str(image), "container_sha256": sha256_file(image)}
    site = Site.model_validate(site_yaml(tmp_path / "shared", **named))
    urgent: list[str] = []

    def launch(made: Job) -> Generator[int, None, None]:
        for step in launcher.launch(made, site):
            if step == 4:
                urgent.append(command(
                    "sbatch", "--parsable", "--partition=urgent", "--nodes=2", "--exclusive",
                    "--output=/dev/null", "--mem=100M", "--time=5",
                    f"--wrap=until [ -e {gate} ]; do sleep 0.1; done",
                ).strip())  # fmt: skip
                until(lambda: urgent[0] in slurm.jobs())
                gate.touch()
            yield step

    run = train(small, "1.0.0", launch)
    first, *others = told(small)
    assert len({one["job"] for one in others}) == 1
    assert others[0]["job"] != first["job"]
    jobs = run.byproduct(launcher.RECORD)["jobs"]
    assert [one["state"] for one in jobs] == ["PREEMPTED", "COMPLETED"]
    assert jobs[0]["accounting"]["State"] == "PREEMPTED"
    for one in told(small):
        assert one["container"] == sha256_file(image)
        assert (one["ownScript"], one["ownConfig"]) == (sha256_file(script), sha256_file(config))
    other = prepare(tmp_path / "other")
    train(other, "1.0.0", in_process)
    assert weights(small) == weights(other)


@pytest.mark.servers
def test_slurm_warns_before_the_time_limit_and_another_job_goes_on(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = prepare(tmp_path)
    script, gate = held_script(tmp_path, step=8)
    limits = {"time_limit": "1:00", "signal_before": 55}
    site = Site.model_validate(site_yaml(tmp_path / "shared", script=str(script), **limits))
    original, jobs = launcher._Batch.ended, set()

    def ended(batch: launcher._Batch) -> bool:
        jobs.add(batch.number)
        if len(jobs) == 2:
            gate.touch()
        return original(batch)

    monkeypatch.setattr(launcher._Batch, "ended", ended)
    run = train(small, "1.0.0", lambda made: launcher.launch(made, site))
    first, second = run.byproduct(launcher.RECORD)["jobs"]
    assert (first["state"], first["accounting"]["ExitCode"]) == ("FAILED", "75:0")
    assert second["state"] == "COMPLETED"
    by = [one["job"] for one in told(small)]
    assert set(by) <= {first["job"], second["job"]} and by[1:] == [second["job"]] * 2


@pytest.mark.servers
def test_two_nodes_train_together(slurm: Slurm, tmp_path: Path) -> None:
    """Both nodes are this host, so the name of the first is replaced by the host's own."""
    small = prepare(tmp_path)
    write(small.settings.consortium / "training.yaml", TRAINING | {"processes": 2})
    setup = ["export OMP_NUM_THREADS=1 GLOO_SOCKET_IFNAME=lo", "scontrol() { echo 127.0.0.1; }"]
    site = Site.model_validate(site_yaml(tmp_path / "shared", nodes=2, setup=setup))
    train(small, "1.0.0", lambda made: launcher.launch(made, site))
    made = [small.require("training/checkpoint", key) for key in checkpoints(small)]
    assert {one.byproduct(RECEIPT)["processes"] for one in made} == {2}
    assert run_of(small).byproduct(launcher.RECORD)["jobs"][0]["accounting"]["NNodes"] == "2"
    whole = job(small, tmp_path, processes=2)
    assert pair(whole) == [0, 0]
    assert weights(small) == [weights_digest(whole.receipt(step)["files"]) for step in (4, 8, 12)]


@pytest.mark.servers
def test_closing_the_launcher_cancels_the_job(
    catalog: Catalog, slurm: Slurm, tmp_path: Path
) -> None:
    made = job(catalog, tmp_path, held_out=0.0, steps=100_000, checkpoint_every=50)
    steps = launcher.launch(made, Site.model_validate(site_yaml(tmp_path / "shared")))
    assert next(steps) == 50
    [number] = slurm.jobs()
    assert weights_digest(made.receipt(50)["files"])
    steps.close()
    assert not slurm.jobs()
    assert "JobState=CANCELLED" in command("scontrol", "show", "job", number)
    assert [one["job"] for one in launcher.recorded(made.folder)] == [number]


@pytest.mark.servers
def test_a_job_that_somebody_cancels_and_one_that_fails_are_told_with_their_log(
    catalog: Catalog, slurm: Slurm, tmp_path: Path
) -> None:
    own = tmp_path / "own.sh"
    own.write_text('echo "payload of the site in $DSK_JOB"; sleep 600')
    made = job(catalog, tmp_path)
    site = Site.model_validate(site_yaml(tmp_path / "shared", script=str(own)))
    sent = Shared().send(made, tmp_path / "shared" / "job")
    batch = launcher._Batch(made, sent, site, Shared(), sent.folder)
    until(lambda: batch.log.is_file() and "payload of the site" in batch.log.read_text())
    command("scancel", batch.number)
    assert batch.wait() == "CANCELLED"
    own.write_text("echo out of memory on the GPU >&2; exit 3")
    with pytest.raises(TrainingError, match=r"with FAILED(?s:.*)out of memory on the GPU"):
        list(launcher.launch(made, site))
    with pytest.raises(TrainingError, match=r"sbatch refused the job: (?s:.*) — correct site.yaml"):
        list(launcher.launch(made, site.model_copy(update={"partition": "no-such"})))


@pytest.fixture
def ssh(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    server = SshServer(tmp_path / "ssh", {"SLURM_CONF": slurm.environment["SLURM_CONF"]})
    server.prepare()
    server.start()
    monkeypatch.setenv("PATH", f"{server.bin}:{os.environ['PATH']}")
    monkeypatch.setattr(launcher, "REMOTE_TICK", 0.2)
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.servers
def test_a_site_behind_ssh_trains_also_when_it_cannot_be_reached_for_a_while(
    ssh: SshServer, tmp_path: Path
) -> None:
    small = prepare(tmp_path)
    script, gate = held_script(tmp_path, step=8)
    site = Site.model_validate(site_yaml(tmp_path / "far", ssh="site", script=str(script)))
    (tmp_path / "far").mkdir()
    original, missed = launcher._Batch.ended, []

    def ended(batch: launcher._Batch) -> bool:
        over = original(batch)
        if batch.missed and not missed:
            missed.append(batch.missed)
            gate.touch()
            ssh.start()
        return over

    def launch(made: Job) -> Generator[int, None, None]:
        for step in launcher.launch(made, site):
            if step == 4:
                ssh.stop()
            yield step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launcher._Batch, "ended", ended)
        run = train(small, "1.0.0", launch)
    assert missed == [1]
    [one] = run.byproduct(launcher.RECORD)["jobs"]
    assert (one["state"], one["ownScript"]) == ("COMPLETED", sha256_file(script))
    [folder] = (tmp_path / "far").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        "job.json", "job.sbatch", f"slurm-{one['job']}.log",
    }  # fmt: skip
    assert one["script"] == sha256_file(folder / "job.sbatch")
    other = prepare(tmp_path / "other")
    train(other, "1.0.0", in_process)
    assert weights(small) == weights(other)


@pytest.mark.servers
def test_what_arrives_changed_behind_ssh_is_refused(ssh: SshServer, tmp_path: Path) -> None:
    made = job(prepare(tmp_path), tmp_path, held_out=0.0)
    (tmp_path / "far").mkdir()
    place = Remote("site", tmp_path / "mirror")
    there = place.send(made, tmp_path / "far" / "job")
    assert there.digest == made.digest
    with (tmp_path / "far/job/shards/0000/00000.bin").open("ab") as file:
        file.write(b"x")
    with pytest.raises(CorruptedError, match=r"differs from what was sent: shards/0000/00000\.bin"):
        place.send(made, tmp_path / "far" / "job")
    ssh.stop()
    with pytest.raises(UnreachableError, match=r"site does not answer.*`ssh site true`"):
        place.run("true")


@pytest.mark.servers
def test_after_a_kill_the_job_that_runs_is_followed_on(
    catalog: Catalog, slurm: Slurm, tmp_path: Path
) -> None:
    script, gate = held_script(tmp_path, step=8)
    made = job(catalog, tmp_path, held_out=0.0)
    site = Site.model_validate(site_yaml(tmp_path / "shared", script=str(script)))
    with pytest.MonkeyPatch.context() as killed:
        killed.setattr(launcher._Batch, "cancel", lambda self: None)
        first = launcher.launch(made, site)
        assert next(first) == 4
        first.close()
    [running] = slurm.jobs()
    batch = launcher._Batch(made, made, site, Shared(), tmp_path / "shared")
    with pytest.MonkeyPatch.context() as silent:
        no_answer = subprocess.CompletedProcess([], 1, "", "Unable to contact slurm controller")
        silent.setattr(Shared, "run", lambda self, *command: no_answer)
        assert not batch.ended(), "where Slurm says nothing, nothing is taken for an end"
    assert (batch.number, batch.missed) == (running, 1)
    second = launcher.launch(made, site)
    assert next(second) == 4
    assert slurm.jobs() == [running]
    gate.touch()
    assert list(second) == [8, 12]
    assert [one["job"] for one in launcher.recorded(made.folder)] == [running]


@pytest.mark.servers
def test_dagster_shows_the_metrics_while_the_job_runs(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job waits for a file that is made once its metrics are in Dagster's event log."""
    small = prepare(tmp_path)
    script, gate = held_script(tmp_path, step=8)
    site = Site.model_validate(site_yaml(tmp_path / "shared", script=str(script)))

    def make(catalog: Catalog, key: str) -> Snapshot:
        """The run, as its stage makes it, at a site of the test."""
        return train(small, "1.0.0", pipes.followed(lambda job: launcher.launch(job, site)))

    stage = Stage("training/run", make, "1", partitions=TRAINING_RUN, keys=lambda _: [RUN])
    monkeypatch.setenv("DSK_HOME", str(small.settings.home))
    monkeypatch.setattr(pipes, "LOOK", 0.05)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(TRAINING_RUN.name or "", [RUN])

        def said(text: str) -> bool:
            runs = [run.run_id for run in instance.get_runs()]
            return any(
                text in entry.user_message for one in runs for entry in instance.all_logs(one)
            )

        def observed() -> list[Mapping[str, Any]]:
            found = instance.fetch_observations(stage.asset_key, limit=10).records
            shown = [one.asset_observation for one in found]
            return [{k: v.value for k, v in one.metadata.items()} for one in shown if one]

        with ThreadPoolExecutor(1) as pool:
            resources = {"catalog": CatalogResource()}
            running = pool.submit(
                dg.materialize, [stage.as_asset()], partition_key=RUN, instance=instance,
                resources=resources,
            )  # fmt: skip
            try:
                until(lambda: said("test-1.0.0: checkpoint at step 4") or running.done(), 60)
                until(lambda: bool(observed()) or running.done(), 60)
                assert slurm.jobs() and not running.done()
                assert not small.partitions("training/run")
                [first] = observed()
                assert (first["step"], first["tokens"]) == (4, 4 * 4 * 32)
            finally:
                gate.touch()
            assert running.result().success
        assert [one["step"] for one in observed()] == [12, 8, 4]
        assert said("test-1.0.0: step 12 of 12")
