"""What Dagster says of materialisations, compared with their statements, both ways.

Dagster's event log can be edited or wiped without a trace, so it is never the evidence; but what
people look at there should be what the statements say.
"""

import os
from collections.abc import Iterator, Mapping
from functools import cache

import dagster as dg

from dsk_assets.defs import metadata
from dsk_assets.errors import DskError, safe_message
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.lake import Told, is_run
from dsk_assets.evidence.verify.rules import Graph

DATA_VERSION = "dagster/data_version"
PAGE = 1000
ADDRESS = "dagster/uri"


def told(catalog: Catalog, instance: dg.DagsterInstance) -> Told:
    """Compare the statements of *catalog*'s lake with the materialisations in *instance*."""

    @cache
    def history(asset: str, partition: str | None) -> dict[str, Snapshot]:
        try:
            made = catalog.history(asset, partition)
        except DskError:  # an unreadable statement is a fault of its own
            return {}
        return {snapshot.statement_digest: snapshot for snapshot in made}

    def compare(graph: Graph) -> Iterator[Fault]:
        try:
            yield from differences(graph)
        except Exception as error:  # whatever lies in its database, the rest is verified
            yield Fault(
                "dagster-unreadable", catalog.settings.dagster_home.as_posix(), safe_message(error)
            )

    def differences(graph: Graph) -> Iterator[Fault]:
        known: set[tuple[str, str | None, str]] = set()
        for asset in sorted({one.asset for one in graph.made} | _assets(instance)):
            key = dg.AssetKey(asset.split("/"))
            for record in _materialisations(instance, key):
                event = record.asset_materialization
                if event is None:
                    continue
                version = (event.tags or {}).get(DATA_VERSION, "").removeprefix("sha256:")
                known.add((asset, event.partition, version))
                place = f"Dagster event {record.storage_id}: {asset}[{event.partition or ''}]"
                same = [
                    one
                    for one in graph.histories.get((asset, event.partition), [])
                    if one.digest_of() == version
                ]
                if not same:
                    yield Fault("dagster-unknown", place, f"data version {version or 'none'}")
                elif differing := _differing(event, history(asset, event.partition)):
                    affected = graph.affected([same[-1].digest])
                    yield Fault("dagster-differs", place, ", ".join(differing), affected)
        yield from _untold(instance, graph, known, catalog.run_id)

    return compare


def told_at_home(catalog: Catalog) -> Told | None:
    """The comparison with Dagster's instance of this process; None where there is none."""
    if not os.environ.get("DAGSTER_HOME"):
        return None
    try:
        instance = dg.DagsterInstance.get()
    except Exception as error:
        reason = safe_message(error)
        return lambda graph: [Fault("dagster-unreadable", os.environ["DAGSTER_HOME"], reason)]
    return told(catalog, instance)


def _assets(instance: dg.DagsterInstance) -> set[str]:
    """The assets that Dagster has materialisations of, but for dbt's own models."""
    names = {"/".join(key.path) for key in instance.get_asset_keys()}
    return {name for name in names if not name.startswith("warehouse/")}


def _materialisations(
    instance: dg.DagsterInstance, key: dg.AssetKey
) -> Iterator[dg.EventLogRecord]:
    cursor: str | None = None
    while True:
        page = instance.fetch_materializations(key, limit=PAGE, cursor=cursor, ascending=True)
        yield from page.records
        cursor = page.cursor
        if not page.has_more:
            return


def _differing(event: dg.AssetMaterialization, history: Mapping[str, Snapshot]) -> list[str]:
    """Names of the metadata that are not what the statement decides."""
    snapshot = history.get(_text(event, "statement").removeprefix("sha256:"))
    if snapshot is None:
        return ["statement"]
    return [
        name
        for name, value in metadata.recorded(snapshot).items()
        if name != ADDRESS and _text(event, name) != _as_text(value)
    ]


def _text(event: dg.AssetMaterialization, name: str) -> str:
    return _as_text(event.metadata[name]) if name in event.metadata else ""


def _as_text(value: object) -> str:
    return str(getattr(value, "value", value))


def _untold(
    instance: dg.DagsterInstance,
    graph: Graph,
    known: set[tuple[str, str | None, str]],
    own: str,
) -> Iterator[Fault]:
    """Statements that a run of Dagster made and that Dagster does not show.

    A run that is under way, or ended badly, tells of what it made in the next one; until then it
    is a limit, since anybody can write into Dagster's database that a run ended badly. The run
    *own*, which is verifying, is under way for sure.
    """
    ended: dict[str, bool] = {}
    unfinished: dict[str, int] = {}
    for one in graph.made:
        if one.asset.startswith("gate/") or not is_run(one.run):
            continue
        if one.run not in ended:
            run = instance.get_run_by_id(one.run)
            ended[one.run] = run is None or run.is_success
        if (one.asset, one.partition, one.digest_of()) in known:
            continue
        if ended[one.run]:
            yield Fault("dagster-missing", one.key, f"run {one.run}", graph.affected([one.digest]))
        elif one.run != own:
            unfinished[one.run] = unfinished.get(one.run, 0) + 1
    for name, count in unfinished.items():
        yield Fault("dagster-unfinished", f"run {name}", f"{count} materialisations")
