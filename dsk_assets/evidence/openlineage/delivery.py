"""Delivery: every event reaches every receiver at least once, in order for each partition.

Receivers are the file ``DSK_HOME/openlineage/events.ndjson`` and, where ``DSK_OPENLINEAGE_URL`` is
set, an HTTP address (Marquez, DataHub). Nothing is sent while assets are made: a delivery works
through the outbox afterwards, and what a receiver does not take stays queued for the next one.
"""

import datetime as dt
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
import tenacity
from filelock import FileLock, Timeout
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

from dsk_assets.errors import DeliveryError, safe_message
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.openlineage.events import Projector
from dsk_assets.evidence.openlineage.outbox import Entry, Outbox
from dsk_assets.lake.progress import track
from dsk_assets.settings import Settings

FILE = "file"
BATCH = 100
REFUSALS = frozenset({400, 413, 415, 422})
"""HTTP answers that mean this event is not wanted; any other failure is the receiver's own."""


@dataclass(frozen=True)
class Patience:
    """How long to go on: seconds for an answer, tries and pause for one event, seconds for all."""

    answer: float = 5.0
    tries: int = 5
    pause: float = 0.5
    total: float = 600.0


@dataclass(frozen=True)
class Delivered:
    """What one delivery came to for one receiver.

    ``problem`` says why it ended early. ``refused`` names events the receiver would not take, each
    with the reason; later events of the same partition wait behind them.
    """

    receiver: str
    delivered: int
    waiting: int
    refused: tuple[tuple[str, str], ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Report:
    """What one delivery came to: events there are, for each receiver what it got."""

    events: int
    file: Path
    receivers: tuple[Delivered, ...]
    unreadable: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "events": self.events,
            "file": str(self.file),
            "receivers": [
                vars(one) | {"refused": [list(refusal) for refusal in one.refused]}
                for one in self.receivers
            ],
            "unreadable": list(self.unreadable),
        }


class Refused(Exception):
    """The receiver will not take this event."""


class Unreachable(Exception):
    """The receiver takes nothing at the moment."""


class Receiver(Protocol):
    """Where events go: *name* marks its queue, :meth:`send` raises where they did not arrive."""

    name: str

    def send(self, event: dict[str, Any]) -> None:
        """Hand over one event."""

    def settle(self) -> int:
        """Make what was handed over last; returns the size of the receiver's file, or 0."""

    def close(self) -> None:
        """Let go of the file or connection."""


class EventFile:
    """One JSON object a line, each event once.

    What lies behind the size that the outbox remembers is the rest of a delivery that was cut off:
    it is taken away and written again.
    """

    name = FILE

    def __init__(self, path: Path, size: int):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._file.truncate(size)
        self._file.seek(size)

    def send(self, event: dict[str, Any]) -> None:
        """Append *event*."""
        line = json.dumps(event, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")

    def settle(self) -> int:
        """Sync the file to disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass
class Address:
    """An HTTP address that takes OpenLineage events."""

    url: str
    token: str
    patience: Patience
    deadline: float
    transport: HttpTransport = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.url
        config: dict[str, Any] = {"url": self.url, "endpoint": "", "timeout": self.patience.answer}
        if self.token:
            config["auth"] = ApiKeyTokenProvider({"api_key": self.token})
        self.transport = HttpTransport(HttpConfig(**config, retry={"total": 0}))

    def send(self, event: dict[str, Any]) -> None:
        """Post *event*, again and again while it may help and there is time."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.patience.tries)
            | tenacity.stop_after_delay(max(0.0, self.deadline - time.monotonic())),
            wait=tenacity.wait_exponential_jitter(
                multiplier=self.patience.pause,
                max=20 * self.patience.pause,
                jitter=self.patience.pause,
            ),
            retry=tenacity.retry_if_exception_type(Unreachable),
            reraise=True,
        )
        retrying(self._post, event)

    def _post(self, event: dict[str, Any]) -> None:
        try:
            response = self.transport.emit(event)  # type: ignore[arg-type]  # dicts are accepted
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            kind = Refused if status in REFUSALS else Unreachable
            raise kind(f"it answered HTTP {status}") from None
        except requests.RequestException as error:
            raise Unreachable(f"no answer ({type(error).__name__})") from None
        if response.history:
            raise Unreachable("it redirects elsewhere — set the final address")

    def settle(self) -> int:
        """An answer is final: nothing to do."""
        return 0

    def close(self) -> None:
        """Close the connection."""
        self.transport.close()


def folder(settings: Settings) -> Path:
    """Where the outbox and the file of events lie."""
    return settings.home.resolve() / "openlineage"


def events_file(settings: Settings) -> Path:
    """The file of events."""
    return folder(settings) / "events.ndjson"


