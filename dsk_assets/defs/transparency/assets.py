"""The dbt warehouse over the lake's tables, and the records that are published from it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)

from dsk_assets.defs import metadata
from dsk_assets.defs.corpus.assets import judge_again, newest_release
from dsk_assets.defs.partitions import CHECKPOINT, RELEASE
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.defs.stage import Stage, known_versions
from dsk_assets.defs.told import told_at_home
from dsk_assets.errors import CorruptedError
from dsk_assets.evidence.catalog import Catalog, Snapshot, Stale
from dsk_assets.evidence.derived import BUNDLE as MODEL_RELEASED
from dsk_assets.records import bundle, verification
from dsk_assets.records import stage as records
from dsk_assets.records.warehouse import DATABASE_VARIABLE, build_error, marts, warehouse
from dsk_assets.settings import PROJECT_ROOT

PROJECT = DbtProject(
    project_dir=PROJECT_ROOT / "dbt_project", profiles_dir=PROJECT_ROOT / "dbt_project"
)
DBT = DbtCliResource(project_dir=PROJECT, dbt_executable=str(Path(sys.executable).with_name("dbt")))


def _manifest_is_current() -> bool:
    """Whether dbt's manifest is newer than every file of the project it was parsed from."""
    if not PROJECT.manifest_path.exists():
        return False
    parsed = PROJECT.manifest_path.stat().st_mtime
    sources = (*PROJECT.project_dir.glob("*.yml"), *PROJECT.project_dir.glob("models/**/*.*"))
    return all(path.stat().st_mtime <= parsed for path in sources)


if not _manifest_is_current():
    DBT.cli(["parse", "--quiet"], target_path=PROJECT.project_dir / PROJECT.target_path).wait()

WAREHOUSE = dg.AssetKey(["transparency", "warehouse"])


class Translator(DagsterDbtTranslator):
    """Puts models under ``warehouse/`` in the group of the stage they belong to."""

    def get_asset_key(self, dbt_resource_props: Any) -> dg.AssetKey:
        """``warehouse/<model>``; sources keep the key of the asset that makes their table."""
        if dbt_resource_props["resource_type"] == "model":
            return dg.AssetKey(["warehouse", dbt_resource_props["name"]])
        return super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Any) -> str:
        """All models belong to transparency."""
        return "transparency"

    def get_owners(self, dbt_resource_props: Any) -> list[str]:
        """Those who own all other assets, too."""
        return ["team:data-engineering"]

    def get_tags(self, dbt_resource_props: Any) -> dict[str, str]:
        """dbt's own tags, and the principle that the marts serve."""
        return {**super().get_tags(dbt_resource_props), "dsk/principle": "4"}


TRANSLATOR = Translator(
    settings=DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)
)
"""An asset may make more than one of the tables that are dbt's sources."""

_WITHOUT_CONTEXT: dict[str, Any] = {
    "manifest": PROJECT.manifest_path,
    "dagster_dbt_translator": TRANSLATOR,
}


@contextmanager
def _database(path: Path) -> Iterator[None]:
    os.environ[DATABASE_VARIABLE] = str(path)
    try:
        yield
    finally:
        del os.environ[DATABASE_VARIABLE]


def _materialise(
    context: dg.AssetExecutionContext | None, dbt: DbtCliResource, catalog: Catalog
) -> tuple[Snapshot, list[Any]]:
    events: list[Any] = []

    def build(database: Path) -> None:
        with _database(database):
            invocation = dbt.cli(
                ["build"],
                raise_on_error=False,
                **({"context": context} if context else _WITHOUT_CONTEXT),
            )
            events.extend(invocation.stream())
            if not invocation.is_successful():
                raise build_error(invocation.target_path)

    return warehouse(catalog, build), events


def _event(snapshot: Snapshot) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        WAREHOUSE,
        metadata=metadata.of_snapshot(snapshot),
        tags={"dagster/data_version": f"sha256:{snapshot.digest}"},
    )


