"""Where in the log a statement is: a local cache, made from the log and checked against it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dsk_assets.evidence.entries import Entry
from dsk_assets.evidence.log import Log
from dsk_assets.lake.sqlite_files import code_of, remove_damaged

_SCHEMA = """
create table if not exists entry (
  position integer primary key, asset text not null, partition text not null,
  number integer not null, predicate_type text not null, envelope blob not null,
  statement blob not null);
create index if not exists entry_key on entry (asset, partition, number);
create index if not exists entry_statement on entry (statement);
create table if not exists state (size integer not null, root blob not null);
"""
_COLUMNS = "asset, partition, number, predicate_type, envelope, statement"


class LogIndex:
    """The entries of the log, found by asset partition, statement or predicate type."""

    def __init__(self, log: Log):
        self._log = log
        self._path = log.settings.home.resolve() / "cache" / "log-index.sqlite"

    @contextmanager
    def opened(self) -> Iterator["LogIndex"]:
        """The index brought up to the newest checkpoint; a damaged one is made again.

        Where the disk is full or may not be written to, it is made in memory.
        """
        try:
            self._open_file()
        except OSError:
            self._open(":memory:")
        except sqlite3.OperationalError as error:
            if code_of(error) == sqlite3.SQLITE_BUSY:
                raise
            self._open(":memory:")
        with closing(self._connection):
            yield self

    def _open_file(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open(self._path)
        except (sqlite3.DatabaseError, OverflowError, TypeError) as error:
            remove_damaged(self._path, error)
            self._open(self._path)

    def _open(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, timeout=300, isolation_level=None)
        try:
            self._connection.execute("pragma journal_mode = wal")
            self._connection.execute("pragma synchronous = normal")
            self._connection.execute("pragma cache_size = -262144")  # KiB: of random digests
            self._update()
        except BaseException:
            self._connection.close()
            raise

    def position(self, asset: str, partition: str | None, number: int | None) -> int | None:
        """Where a statement's first entry is, or None; *number* None stands for the newest one."""
        key = (asset, partition or "")
        if number is None:
            (number,) = self._connection.execute(
                "select max(number) from entry where asset = ? and partition = ?", key
            ).fetchone()
        (position,) = self._connection.execute(
            "select min(position) from entry where asset = ? and partition = ? and number = ?",
            (*key, number),
        ).fetchone()
        return None if position is None else int(position)

    def has_statement(self, digest: str) -> bool:
        """Whether a statement with this digest is in the log."""
        row = self._connection.execute(
            "select 1 from entry where statement = ? limit 1", (bytes.fromhex(digest),)
        ).fetchone()
        return row is not None

    def of_type(self, predicate_type: str) -> list[tuple[int, Entry]]:
        """Position and content of all entries of a predicate type, in the log's order."""
        rows = self._connection.execute(
            f"select position, {_COLUMNS} from entry where predicate_type = ? order by position",
            (predicate_type,),
        )
        return [(row[0], _entry(row[1:])) for row in rows]

    def _update(self) -> None:
        self._connection.executescript(_SCHEMA)
        self._connection.execute("begin immediate")
        tree = self._log.tree()
        size, root = self._connection.execute("select size, root from state").fetchone() or (0, b"")
        if size > tree.size or (size and tree.root_at(size) != root):
            self._connection.execute("delete from entry")
            size = 0
        if size < tree.size:
            self._connection.executemany(
                f"insert into entry (position, {_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?)",
                (_row(index, Entry.parse(data)) for index, data in tree.entries(size)),
            )
            self._connection.execute("delete from state")
            self._connection.execute("insert into state values (?, ?)", (tree.size, tree.root()))
        self._connection.execute("commit")


def _row(index: int, entry: Entry) -> tuple[object, ...]:
    return (
        index, entry.asset, entry.partition or "", entry.number, entry.predicate_type,
        bytes.fromhex(entry.envelope), bytes.fromhex(entry.statement),
    )  # fmt: skip


def _entry(row: tuple[str, str, int, str, bytes, bytes]) -> Entry:
    asset, partition, number, predicate_type, envelope, statement = row
    return Entry(asset, partition or None, number, predicate_type, envelope.hex(), statement.hex())
