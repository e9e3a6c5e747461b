"""Work over parts, through the interface Python has for it: ``concurrent.futures.Executor``.

The same functions run in this process, in processes of this machine, or on a Dask cluster: one
setting (``DSK_ENGINE``) chooses. A cluster's workers see the same files under the same paths, so
that only names of files and small tables travel.
"""

import atexit
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from dsk_assets.errors import DskError, EngineError, SettingsError, safe_message
from dsk_assets.lake.code import code_digest
from dsk_assets.settings import Settings, load_settings

Part = TypeVar("Part")
Result = TypeVar("Result")

LOCAL, SLURM = "local", "slurm"
ATTEMPTS = 3
"""How often a part is worked whose worker dies or whose files cannot be read."""
_AHEAD = 4
"""Parts handed out for each worker: enough to keep all busy, few enough to bound memory."""
_PATIENCE = 60
"""Seconds to wait for a scheduler and its first worker."""
_SLURM_JOB = {"cores": 1, "processes": 1, "memory": "4 GiB"}
"""One worker, where Dask's configuration says nothing else."""


@dataclass(frozen=True)
class Engine:
    """Where parts are worked.

    *address* is ``local`` (processes of this machine), ``slurm`` (jobs of a Slurm cluster), or a
    running Dask scheduler: its address (``tcp://host:8786``, ``tls://…``) or its scheduler file.
    *workers* is how many processes or jobs are started; a running scheduler has its own.
    """

    workers: int = 1
    address: str = LOCAL

    @classmethod
    def of(cls, settings: Settings) -> "Engine":
        """The engine that the settings name."""
        return cls(settings.workers, settings.engine)

    @contextmanager
    def pool(self, tasks: int | None = None, preload: str = "") -> Iterator[Executor | None]:
        """The executor, ended with the block; None where this process is worker enough.

        *tasks*, where known, bounds the processes that are started. *preload* names a module that
        processes of this machine share, imported once; it must start no thread, and it counts in
        the first pool that this process asks for. Raises
        :class:`SettingsError` where no cluster answers or its packages are missing, and
        :class:`EngineError` for one that is lost in the middle.
        """
        workers = self.workers if tasks is None else min(self.workers, tasks)
        if tasks == 1 or (workers <= 1 and self.address == LOCAL):
            yield None
            return
        if self.address != LOCAL:
            with _cluster(self) as cluster:
                yield cluster
            return
        processes = _Processes(workers, preload)
        try:
            yield processes
        finally:
            processes.shutdown(cancel_futures=True)


def map_parts(
    function: Callable[[Part], Result], parts: Iterable[Part], executor: Executor | None = None
) -> Iterator[Result]:
    """``function(part)`` for each part, in the order of *parts*, on *executor*.

    Only a few parts for each worker are out at a time, so memory does not grow with their number.
    A part whose worker died, or whose files could not be read or written, is worked again;
    :data:`ATTEMPTS` failures of one part end the run.
    """
    if executor is None:
        yield from map(function, parts)
        return
    waiting: deque[tuple[Part, Future[Result]]] = deque()
    ahead = _AHEAD * int(getattr(executor, "width", 1))
    try:
        for part in parts:
            waiting.append((part, executor.submit(function, part)))
            if len(waiting) >= ahead:
                yield _result(executor, function, *waiting.popleft())
        while waiting:
            yield _result(executor, function, *waiting.popleft())
    finally:
        for _, future in waiting:
            future.cancel()


def _result(
    executor: Executor,
    function: Callable[[Part], Result],
    part: Part,
    future: "Future[Result]",
) -> Result:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return future.result()
        except BrokenExecutor:
            if attempt == ATTEMPTS:
                raise EngineError(
                    f"a worker process died {ATTEMPTS} times over the same parts, most likely for "
                    "want of memory — run again with fewer workers; finished parts are kept"
                ) from None
        except OSError:
            if attempt == ATTEMPTS:
                raise
        future = executor.submit(function, part)
    raise AssertionError