@dbt_assets(manifest=PROJECT.manifest_path, project=PROJECT, dagster_dbt_translator=TRANSLATOR)
def warehouse_models(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, catalog: CatalogResource
) -> Iterator[Any]:
    """The marts: SQL over the lake's tables, tested."""
    snapshot, events = _materialise(context, dbt, catalog.open(context.run.run_id))
    yield from events
    context.log_event(_event(snapshot))


@dg.op(
    name="nightly__transparency__warehouse",
    ins={"after": dg.In(dg.Nothing)},
    out=dg.Out(dg.Nothing),
    description="transparency/warehouse: the dbt marts over the lake's tables.",
)
def warehouse_op(
    context: dg.OpExecutionContext, dbt: DbtCliResource, catalog: CatalogResource
) -> None:
    """Build the marts where a table they read has changed, and log dbt's own events."""
    snapshot, events = _materialise(None, dbt, catalog.open(context.run_id))
    for event in events:
        if isinstance(event, (dg.AssetMaterialization, dg.AssetCheckEvaluation)):
            context.log_event(event)  # type: ignore[arg-type]  # checks are accepted, too
    if known_versions(context.instance, WAREHOUSE).get(None) != f"sha256:{snapshot.digest}":
        context.log_event(_event(snapshot))


def warehouse_stale(catalog: Catalog) -> bool:
    """Whether a table that the marts read has changed, or been damaged, since they were built."""
    try:
        warehouse(catalog.planning(), lambda database: None)
    except (Stale, CorruptedError):
        return True
    return False


MARTS = dg.AssetSpec(
    WAREHOUSE,
    deps=[dg.AssetKey(["warehouse", mart]) for mart in marts()],
    description="The marts as Parquet in the evidence zone, with their statement.",
    group_name="transparency",
    kinds={"duckdb", "parquet"},
    owners=["team:data-engineering"],
    tags={"dsk/principle": "4"},
)


def _verification(catalog: Catalog, version: str) -> Snapshot:
    judge_again(catalog, version)
    return verify(catalog, version)


def verify(catalog: Catalog, version: str, *, full: bool = False) -> Snapshot:
    """Verify the evidence behind a release; what Dagster shows, too, where there is an instance."""
    read = records.materialisations(catalog, version)
    told = None if catalog.plans else told_at_home(catalog)
    return verification.verification(catalog, version, read, told=told, full=full)


_verification.__doc__ = verification.verification.__doc__

VERIFICATION = Stage(
    verification.ASSET,
    _verification,
    verification.CODE_VERSION,
    deps=("transparency/warehouse", "corpus/release", "training/checkpoint*"),
    kinds=frozenset({"json"}),
    partitions=RELEASE,
    keys=newest_release,
    gate=verification.GATE,
    principle="4",
    see_also="transparency/records",
)


def _records(catalog: Catalog, version: str) -> Snapshot:
    judge_again(catalog, version)
    return records.records(catalog, version)


_records.__doc__ = records.records.__doc__

RECORDS = Stage(
    "transparency/records",
    _records,
    records.CODE_VERSION,
    deps=(
        "transparency/verification",
        "transparency/warehouse",
        "corpus/release",
        "training/checkpoint*",
        "training/evaluation*",
    ),
    kinds=frozenset({"markdown", "json"}),
    partitions=RELEASE,
    keys=newest_release,
    principle="4",
)
MODEL_RELEASE = Stage(
    MODEL_RELEASED,
    bundle.model_release,
    bundle.CODE_VERSION,
    deps=("training/checkpoint", "transparency/records*", "transparency/verification*"),
    kinds=frozenset({"json", "huggingface"}),
    partitions=CHECKPOINT,
    keys=lambda catalog: catalog.partitions(MODEL_RELEASED),
    principle="1",
)
"""No step of the night: a person decides that a model is released."""
