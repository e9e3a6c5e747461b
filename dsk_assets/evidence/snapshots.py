"""Materialisations as their statements tell of them: what is read of the lake, verified."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence.envelope import open_envelope
from dsk_assets.evidence.statements import WrittenFile
from dsk_assets.lake.digests import sha256_set
from dsk_assets.lake.store import Lake
from dsk_assets.lake.tables import read_batches


@dataclass(frozen=True)
class Snapshot:
    """One materialisation of an asset partition, as its statement names it; reads are verified.

    ``digest`` covers names and bytes of all files: equal content, equal digest, on any machine.
    ``number`` counts the materialisations of the asset partition, from 1.
    """

    asset: str
    partition: str | None
    digest: str
    folder: str
    files: tuple[WrittenFile, ...]
    statement: Mapping[str, Any]
    statement_digest: str
    number: int
    lake: Lake = field(repr=False, compare=False)
    part: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """``asset`` or ``asset[partition]``, for messages."""
        return f"{self.asset}[{self.partition}]" if self.partition else self.asset

    @property
    def counts(self) -> Mapping[str, Any]:
        """The numbers recorded with the materialisation."""
        counts: Mapping[str, Any] = self.statement["predicate"]["dsk"]["counts"]
        return counts

    def byproduct(self, name: str) -> Any:
        """The content of the by-product *name* in the statement, or None where it has none."""
        for one in self.statement["predicate"]["runDetails"].get("byproducts", []):
            if one["name"] == name:
                return json.loads(base64.b64decode(one["content"]))
        return None

    @cached_property
    def inputs(self) -> Mapping[str, str]:
        """The digest of each input by its address, as the statement names them."""
        definition = self.statement["predicate"]["buildDefinition"]
        return {one["uri"]: one["digest"]["sha256"] for one in definition["resolvedDependencies"]}

    def path(self, name: str) -> Path:
        """A local, verified path of the file *name*."""
        return self.lake.local_path(f"{self.folder}/{name}", self._file(name).sha256)

    def unverified(self, name: str) -> Path:
        """A local path of the file *name*, whose bytes nobody has looked at: hints, no facts."""
        return self.lake.unverified(f"{self.folder}/{name}", self._file(name).sha256)

    def _file(self, name: str) -> WrittenFile:
        for file in self.files:
            if file.name == name:
                return file
        raise MissingInputError(f"{self.key} has no file {name}")

    def paths(self, table: str) -> list[Path]:
        """Local, verified paths of the parts of *table* (files ``table/part-*.parquet``)."""
        return [self.path(file.name) for file in self.files if file.name.startswith(f"{table}/")]

    def table(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """All rows of *table* at once; use :meth:`batches` where they may be many."""
        parts = [pq.ParquetFile(path).read(columns) for path in self.paths(table)]
        if not parts:
            raise MissingInputError(f"{self.key} has no table {table}")
        return pa.concat_tables(parts)

    def batches(
        self, table: str, columns: list[str] | None = None, rows: int = 8192
    ) -> Iterator[pa.RecordBatch]:
        """The rows of *table*, part by part, in batches of at most *rows*."""
        for path in self.paths(table):
            yield from read_batches(path, columns, rows)

    def json(self, name: str) -> Any:
        """The content of a JSON file."""
        return json.loads(self.path(name).read_bytes())

    def only(self, *prefixes: str) -> "Snapshot":
        """The same materialisation cut down to files whose names start with one of *prefixes*.

        An asset that reads only these declares this as its input, and stays fresh when other
        files of the materialisation change.
        """
        files = tuple(file for file in self.files if file.name.startswith(prefixes))
        part = tuple(file.name for file in files) if self.part else prefixes
        return replace(self, files=files, digest=digest_of(files), part=part)

    def dependency(self) -> dict[str, Any]:
        """This input as a resource descriptor of in-toto.

        Its annotations name the input's statement, how many of its files were read, and under
        ``only`` how their names begin where they are not all: enough to compute the digest anew.
        """
        part = {"only": sorted(self.part)} if self.part else {}
        return {
            "uri": f"dsk:{self.key}",
            "digest": {"sha256": self.digest},
            "annotations": {
                "files": len(self.files),
                "statement": self.statement_digest,
                **part,
            },
        }


def digest_of(files: Iterable[WrittenFile]) -> str:
    """One digest for names and bytes of *files*."""
    return sha256_set((file.name, file.sha256) for file in files)


def decode(path: str, data: bytes, lake: Lake) -> Snapshot:
    """The materialisation that the statement in *data*, which lies under *path*, tells of.

    Raises :class:`CorruptedError` for what is no such statement.
    """
    try:
        envelope = open_envelope(data)
        statement = envelope.statement
        parameters = statement["predicate"]["buildDefinition"]["externalParameters"]
        folder = statement["predicate"]["dsk"]["folder"]
        files = tuple(
            WrittenFile(
                subject["name"].removeprefix(f"{folder}/"),
                subject["digest"]["sha256"],
                subject["annotations"]["bytes"],
                subject["annotations"].get("rows"),
            )
            for subject in statement["subject"]
        )
        asset, partition = parameters["asset"], parameters["partition"]
    except (CorruptedError, ValueError, KeyError, TypeError):
        raise CorruptedError(
            f"{path} is not a readable statement — restore it from a copy of the evidence zone"
        ) from None
    return Snapshot(
        asset=asset,
        partition=partition,
        digest=digest_of(files),
        folder=folder,
        files=files,
        statement=statement,
        statement_digest=envelope.digest,
        number=int(path.rsplit("/", 1)[-1].removesuffix(".json")),
        lake=lake,
    )
