"""Digests of bytes, files and structures, and the canonical JSON they are taken over."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rfc8785


def sha256_bytes(data: bytes) -> str:
    """SHA-256 of *data* in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_text(text: str) -> str:
    """SHA-256 of the UTF-8 form of *text*; lone surrogates count as themselves."""
    return sha256_bytes(text.encode("utf-8", "surrogatepass"))


def sha256_json(value: Any) -> str:
    """SHA-256 of the canonical JSON (RFC 8785) of *value*."""
    return sha256_bytes(canonical_json(value))


def canonical_json(value: Any) -> bytes:
    """*value* as canonical JSON (RFC 8785): one byte form for one value."""
    return rfc8785.dumps(value)


def sha256_set(items: Iterable[tuple[str, str]]) -> str:
    """One digest for a set of named digests, independent of their order."""
    return sha256_json(sorted([name, digest] for name, digest in items))


_known: dict[tuple[str, int, int, int, int], str] = {}


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes.

    A file is hashed once a process for each (inode, size, times of modification and change): a
    change of any byte changes both times, and the second cannot be set back.
    """
    stat = path.stat()
    key = (str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    if key not in _known:
        with path.open("rb") as file:
            _known[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return _known[key]
