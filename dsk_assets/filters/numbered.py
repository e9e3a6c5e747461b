"""Rows of table ``signature``, found again by their number."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dsk_assets.lake.tables import read_batches


def rows_of(
    database: duckdb.DuckDBPyConnection,
    wanted: str,
    parts: Sequence[tuple[Path, int]],
    columns: list[str],
) -> Iterator[pl.DataFrame]:
    """``place`` and *columns* of the documents in the table *wanted*, a batch at a time.

    *wanted* has ``number`` and ``place``. *parts* are the paths of table ``signature``, each with
    the number of its first row; one without a wanted row is not read.
    """
    database.execute(f"CREATE TABLE asked AS SELECT number, place FROM {wanted} ORDER BY number")
    for path, start in parts:
        rows = database.execute(
            "SELECT number, place FROM asked WHERE number >= ? AND number < ? ORDER BY number",
            [start, start + pq.read_metadata(path).num_rows],
        ).fetchnumpy()
        at = start
        for batch in read_batches(path, columns) if len(rows["number"]) else ():
            first, last = np.searchsorted(rows["number"], (at, at + batch.num_rows))
            frame = pl.DataFrame(pl.from_arrow(batch))[rows["number"][first:last] - at]
            yield frame.with_columns(place=rows["place"][first:last])
            at += batch.num_rows
    database.execute("DROP TABLE asked")
