"""Progress bars for long work: shown when a command asks for them, silent everywhere else."""

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

Item = TypeVar("Item")

_shown: ContextVar[Progress | None] = ContextVar("progress", default=None)


@contextmanager
def shown() -> Iterator[None]:
    """Show the bars of :func:`track` on standard error while the block runs."""
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
    )
    progress = Progress(*columns, console=Console(stderr=True))
    token = _shown.set(progress)
    try:
        yield
    finally:
        _shown.reset(token)
        if progress.live.is_started:
            progress.stop()


def track(
    items: Iterable[Item], description: str, *, total: int | None = None, unit: str = ""
) -> Iterator[Item]:
    """*items*, with a bar where :func:`shown` is in force. Descriptions never name a document.

    The bar of work within other work goes away when it is done.
    """
    progress = _shown.get()
    if progress is None:
        yield from items
        return
    if total is None and isinstance(items, Sized):
        total = len(items)
    inner = any(not task.finished for task in progress.tasks)
    progress.start()
    task = progress.add_task("  " * inner + description, total=total, unit=unit)
    done = 0
    for done, item in enumerate(items, start=1):  # noqa: B007
        yield item
        progress.advance(task)
    progress.update(task, total=done, completed=done)
    if inner:
        progress.remove_task(task)
