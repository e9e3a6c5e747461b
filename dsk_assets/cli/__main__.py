"""The process behind ``dsk`` and ``python -m dsk_assets.cli``."""

import atexit
import os
import sys

from dsk_assets.cli.main import main


def run() -> None:
    """Run the command, then end the process without taking the interpreter down.

    DuckDB's binding complains of leaks at interpreter exit where spaCy has been imported (both
    leave module objects behind); exit handlers and buffers are dealt with here instead.
    """
    code: str | int | None = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    run()
