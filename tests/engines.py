"""Analysers that go wrong, to be started by name in the process that searches."""

import ctypes
import logging
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from dsk_assets.privacy.analyser import MIN_SCORE, Analyser, Finding
from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit
from dsk_assets.privacy.recognisers.cpr import CprRecognizer
from dsk_assets.privacy.recognisers.registry import all_recognisers

TRIGGER = "fælde"
"""The recognisers go wrong in texts that hold this word."""


class Bad(DanishRecognizer):
    ENTITIES = ("PERSON",)
    act: ClassVar[Callable[[str], Any]]

    def find(self, text: str) -> Iterator[Hit]:
        yield from (type(self).act(text) or ()) if TRIGGER in text else ()


def _with(act: Callable[[str], Any]) -> Analyser:
    recogniser = type("Bad", (Bad,), {"act": staticmethod(act)})()
    return Analyser([*all_recognisers(), recogniser])


def raising() -> Analyser:
    def act(text: str) -> None:
        raise ValueError(f"cannot read {text}")

    return _with(act)


def failing() -> Analyser:
    """Fails where nothing that goes wrong in a recogniser is caught."""

    class Failing(Analyser):
        def find(self, text: str, min_score: float = MIN_SCORE) -> list[Finding]:
            if TRIGGER in text:
                raise ValueError(f"cannot read {text}")
            return super().find(text, min_score)

    return Failing(all_recognisers())


def printing() -> Analyser:
    """Prints the text to wherever it can."""

    def act(text: str) -> None:
        import os
        import sys

        print(text)
        print(text, file=sys.stderr)
        os.write(1, text.encode())
        logging.getLogger("presidio").critical(text)

    return _with(act)


def backtracking() -> Analyser:
    """Hangs inside the engine of regular expressions."""
    return _with(lambda text: re.search(r"(a|aa)+$", "a" * 200 + "!") and None)


def waiting() -> Analyser:
    """Hangs without using the processor."""
    return _with(lambda text: threading.Event().wait() and None)


def crashing() -> Analyser:
    """Takes the interpreter down."""
    return _with(lambda text: ctypes.string_at(0) and None)


def warning() -> Analyser:
    """Reports in Presidio's log what it could not do, and goes on."""
    return _with(lambda text: logging.getLogger("presidio-analyzer").warning("skipped"))


def _unsupported(entity: str, start: int, end: int, score: float) -> Analyser:
    class Foreign(Bad):
        def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:
            from presidio_analyzer import RecognizerResult

            return [RecognizerResult(entity, start, end, score)] if TRIGGER in text else []

    return Analyser([*all_recognisers(), Foreign()])


def unknown_entity() -> Analyser:
    return _unsupported("PASSWORD", 0, 3, 0.9)


def place_outside() -> Analyser:
    return _unsupported("PERSON", 0, 10**6, 0.9)


def no_score() -> Analyser:
    return _unsupported("PERSON", 0, 3, float("nan"))


def quick() -> Analyser:
    """Looks for CPR numbers alone."""
    return Analyser([CprRecognizer()], ["DK_CPR"])


def unsupported() -> Analyser:
    """Is asked for a type that none of its recognisers knows."""
    return Analyser(all_recognisers(), ["DK_CPR", "FINGERPRINT"])


def uninstalled() -> Analyser:
    """As usual, where a package is not installed."""
    import sys

    sys.modules["hyperscan"] = None  # type: ignore[assignment]
    return Analyser(all_recognisers())


def without_cpr() -> Analyser:
    """The recogniser of CPR numbers is there and finds nothing."""
    return blind("CprRecognizer")


def blind(*names: str) -> Analyser:
    """All recognisers, of which those called *names* find nothing."""
    recognisers = all_recognisers()
    for recogniser in recognisers:
        if type(recogniser).__name__ in names:
            recogniser.find = lambda text: iter(())  # type: ignore[method-assign]
            recogniser.within = lambda text, start, end: iter(())  # type: ignore[method-assign]
    return Analyser(recognisers)


def offline() -> Analyser:
    """The usual recognisers in a process that ends when anything reaches for the network."""
    import os
    import socket

    def refuse(*arguments: object, **named: object) -> None:
        os._exit(1)

    socket.socket.connect = refuse  # type: ignore[method-assign,assignment]
    socket.create_connection = socket.getaddrinfo = refuse  # type: ignore[assignment]
    return Analyser(all_recognisers())


def reaching() -> Analyser:
    """As :func:`offline`, with a recogniser that reaches for the network."""
    import socket

    offline()
    return _with(lambda text: socket.create_connection(("127.0.0.1", 9)))
