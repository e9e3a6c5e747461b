"""Suites: each expectation holds and fails, numbers only, closed where there is no answer."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dsk_assets.errors import SettingsError
from dsk_assets.gates import suites
from dsk_assets.gates.registry import GATES

NAMES = list(GATES)
EXPECTATIONS = [
    pytest.param(name, position, id=f"{name}-{position}-{item.kwargs['column']}")
    for name in NAMES
    for position, item in enumerate(suites.load(name).expectations)
]
CPR = "010160-5678"


def passing(name: str) -> dict[str, float | int | None]:
    """Measures that hold all expectations of a suite."""
    row: dict[str, float | int | None] = {}
    for item in suites.load(name).expectations:
        low = item.kwargs.get("min_value")
        value = low if low is not None else item.kwargs["max_value"]
        row[item.kwargs["column"]] = max(row.get(item.kwargs["column"], value) or 0, value)
    return row


def write_suite(folder: Path, name: str, *expectations: dict[str, Any]) -> None:
    meta = {"principle": "3", "title": "t", "title_da": "t", "description": "d"}
    whole = {
        "name": name,
        "meta": {**meta, "description_da": "d"},
        "expectations": [
            {"severity": "warning", "meta": {"reason": "it failed", "reason_da": "fejl"}, **one}
            for one in expectations
        ],
    }
    (folder / f"{name}.json").write_text(json.dumps(whole))


def between(column: str, **bounds: float) -> dict[str, Any]:
    return {"type": suites.TYPE, "kwargs": {"column": column, **bounds}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(suites, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_suite_holds(name: str):
    findings = suites.evaluate(name, passing(name))
    assert len(findings) == len(suites.load(name).expectations)
    assert all(finding.passed for finding in findings)


@pytest.mark.parametrize(("name", "position"), EXPECTATIONS)
def test_each_expectation_fails_alone_and_says_why(name: str, position: int):
    item = suites.load(name).expectations[position]
    measure, low = item.kwargs["column"], item.kwargs.get("min_value")
    broken = low - 0.001 if low is not None else item.kwargs["max_value"] + 0.001
    findings = suites.evaluate(name, passing(name) | {measure: broken})
    finding = findings[position]
    assert (finding.passed, finding.measure, finding.actual) == (False, measure, broken)
    assert finding.severity == item.severity
    assert (finding.reason, finding.reason_da) == (item.meta.reason, item.meta.reason_da)
    assert " — " in finding.reason, "a reason says what is wrong and what to do"
    assert all(other.passed for other in findings if other.measure != measure)


@pytest.mark.parametrize(("name", "position"), EXPECTATIONS)
def test_a_measure_without_value_holds_only_where_it_need_not_apply(name: str, position: int):
    item = suites.load(name).expectations[position]
    findings = suites.evaluate(name, passing(name) | {item.kwargs["column"]: None})
    assert findings[position].passed is item.meta.optional


@pytest.mark.parametrize("name", NAMES)
def test_suite_is_a_plain_great_expectations_suite(name: str):
    import great_expectations

    content = json.loads((suites.FOLDER / f"{name}.json").read_text("utf-8"))
    suite = great_expectations.ExpectationSuite(**content)
    assert [one.severity.value for one in suite.expectations] == [
        one["severity"] for one in content["expectations"]
    ]
    assert suite.meta["principle"] in "12345"


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    low=st.none() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6),
    width=st.none() | st.floats(0, 1e6),
    value=st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9),
)
def test_bounds_mean_what_they_say(
    folder: Path, low: float | None, width: float | None, value: float
):
    high = None if width is None else (low or 0) + width
    bounds = {"min_value": low, "max_value": high}
    given_bounds = {name: bound for name, bound in bounds.items() if bound is not None}
    write_suite(folder, "one", between("measure", **given_bounds))
    [finding] = suites.evaluate("one", {"measure": value})
    if not given_bounds:
        assert not finding.passed
        assert finding.severity == "critical"
    else:
        held = (low is None or low <= value) and (high is None or value <= high)
        assert finding.passed is held


@pytest.mark.parametrize(
    "expectation",
    [
        pytest.param(between("not_taken", min_value=1), id="measure that is missing"),
        pytest.param(between("taken"), id="no bound"),
        pytest.param(between("taken", min_value=True), id="bound that is no number"),
        pytest.param(between("taken", min_value=1, strict_min=1), id="unknown argument"),
        pytest.param(between("not_finite", min_value=1), id="measure that is not finite"),
        pytest.param({"type": suites.TYPE, "kwargs": {"min_value": 1}}, id="no measure"),
        pytest.param({"type": suites.TYPE, "kwargs": {"column": ["a"], "min_value": 1}}, id="list"),
        pytest.param({"type": "expect_nothing", "kwargs": {"column": "taken"}}, id="unknown type"),
        pytest.param(
            {
                "type": "expect_column_values_to_match_regex",
                "kwargs": {"column": "taken", "regex": ".*"},
            },
            id="type for text",
        ),
    ],
)
def test_what_cannot_be_evaluated_refuses(folder: Path, expectation: dict[str, Any]):
    write_suite(folder, "one", between("taken", max_value=9), expectation)
    first, second = suites.evaluate("one", {"taken": 5, "not_finite": math.nan})
    assert first.passed
    assert not second.passed
    assert second.severity == "critical"
    assert second.actual in (None, 5)
    assert "one.json" in second.reason


def test_a_failing_library_refuses(folder: Path, monkeypatch: pytest.MonkeyPatch):
    import great_expectations

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    write_suite(folder, "one", between("taken", max_value=9))
    monkeypatch.setattr(great_expectations.ExpectationSuite, "__init__", fail)
    [finding] = suites.evaluate("one", {"taken": 5})
    assert (finding.passed, finding.severity) == (False, "critical")


@pytest.mark.parametrize("value", ["text", CPR, b"bytes", [1], {"a": 1}])
def test_only_numbers_are_taken(value: Any):
    with pytest.raises(TypeError, match="measure documents is of type") as caught:
        suites.evaluate("statistics", {"documents": value})
    assert CPR not in str(caught.value)


@pytest.mark.parametrize("name", [CPR, "Jens Hansen", "a-b", "_x", "", "0101605678"])
def test_a_name_that_could_hold_text_is_refused(name: str):
    with pytest.raises(TypeError, match="name is not lower-case words") as caught:
        suites.evaluate("statistics", {name: 1})
    assert not name or name not in str(caught.value)


def test_findings_hold_our_own_numbers_and_readable_bounds():
    findings = suites.evaluate("spans", passing("spans") | {"characters_per_token": 5.125})
    by_measure = {finding.measure: finding for finding in findings}
    assert by_measure["characters_per_token"].expected == "between 2.4 and 4.3"
    assert by_measure["characters_per_token"].actual == 5.125
    assert by_measure["tokens"].expected == "at least 1"
    assert by_measure["tokens_unmapped"].expected == "at most 0"
    assert suites.evaluate("approval", passing("approval"))[0].expected == "exactly 1"


def test_a_suite_that_cannot_be_read_is_named(folder: Path):
    with pytest.raises(SettingsError, match=r"one\.json does not exist — restore"):
        suites.evaluate("one", {})
    write_suite(folder, "one", {**between("a", min_value=1), "severity": "info"})
    with pytest.raises(SettingsError, match=r"one\.json: expectations\.0\.severity"):
        suites.evaluate("one", {"a": 1})
    (folder / "one.json").write_text("{")
    with pytest.raises(SettingsError, match=r"one\.json: the file: Invalid JSON"):
        suites.load("one")


def test_a_changed_suite_is_read_again(folder: Path):
    write_suite(folder, "one", between("a", max_value=9))
    before = suites.identity("one")
    assert suites.evaluate("one", {"a": 5})[0].passed
    write_suite(folder, "one", between("a", max_value=4))
    assert not suites.evaluate("one", {"a": 5})[0].passed
    assert suites.identity("one") != before


QUIET = """
import os, socket, sys, threading
import dsk_assets.gates.registry
loaded = {"great_expectations", "pandas"} & sys.modules.keys()
assert not loaded, loaded
def refuse(*_, **__):
    os.write(2, b"network")
    os._exit(3)
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from dsk_assets.gates import suites
assert suites.evaluate("statistics", {"documents": 0})[4].passed is False
assert "great_expectations" in sys.modules
names = {type(thread).__name__ for thread in threading.enumerate()}
assert names <= {"_MainThread", "TMonitor"}, names
"""


def test_evaluating_is_lazy_and_leaves_no_file_and_calls_no_one(tmp_path: Path):
    """In a process of its own, with its own home: Great Expectations reports use by default."""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-B", "-c", QUIET],
        cwd=tmp_path,
        env={"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[1]), "TMPDIR": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [str(path) for path in tmp_path.rglob("*") if path != home] == []
