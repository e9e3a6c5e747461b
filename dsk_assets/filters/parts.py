"""The parts of a table, worked by all workers, and their rows in pieces of bounded memory."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dsk_assets.evidence.catalog import Output, Snapshot
from dsk_assets.filters.words import Words, words_of
from dsk_assets.lake.engine import Engine, map_parts
from dsk_assets.lake.memo import Memo
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
    """Write ``work(part)`` as a part of *table* for each part of *source_table*; yields each.

    Of several parts, those that a killed run has worked are not worked again.
    """
    parts = [
        (source.path(file.name), file.sha256)
        for file in source.files
        if file.name.startswith(f"{source_table}/")
    ]
    kept = out.kept if len(parts) > 1 else None
    do = partial(_work, work=work, kept=kept, key={**out.key, "table": table})
    with engine.pool(len(parts)) as executor:
        results = map_parts(do, parts, executor)
        for number, result in enumerate(track(results, table, total=len(parts), unit="parts")):
            out.table(table, [result], schema, part=number)
            yield result


def _work(
    part: tuple[Path, str],
    work: Callable[[Path], pa.Table],
    kept: Path | None,
    key: Mapping[str, Any],
) -> pa.Table:
    path, digest = part
    if kept is None:
        return work(path)
    memo = Memo(kept)
    made = memo.recall({**key, "part": digest}, lambda maker: maker.table("part", [work(path)]))
    return pq.ParquetFile(memo.path(made)).read()


Work = tuple[pa.Schema, Callable[[pa.RecordBatch, Words], pa.Table]]
"""What makes a table with this schema of documents and their words."""


def tables_of(
    path: Path,
    columns: list[str],
    works: Mapping[str, Work],
) -> dict[str, pa.Table]:
    """The table that each of *works* makes of a part, by name; words are split once for all."""
    made: dict[str, list[pa.Table]] = {
        name: [schema.empty_table()] for name, (schema, _) in works.items()
    }
    for batch in text_slices(path, columns):
        words = words_of(pl.Series(batch.column("text")))
        for name, (_, work) in works.items():
            made[name].append(work(batch, words))
    return {name: pa.concat_tables(tables) for name, tables in made.items()}


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
