"""The tables over all parts, sorted by id in DuckDB, which spills to disk what is too much."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from dsk_assets.filters.join import Duplicates
from dsk_assets.filters.measures import MEASURES
from dsk_assets.filters.run.chain import Decided
from dsk_assets.lake.database import spilling
from dsk_assets.lake.memo import Memo, whole
from dsk_assets.lake.tables import write_parquet

ROW_GROUP = 65_536
SPILL = ".work/spill"
TABLES = ("attributes", "duplicates", "decisions", "cuts")

_ATTRIBUTES: dict[str, pa.DataType] = {
    "id": pa.string(),
    "language": pa.string(),
    **dict.fromkeys(("confidence", "accepted_share", *MEASURES), pa.float64()),
}
_DUPLICATES: dict[str, pa.DataType] = {
    "id": pa.string(),
    "cluster_id": pa.string(),
    "survivor_id": pa.string(),
    "similarity": pa.float64(),
}
_DECISIONS: dict[str, pa.DataType] = {
    "id": pa.string(),
    "kept": pa.bool_(),
    "rule": pa.string(),
    "value": pa.float64(),
    "threshold": pa.float64(),
    "survivor_id": pa.string(),
    "n_cut": pa.int64(),
}
_CUTS: dict[str, pa.DataType] = {
    "id": pa.string(),
    "start": pa.int64(),
    "end": pa.int64(),
    "survivor_id": pa.string(),
}
ATTRIBUTES, DUPLICATES, DECISIONS, CUTS = map(
    pa.schema, (_ATTRIBUTES, _DUPLICATES, _DECISIONS, _CUTS)
)


def gather(memo: Memo, decided: Sequence[Decided], found: Duplicates, threads: int) -> None:
    """Write ``attributes``, ``duplicates``, ``decisions`` and ``cuts`` (all ``.parquet``)."""
    for name, rows, schema in (
        ("duplicates", found.all(), DUPLICATES),
        ("cuts", found.all_cuts(), CUTS),
    ):
        with whole(memo.folder / f"{name}.parquet") as path:
            named = (batch.rename_columns(schema.names) for batch in rows)
            write_parquet(path, _regrouped(named), schema)
    with spilling(memo.folder / SPILL, threads) as database:
        decisions = [str(memo.path(one.decisions)) for one in decided]
        query = f"SELECT doc_id AS id, {_names(DECISIONS)} FROM read_parquet(?) ORDER BY id"
        _write(database, query, [decisions], memo.folder / "decisions.parquet", DECISIONS)
        languages = [str(memo.path(one.tagged.language)) for one in decided]
        measures = [str(memo.path(one.tagged.quality)) for one in decided]
        query = (
            f"SELECT doc_id AS id, {_names(ATTRIBUTES)} "
            "FROM (SELECT * EXCLUDE n_char FROM read_parquet(?)) "
            "JOIN read_parquet(?) USING (doc_id) ORDER BY id"
        )
        _write(
            database, query, [languages, measures], memo.folder / "attributes.parquet", ATTRIBUTES
        )


def duplicate_ids(memo: Memo, paths: list[str], threads: int) -> list[tuple[str, int]]:
    """The first id that stands twice: file and record of two places; empty where none does."""
    with spilling(memo.folder / SPILL, threads) as database:
        twice = database.execute(
            "SELECT doc_id FROM read_parquet(?) GROUP BY doc_id HAVING count(*) > 1 "
            "ORDER BY doc_id LIMIT 1",
            [paths],
        ).fetchall()
        if not twice:
            return []
        places = database.execute(
            "SELECT filename, record FROM read_parquet(?, filename = true) WHERE doc_id = ? "
            "ORDER BY ALL LIMIT 2",
            [paths, twice[0][0]],
        ).fetchall()
        return [(str(path), int(record)) for path, record in places]


def _names(schema: pa.Schema) -> str:
    return ", ".join(f'"{name}"' for name in schema.names if name != "id")


def _write(
    database: duckdb.DuckDBPyConnection,
    query: str,
    parameters: list[list[str]],
    path: Path,
    schema: pa.Schema,
) -> None:
    """The rows of *query* as one Parquet file, in row groups of a fixed size."""
    reader = database.sql(query, params=parameters).to_arrow_reader(ROW_GROUP)
    assert reader is not None
    with whole(path) as temporary:
        write_parquet(temporary, _regrouped(reader), schema)


def _regrouped(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows in tables of exactly :data:`ROW_GROUP`, whatever the engine's batches."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        while rows >= ROW_GROUP:
            table = pa.Table.from_batches(held).combine_chunks()
            yield table.slice(0, ROW_GROUP)
            rest = table.slice(ROW_GROUP)
            held, rows = rest.to_batches(), rest.num_rows
    if rows:
        yield pa.Table.from_batches(held)
