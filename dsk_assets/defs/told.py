"""What Dagster says of materialisations, compared with their statements, both ways.

Dagster's event log can be edited or wiped without a trace, so it is never the evidence; but what
people look at there should be what the statements say.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from dsk_assets.defs import metadata
from dsk_assets.errors import DskError, StorageError, safe_message
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.verify.envelopes import Statement
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.graph import Graph
from dsk_assets.evidence.verify.lake import Told, is_run
from dsk_assets.lake.sqlite_files import code_of

DATA_VERSION = "dagster/data_version"
PAGE = 1000
ADDRESS = "dagster/uri"
SUCCEEDED = "SUCCEEDED"
"""The recorded status of a check that passed."""

VERDICT = 5
"""The column of a check's table that holds the verdict (see ``metadata.of_decisions``)."""

Numbers = tuple[int, int, bool]
"""Of a gate's decision: how many expectations, how many failed, and whether it admits."""

JUDGED_BEFORE_USE = ("gate/composition",)
"""Gates that judge once more before each use, whose check shows the decision at its making."""

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
        yield from _checks(instance, graph)

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


def _checks(instance: dg.DagsterInstance, graph: Graph) -> Iterator[Fault]:
    """Decisions of gates that no check in Dagster shows, and checks that show what none decided.

    A check shows all decisions of its gate at the time, in a table. What a run has decided and not
    shown, since it is under way or ended badly, the next one shows.
    """
    for gate, judged in graph.policy["judges"].items():
        name = gate.rpartition("/")[2]
        shown: dict[str | None, set[Numbers]] = {}
        for number, evaluation, status in _evaluations(instance, judged, name):
            table = _table(evaluation)
            for partition, numbers in table.items():
                decided = graph.histories.get((gate, partition), [])
                if partition not in shown and gate not in JUDGED_BEFORE_USE:
                    decided = decided[_last_told(instance, decided) :]
                if numbers not in map(_numbers, decided):
                    place = f"Dagster check {number}: {judged} {name}"
                    yield Fault("dagster-differs", place, f"{partition} was decided otherwise")
                shown.setdefault(partition, set()).add(numbers)
            passed = not any(failed for _, failed, _ in table.values())
            if evaluation.passed != passed or (status == SUCCEEDED) != passed:
                yield Fault("dagster-differs", f"Dagster check {number}: {judged} {name}", "passed")
        for (asset, partition), history in graph.histories.items():
            for one in history if asset == gate else ():
                found = shown.get(partition, set())
                if asset not in JUDGED_BEFORE_USE:
                    found = found & {_numbers(one)}
                if is_run(one.run) and not found and _ended_well(instance, one.run):
                    affected = graph.affected([one.digest])
                    yield Fault("dagster-missing", f"check {one.key}", f"run {one.run}", affected)


def _evaluations(
    instance: dg.DagsterInstance, asset: str, name: str
) -> Iterator[tuple[int, dg.AssetCheckEvaluation, str]]:
    """Number, content and recorded status of each evaluation of a check, newest first."""
    key = dg.AssetCheckKey(dg.AssetKey(asset.split("/")), name)
    cursor: int | None = None
    while True:
        page = instance.event_log_storage.get_asset_check_execution_history(key, PAGE, cursor)
        for record in page:
            event = record.event.dagster_event if record.event else None
            if event and event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                yield record.id, event.asset_check_evaluation_data, record.status.value
        if len(page) < PAGE:
            return
        cursor = page[-1].id


def _table(evaluation: dg.AssetCheckEvaluation) -> dict[str | None, Numbers]:
    """What the table of a check shows of each partition."""
    table = evaluation.metadata.get("expectations")
    verdicts: dict[str | None, list[str]] = {}
    for line in _as_text(table).splitlines()[2:] if table else ():
        partition, *_, verdict = line.removeprefix("| ").split(" | ")[:VERDICT]
        verdicts.setdefault(partition, []).append(verdict)
    return {
        partition: (len(found), len(found) - found.count("passed"), "critical" not in found)
        for partition, found in verdicts.items()
    }


def _numbers(decision: Statement) -> Numbers:
    counts = decision.counts
    return counts.get("expectations", 0), counts.get("failed", 0), counts.get("admitted") == 1


def _last_told(instance: dg.DagsterInstance, decisions: Sequence[Statement]) -> int:
    """The position of the last of *decisions* that Dagster must have been told of."""
    told = [is_run(one.run) and _ended_well(instance, one.run) for one in decisions]
    return max((position for position, one in enumerate(told) if one), default=0)


def _ended_well(instance: dg.DagsterInstance, name: str) -> bool:
    """Whether a run has ended well, or is not known at all."""
    run = instance.get_run_by_id(name)
    return run is None or run.is_success


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
            ended[one.run] = _ended_well(instance, one.run)
        if (one.asset, one.partition, one.digest_of()) in known:
            continue
        if ended[one.run]:
            yield Fault("dagster-missing", one.key, f"run {one.run}", graph.affected([one.digest]))
        elif one.run != own:
            unfinished[one.run] = unfinished.get(one.run, 0) + 1
    for name, count in unfinished.items():
        yield Fault("dagster-unfinished", f"run {name}", f"{count} materialisations")
