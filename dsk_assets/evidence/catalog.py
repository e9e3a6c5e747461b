"""The catalog: the one place where assets are read and written, so that none forgets its statement.

:meth:`Catalog.materialise` runs a function that writes an asset partition's files, unless the
partition is fresh: its newest statement names the same code version, configuration and inputs,
and every file still has the bytes the statement says. Files go to a folder named by that
fingerprint, and the statement is written last: until it stands, readers see the earlier
materialisation, whole. A crash in between leaves files that the next run writes again, equal.
"""

import contextlib
import datetime as dt
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence import clock, keys, statements
from dsk_assets.evidence.entries import STATEMENTS as STATEMENTS
from dsk_assets.evidence.entries import UNPARTITIONED as UNPARTITIONED
from dsk_assets.evidence.envelope import seal
from dsk_assets.evidence.snapshots import Snapshot as Snapshot
from dsk_assets.evidence.snapshots import decode
from dsk_assets.evidence.statements import Source, WrittenFile
from dsk_assets.lake.digests import canonical_json, sha256_file, sha256_json
from dsk_assets.lake.store import Lake, Zone
from dsk_assets.lake.tables import write_parquet
from dsk_assets.settings import Settings

_NUMBERED = re.compile(r"[0-9]{6,}\.json")

LARGE = 65_536
"""Bytes of a statement from which on its decoded form is kept."""


class Stale(Exception):
    """Raised instead of working by a catalog that only plans; see :meth:`Catalog.planning`."""


def _fingerprint(snapshot: Snapshot) -> str:
    definition = snapshot.statement["predicate"]["buildDefinition"]
    return str(definition["internalParameters"]["fingerprint"])


def _ended(inputs: Iterable[Snapshot | Source]) -> dt.datetime:
    """When the last of *inputs* had been made."""
    made = [
        one.statement["predicate"]["runDetails"]["metadata"]["finishedOn"]
        for one in inputs
        if isinstance(one, Snapshot)
    ]
    return dt.datetime.fromisoformat(max(made, default="1970-01-01T00:00:00Z"))


def _refuse_another(snapshot: Snapshot, dependencies: Sequence[Mapping[str, Any]]) -> None:
    """What is frozen and damaged can be made again only from what it was made from."""
    recorded = snapshot.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    if [(d["uri"], d["digest"]) for d in recorded] != [
        (d["uri"], d["digest"]) for d in dependencies
    ]:
        raise CorruptedError(
            f"{snapshot.key} is frozen, damaged, and its inputs have changed since: making it "
            "again would give another one — restore its files from a copy of the lake"
        )


class Output:
    """Where one materialisation writes its files; handed to the function that makes them.

    ``kept`` is a folder for results of parts that a killed run leaves to the next one; ``key``
    is all that such a result depends on beside its part.
    """

    def __init__(
        self,
        lake: Lake,
        folder: str,
        kept: Path | None = None,
        key: Mapping[str, Any] | None = None,
    ):
        self._lake = lake
        self._folder = folder
        self.kept = kept
        self.key = key or {}
        self.files: list[WrittenFile] = []
        self.counts: dict[str, Any] = {}
        self.byproducts: list[dict[str, Any]] = []

    @contextlib.contextmanager
    def file(self, name: str, rows: int | None = None) -> Iterator[Path]:
        """A local path to write the file *name* to."""
        with self._lake.writing(f"{self._folder}/{name}") as path:
            yield path
            written = WrittenFile(name, sha256_file(path), path.stat().st_size, rows)
        self.files.append(written)

    def table(
        self,
        table: str,
        batches: Iterable[pa.RecordBatch | pa.Table],
        schema: pa.Schema,
        part: int = 0,
    ) -> int:
        """Write part number *part* of *table*; returns its rows."""
        name = f"{table}/part-{part:05d}.parquet"
        with self._lake.writing(f"{self._folder}/{name}") as path:
            rows = write_parquet(path, batches, schema)
            written = WrittenFile(name, sha256_file(path), path.stat().st_size, rows)
        self.files.append(written)
        return rows

    def json(self, name: str, value: Any) -> None:
        """Write *value* as canonical JSON to the file *name*."""
        with self.file(name) as path:
            path.write_bytes(canonical_json(value))

    def count(self, **counts: Any) -> None:
        """Record numbers with the materialisation: totals, or mappings from a name to a number."""
        self.counts.update(counts)

    def byproduct(self, name: str, content: Mapping[str, Any]) -> None:
        """Put *content* into the statement as a by-product: what happened, not what was made."""
        self.byproducts.append(statements.byproduct(name, content))


