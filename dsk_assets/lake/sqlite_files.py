"""SQLite files that can be made again from what they were made of."""

import sqlite3
from contextlib import closing
from pathlib import Path

DAMAGE = frozenset(
    (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,  # SQL of ours that does not fit the tables
        sqlite3.SQLITE_CONSTRAINT,
    )
)
"""What SQLite says of a file that holds something else than it should; the rest says something of
the disk, of permissions, or of other processes (https://sqlite.org/rescode.html)."""


def code_of(error: BaseException) -> int | None:
    """SQLite's primary result code of *error*; None for an error of another kind."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def refuse_undamaged(error: Exception) -> None:
    """Raise *error* where it speaks of a full or read-only disk or of a lock, and of no damage."""
    if isinstance(error, sqlite3.Error) and code_of(error) not in DAMAGE:
        raise error


def remove_damaged(path: Path, error: Exception) -> None:
    """Remove the database *path*, which *error* says is damaged, with the files that belong to it.

    Raises *error* like :func:`refuse_undamaged`.
    """
    refuse_undamaged(error)
    for name in ("", "-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)


def copied(path: Path) -> sqlite3.Connection:
    """A copy in memory of the database *path*, empty where there is none; nothing is written.

    Raises ``sqlite3.Error`` where it cannot be read.
    """
    copy = sqlite3.connect(":memory:", isolation_level=None)
    if not path.exists():
        return copy
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        _copy(address, copy)
    except sqlite3.OperationalError:  # its index of changes cannot be made on a read-only disk
        _copy(f"{address}&immutable=1", copy)
    return copy


def _copy(address: str, copy: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(address, uri=True)) as original:
        original.backup(copy)
