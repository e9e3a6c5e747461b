"""Parquet as the platform writes it: zstd, one file a part, the same bytes for the same rows."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PART_BYTES = 64 * 1024 * 1024
"""How much text one part holds at most, unless a single document is larger."""


def write_parquet(
    path: Path, batches: Iterable[pa.RecordBatch | pa.Table], schema: pa.Schema
) -> int:
    """Write *batches* to *path* as one Parquet file with *schema*; returns the number of rows.

    The smallest and largest ``doc_id`` of each row group are noted, so that a document is found
    without reading the others; of no other column, since values of a text may not be repeated.
    """
    rows = 0
    noted = [name for name in schema.names if name == "doc_id"]
    with pq.ParquetWriter(path, schema, compression="zstd", write_statistics=noted) as writer:
        for batch in batches:
            table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
            if table.num_rows:
                writer.write_table(table.select(schema.names).cast(schema))
                rows += table.num_rows
    return rows


def read_batches(
    path: Path, columns: list[str] | None = None, rows: int = 8192
) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file in batches of at most *rows*."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=rows, columns=columns)
