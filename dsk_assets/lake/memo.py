"""Results of pure functions, kept in a folder under the digest of all that they depend on.

A killed run starts again where it was: what has its receipt is not made again. A receipt is
written last and names the bytes of the files it stands for, so half a file, a changed one or one
that is gone is made again, and so is everything whose inputs, code or configuration changed.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from dsk_assets.lake.digests import canonical_json, sha256_file, sha256_json
from dsk_assets.lake.store import publish
from dsk_assets.lake.tables import write_parquet

RECEIPTS, RESULTS = ".work/receipts", ".work/results"


@dataclass(frozen=True)
class Made:
    """What one function made: ``files`` by name with their SHA-256, and ``facts`` about them."""

    key: str
    files: Mapping[str, str]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Memo:
    """The results below *folder*; safe with several processes, also on several machines."""

    folder: Path

    def recall(
        self, key: Mapping[str, Any], make: Callable[["Maker"], Mapping[str, Any] | None]
    ) -> Made:
        """What *make* makes for *key*, made now unless it has been.

        *key* names everything that the result depends on (canonical JSON). *make* writes files
        through its :class:`Maker` and returns facts worth keeping beside them.
        """
        digest = sha256_json(key)
        receipt = self.folder / RECEIPTS / digest[:2] / f"{digest}.json"
        made = self._read(receipt, digest)
        if made is None:
            maker = Maker(self.folder, digest)
            facts = make(maker) or {}
            made = Made(digest, maker.files, facts)
            with whole(receipt) as temporary:
                temporary.write_bytes(canonical_json({"files": made.files, "facts": facts}))
        return made

    def path(self, made: Made, suffix: str = "") -> Path:
        """The file of *made* whose name ends with *suffix*."""
        return self.folder / next(name for name in made.files if name.endswith(suffix))

    def forget_others(self, kept: Iterable[Made], folders: Iterable[str]) -> None:
        """Delete every file in *folders*, and every receipt, that no result in *kept* names."""
        wanted = set()
        for made in kept:
            wanted.add(f"{RECEIPTS}/{made.key[:2]}/{made.key}.json")
            wanted.update(made.files)
        for folder in folders:
            for path in (self.folder / folder).rglob("*"):
                if path.is_file() and str(path.relative_to(self.folder)) not in wanted:
                    path.unlink()

    def _read(self, receipt: Path, digest: str) -> Made | None:
        made = self._parse(receipt)
        if made is None:
            return None
        for name, sha256 in made.files.items():
            path = self.folder / name
            if not path.is_file() or sha256_file(path) != sha256:
                return None
        return made

    @staticmethod
    def _parse(receipt: Path) -> Made | None:
        try:
            content = json.loads(receipt.read_bytes())
            return Made(receipt.stem, content["files"], content["facts"])
        except (OSError, ValueError, KeyError):
            return None


class Maker:
    """Where a function writes its files; each appears whole under its name."""

    def __init__(self, folder: Path, key: str):
        self._folder = folder
        self._key = key
        self.files: dict[str, str] = {}

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """A local path to write the file *name* to, relative to the memo's folder."""
        with whole(self._folder / name) as temporary:
            yield temporary
            self.files[name] = sha256_file(temporary)

    def table(self, kind: str, batches: Iterable[pa.RecordBatch | pa.Table]) -> None:
        """Write a table named by its *kind* and key."""
        batches = iter(batches)
        first = next(batches)

        def all_of_them() -> Iterator[pa.RecordBatch | pa.Table]:
            yield first
            yield from batches

        with self.file(f"{RESULTS}/{kind}/{self._key[:2]}/{self._key}.parquet") as path:
            write_parquet(path, all_of_them(), first.schema)


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A temporary path beside *target*; on leaving, its bytes appear there, synced and whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        publish(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
