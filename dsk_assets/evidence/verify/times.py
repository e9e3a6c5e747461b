"""Time: along the log, against a witness's clock, and against the clock of whoever verifies."""

import datetime as dt
from collections.abc import Iterator, Mapping

from dsk_assets.evidence.verify.envelopes import MOMENT, Statement
from dsk_assets.evidence.verify.faults import Fault
from dsk_assets.evidence.verify.graph import Graph

CLOCKS_DIFFER = dt.timedelta(minutes=5)
"""By how much clocks of two machines may differ, and how long a statement is under way."""


def log_order(graph: Graph) -> Iterator[Fault]:
    """Statements come into the log as they are made, so time runs forward along it."""
    latest = dt.datetime.min.replace(tzinfo=dt.UTC)
    for one in graph.made:
        if one.index is None:
            continue
        finished = dt.datetime.fromisoformat(one.finished)
        if latest - finished > CLOCKS_DIFFER:
            detail = f"it ended {one.finished}, an earlier entry of the log {latest.isoformat()}"
            yield Fault("time-backwards", one.place, detail, graph.affected([one.digest]))
        latest = max(latest, finished)


def before_witnessed(graph: Graph, witnesses: Mapping[str, tuple[int, int]]) -> Iterator[Fault]:
    """Statements that say they ended after a witness had seen them in the log.

    *witnesses* gives the size that each witness has cosigned, and when (POSIX seconds).
    """
    for name, (size, seconds) in witnesses.items():
        seen = dt.datetime.fromtimestamp(seconds, dt.UTC)
        for one in graph.made:
            late = dt.datetime.fromisoformat(one.finished) - seen > CLOCKS_DIFFER
            if late and one.index is not None and one.index < size:
                detail = f"{name} saw it at {seen.isoformat()}, it ended {one.finished}"
                yield Fault("time-after-witness", one.place, detail, graph.affected([one.digest]))


def ahead(graph: Graph, now: dt.datetime) -> Iterator[Fault]:
    """Statements that say they were made after *now*, the time at which they are verified."""
    latest = (now + CLOCKS_DIFFER).astimezone(dt.UTC).isoformat(timespec="milliseconds")
    for one in graph.statements:
        moment = _made(one)
        if moment[:23] > latest[:23]:
            detail = f"it says {moment}, now it is {now.isoformat(timespec='seconds')}"
            yield Fault("time-ahead", one.place, detail, graph.affected([one.digest, *one.attests]))


def _made(one: Statement) -> str:
    """When a statement says it was made; empty where it does not."""
    said = one.finished or one.predicate.get("at") or one.predicate.get("timeVerified")
    return said if isinstance(said, str) and MOMENT.fullmatch(said) else ""
