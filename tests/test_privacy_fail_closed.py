"""A document that could not be searched is withheld, whatever went wrong; the others are not."""

import os
import pickle
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dsk_assets.consortium.policy import PersonalDataPolicy
from dsk_assets.errors import SettingsError
from dsk_assets.privacy import guarded
from dsk_assets.privacy.guarded import Guarded
from dsk_assets.privacy.redact import ERROR, STOPPED, treat
from tests import engines
from tests.engines import TRIGGER

POLICY = PersonalDataPolicy()
TEXTS = [f"Anne Bundgaard gik i en {TRIGGER}.", "Cpr 170389-1234.", f"{TRIGGER} 67 12 34 56", ""]


@pytest.fixture(autouse=True)
def no_trace_is_left(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    out, err = capfd.readouterr()
    assert "Bundgaard" not in out + err


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        ("raising", ERROR),
        ("warning", ERROR),
        ("unknown_entity", ERROR),
        ("place_outside", ERROR),
        ("no_score", ERROR),
    ],
)
def test_every_fault_of_a_recogniser_withholds_the_document(engine: str, reason: str) -> None:
    analyser = getattr(engines, engine)()
    treated = [treat(text, POLICY, analyser) for text in TEXTS]
    assert [one.reason for one in treated] == [reason, None, reason, None]
    assert [one.text for one in treated] == [None, "Cpr <DK_CPR>.", None, ""]


@pytest.mark.parametrize("engine", ["backtracking", "waiting", "crashing"])
def test_a_recogniser_that_hangs_or_crashes_withholds_the_document(engine: str) -> None:
    guard = Guarded(f"tests.engines:{engine}", seconds=1.0)
    try:
        treated = list(guard.treat(TEXTS[:2], POLICY))
    finally:
        guard.close()
    assert [one.reason for one in treated] == [STOPPED, None]
    assert treated[1].text == "Cpr <DK_CPR>."


@pytest.mark.parametrize(("engine", "reason"), [("offline", None), ("reaching", STOPPED)])
def test_the_process_that_searches_reaches_for_no_network(engine: str, reason: str | None) -> None:
    guard = Guarded(f"tests.engines:{engine}", seconds=60)
    text = f"Skriv til anna@kommune.local eller anna@example.dk om en {TRIGGER}."
    try:
        (treated,) = guard.treat([text], POLICY)
    finally:
        guard.close()
    assert treated.reason == reason
    assert reason or (treated.findings or {})["EMAIL_ADDRESS"] == 2


def test_what_a_recogniser_prints_goes_nowhere() -> None:
    guard = Guarded("tests.engines:printing", seconds=60)
    try:
        assert [one.reason for one in guard.treat(TEXTS, POLICY)] == [None] * 4
    finally:
        guard.close()


def test_what_goes_wrong_outside_the_recognisers_withholds_the_document_too() -> None:
    guard = Guarded("tests.engines:failing", seconds=60)
    try:
        treated = list(guard.treat(TEXTS, POLICY))
    finally:
        guard.close()
    assert [one.reason for one in treated] == [ERROR, None, ERROR, None]
    assert [one.text for one in treated] == [None, "Cpr <DK_CPR>.", None, ""]


def test_a_process_that_is_killed_between_texts_is_made_anew() -> None:
    guard = Guarded(guarded.ENGINE, seconds=60)
    try:
        (first,) = guard.treat(["Cpr 170389-1234."], POLICY)
        assert guard._process is not None
        os.kill(guard._process.pid, signal.SIGKILL)
        guard._process.wait()
        (second,) = guard.treat(["Cpr 170389-1234."], POLICY)
    finally:
        guard.close()
    assert first == second


def test_a_type_that_no_recogniser_supports_stops_the_search_before_it_begins() -> None:
    with pytest.raises(SettingsError, match="FINGERPRINT"):
        list(Guarded("tests.engines:unsupported", seconds=60).treat(["x"], POLICY))


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(SettingsError, match=r"package hyperscan is missing .* install it"):
        list(Guarded("tests.engines:uninstalled", seconds=60).treat(["x"], POLICY))


def test_the_process_ends_with_the_one_that_started_it() -> None:
    code = (
        "import os\n"
        "from dsk_assets.privacy.guarded import guarded\n"
        "from dsk_assets.consortium.policy import PersonalDataPolicy\n"
        "list(guarded().treat(['x'], PersonalDataPolicy()))\n"
        "print(guarded()._process.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    try:
        process = os.pidfd_open(int(done.stdout))
    except ProcessLookupError:
        return
    assert select.select([process], [], [], 60)[0]
    os.close(process)


def test_treatments_travel_between_processes() -> None:
    treated = treat("Anne Bundgaard, cpr 170389-1234.", POLICY, engines.blind(""))
    assert pickle.loads(pickle.dumps(treated)) == treated
