"""Work over parts, through the interface Python has for it: ``concurrent.futures.Executor``."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


@contextmanager
def pool(workers: int) -> Iterator[Executor | None]:
    """The executor of this machine: *workers* processes, or None (this process) for one."""
    if workers <= 1:
        yield None
        return
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context) as executor:
        yield executor


def map_parts(
    function: Callable[[Part], Result], parts: Sequence[Part], executor: Executor | None = None
) -> Iterator[Result]:
    """``function(part)`` for each part, in the order of *parts*, on *executor*.

    A single part, or no executor, is worked in this process: starting workers costs more.
    """
    if executor is None or len(parts) < 2:
        yield from map(function, parts)
    else:
        yield from executor.map(function, parts)
