"""What all gates share: from measures to a recorded decision, and reading measures from tables."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from dsk_assets.errors import MissingInputError
from dsk_assets.evidence import admission
from dsk_assets.evidence.admission import Decision
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.gates import suites
from dsk_assets.gates.suites import Measures


def judge(
    catalog: Catalog,
    gate: str,
    judged: Snapshot,
    measure: Callable[[], Measures],
    *,
    code_version: str,
    inputs: Sequence[Snapshot | Source] = (),
    config: Mapping[str, Any] | None = None,
    valid_until: dt.date | None = None,
) -> Snapshot:
    """The decision of *gate* on *judged*: admitted unless a critical expectation fails.

    *inputs* are what *measure* reads besides *judged*, *config* what it depends on besides them,
    such as whether an approval is in force today. The suite is part of the configuration, so
    that a changed suite judges again.
    """

    def decide() -> Decision:
        findings = suites.evaluate(gate, measure())
        return Decision(
            gate=gate,
            principle=suites.load(gate).meta.principle,
            judged=judged.key,
            judged_digest=judged.digest,
            admitted=all(one.passed or one.severity == "warning" for one in findings),
            findings=tuple(findings),
            valid_until=valid_until,
        )

    return admission.record(
        catalog,
        gate,
        judged,
        inputs=inputs,
        config={
            **suites.identity(gate),
            **(config or {}),
            "validUntil": valid_until.isoformat() if valid_until else None,
        },
        code_version=code_version,
        decide=decide,
    )


def scan(snapshot: Snapshot, table: str) -> pl.LazyFrame:
    """The rows of *table*, read when they are needed."""
    paths = snapshot.paths(table)
    if not paths:
        raise MissingInputError(f"{snapshot.key} has no table {table} — materialise it again")
    return pl.scan_parquet(paths)


def one_row(frame: pl.LazyFrame, **aggregates: pl.Expr) -> dict[str, Any]:
    """The *aggregates* over all rows of *frame*."""
    return frame.select(**aggregates).collect().row(0, named=True)


def unmatched(one: pl.LazyFrame, other: pl.LazyFrame) -> int:
    """How many ``doc_id`` do not stand exactly once in both frames."""
    marked = pl.concat(
        frame.select("doc_id", one=pl.lit(number), other=pl.lit(1 - number))
        for number, frame in ((1, one), (0, other))
    )
    times = marked.group_by("doc_id").agg(pl.col("one", "other").sum())
    wrong = times.filter((pl.col("one") != 1) | (pl.col("other") != 1))
    return int(wrong.select(pl.len()).collect().item())


def ratio(part: float, whole: float) -> float | None:
    """*part* by *whole*, to six places; None where there is no whole."""
    return round(part / whole, 6) if whole else None


def started(snapshot: Snapshot) -> dt.datetime:
    """When making *snapshot* began, by its statement."""
    return _moment(snapshot, "startedOn")


def finished(snapshot: Snapshot) -> dt.datetime:
    """When making *snapshot* ended, by its statement."""
    return _moment(snapshot, "finishedOn")


def _moment(snapshot: Snapshot, name: str) -> dt.datetime:
    return dt.datetime.fromisoformat(
        snapshot.statement["predicate"]["runDetails"]["metadata"][name]
    )
