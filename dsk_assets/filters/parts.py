"""The parts of a table, worked by all workers, and their rows in pieces of bounded memory."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa

from dsk_assets.evidence.catalog import Output, Snapshot
from dsk_assets.lake.engine import Engine, map_parts
from dsk_assets.lake.progress import track
from dsk_assets.lake.tables import read_batches

SLICE_BYTES = 4 * 1024 * 1024
"""Text measured at once; the arrays made from it take about thirty times as much memory."""


def write_parts(
    out: Output,
    table: str,
    schema: pa.Schema,
    work: Callable[[Path], pa.Table],
    source: Snapshot,
    source_table: str,
    engine: Engine,
) -> Iterator[pa.Table]:
    """Write ``work(part)`` as a part of *table* for each part of *source_table*; yields each."""
    paths = source.paths(source_table)
    with engine.pool(len(paths)) as executor:
        results = map_parts(work, paths, executor)
        for number, result in enumerate(track(results, table, total=len(paths), unit="parts")):
            out.table(table, [result], schema, part=number)
            yield result


def text_slices(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Rows of a Parquet file, ``text`` among *columns*, about :data:`SLICE_BYTES` at a time.

    A document that is larger than a slice is a slice of its own.
    """
    for batch in read_batches(path, columns, rows=2048):
        sizes = pl.Series(batch.column("text")).str.len_bytes().fill_null(0)
        start, held = 0, 0
        for row, size in enumerate(sizes):
            if held and held + size > SLICE_BYTES:
                yield batch.slice(start, row - start)
                start, held = row, 0
            held += size
        yield batch.slice(start)
