"""The night's filtering: the same on a cluster, and no dearer for what is there already."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson
import pytest

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.filters.decisions import decisions
from dsk_assets.filters.decontamination import contamination
from dsk_assets.filters.duplicates import duplicates
from dsk_assets.filters.language import language
from dsk_assets.filters.quality import quality
from dsk_assets.filters.signatures import signatures
from dsk_assets.gates.admitted import admitted
from dsk_assets.intake.documents import documents
from dsk_assets.intake.landing import land
from dsk_assets.lake import engine
from dsk_assets.privacy.stage import personal_data
from dsk_assets.settings import load_settings
from tests.dask_cluster import DaskCluster
from tests.filter_inputs import SENTENCES, document
from tests.night import digests
from tests.support import admit
from tests.support_donations import make_donation

ONE, TWO = "dsk-2026-0001", "dsk-2026-0002"
TAGS = (language, quality, signatures, contamination)
POLICY = "name: default\nversion: '1'\nduplicates: {cut_repeated_lines: true}\n"


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsk_assets.intake.documents.PART_BYTES", 10_000)


@pytest.fixture
def donated(tmp_path: Path) -> Mapping[str, Path]:
    """Two donations with duplicates within and between them, and lines in common."""
    (tmp_path / "consortium" / "policies").mkdir(parents=True)
    (tmp_path / "consortium" / "policies" / "default.yaml").write_text(POLICY)
    letter = {"text": "\n".join(SENTENCES[:10])}
    answer = {"text": "\n".join([*SENTENCES[10:], "", *SENTENCES[:10]])}
    contents = {
        ONE: [*map(document, range(60)), letter],
        TWO: [*map(document, range(40, 90)), answer],
    }
    folders = {}
    for donation, records in contents.items():
        lines = b"".join(orjson.dumps({"text": one["text"]}) + b"\n" for one in records)
        folder = tmp_path / donation
        folders[donation] = make_donation(folder, {"texts.jsonl": lines}, donation_id=donation)
    return folders


def opened(folder: Path, place: str = "local", workers: int = 1) -> Catalog:
    settings = load_settings(
        home=folder / "dsk", lake="", consortium=folder.parent / "consortium",
        engine=place, workers=workers,
    )  # fmt: skip
    return Catalog(settings, run_id="test")


def take(catalog: Catalog, folder: Path) -> str:
    """Land a donation and bring it as far as its admission; returns its key."""
    landing = land(catalog, folder)
    key = str(landing.partition)
    admit(catalog, "approval", landing)
    admit(catalog, "statistics", documents(catalog, key))
    admit(catalog, "personal_data", personal_data(catalog, key))
    admit(catalog, "language", language(catalog, key))
    for tag in TAGS:
        tag(catalog, key)
    admitted(catalog, key)
    return key


def filtered(catalog: Catalog, folders: Mapping[str, Path]) -> dict[str, str]:
    keys = [take(catalog, folder) for folder in folders.values()]
    duplicates(catalog)
    for key in keys:
        decisions(catalog, key)
    return digests(catalog)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    (tmp_path / "dask").mkdir()
    cluster = DaskCluster(tmp_path / "dask")
    try:
        cluster.start(workers=2)
        yield cluster
    finally:
        cluster.stop()


@pytest.mark.servers
def test_on_dask_every_asset_has_the_bytes_that_the_local_engine_makes(
    donated: Mapping[str, Path], cluster: DaskCluster, tmp_path: Path
):
    local = opened(tmp_path / "local")
    made = filtered(local, donated)
    key = f"{ONE}@1.0.0"
    assert len(local.require("filtering/quality", key).paths("attribute")) > 3
    found = local.require("filtering/decisions", f"{TWO}@1.0.0").counts
    assert found["dropped_by_rule"]["exact-duplicate"] > 10
    assert found["characters_cut"] > 0
    on_dask = opened(tmp_path / "on-dask", cluster.address, workers=2)
    assert filtered(on_dask, dict(reversed(donated.items()))) == made
    (client,) = engine._connected.values()
    assert client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.workers)) == 2
    parts = len(local.require("donations/documents", key).paths("document"))
    assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter) > parts


def test_another_donation_leaves_the_tags_of_the_first_alone(
    donated: Mapping[str, Path], tmp_path: Path
):
    catalog = opened(tmp_path / "local")
    first = take(catalog, donated[ONE])
    duplicates(catalog)
    decisions(catalog, first)
    before = digests(catalog)
    second = take(catalog, donated[TWO])
    catalog.made.clear()
    for tag in TAGS:
        tag(catalog, first)
    assert catalog.made == []
    duplicates(catalog)
    decisions(catalog, second)
    changed = {key for key, digest in digests(catalog).items() if before.get(key, digest) != digest}
    assert changed == {"filtering/duplicates[None]"}
