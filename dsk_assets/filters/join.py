"""The search for duplicates over all documents at once, in bounded memory.

It reads signatures, never texts, and works in tables of a database (DuckDB) that holds a gigabyte
and sets aside on disk whatever is more: what grows with the corpus is the disk that it takes, and
the time. Almost all documents share neither digest nor band with another: they are let go of first.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from dsk_assets.consortium.policy import DuplicatesPolicy
from dsk_assets.filters import clusters, lines
from dsk_assets.filters.signatures import BANDS
from dsk_assets.lake.database import insert, spilling
from dsk_assets.lake.progress import track
from dsk_assets.lake.tables import read_batches

_ROWS = 65_536

COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "cluster_id": pa.string(),
    "survivor_id": pa.string(),
    "kind": pa.string(),
    "similarity": pa.float64(),
}
SCHEMA = pa.schema(COLUMNS)
"""A document that has a duplicate; see :func:`find_duplicates`."""


@dataclass(frozen=True)
class Source:
    """One part of table ``signature``, whose documents were donated alike.

    *kept* says of each row whether its policy keeps the document so far: only these are considered.
    *open* says that they are donated to be open-sourced, under an open licence; *approved_on* is
    the day of their approval.
    """

    path: Path
    kept: pl.Series
    policy: DuplicatesPolicy
    open: bool = False
    approved_on: str = ""


@dataclass(frozen=True)
class Duplicates:
    """What was found, for as long as its database is open."""

    _database: duckdb.DuckDBPyConnection

    def of(self, source: int) -> pa.Table:
        """The rows of the documents of source number *source*, sorted by ``doc_id``."""
        return self._read(_FOUND, "WHERE source = ?", source).read_all().cast(SCHEMA)

    def cuts_of(self, source: int) -> pa.Table:
        """The lines to be cut out of the documents of source number *source*, in their order."""
        return self._read(_CUT, "WHERE source = ?", source).read_all().cast(lines.CUT)

    def all(self) -> Iterator[pa.RecordBatch]:
        """``doc_id``, ``cluster_id``, ``survivor_id`` and ``similarity`` over all sources."""
        yield from self._read(_FOUND.replace("kind, ", ""))

    def all_cuts(self) -> Iterator[pa.RecordBatch]:
        """The lines to be cut out of any document, sorted by ``doc_id``, then by place."""
        yield from self._read(_CUT)

    def _read(self, query: str, where: str = "", *source: int) -> pa.RecordBatchReader:
        reading = self._database.sql(query.format(where=where), params=source)
        return cast(pa.RecordBatchReader, reading.to_arrow_reader(_ROWS))

    @property
    def counts(self) -> dict[str, int]:
        """Documents considered, clusters, and documents dropped by kind."""
        one = self._database.execute(
            "SELECT (SELECT count(*) FROM document), "
            "(SELECT count(*) FROM (SELECT DISTINCT cluster_id FROM found)), "
            "count(*) FILTER (kind = 'exact' AND doc_id <> survivor_id), "
            "count(*) FILTER (kind = 'near' AND doc_id <> survivor_id), "
            "count(*) FILTER (kind = 'lines') FROM found"
        ).fetchall()[0]
        return dict(zip(("documents", "clusters", "exact", "near", "lines"), one, strict=True))


_FOUND = (
    "SELECT doc_id, cluster_id, survivor_id, kind, similarity FROM found {where} ORDER BY doc_id"
)
_CUT = 'SELECT doc_id, "start", "end", survivor_id FROM cut {where} ORDER BY doc_id, "start"'


@contextmanager
def find_duplicates(
    sources: Iterable[Source], scratch: Path, threads: int = 1
) -> Iterator[Duplicates]:
    """The duplicates among the documents of all *sources*; independent of their order.

    The survivor of a cluster is a document that its policy keeps in any case, else an open one,
    else the earliest approved, else the one with the lowest ``doc_id``. Found are ``doc_id``,
    ``cluster_id`` (the lowest ``doc_id`` in the cluster), ``survivor_id``, ``kind`` (exact, near,
    lines) and ``similarity`` to the survivor, for all clusters of at least two, survivors
    included, and for documents that are made of others' lines (:mod:`dsk_assets.filters.lines`).

    What does not fit into memory lies in *scratch* while the block lasts.
    """
    with spilling(scratch, threads) as database:
        parts = _read(database, sources)
        _rank(database)
        clusters.find(database, parts, scratch)
        lines.find(database, parts, PREFERENCE)
        yield Duplicates(database)


def _read(database: duckdb.DuckDBPyConnection, sources: Iterable[Source]) -> list[tuple[Path, int]]:
    """Fill tables ``donated`` and ``document``; returns each part with its first row's number.

    ``number`` counts the rows of all parts, so that a row is found again in its part.
    """
    columns = ", ".join(f"band{number} UBIGINT" for number in range(BANDS))
    database.execute(
        "CREATE TABLE donated (source BIGINT, drop_exact BOOLEAN, drop_near BOOLEAN, "
        "closed BOOLEAN, approved_on VARCHAR, cut BOOLEAN, most DOUBLE)"
    )
    database.execute(
        "CREATE TABLE document (number BIGINT, source BIGINT, doc_id VARCHAR, "
        f"text_sha256 VARCHAR, {columns})"
    )
    parts: list[tuple[Path, int]] = []
    start = 0
    for source, one in enumerate(sources):
        insert(database, "donated", _donated(source, one))
        parts.append((one.path, start))
        kept = one.kept.to_arrow()
        at = 0
        for batch in read_batches(one.path, _SIGNATURE, rows=_ROWS):
            rows = _documents(pa.Table.from_batches([batch]), source, start + at)
            insert(database, "document", rows.filter(kept[at : at + len(rows)]))
            at += len(rows)
        start += at
    return parts


def _donated(source: int, one: Source) -> pa.Table:
    row = {
        "source": source,
        "drop_exact": one.policy.exact,
        "drop_near": one.policy.exact and one.policy.near,
        "closed": not one.open,
        "approved_on": one.approved_on,
        "cut": one.policy.cut_repeated_lines,
        "most": one.policy.most_repeated_lines,
    }
    return pa.Table.from_pylist([row], _DONATED)


_DONATED_COLUMNS: dict[str, pa.DataType] = {
    "source": pa.int64(),
    "drop_exact": pa.bool_(),
    "drop_near": pa.bool_(),
    "closed": pa.bool_(),
    "approved_on": pa.string(),
    "cut": pa.bool_(),
    "most": pa.float64(),
}
_DONATED = pa.schema(_DONATED_COLUMNS)
PREFERENCE = "drop_exact::TINYINT + drop_near::TINYINT, closed, approved_on, doc_id"
"""The order of documents in which the first of a cluster survives."""
_SIGNATURE = ["doc_id", "text_sha256", "bands"]


def _documents(signatures: pa.Table, source: int, start: int) -> pa.Table:
    bands = pl.Series(signatures["bands"], dtype=pl.Binary)
    none = bands.is_null().to_numpy()
    packed = np.frombuffer(b"".join(bands.drop_nulls()), "<u8")
    values = np.zeros((len(bands), BANDS), "<u8")
    values[~none] = packed.reshape(-1, BANDS)
    return pa.table(
        {
            "number": np.arange(start, start + len(bands)),
            "source": np.full(len(bands), source),
            "doc_id": signatures["doc_id"].cast(pa.string()),
            "text_sha256": signatures["text_sha256"].cast(pa.string()),
            **{
                f"band{number}": pa.array(np.ascontiguousarray(values[:, number]), mask=none)
                for number in range(BANDS)
            },
        }
    )


def _rank(database: duckdb.DuckDBPyConnection) -> None:
    """Table ``ranked``: the documents that share a digest or a band, in order of preference.

    ``place`` counts them in that order, so that of two documents the preferred one comes first.
    """
    database.execute("CREATE TABLE sharing (number BIGINT)")
    keys = ["text_sha256", *(f"band{number}" for number in range(BANDS))]
    for key in track(keys, "who shares what", unit="columns"):
        database.execute(
            "INSERT INTO sharing SELECT number FROM document SEMI JOIN "
            f"(SELECT {key} FROM document GROUP BY {key} HAVING count(*) > 1) USING ({key})"
        )
    database.execute(
        "CREATE TABLE ranked AS SELECT row_number() OVER () - 1 AS place, * FROM ("
        "SELECT number, source, doc_id, text_sha256, drop_exact, drop_near "
        "FROM document JOIN donated USING (source) SEMI JOIN sharing USING (number) "
        f"ORDER BY {PREFERENCE})"
    )
