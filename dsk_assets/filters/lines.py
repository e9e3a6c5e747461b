"""Duplicates line by line, where a policy asks for it: lines that another document has too.

Mail with the whole thread below, pages that differ in one paragraph, forms: too different to be
near-duplicates, and yet much of their text stands in documents that are kept. Each such line stays
in the document that comes first in the order of preference; from the others it is cut, or they are
dropped where little else is left. Law is full of lines like that and means each of them, so no
policy does this unless it says so, and only documents whose policy does are looked at.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from dsk_assets.filters.numbered import rows_of
from dsk_assets.filters.words import hash_strings
from dsk_assets.lake.database import insert

LEAST_CHARS = 30
"""Shorter lines, such as greetings and headings, say nothing about where a text is from."""

LINE = np.dtype([("hash", "<u8"), ("start", "<u4"), ("size", "<u4")])

_CUT: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "start": pa.int64(),
    "end": pa.int64(),
    "survivor_id": pa.string(),
}
CUT = pa.schema(_CUT)
"""Characters that are cut out of a document because ``survivor_id`` has the same line."""


def lines_of(texts: pl.Series) -> "pa.Array[Any]":
    """The lines of each text that say something, packed as :data:`LINE`.

    ``hash`` is that of the line without the white space around it. ``start`` and ``size`` count
    characters, of the line with all white space up to the next line that has more.
    """
    size = pl.col("line").str.len_chars().cast(pl.Int64) + 1
    lines = (
        pl.DataFrame({"document": np.arange(len(texts)), "line": texts.str.split("\n")})
        .with_columns(end=texts.str.len_chars().cast(pl.Int64))
        .explode("line")
        .with_columns(start=(size.cum_sum() - size).over("document"))
        .with_columns(pl.col("line").str.strip_chars())
        .filter(pl.col("line") != "")
        .with_columns(end=pl.coalesce(pl.col("start").shift(-1).over("document"), "end"))
        .filter(pl.col("line").str.len_chars() >= LEAST_CHARS)
    )
    packed = np.empty(lines.height, LINE)
    packed["hash"] = hash_strings(lines["line"])
    packed["start"] = lines["start"].to_numpy()
    packed["size"] = (lines["end"] - lines["start"]).to_numpy()
    counts = np.bincount(lines["document"], minlength=len(texts))
    edges = np.concatenate(([0], np.cumsum(counts * LINE.itemsize))).astype(np.int32)
    buffers = [None, pa.py_buffer(edges.tobytes()), pa.py_buffer(packed.tobytes())]
    return pa.Array.from_buffers(pa.binary(), len(texts), buffers)


def without(text: str, cuts: Sequence[tuple[int, int]]) -> str:
    """*text* without the characters from each start to before its end, which rise."""
    if not cuts:
        return text
    kept = [0, *(place for cut in cuts for place in cut), len(text)]
    pieces = (text[start:end] for start, end in zip(kept[::2], kept[1::2], strict=True))
    return "".join(pieces).strip()


_HOLDER = """
CREATE TABLE holder AS SELECT row_number() OVER () - 1 AS place, * FROM (
    SELECT number, source, doc_id, cut, most
    FROM document JOIN donated USING (source)
    WHERE (cut OR most IS NOT NULL) AND doc_id NOT IN (
        SELECT doc_id FROM found WHERE doc_id <> survivor_id
    )
    ORDER BY {preference}
)
"""
_FOUND = (
    """
    CREATE TABLE repeated AS SELECT place, keeper, start, size
    FROM line JOIN (
        SELECT hash, min(place) AS keeper FROM line
        GROUP BY hash HAVING min(place) < max(place)
    ) USING (hash)
    WHERE place <> keeper
    """,
    """
    CREATE TABLE mostly AS
    SELECT place, arg_max(keeper, (size, -keeper)) AS keeper, sum(size) / any_value(n_char) AS share
    FROM (SELECT place, keeper, sum(size) AS size FROM repeated GROUP BY place, keeper)
    JOIN length USING (place) JOIN holder USING (place)
    WHERE doc_id NOT IN (SELECT doc_id FROM found)
    GROUP BY place HAVING share > any_value(most)
    """,
    "DELETE FROM mostly WHERE place IN (SELECT keeper FROM repeated)",
    """
    INSERT INTO found BY NAME
    SELECT
        one.source, one.doc_id, best.doc_id AS cluster_id, best.doc_id AS survivor_id,
        'lines' AS kind, round(share, 6) AS similarity
    FROM mostly JOIN holder AS one USING (place) JOIN holder AS best ON best.place = mostly.keeper
    """,
    """
    INSERT INTO cut BY NAME
    SELECT one.source, one.doc_id, start, start + size AS "end", best.doc_id AS survivor_id
    FROM repeated JOIN holder AS one USING (place) JOIN holder AS best ON best.place = keeper
    WHERE one.cut AND place NOT IN (SELECT place FROM mostly)
    ORDER BY one.source, one.doc_id, start
    """,
)


def find(
    database: duckdb.DuckDBPyConnection, parts: Sequence[tuple[Path, int]], preference: str
) -> None:
    """Add to table ``found`` the documents that are made of others' lines, and make table ``cut``.

    Only of documents whose policy asks, and that are not dropped yet. One is dropped when more
    than the share that its policy allows stands in lines of others, and no other document has its
    own kept in it: so every line stays somewhere. ``survivor_id`` has most of it.
    """
    database.execute(
        'CREATE TABLE cut (source BIGINT, doc_id VARCHAR, "start" BIGINT, "end" BIGINT, '
        "survivor_id VARCHAR)"
    )
    database.execute(_HOLDER.format(preference=preference))
    if not database.execute("SELECT count(*) FROM holder").fetchall()[0][0]:
        return
    database.execute("CREATE TABLE length (place BIGINT, n_char BIGINT)")
    database.execute("CREATE TABLE line (place BIGINT, hash UBIGINT, start BIGINT, size BIGINT)")
    for rows in rows_of(database, "holder", parts, ["n_char", "lines"]):
        insert(database, "length", rows.select("place", "n_char").to_arrow())
        count = rows["lines"].bin.size().fill_null(0).to_numpy() // LINE.itemsize
        packed = np.frombuffer(b"".join(rows["lines"].drop_nulls()), LINE)
        columns = {name: np.ascontiguousarray(packed[name]) for name in LINE.names or ()}
        place = np.repeat(rows["place"].to_numpy(), count)
        insert(database, "line", pa.table({"place": place, **columns}))
    for statement in _FOUND:
        database.execute(statement)
