"""Search in a process of its own, so that no recogniser can hold up or end a night.

A regular expression may backtrack for years, a library may crash the interpreter, a text may take
all memory. None of that can be stopped from within the process. So each process that treats
documents has a second one for it (:mod:`dsk_assets.privacy.worker`), which ends itself when a text
takes too long. A text at which it ended is tried once more in a new process; if that ends too,
the document is withheld.
"""

import atexit
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from functools import cache

from dsk_assets.consortium.policy import PersonalDataPolicy
from dsk_assets.errors import SettingsError
from dsk_assets.privacy.redact import STOPPED, Treatment

ENGINE = "dsk_assets.privacy.analyser:analyser"
SECONDS = 60.0
CHARACTERS_A_SECOND = 10_000
"""A text may take this many seconds, and one more for so many characters: more than ten times
what one takes."""
TRIES = 2


class Guarded:
    """A process that treats texts with the analyser of *engine*, made anew when it has ended."""

    def __init__(self, engine: str, seconds: float):
        self._engine = engine
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def treat(self, texts: Iterable[str], policy: PersonalDataPolicy) -> Iterator[Treatment]:
        """:func:`dsk_assets.privacy.redact.treat` for each of *texts*, in their order.

        Raises :class:`SettingsError` where the analyser cannot be made.
        """
        for text in texts:
            yield self._treat(text, policy)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _treat(self, text: str, policy: PersonalDataPolicy) -> Treatment:
        seconds = self._seconds + len(text) / CHARACTERS_A_SECOND
        with self._lock:
            for _ in range(TRIES):
                process = self._running()
                try:
                    assert process.stdin is not None and process.stdout is not None
                    pickle.dump((text, policy, seconds), process.stdin)
                    process.stdin.flush()
                    treatment = pickle.load(process.stdout)
                except (EOFError, OSError, pickle.UnpicklingError):
                    self.close()
                    continue
                except BaseException:
                    self.close()
                    raise
                assert isinstance(treatment, Treatment)
                return treatment
        return Treatment(None, STOPPED)

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is not None:
            return self._process
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", "dsk_assets.privacy.worker", self._engine],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert process.stdout is not None
        try:
            problem = pickle.load(process.stdout)
        except (EOFError, pickle.UnpicklingError):
            problem = "it ended at once"
        if problem is not None:
            self.close()
            raise SettingsError(f"the search for personal data cannot start: {problem}")
        return process


def guarded() -> Guarded:
    """The process of this process, started with the first text."""
    return _guarded(ENGINE, SECONDS, os.getpid())


@cache
def _guarded(engine: str, seconds: float, process: int) -> Guarded:
    made = Guarded(engine, seconds)
    atexit.register(made.close)
    return made
