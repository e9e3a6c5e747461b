"""Tables larger than memory: a DuckDB database that puts aside on disk what is too much."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from dsk_assets.errors import EngineError

MEMORY_LIMIT = "1GB"


@contextmanager
def spilling(scratch: Path, threads: int = 1) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of its own for the block; what it puts aside lies in the folder *scratch*.

    Raises :class:`EngineError` where the disk has no room for that.
    """
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": folder,
            "threads": str(threads),
        }
        try:
            with duckdb.connect(config=config) as database:
                yield quiet(database)
        except duckdb.Error as error:
            full = isinstance(error, duckdb.OutOfMemoryException) or "No space left" in str(error)
            if not full:
                raise
            raise EngineError(
                f"{scratch} has no room for what is too much for memory — make room on that disk "
                "and run again; what was worked is kept"
            ) from None


def quiet(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """*connection*, which prints no bar of its own on standard output, where programs read."""
    connection.execute("SET enable_progress_bar = false")
    return connection


def insert(database: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Add *rows* to *table*, whose columns are theirs."""
    database.register("arriving", rows)
    database.execute(f"INSERT INTO {table} BY NAME FROM arriving")
    database.unregister("arriving")
