"""SQLite files that can be made again from what they were made of."""

import sqlite3
from pathlib import Path


def remove_damaged(path: Path, error: Exception) -> None:
    """Remove the database *path*, which *error* says is damaged, with the files that belong to it.

    Raises *error* where another process only holds a lock.
    """
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        raise error
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
