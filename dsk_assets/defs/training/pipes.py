"""Training followed through Dagster Pipes: what a payload reports stands in the run as it comes.

The payload, here or at a computing site, knows nothing of Dagster. The messages of the session are
read from the metrics that it writes to its job folder, and that launchers bring back while it runs.
So a script of the site's own is followed too. Each checkpoint is also an observation of the run's
asset, whose numbers Dagster draws.
"""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import dagster as dg
from dagster_pipes import PIPES_PROTOCOL_VERSION, Method, PipesParams

from dsk_assets.training.job import METRICS, Job
from dsk_assets.training.launch import Launcher, recent
from dsk_assets.training.run import RUN

LOOK = 0.5
"""Seconds between two looks at the metrics."""
EVERY = 30.0
"""Seconds between two steps that are told; the first, and what is measured on held-out documents,
are told at once."""


def followed(launch: Launcher) -> Launcher:
    """*launch*, told to the Dagster run around it; the same where there is none."""
    try:
        context = dg.OpExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return launch

    def run(job: Job) -> Generator[int, None, None]:
        with dg.open_pipes_session(context, dg.PipesEnvContextInjector(), MetricsReader(job)):
            for step in launch(job):
                context.log_event(_observation(job, step))
                yield step

    return run


def _observation(job: Job, step: int) -> dg.AssetObservation:
    rows = [row for row in recent(job) if row["step"] == step]
    metadata: dict[str, int | float] = {"step": step}
    for row in rows:
        metadata |= {name: row[name] for name in ("loss", "tokens") if name in row}
        metadata |= {f"held out: {n}": one["loss"] for n, one in row.get("held_out", {}).items()}
    return dg.AssetObservation(dg.AssetKey(RUN.split("/")), partition=job.run, metadata=metadata)


class MetricsReader(dg.PipesMessageReader):
    """Reads the messages of a Pipes session from the metrics of a job folder."""

    def __init__(self, job: Job):
        self._job = job

    @property
    def expected_writer_count(self) -> int:
        """One: whatever writes the metrics."""
        return 1

    @contextmanager
    def read_messages(self, handler: dg.PipesMessageHandler) -> Iterator[PipesParams]:
        """Tell *handler* of new metrics until the block ends."""
        over = Event()
        thread = Thread(target=self._follow, args=(handler, over), daemon=True)
        _send(handler, "opened")
        thread.start()
        try:
            yield {}
        finally:
            over.set()
            thread.join()
            _send(handler, "closed")

    def no_messages_debug_text(self) -> str:
        """Where messages were looked for."""
        return f"The metrics are {self._job.out / METRICS}."

    def _follow(self, handler: dg.PipesMessageHandler, over: Event) -> None:
        told = measured = self._job.start
        due = 0.0
        ending = False
        while not ending:
            ending = over.wait(LOOK)
            rows = recent(self._job)
            steps = [row for row in rows if "loss" in row and row["step"] > told]
            if steps and (ending or time.monotonic() >= due):
                told, due = steps[-1]["step"], time.monotonic() + EVERY
                _send(handler, "log", message=self._of_step(steps[-1]))
            for row in rows:
                if "held_out" in row and row["step"] > measured:
                    measured = row["step"]
                    _send(handler, "log", message=self._of_checkpoint(row))

    def _of_step(self, row: Mapping[str, Any]) -> str:
        return (
            f"{self._job.run}: step {row['step']} of {self._job.targets[-1]}, loss "
            f"{row['loss']:.4f}, learning rate {row['learning_rate']:.3g}, "
            f"{row['tokens']:,} tokens read"
        )

    def _of_checkpoint(self, row: Mapping[str, Any]) -> str:
        losses = [f"{domain} {one['loss']:.4f}" for domain, one in row["held_out"].items()]
        held_out = f", loss on held-out documents: {', '.join(losses)}" if losses else ""
        return f"{self._job.run}: checkpoint at step {row['step']}{held_out}"


def _send(handler: dg.PipesMessageHandler, method: Method, **params: Any) -> None:
    handler.handle_message(
        {"__dagster_pipes_version": PIPES_PROTOCOL_VERSION, "method": method, "params": params}
    )
