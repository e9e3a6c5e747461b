"""``site.yaml``: what is refused, and the script that is made of it."""

from pathlib import Path
from typing import Any

import pytest

from dsk_assets.errors import SettingsError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.lake.digests import sha256_file
from dsk_assets.training import slurm as launcher
from dsk_assets.training.launch import launcher as chosen
from dsk_assets.training.place import Shared
from dsk_assets.training.site import Site, load_site
from tests.corpora import write
from tests.jobs import job
from tests.sites import command, site_yaml
from tests.test_training import prepare


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return prepare(tmp_path_factory.mktemp("sites"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"country": "NO"}, "'NO' is none: donated data may not leave the EU"),
        ({"folder": "relative"}, "absolute folder"),
        ({"container": "/x.sif"}, "needs container_sha256"),
        ({"partition": "a; rm -r"}, "partition"),
        ({"nodez": 2}, "nodez"),
    ],
)
def test_a_wrong_site_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    write(tmp_path / "site.yaml", site_yaml(tmp_path, **change))
    with pytest.raises(SettingsError, match=f"site.yaml.*{message}"):
        load_site(tmp_path)


def test_an_image_with_other_bytes_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "image.sif"
    image.write_bytes(b"an image")
    named = {"container": str(image), "container_sha256": sha256_file(image)}
    site = Site.model_validate(site_yaml(tmp_path, **named, nodes=2))
    site.checked(4, Shared().digest)
    with pytest.raises(SettingsError, match="does not divide the 3 processes"):
        site.checked(3, Shared().digest)
    image.write_bytes(b"another")
    with pytest.raises(SettingsError, match="another digest than container_sha256"):
        site.checked(4, Shared().digest)


def test_the_script_for_several_nodes_and_a_container(catalog: Catalog, tmp_path: Path) -> None:
    made = job(catalog, tmp_path, processes=4)
    named = {"container": "/images/torch.sif", "container_sha256": "0" * 64}
    site = Site.model_validate(
        site_yaml(tmp_path, **named, nodes=2, gpus_per_node=2, partition="standard-g",
                  account="project_1", container_options=["--rocm"], python="python3")
    )  # fmt: skip
    script = launcher.render(made, site, Path("/scratch/job"))
    for line in (
        "#SBATCH --nodes=2", "#SBATCH --gpus-per-node=2", "#SBATCH --partition=standard-g",
        "#SBATCH --mem=1500M", "#SBATCH --signal=B:USR1@120", "--nproc-per-node=2",
        f"srun singularity exec --rocm --bind {tmp_path} /images/torch.sif python3",
    ):  # fmt: skip
        assert line in script
    (tmp_path / "script").write_text(script)
    command("bash", "-n", str(tmp_path / "script"))


def test_without_a_site_training_runs_here(catalog: Catalog, tmp_path: Path) -> None:
    assert load_site(catalog.settings.consortium) is None
    write(catalog.settings.consortium / "site.yaml", site_yaml(tmp_path, country="US"))
    try:
        with pytest.raises(SettingsError, match="may not leave the EU"):
            chosen(catalog.settings)
    finally:
        (catalog.settings.consortium / "site.yaml").unlink()
