"""One night on a small consortium: what the end-to-end tests look at from all sides."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import PROJECT_ROOT, load_settings
from tests.planted import plant

FOLDERS = ("ministerium-love", "kommune-sager", "museum-laesestykker", "universitet-ordliste")
EXPIRED = "dsk-2026-0009@1.0.0"
PERSONAL = "dsk-2026-0005@1.0.0"
DEMANDS = (
    ("approval", "donations/landing", "donations/documents"),
    ("approval", "donations/landing", "filtering/language"),
    ("approval", "donations/landing", "filtering/personal_data"),
    ("statistics", "donations/documents", "filtering/language"),
    ("statistics", "donations/documents", "filtering/personal_data"),
    ("personal_data", "filtering/personal_data", "filtering/quality"),
    ("personal_data", "filtering/personal_data", "filtering/signatures"),
    ("language", "filtering/language", "filtering/admitted"),
    ("personal_data", "filtering/personal_data", "filtering/admitted"),
    ("language", "filtering/language", "filtering/decisions"),
    ("language", "filtering/language", "corpus/shards"),
    ("spans", "corpus/shards", "corpus/release"),
    ("composition", "corpus/release", "training/run"),
    ("composition", "corpus/release", "transparency/records"),
    ("checkpoint", "training/checkpoint", "transparency/records"),
    ("evidence", "transparency/verification", "transparency/records"),
)
"""Gates, what each judges, and who demands its decision."""


@dataclass(frozen=True)
class Night:
    """A home and a consortium, and ways to run the night over them."""

    home: Path
    consortium: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to work on this home."""
        return {
            "DSK_HOME": str(self.home),
            "DSK_CONSORTIUM": str(self.consortium),
            "DSK_WORKERS": "1",
            "OMP_NUM_THREADS": "1",
        }

    def catalog(self) -> Catalog:
        """The lake of this home."""
        return Catalog(load_settings(home=self.home, consortium=self.consortium, workers=1))

    def command(self, *arguments: str, **options: object) -> "subprocess.Popen[str]":
        """``dsk`` with *arguments*, started."""
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "dsk_assets.cli", *arguments],
            env={**os.environ, **self.environment}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip

    def killed(self, moment: Path) -> None:
        """Run the night until there is a file or folder *moment*, and kill it."""
        process = self.command("nightly")
        deadline = time.monotonic() + 180
        while not moment.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
        process.communicate()

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Dagster's instance of this home, with the environment set."""
        from dsk_assets.defs.local import local_instance

        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**self.environment, "DAGSTER_HOME": ""}.items():
                patch.setenv(name, value)
            with local_instance(load_settings(home=self.home)) as instance:
                yield instance


def small_consortium(folder: Path, donations: tuple[str, ...] = FOLDERS) -> Path:
    """A copy of the example consortium with a few *donations* and a short training."""
    source = PROJECT_ROOT / "examples" / "consortium"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("donations"))
    for name in donations:
        shutil.copytree(source / "donations" / name, folder / "donations" / name)
    change_yaml(folder / "training.yaml", steps=12, checkpoint_every=6, warmup_steps=2)
    return folder


def planted_night(folder: Path) -> Night:
    """A home and a consortium, one of whose donations has invented persons planted in it."""
    consortium = small_consortium(folder / "consortium")
    plant(consortium / "donations" / "kommune-sager")
    return Night(folder / "home", consortium)


def change_yaml(path: Path, **changes: object) -> None:
    """Set top-level fields of a YAML file."""
    content = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump(content | changes), "utf-8")


def digests(catalog: Catalog) -> dict[str, str]:
    """The digest of the newest materialisation of every asset partition in the lake."""
    statements = Path(catalog.lake.root) / "evidence" / "statements"
    found = {}
    for folder in sorted(path.parent for path in statements.rglob("000001.json")):
        asset = str(folder.parent.relative_to(statements))
        partition = None if folder.name == "_" else folder.name
        found[f"{asset}[{partition}]"] = catalog.require(asset, partition).digest
    return found


def personal_values(catalog: Catalog) -> list[str]:
    """Distinct personal numbers and addresses of the form name.name@ in the raw documents."""
    documents = catalog.require("donations/documents", PERSONAL)
    rows = documents.table("document", ["text"])
    with duckdb.connect() as connection:
        connection.register("document", rows)
        found = connection.sql(
            r"""
            select distinct unnest(
                regexp_extract_all(text, '\b[0-3]\d[01]\d{3}-\d{4}\b')
                || regexp_extract_all(text, '[a-z]+[.][a-z]+@[a-z.-]+\.(?:dk|org|com)')
            ) as value from document
            """
        ).fetchall()
    return [value for (value,) in found]


def published(catalog: Catalog) -> dict[str, str]:
    """The digests of the records, but for the model card's hours of computing, which vary."""
    files = catalog.require("transparency/records", "1.0.0").files
    return {file.name: file.sha256 for file in files if not file.name.startswith("model_card/")}
