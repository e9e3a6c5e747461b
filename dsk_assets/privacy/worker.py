"""The process in which texts are searched; see :mod:`dsk_assets.privacy.guarded`.

It reads pickled requests ``(text, policy, seconds)`` from standard input and writes a pickled
:class:`~dsk_assets.privacy.redact.Treatment` for each to standard output. Before each text it
winds up a watchdog, a thread of the interpreter that no recogniser can hold up, and which ends
the process when the seconds have passed. Nothing else is written anywhere: what a recogniser or
a library prints may quote the text.
"""

import faulthandler
import importlib
import os
import pickle
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from dsk_assets.consortium.policy import PersonalDataPolicy
from dsk_assets.errors import DskError
from dsk_assets.privacy.redact import ERROR, Treatment, treat
from dsk_assets.settings import load_settings


def main(engine: str) -> None:
    """Serve requests with the analyser that the function *engine*, ``module:name``, returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, replies = _pipes()
    module, _, name = engine.partition(":")
    try:
        _import_presidio()
        analyser = getattr(importlib.import_module(module), name)()
    except ImportError as error:
        _send(
            replies,
            f"the package {error.name} is missing or cannot be loaded — install it, or this "
            "project with all it needs",
        )
        return
    except Exception as error:
        _send(replies, str(error) if isinstance(error, DskError) else type(error).__name__)
        return
    _send(replies, None)
    with Path(os.devnull).open("w") as nowhere:
        while (request := _receive(requests)) is not None:
            text, policy, seconds = request
            faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
            try:
                treatment = treat(text, policy, analyser)
            except Exception:
                treatment = Treatment(None, ERROR)
            faulthandler.cancel_dump_traceback_later()
            _send(replies, treatment)


def _import_presidio() -> None:
    """Import Presidio without the deep-learning libraries that it looks for and nobody uses here.

    They take four fifths of the time in which the process starts. A folder with another model of
    names (``DSK_NAME_ENGINE``) may need them.
    """
    if load_settings().name_engine is not None:
        return
    unused = [name for name in ("stanza", "torch", "transformers") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(unused))  # type: ignore[arg-type]
    try:
        importlib.import_module("presidio_analyzer")
    finally:
        for name in unused:
            del sys.modules[name]


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for this protocol alone; what others print goes nowhere."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return requests, replies


def _send(replies: BinaryIO, value: object) -> None:
    pickle.dump(value, replies)
    replies.flush()


def _receive(requests: BinaryIO) -> tuple[str, PersonalDataPolicy, float] | None:
    try:
        request: tuple[str, PersonalDataPolicy, float] = pickle.load(requests)
    except EOFError:
        return None
    return request


if __name__ == "__main__":
    main(sys.argv[1])
    os._exit(0)