def deliver(catalog: Catalog, patience: Patience | None = None) -> Report:
    """Project what has been stated since the last time and send each receiver what it lacks.

    Raises :class:`~dsk_assets.errors.DeliveryError` where another delivery is under way.
    """
    patience = patience or Patience()
    deadline = time.monotonic() + patience.total
    settings = catalog.settings
    with _outbox(settings) as outbox:
        unreadable = outbox.collect(catalog)
        projector = Projector(catalog)
        delivered = []
        for name in _names(settings):
            outbox.add_receiver(name)
            with closing(_open(name, settings, outbox, patience, deadline)) as receiver:
                delivered.append(_send(outbox, receiver, projector, deadline))
        return Report(outbox.events(), events_file(settings), tuple(delivered), tuple(unreadable))


def replay(
    catalog: Catalog, since: dt.datetime | int = 1, patience: Patience | None = None
) -> Report:
    """Send every event from *since* (a moment, or a position in the order of events) once more.

    The file never holds an event twice: its lines from there on are written anew. Raises
    :class:`~dsk_assets.errors.DeliveryError` where another delivery is under way, and where there
    is no event from *since* on.
    """
    settings = catalog.settings
    with _outbox(settings) as outbox:
        outbox.collect(catalog)
        position = since if isinstance(since, int) else outbox.first(since)
        if position > max(1, outbox.events()):
            raise DeliveryError(
                f"there are {outbox.events()} events, and none from {since} on — give an earlier "
                "number or date"
            )
        for name in _names(settings):
            outbox.add_receiver(name)
            if name == FILE:
                size = _cut(events_file(settings), outbox.size(FILE), outbox.run_ids(position))
                outbox.received(FILE, [], size)
            outbox.queue_again(name, position)
    return deliver(catalog, patience)


def report(catalog: Catalog) -> Report:
    """What a delivery would find; nothing is sent and nothing written."""
    settings = catalog.settings
    with Outbox(settings, folder(settings), view=True) as outbox:
        unreadable = outbox.collect(catalog)
        waiting = []
        for name in _names(settings):
            outbox.add_receiver(name)
            waiting.append(Delivered(name, 0, outbox.waiting(name), tuple(outbox.refused(name))))
        return Report(outbox.events(), events_file(settings), tuple(waiting), tuple(unreadable))


def _names(settings: Settings) -> list[str]:
    return [FILE, settings.openlineage_url] if settings.openlineage_url else [FILE]


def _open(
    name: str, settings: Settings, outbox: Outbox, patience: Patience, deadline: float
) -> Receiver:
    if name != FILE:
        token = settings.openlineage_token.get_secret_value()
        return Address(name, token, patience, deadline)
    path = events_file(settings)
    size = outbox.size(FILE)
    if size > (path.stat().st_size if path.exists() else 0):
        outbox.queue_again(FILE, 1)
        size = 0
    return EventFile(path, size)


def _send(outbox: Outbox, receiver: Receiver, projector: Projector, deadline: float) -> Delivered:
    """Work through the receiver's queue until it is empty, time is over, or nothing is taken."""
    name, catalog = receiver.name, projector.catalog
    total = outbox.waiting(name)
    blocked: set[tuple[str, str | None]] = set()
    done: list[int] = []
    problem = None
    host = urlsplit(name).hostname or name
    try:
        for entry in track(_entries(outbox, name), f"Events to {host}", total=total):
            if time.monotonic() > deadline:
                problem = "the time for this delivery is over"
                break
            if entry.stream in blocked:
                continue
            try:
                receiver.send(projector.event(catalog.numbered(*entry.stream, entry.number)))
            except Unreachable as error:
                problem = str(error)
                break
            except OSError:
                raise
            except Exception as error:
                reason = str(error) if isinstance(error, Refused) else safe_message(error)
                outbox.note(name, entry.position, reason)
                blocked.add(entry.stream)
                continue
            done.append(entry.position)
            if len(done) == BATCH:
                outbox.received(name, done, receiver.settle())
                done = []
        outbox.received(name, done, receiver.settle())
    except OSError as error:
        problem = f"could not write: {os.strerror(error.errno or 0)}"
    waiting = outbox.waiting(name)
    return Delivered(name, total - waiting, waiting, tuple(outbox.refused(name)), problem)


def _entries(outbox: Outbox, name: str) -> Iterator[Entry]:
    after = 0
    while entries := outbox.queue(name, after, BATCH):
        yield from entries
        after = entries[-1].position


def _cut(path: Path, size: int, runs: set[str]) -> int:
    """Take the events of *runs* out of the file; returns its size."""
    if not path.exists():
        return 0
    temporary = path.with_suffix(".tmp")
    with path.open("rb") as old, temporary.open("wb") as new:
        for line in old.read(size).splitlines(keepends=True):
            if json.loads(line)["run"]["runId"] not in runs:
                new.write(line)
        new.flush()
        os.fsync(new.fileno())
        kept = new.tell()
    temporary.replace(path)
    return kept


@contextmanager
def _outbox(settings: Settings) -> Iterator[Outbox]:
    """The outbox, for one delivery at a time."""
    folder(settings).mkdir(parents=True, exist_ok=True)
    try:
        with (
            FileLock(folder(settings) / "lock", timeout=0),
            Outbox(settings, folder(settings)) as outbox,
        ):
            yield outbox
    except Timeout:
        raise DeliveryError(
            "another delivery of OpenLineage events is under way — wait until it ends"
        ) from None
