"""The lake for SQL: a schema ``lake`` in DuckDB with a view for each table of the platform.

The views read the Parquet files of the newest materialisations in place; the bytes of each file
are checked against its statement first. Tables that nothing has written yet are there and empty.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.records import rows
from dsk_assets.records.sources import Sources, sources
from dsk_assets.records.tables import FACTS, PARQUET, PART, STATEMENT, ParquetTable

SCHEMA = "lake"
OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""DuckDB downloads extensions by itself unless it is told not to."""


def connect(catalog: Catalog, database: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """A DuckDB connection in which schema ``lake`` shows the lake as it is now.

    Text is not reachable through it: see :mod:`dsk_assets.records.tables`. Raises
    :class:`~dsk_assets.errors.CorruptedError` when a file differs from its statement.
    """
    connection = duckdb.connect(database, config=OFFLINE)
    register(connection, sources(catalog))
    _create(connection, "statement", STATEMENT, rows.statements(catalog))
    return connection


def register(connection: duckdb.DuckDBPyConnection, source: Sources) -> None:
    """Make schema ``lake`` show *source*. Table ``statement`` is there and empty."""
    connection.execute(f"create schema if not exists {SCHEMA}")
    files = {name: _files(name, source.tables[name]) for name in PARQUET}
    parts = [part for found in files.values() for part in found]
    _create(connection, "part", PART, parts)
    for name, table in PARQUET.items():
        paths = [str(part["path"]) for part in files[name]]
        connection.execute(f"create or replace view {SCHEMA}.{name} as {_select(table, paths)}")
    for name, fact in FACTS.items():
        _create(connection, name, fact.columns, rows.rows(name, source))
    _create(connection, "statement", STATEMENT, [])


def _files(table: str, snapshots: Iterable[Snapshot]) -> list[dict[str, str | None]]:
    """The parts of *table*; a part ``table/<key>/…`` of an unpartitioned asset is that of a key."""
    found: list[dict[str, str | None]] = []
    for snapshot in snapshots:
        for file in snapshot.files:
            folder, *rest = file.name.split("/")
            if folder == table:
                partition = rest[0] if len(rest) > 1 else snapshot.partition
                found.append({"path": str(snapshot.path(file.name)), "partition": partition})
    return found


def _select(table: ParquetTable, paths: list[str]) -> str:
    columns = dict(table.columns) | (_measures(paths) if table.measures else {})
    chosen = [f'cast("{name}" as {kind}) as "{name}"' for name, kind in columns.items()]
    if table.partition:
        chosen.append(f'cast(partition as varchar) as "{table.partition}"')
    if not paths:
        columns = columns | {"partition": "varchar"}
        empty = ", ".join(f'cast(null as {kind}) as "{name}"' for name, kind in columns.items())
        return f"select {', '.join(chosen)} from (select {empty}) where false"
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return (
        f"select {', '.join(chosen)} "
        f"from read_parquet([{listed}], filename = true, union_by_name = true) "
        f"join {SCHEMA}.part on part.path = filename"
    )


def _measures(paths: list[str]) -> dict[str, str]:
    if not paths:
        return {}
    schema = pq.read_schema(paths[0])
    return {field.name: "double" for field in schema if pa.types.is_floating(field.type)}


def _create(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Mapping[str, str],
    content: Iterable[Mapping[str, Any]],
) -> None:
    listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    connection.execute(f"create or replace table {SCHEMA}.{table} ({listed})")
    schema = pa.schema([pa.field(name, _ARROW[kind]) for name, kind in columns.items()])
    values = [{name: row[name] for name in columns} for row in content]
    connection.register("incoming", pa.Table.from_pylist(values, schema))
    connection.execute(f"insert into {SCHEMA}.{table} select * from incoming")
    connection.unregister("incoming")


_ARROW: dict[str, pa.DataType] = {
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "varchar[]": pa.list_(pa.string()),
}
