"""Duplicates line by line, where a policy asks for it: documents made mostly of others' lines.

Mail with the whole thread below, pages that differ in one paragraph, forms: too different to be
near-duplicates, and yet nearly all of their text stands in a document that is kept. Law is full of
lines like that and means each of them, so no policy does this unless it says so.
"""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from dsk_assets.filters.words import hash_strings

LEAST_CHARS = 30
"""Shorter lines, such as greetings and headings, say nothing about where a text is from."""

REPEATED = {"doc_id": pl.String, "survivor_id": pl.String, "similarity": pl.Float64}


def lines_of(texts: pl.Series) -> "pa.Array[Any]":
    """The lines of each text as unsigned 64-bit numbers, little-endian: 32 bits of the hash of
    the line without the white space around it, 32 bits of its length in characters."""
    lines = (
        pl.DataFrame({"document": np.arange(len(texts)), "line": texts.str.split("\n")})
        .explode("line")
        .with_columns(pl.col("line").str.strip_chars())
        .filter(pl.col("line").str.len_chars() >= LEAST_CHARS)
    )
    size = lines["line"].str.len_chars().to_numpy().astype("<u8")
    packed = hash_strings(lines["line"]) >> np.uint64(32) << np.uint64(32) | size
    counts = np.bincount(lines["document"], minlength=len(texts))
    edges = np.concatenate(([0], np.cumsum(counts * 8))).astype(np.int32)
    buffers = [None, pa.py_buffer(edges.tobytes()), pa.py_buffer(packed.tobytes())]
    return pa.Array.from_buffers(pa.binary(), len(texts), buffers)


def repeated_lines(documents: pl.DataFrame, most: float) -> pl.DataFrame:
    """The documents with more than *most* of their characters in lines of others that are kept.

    *documents* are a donation's: ``doc_id``, ``n_char``, ``lines`` and ``droppable``. They are
    taken in the order of their ids, and the lines of one that is dropped do not count for later
    ones, so every line stays somewhere. Returns ``doc_id``, ``survivor_id``, the document that has
    most of the repeated text, and ``similarity``, the share of it.
    """
    first: dict[int, str] = {}
    dropped = []
    for doc_id, n_char, packed, droppable in (
        documents.sort("doc_id").select("doc_id", "n_char", "lines", "droppable").iter_rows()
    ):
        lines = np.frombuffer(packed or b"", "<u8").tolist()
        shared: Counter[str] = Counter()
        for line in lines:
            if line in first:
                shared[first[line]] += line & 0xFFFFFFFF
        if droppable and n_char and shared.total() / n_char > most:
            survivor = min(shared, key=lambda name: (-shared[name], name))
            dropped.append((doc_id, survivor, round(shared.total() / n_char, 6)))
        else:
            for line in lines:
                first.setdefault(line, doc_id)
    return pl.DataFrame(dropped, schema=REPEATED, orient="row")