class _Processes(Executor):
    """Processes of this machine; new ones where one was killed."""

    def __init__(self, workers: int, preload: str = ""):
        self.width = workers
        self._preload = preload
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("forkserver")
        if self._preload:
            context.set_forkserver_preload([self._preload])
        return ProcessPoolExecutor(self.width, context, initializer=_end_with_parent)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Hand out one call."""
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenExecutor:
            self._pool.shutdown(wait=False)
            self._pool = self._start()
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def _end_with_parent() -> None:
    """End this worker when the process that started it is gone, even by ``kill -9``."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Cluster(Executor):
    """The workers of a Dask scheduler."""

    def __init__(self, executor: Executor, width: int):
        self.width = width
        self._executor = executor

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Hand out one call."""
        return self._executor.submit(_Call(code_digest(), fn, args, kwargs))


class _Call(Generic[Result]):
    """A call as a worker gets it; its representation, which Dask logs, shows no text."""

    def __init__(
        self,
        code: str,
        function: Callable[..., Result],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ):
        self._code, self._function, self._args, self._kwargs = code, function, args, kwargs

    def __call__(self) -> Result:
        if code_digest() != self._code:
            raise SettingsError(
                "a Dask worker runs another version of dsk-assets, Python or a library than this "
                "process — install the same requirements.lock on all workers"
            )
        load_settings()
        try:
            return self._function(*self._args, **self._kwargs)
        except (DskError, OSError):
            raise
        except Exception as error:
            raise EngineError(f"a part could not be worked: {safe_message(error)}") from None


_connected: dict[Engine, Any] = {}
"""Clients of clusters, kept while the process runs: starting jobs can take a while."""


@atexit.register
def disconnect() -> None:
    """Let go of all clusters; jobs that were started for this process end."""
    while _connected:
        _, client = _connected.popitem()
        with suppress(Exception):
            started = client.cluster
            client.close()
            if started is not None:
                started.close()


@contextmanager
def _cluster(engine: Engine) -> Iterator[_Cluster]:
    try:
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise SettingsError(
            "the packages for a cluster are not installed — pip install 'dsk-assets[cluster]'"
        ) from None
    if engine not in _connected:
        _connected[engine] = _client(engine)
    client = _connected[engine]
    try:
        yield _Cluster(client.get_executor(pure=False), _width(engine, client))
    except KilledWorker:
        raise EngineError(
            "workers of the cluster died again and again over the same part, most likely for "
            "want of memory — give each more, then run again; finished parts are kept"
        ) from None
    except CancelledError:
        _connected.pop(engine).close(timeout=1)
        raise EngineError(
            "the Dask scheduler is gone — start it and run again; finished parts are kept"
        ) from None


def _client(engine: Engine) -> Any:
    from distributed import Client

    if engine.address == SLURM:
        return Client(_slurm(engine.workers))
    known = "scheduler_file" if Path(engine.address).is_file() else "address"
    try:
        return Client(**{known: engine.address}, timeout=_PATIENCE)
    except (OSError, ValueError):
        raise SettingsError(
            f"no Dask scheduler answers at {engine.address} — check the address, or start one "
            "with `dask scheduler`"
        ) from None


def _slurm(jobs: int) -> Any:
    """Workers as Slurm jobs; Dask's own configuration (``jobqueue.slurm``) names queue and size."""
    from dask import config
    from dask_jobqueue import SLURMCluster

    size = {
        name: config.get(f"jobqueue.slurm.{name}", None) or value
        for name, value in _SLURM_JOB.items()
    }
    cluster = SLURMCluster(**size)
    cluster.scale(jobs=jobs)
    return cluster


def _width(engine: Engine, client: Any) -> int:
    if engine.address == SLURM:
        return engine.workers
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError:
        raise SettingsError(
            f"the Dask scheduler {engine.address} has no worker — start one with "
            f"`dask worker {engine.address} --nthreads 1`"
        ) from None
    return sum(client.nthreads().values())
