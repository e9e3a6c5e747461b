"""The outbox: which statements each receiver has not been told of yet.

A SQLite database below ``DSK_HOME/openlineage``. It holds no events, only where their statements
stand: an event is projected when it is sent. Every statement has one row with a unique run id and
a position in the order of events; every receiver has a queue of positions. A lost outbox is filled
again from the statements, with the same run ids.
"""

import datetime as dt
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dsk_assets.errors import CorruptedError, DeliveryError
from dsk_assets.evidence.catalog import UNPARTITIONED, Catalog, asset_partitions
from dsk_assets.evidence.openlineage.events import run_id
from dsk_assets.lake.sqlite_files import copied, refuse_undamaged, remove_damaged
from dsk_assets.settings import Settings

_TABLES = """
CREATE TABLE IF NOT EXISTS event (
    position INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    asset TEXT NOT NULL,
    partition TEXT NOT NULL,
    number INTEGER NOT NULL,
    time TEXT NOT NULL,
    UNIQUE (asset, partition, number)
);
CREATE TABLE IF NOT EXISTS lake (url TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS receiver (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS waiting (
    receiver TEXT NOT NULL,
    position INTEGER NOT NULL,
    error TEXT,
    PRIMARY KEY (receiver, position)
) WITHOUT ROWID;
"""


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One materialisation in the order of events; *number* counts those of its partition."""

    position: int
    run_id: str
    asset: str
    partition: str | None
    number: int

    @property
    def stream(self) -> tuple[str, str | None]:
        """Events of one stream are sent in order, each after the one before it has arrived."""
        return self.asset, self.partition


class Outbox:
    """The queues of all receivers. Used by one process at a time (see ``delivery``)."""

    def __init__(self, settings: Settings, folder: Path, *, view: bool = False):
        """The outbox in *folder*, made where there is none.

        A *view* is a copy in memory: what is done to it is not kept, and nothing is written.
        """
        path, lake = folder / "outbox.sqlite", settings.lake_name
        try:
            own = self._open(copied(path) if view else _connected(path), lake)
        except sqlite3.DatabaseError as error:
            if view:
                refuse_undamaged(error)
            else:
                remove_damaged(path, error)
            _log.warning("%s was damaged and is made again: events are sent once more", path)
            own = self._open(_connected(":memory:" if view else path), lake)
        if own not in (lake, settings.lake_url):
            self._connection.close()
            raise DeliveryError(
                f"{folder} holds events of the lake {own} and not of {settings.lake_url} — give "
                "each lake a DSK_HOME of its own, or remove the folder to begin anew"
            )

    def _open(self, connection: sqlite3.Connection, lake: str) -> str:
        """Use the database, filled where it is empty; returns the lake that it belongs to."""
        self._connection = connection
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_TABLES)
            self._connection.execute(
                "INSERT INTO lake SELECT ? WHERE NOT EXISTS (SELECT * FROM lake)", (lake,)
            )
            self.events()
            ((own,),) = self._connection.execute("SELECT url FROM lake")
        except BaseException:
            self._connection.close()
            raise
        return str(own)

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def collect(self, catalog: Catalog) -> list[str]:
        """Queue the statements made since the last time, for every receiver.

        Returns the keys of asset partitions with a statement that cannot be read; the others are
        queued all the same.
        """
        unreadable = []
        found: list[tuple[str, str, str, int, str]] = []
        known = {
            (asset, partition): (number, time)
            for asset, partition, number, time in self._connection.execute(
                "SELECT asset, partition, max(number), max(time) FROM event "
                "GROUP BY asset, partition"
            )
        }
        for (asset, partition), numbers in asset_partitions(catalog).items():
            number, time = known.get((asset, partition or UNPARTITIONED), (0, ""))
            new = [following for following in numbers if following > number]
            try:
                found += _entries(catalog, asset, partition, new, time)
            except CorruptedError:
                unreadable.append(f"{asset}[{partition}]" if partition else asset)
        with self._transaction():
            self._connection.executemany(
                "INSERT INTO event (time, asset, partition, number, run_id) VALUES (?, ?, ?, ?, ?)",
                sorted(found),
            )
            self._connection.execute(
                "INSERT OR IGNORE INTO waiting (receiver, position) SELECT name, position "
                "FROM receiver, event WHERE position > (SELECT coalesce(max(position), 0) "
                "FROM event) - ?",
                (len(found),),
            )
        return unreadable

    def add_receiver(self, name: str) -> None:
        """Make a queue for *name*, with every event in it, unless it has one."""
        with self._transaction():
            added = self._connection.execute(
                "INSERT OR IGNORE INTO receiver (name) VALUES (?)", (name,)
            )
            if added.rowcount:
                self._connection.execute(
                    "INSERT INTO waiting (receiver, position) SELECT ?, position FROM event",
                    (name,),
                )

    def first(self, since: dt.datetime) -> int:
        """The position of the first event at or after *since*, or one past the last."""
        moment = since.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        (position,) = self._connection.execute(
            "SELECT coalesce((SELECT min(position) FROM event WHERE time >= ?), "
            "(SELECT coalesce(max(position), 0) + 1 FROM event))",
            (moment,),
        ).fetchone()
        return int(position)

    def queue_again(self, name: str, position: int) -> None:
        """Put every event from *position* on back into the queue of *name*."""
        self._connection.execute(
            "INSERT OR IGNORE INTO waiting (receiver, position) "
            "SELECT ?, position FROM event WHERE position >= ?",
            (name, position),
        )

    def events(self) -> int:
        """How many events there are: one for each materialisation collected so far."""
        (count,) = self._connection.execute("SELECT count(*) FROM event").fetchone()
        return int(count)

    def waiting(self, name: str) -> int:
        """How many events *name* has not received."""
        (count,) = self._connection.execute(
            "SELECT count(*) FROM waiting WHERE receiver = ?", (name,)
        ).fetchone()
        return int(count)

    def refused(self, name: str) -> list[tuple[str, str]]:
        """Keys of events that *name* would not take, each with the reason, in order."""
        return [
            (asset if partition == UNPARTITIONED else f"{asset}[{partition}]", error)
            for asset, partition, error in self._connection.execute(
                "SELECT asset, partition, error FROM waiting JOIN event USING (position) "
                "WHERE receiver = ? AND error IS NOT NULL ORDER BY position",
                (name,),
            )
        ]

    def queue(self, name: str, after: int, limit: int) -> list[Entry]:
        """The next entries of the queue of *name* behind position *after*."""
        rows = self._connection.execute(
            "SELECT position, run_id, asset, partition, number FROM waiting "
            "JOIN event USING (position) WHERE receiver = ? AND position > ? "
            "ORDER BY position LIMIT ?",
            (name, after, limit),
        )
        return [
            Entry(position, run, asset, None if partition == UNPARTITIONED else partition, number)
            for position, run, asset, partition, number in rows
        ]

    def run_ids(self, position: int) -> set[str]:
        """Run ids of all events from *position* on."""
        rows = self._connection.execute("SELECT run_id FROM event WHERE position >= ?", (position,))
        return {run for (run,) in rows}

    def received(self, name: str, positions: list[int], size: int = 0) -> None:
        """Take *positions* out of the queue of *name*; *size* is what its file holds by now."""
        with self._transaction():
            self._connection.executemany(
                "DELETE FROM waiting WHERE receiver = ? AND position = ?",
                [(name, position) for position in positions],
            )
            self._connection.execute("UPDATE receiver SET bytes = ? WHERE name = ?", (size, name))

    def note(self, name: str, position: int, error: str) -> None:
        """Remember why the event at *position* was not taken."""
        self._connection.execute(
            "UPDATE waiting SET error = ? WHERE receiver = ? AND position = ?",
            (error, name, position),
        )

    def size(self, name: str) -> int:
        """How many bytes of the file of *name* hold received events."""
        (size,) = self._connection.execute(
            "SELECT bytes FROM receiver WHERE name = ?", (name,)
        ).fetchone()
        return int(size)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _connected(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def _entries(
    catalog: Catalog, asset: str, partition: str | None, numbers: Iterable[int], time: str
) -> list[tuple[str, str, str, int, str]]:
    """Time, asset, partition, number and run id of the statements *numbers*.

    Within a partition times never fall below *time* or the one before, whatever the clock did:
    their order is that of their numbers.
    """
    found = []
    for number in numbers:
        snapshot = catalog.numbered(asset, partition, number)
        details = snapshot.statement["predicate"]["runDetails"]
        time = max(time, details["metadata"]["finishedOn"])
        found.append((time, asset, partition or UNPARTITIONED, number, run_id(snapshot)))
    return found