class Catalog:
    """What has been materialised in a lake, and the way to materialise more."""

    def __init__(self, settings: Settings, run_id: str = "local"):
        self.settings = settings
        self.lake = Lake(settings)
        self.run_id = run_id
        self.made: list[tuple[str, str | None]] = []
        self._planning = False
        self._decoded: dict[str, tuple[bytes, Snapshot]] = {}

    def planning(self) -> "Catalog":
        """A view that writes nothing: :meth:`materialise` raises :class:`Stale` instead."""
        view = Catalog(self.settings, self.run_id)
        view._planning = True
        view._decoded = self._decoded
        return view

    @property
    def plans(self) -> bool:
        """Whether this is a view that only plans."""
        return self._planning

    def partitions(self, asset: str) -> list[str]:
        """Partitions of *asset* that have been materialised, sorted."""
        names = self.lake.folders(f"{STATEMENTS}/{asset}")
        return [name for name in names if name != UNPARTITIONED]

    def latest(self, asset: str, partition: str | None = None) -> Snapshot | None:
        """The newest materialisation, or None. Its files are verified when they are read."""
        folder = f"{STATEMENTS}/{asset}/{partition or UNPARTITIONED}"
        numbers = self.numbers(asset, partition)
        return self._load(f"{folder}/{numbers[-1]:06d}.json") if numbers else None

    def history(self, asset: str, partition: str | None = None) -> list[Snapshot]:
        """All materialisations of an asset partition, oldest first."""
        numbers = self.numbers(asset, partition)
        return [self.numbered(asset, partition, number) for number in numbers]

    def numbers(self, asset: str, partition: str | None = None) -> list[int]:
        """Numbers of an asset partition's materialisations, from 1; no statement is opened."""
        names = self.lake.names(f"{STATEMENTS}/{asset}/{partition or UNPARTITIONED}")
        return sorted(int(name[:-5]) for name in names if _NUMBERED.fullmatch(name))

    def numbered(self, asset: str, partition: str | None, number: int) -> Snapshot:
        """The materialisation *number*; :class:`MissingInputError` where its statement is gone."""
        return self._load(f"{STATEMENTS}/{asset}/{partition or UNPARTITIONED}/{number:06d}.json")

    def require(self, asset: str, partition: str | None = None) -> Snapshot:
        """Like :meth:`latest`, but :class:`MissingInputError` when there is none."""
        snapshot = self.latest(asset, partition)
        if snapshot is None:
            key = f"{asset}[{partition}]" if partition else asset
            raise MissingInputError(
                f"{key} has not been materialised yet — materialise it first", asset, partition
            )
        return snapshot

    def materialise(
        self,
        asset: str,
        partition: str | None = None,
        *,
        zone: Zone,
        inputs: Sequence[Snapshot | Source],
        config: Mapping[str, Any],
        code_version: str,
        produce: Callable[[Output], None],
        frozen: bool = False,
    ) -> Snapshot:
        """The asset partition, made now by *produce* unless it is fresh.

        *inputs* is the complete list of what *produce* reads; *config* holds all settings that
        change what it writes (canonical JSON); *code_version* changes with the code. With
        *frozen*, new inputs do not make the partition stale: it is made once for a configuration.
        Raises :class:`SettingsError` where the clock is behind that of its inputs.
        """
        dependencies = [source.dependency() for source in inputs]
        fingerprint = sha256_json(
            {
                "asset": asset,
                "partition": partition,
                "config": config,
                "codeVersion": code_version,
                "inputs": [] if frozen else statements.named_inputs(dependencies),
            }
        )
        latest = self.latest(asset, partition)
        if latest is not None and self._is_fresh(latest, fingerprint):
            return latest
        if self._planning:
            raise Stale(f"{asset}[{partition}]" if partition else asset)
        with self._lock(asset, partition):
            latest = self.latest(asset, partition)
            if latest is not None and self._is_fresh(latest, fingerprint):
                return latest
            if frozen and latest is not None and _fingerprint(latest) == fingerprint:
                _refuse_another(latest, dependencies)
            started = clock.now(after=_ended([*inputs, *([latest] if latest else [])]))
            for area in (str(zone), STATEMENTS):
                self.lake.sweep(f"{area}/{asset}/{partition or UNPARTITIONED}")
            folder = f"{zone}/{asset}/{partition or UNPARTITIONED}/{fingerprint[:16]}"
            home = self.settings.home.resolve()
            kept = home / "parts" / asset / (partition or UNPARTITIONED)
            key = {"asset": asset, "config": config, "codeVersion": code_version}
            output = Output(self.lake, folder, kept, key)
            produce(output)
            statement = statements.build(
                asset=asset,
                partition=partition,
                folder=folder,
                files=sorted(output.files, key=lambda file: file.name),
                dependencies=dependencies,
                config=config,
                code_version=code_version,
                fingerprint=fingerprint,
                counts=output.counts,
                byproducts=output.byproducts,
                run_id=self.run_id,
                country=self.settings.country,
                region=self.settings.s3_region or None,
                started=started,
                finished=clock.now(after=started),
                previous=latest.statement_digest if latest else None,
            )
            signed = seal(statement, [keys.signer(self.settings, keys.STATEMENTS)])
            path = self._next_statement(asset, partition)
            with self.lake.writing(path, replace=False) as temporary:
                temporary.write_bytes(signed.as_bytes())
            shutil.rmtree(kept, ignore_errors=True)
        self.made.append((asset, partition))
        return self._load(path)

    def _is_fresh(self, snapshot: Snapshot, fingerprint: str) -> bool:
        if _fingerprint(snapshot) != fingerprint:
            return False
        try:
            for file in snapshot.files:
                self.lake.local_path(f"{snapshot.folder}/{file.name}", file.sha256)
        except CorruptedError:
            return False
        return True

    def _lock(self, asset: str, partition: str | None) -> FileLock:
        path = self.settings.home.resolve() / "locks" / asset / f"{partition or UNPARTITIONED}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)

    def _next_statement(self, asset: str, partition: str | None) -> str:
        folder = f"{STATEMENTS}/{asset}/{partition or UNPARTITIONED}"
        numbers = self.numbers(asset, partition)
        number = numbers[-1] + 1 if numbers else 1
        return f"{folder}/{number:06d}.json"

    def _load(self, path: str) -> Snapshot:
        """The materialisation that the statement under *path* tells of.

        A large statement, of an asset that reads all donations, is asked for once for each
        donation: it is read again each time, but decoded again only when its bytes are others.
        """
        data = self.lake.read(path)
        known = self._decoded.get(path)
        if known is not None and known[0] == data:
            return known[1]
        snapshot = decode(path, data, self.lake)
        if len(data) > LARGE:
            self._decoded[path] = data, snapshot
        return snapshot


def asset_partitions(catalog: Catalog) -> dict[tuple[str, str | None], list[int]]:
    """Every asset partition that was ever materialised, in alphabetical order, and its numbers.

    One listing of the whole folder, and no statement is opened.
    """
    found: dict[tuple[str, str | None], list[int]] = {}
    for path in catalog.lake.files(STATEMENTS):
        folder, _, name = path.rpartition("/")
        asset, _, partition = folder.rpartition("/")
        if _NUMBERED.fullmatch(name):
            key = (asset, None if partition == UNPARTITIONED else partition)
            found.setdefault(key, []).append(int(name[:-5]))
    return found
