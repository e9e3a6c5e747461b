"""The right to append to the log where the lake is in S3: an object that one machine holds.

It is created only where there is none and taken over only from the very holder that was seen, by
conditional writes; a holder that has died is replaced when its time has passed.
"""

import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dsk_assets.errors import StorageError
from dsk_assets.lake.digests import canonical_json
from dsk_assets.lake.store import Lake

SECONDS = 300
"""How long a holder may append before another may believe it dead."""


class Lease:
    """The lease in the object *path*."""

    def __init__(self, lake: Lake, path: str, seconds: float = SECONDS):
        self._lake = lake
        self._path = path
        self._seconds = seconds
        self._holder = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(8)}"
        self._tag: str | None = None
        self._since = 0.0

    @contextmanager
    def held(self) -> Iterator["Lease"]:
        """Wait for the lease, hold it, give it back.

        Raises :class:`StorageError` when it is not to be had within twice its time.
        """
        deadline = time.monotonic() + 2 * self._seconds
        while not self._take():
            if time.monotonic() > deadline:
                raise StorageError(
                    f"another machine is appending to the log and does not end — see {self._path}"
                )
            time.sleep(min(1.0, self._seconds / 10))
        try:
            yield self
        finally:
            self._lake.remove(self._path)

    def renew(self) -> None:
        """Hold it for its whole time again when a third of it has passed.

        Raises :class:`StorageError` where it has been lost.
        """
        if time.monotonic() - self._since > self._seconds / 3 and not self._write(self._tag):
            raise StorageError(
                "the right to append to the log was taken over by another machine — run again"
            )

    def _take(self) -> bool:
        found = self._lake.read_tagged(self._path)
        if found is None:
            return self._write(tag=None)
        data, tag = found
        until: Any = json.loads(data)["until"]
        return bool(time.time() > until) and self._write(tag=tag)

    def _write(self, tag: str | None) -> bool:
        data = canonical_json({"holder": self._holder, "until": time.time() + self._seconds})
        self._since = time.monotonic()
        self._tag = self._lake.write_if(self._path, data, tag)
        return self._tag is not None
