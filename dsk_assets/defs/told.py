"""What Dagster says of materialisations, compared with their statements, both ways.

Dagster's event log can be edited or wiped without a trace, so it is never the evidence; but what
people look at there should be what the statements say.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from dsk_assets.defs import metadata
from dsk_assets.errors import DskError, StorageError, safe_message
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.lake import Told, is_run
from dsk_assets.evidence.verify.rules import Graph
from dsk_assets.lake.sqlite_files import code_of

DATA_VERSION = "dagster/data_version"
PAGE = 1000
ADDRESS = "dagster/uri"
OUTPUT = "storage"
"""Dagster's folder of what steps printed, which says nothing of materialisations."""


def told(catalog: Catalog, instance: dg.DagsterInstance) -> Told:
    """Compare the statements of *catalog*'s lake with the materialisations in *instance*."""
    return _told(catalog, Path(instance.root_directory), lambda: instance)


def told_at_home(catalog: Catalog) -> Told | None:
    """The comparison with Dagster's instance of this process; None where there is none."""
    home = os.environ.get("DAGSTER_HOME")
    return _told(catalog, Path(home), dg.DagsterInstance.get) if home else None


def _told(catalog: Catalog, home: Path, opened: Callable[[], dg.DagsterInstance]) -> Told:
    """The comparison; it raises :class:`StorageError` where the records cannot be reached.

    Dagster opens its database to write. Where that fails, a copy tells whether the database is
    damaged, which is a fault, or only may not be written to.
    """

    @cache
    def history(asset: str, partition: str | None) -> dict[str, Snapshot]:
        try:
            made = catalog.history(asset, partition)
        except DskError:  # an unreadable statement is a fault of its own
            return {}
        return {snapshot.statement_digest: snapshot for snapshot in made}

    def compare(graph: Graph) -> list[Fault]:
        try:
            return list(differences(graph, opened()))
        except Exception:
            with copied(home) as copy:
                try:
                    with dg.DagsterInstance.from_config(str(copy)) as instance:
                        return list(differences(graph, instance))
                except Exception as error:  # whatever lies in its database, the rest is verified
                    _refuse_unreachable(error)
                    return [Fault("dagster-unreadable", home.as_posix(), safe_message(error))]

    def differences(graph: Graph, instance: dg.DagsterInstance) -> Iterator[Fault]:
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


@contextmanager
def copied(home: Path) -> Iterator[Path]:
    """A copy of what Dagster's folder *home* holds of runs and events, gone with the block.

    Raises :class:`StorageError` where it cannot be made.
    """
    try:
        with TemporaryDirectory(prefix="dsk-dagster-") as folder:
            copy = Path(folder)
            for at, _, names in os.walk(home, onerror=_raised):
                if Path(at).relative_to(home).parts[:1] != (OUTPUT,):
                    target = copy / Path(at).relative_to(home)
                    target.mkdir(exist_ok=True)
                    for name in names:
                        if Path(at, name).is_file():
                            shutil.copyfile(Path(at, name), target / name)
            yield copy
    except OSError as error:
        raise StorageError(
            f"Dagster's records could be neither opened to write nor copied: "
            f"{error.filename or home} ({os.strerror(error.errno or 0)}) — name a folder with free "
            "space by TMPDIR, or say --without-dagster"
        ) from None


def _raised(error: OSError) -> None:
    raise error


def _refuse_unreachable(error: BaseException) -> None:
    """Raise :class:`StorageError` where *error* is of a disk or a server, and not of a database."""
    one: BaseException | None = error
    while one is not None:
        original = getattr(one, "orig", one)
        full = code_of(original) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM)
        served = original is not one and not isinstance(original, sqlite3.Error)
        if full or served or isinstance(one, OSError):
            raise StorageError(
                f"Dagster's records cannot be reached ({type(original).__name__}) — see to its "
                "database, or say --without-dagster"
            ) from None
        one = one.__cause__ or one.__context__


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
