"""From a Great Expectations suite to findings: numbers in, numbers out.

A suite is a plain Great Expectations 1.x suite, ``expectations/<gate>.json``. Its expectations are
evaluated on one row of measures, each a count or an aggregate that the gate took. Great
Expectations puts the values it catches into its results and its pages, so it is shown numbers only
and asked for nothing but whether an expectation holds. What it cannot answer counts as failed.

The expectations are of one type, ``expect_column_max_to_be_between``: of one row the largest value
is the value, and unlike ``expect_column_values_to_be_between`` it does not pass where there is
none.
"""

import math
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dsk_assets.errors import SettingsError
from dsk_assets.evidence.admission import Finding
from dsk_assets.lake.digests import sha256_bytes
from dsk_assets.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "expectations"
TYPE = "expect_column_max_to_be_between"
BOUNDS = {"min_value", "max_value"}
MEASURE_NAME = re.compile(r"[a-z]+(_[a-z]+)*")

Number = int | float
Measures = Mapping[str, Number | None]
"""Counts and aggregates by name. None stands for a measure that does not apply."""

UNEVALUATED = (
    "This expectation could not be evaluated, so it counts as failed: correct it in {suite}",
    "Denne forventning kunne ikke afgøres, så den regnes som ikke opfyldt: ret den i {suite}",
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Meaning(_Part):
    """What a failure of an expectation means and what to do, in English and Danish.

    An ``optional`` expectation holds where its measure does not apply to what is judged.
    """

    reason: str
    reason_da: str
    optional: bool = False


class Expectation(_Part):
    """One expectation of a suite, in the form Great Expectations gives it."""

    type: str
    kwargs: dict[str, Any]
    severity: Literal["critical", "warning"]
    meta: Meaning


class SuiteMeaning(_Part):
    """Which of the consortium's principles a gate holds, and what it is for."""

    principle: Literal["1", "2", "3", "4", "5"]
    title: str
    title_da: str
    description: str
    description_da: str


class Suite(_Part):
    """A gate's expectations."""

    name: str
    expectations: tuple[Expectation, ...] = Field(min_length=1)
    meta: SuiteMeaning


def load(name: str) -> Suite:
    """The suite of the gate *name*; :class:`SettingsError` where its file cannot be used."""
    return _parse(name, _read(name))


def identity(name: str) -> dict[str, str]:
    """What decides a gate's verdict besides its measures: suite and evaluating library."""
    return {
        "suite": sha256_bytes(_read(name)),
        "greatExpectations": version("great-expectations"),
    }


def evaluate(name: str, measures: Measures) -> list[Finding]:
    """What the suite *name* finds in *measures*, one finding for each expectation, in its order.

    An expectation that cannot be evaluated (of an unknown type, without a bound, on a measure
    that was not taken or is not finite, or on which Great Expectations fails) is a critical
    finding that failed. Raises ``TypeError`` for a measure that is not a number or whose name is
    not plain words, and :class:`SettingsError` where the suite cannot be read.
    """
    row = _row(measures)
    data = _read(name)
    suite = _parse(name, data)
    held = _held(name, data, row)
    return [_finding(name, item, row, held.get(n)) for n, item in enumerate(suite.expectations)]


def _row(measures: Measures) -> dict[str, Number | None]:
    row: dict[str, Number | None] = {}
    for name, value in measures.items():
        if not MEASURE_NAME.fullmatch(name):
            raise TypeError("a measure's name is not lower-case words joined by _")
        if value is not None and not isinstance(value, int | float):
            raise TypeError(f"measure {name} is of type {type(value).__name__}, not a number")
        row[name] = int(value) if isinstance(value, bool) else value
    return row


def _finding(
    suite: str, item: Expectation, row: Mapping[str, Number | None], held: bool | None
) -> Finding:
    measure = str(item.kwargs.get("column"))
    actual = row.get(measure)
    english, danish = item.meta.reason, item.meta.reason_da
    if held is None:
        english, danish = (text.format(suite=f"{suite}.json") for text in UNEVALUATED)
    return Finding(
        measure=measure,
        expected=_expected(item),
        actual=actual if actual is not None and math.isfinite(actual) else None,
        passed=bool(held),
        severity="critical" if held is None else item.severity,
        reason=english,
        reason_da=danish,
    )


def _is_known(item: Expectation) -> bool:
    bounds = [item.kwargs[name] for name in BOUNDS & item.kwargs.keys()]
    return (
        item.type == TYPE
        and item.kwargs.keys() <= BOUNDS | {"column"}
        and isinstance(item.kwargs.get("column"), str)
        and bool(bounds)
        and all(type(bound) in (int, float) for bound in bounds)
    )


def _expected(item: Expectation) -> str:
    if not _is_known(item):
        return "an expectation that can be evaluated"
    low, high = item.kwargs.get("min_value"), item.kwargs.get("max_value")
    if low is None:
        return f"at most {high}"
    if high is None:
        return f"at least {low}"
    return f"exactly {low}" if low == high else f"between {low} and {high}"


def _read(name: str) -> bytes:
    try:
        return (FOLDER / f"{name}.json").read_bytes()
    except FileNotFoundError:
        raise SettingsError(
            f"gate {name} has no suite: {FOLDER / name}.json does not exist — restore the file"
        ) from None


@lru_cache(maxsize=32)
def _parse(name: str, data: bytes) -> Suite:
    try:
        return Suite.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the file"
    raise SettingsError(f"expectations/{name}.json: {place}: {first['msg']} — correct it")


def _held(name: str, data: bytes, row: Mapping[str, Number | None]) -> dict[int, bool]:
    """Which expectations hold, by position; those without an answer are missing."""
    held: dict[int, bool] = {}
    asked: dict[int, tuple[str, float]] = {}
    for position, item in enumerate(_parse(name, data).expectations):
        if _is_known(item) and item.kwargs["column"] in row:
            value = row[item.kwargs["column"]]
            if value is None:
                held[position] = item.meta.optional
            elif math.isfinite(value):
                asked[position] = (item.kwargs["column"], float(value))
    if not asked:
        return held
    try:
        return held | _asked(name, data, tuple(asked), tuple(sorted(set(asked.values()))))
    except Exception:
        return held


@lru_cache(maxsize=4096)
def _asked(
    name: str, data: bytes, positions: tuple[int, ...], row: tuple[tuple[str, float], ...]
) -> dict[int, bool]:
    """What Great Expectations answers for the expectations at *positions*.

    Asked once for the same suite and numbers: it takes about 2 ms an expectation, and many small
    donations measure the same.
    """
    batches = _great_expectations()
    frame = _frame({measure: [value] for measure, value in row})
    batch = batches.get_batch(batch_parameters={"dataframe": frame})
    result = batch.validate(_gx_suite(name, data, positions), result_format="BOOLEAN_ONLY")
    return {
        one.expectation_config.meta["position"]: one.success is True
        for one in result.results
        if not _raised(one.exception_info)
    }


def _raised(information: Mapping[str, Any]) -> bool:
    """Whether Great Expectations met an exception; it tells so for one metric or for several."""
    if "raised_exception" in information:
        return bool(information["raised_exception"])
    return bool(information)


def _frame(columns: Mapping[str, list[float]]) -> Any:
    import pandas

    return pandas.DataFrame(columns)


@lru_cache(maxsize=128)
def _gx_suite(name: str, data: bytes, positions: tuple[int, ...]) -> Any:
    import great_expectations

    expectations = _parse(name, data).expectations
    return great_expectations.ExpectationSuite(
        name=name,
        expectations=[
            {
                "type": expectations[position].type,
                "kwargs": expectations[position].kwargs,
                "meta": {"position": position},
            }
            for position in positions
        ],
    )


@cache
def _great_expectations() -> Any:
    """A batch definition over data frames in a context that lives in this process only."""
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("measures")
    return source.add_dataframe_asset("gate").add_batch_definition_whole_dataframe("row")
