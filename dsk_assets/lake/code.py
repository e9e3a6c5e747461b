"""Which code runs: one digest over the package and the libraries that decide what it computes."""

import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dsk_assets.lake.digests import sha256_file, sha256_json, sha256_set

_PACKAGE = Path(__file__).resolve().parents[1]
_LIBRARIES = (
    "duckdb",
    "ftfy",
    "hyperscan",
    "lingua-language-detector",
    "numpy",
    "orjson",
    "polars",
    "presidio-analyzer",
    "pyarrow",
    "pycld2",
    "rensa",
)


@cache
def code_digest() -> str:
    """SHA-256 over the package's files, Python's version, and those of the libraries it uses."""
    files = [
        (str(path.relative_to(_PACKAGE)), sha256_file(path))
        for path in _PACKAGE.rglob("*")
        if path.suffix in (".py", ".yaml", ".json")
    ]
    return sha256_json(
        {
            "files": sha256_set(files),
            "python": ".".join(platform.python_version_tuple()[:2]) + sys.byteorder,
            "libraries": {name: _version(name) for name in _LIBRARIES},
        }
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
