"""What duplicates are found by, made once for each donation: ``filtering/signatures``."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import rensa

from dsk_assets.consortium.policy import policy_for
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.lines import LEAST_CHARS, LINE, lines_of
from dsk_assets.filters.parts import tables_of, write_parts
from dsk_assets.filters.redacted import redacted_documents
from dsk_assets.filters.words import UInt64s, Words, mix, words_of
from dsk_assets.lake.engine import Engine
from dsk_assets.lake.store import Zone

ASSET = "filtering/signatures"
CODE_VERSION = "3"
PERMUTATIONS = 128
SHINGLE_WORDS = 5
SEED = 20_260_501
BANDS = 21
ROWS = 6
SKETCH = 2048
"""Of a longer document only so many of its smallest hashes are kept to verify candidates with."""
COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "donation_id": pa.string(),
    "text_sha256": pa.string(),
    "n_char": pa.int64(),
    "bands": pa.binary(BANDS * 8),
    "shingles": pa.binary(),
    "lines": pa.binary(),
}
SCHEMA = pa.schema(COLUMNS)


def signatures(catalog: Catalog, donation: str) -> Snapshot:
    """Make the signature of each redacted document of *donation*.

    Table ``signature``: ``text_sha256`` is that of the lower-case text with its white space
    collapsed. Of its sequences of five words, ``bands`` has 21 hashes (unsigned 64 bit,
    little-endian) of six MinHashes each (Broder 1997), which propose pairs, and ``shingles`` the
    2,048 smallest hashes (unsigned 32 bit, rising), which verify them; of a shorter text these
    are all. A text without words has neither. ``lines``, where the policy looks for duplicates
    line by line, is for :mod:`dsk_assets.filters.lines`. Demands gates ``approval`` and
    ``personal_data``.
    """
    redacted, admissions = redacted_documents(catalog, donation)
    policy = policy_for(catalog.settings.consortium, donation.partition("@")[0]).duplicates
    lines = policy.most_repeated_lines is not None

    def produce(out: Output) -> None:
        engine = Engine.of(catalog.settings)
        work = partial(sign_part, lines=lines)
        written = write_parts(out, "signature", SCHEMA, work, redacted, "document", engine)
        out.count(documents=sum(table.num_rows for table in written))

    return catalog.materialise(
        ASSET,
        donation,
        zone=Zone.CURATED,
        inputs=[redacted.only("document/"), *admissions],
        config={
            "permutations": PERMUTATIONS,
            "bands": BANDS,
            "rows": ROWS,
            "sketch": SKETCH,
            "lines": lines_config(lines),
            "shingleWords": SHINGLE_WORDS,
            "seed": SEED,
            "rensaAlgorithm": int(rensa.RMinHash.ALGORITHM_VERSION),
        },
        code_version=CODE_VERSION,
        produce=produce,
    )


def lines_config(lines: bool) -> list[str | int] | bool:
    """How lines are signed, if they are."""
    return lines and [LEAST_CHARS, *(LINE.names or ())]


def sign_part(path: Path, lines: bool = False) -> pa.Table:
    """The ``signature`` rows of one part of the redacted ``document`` table; *lines* if asked."""
    works = {"signature": (SCHEMA, partial(sign_batch, lines=lines))}
    return tables_of(path, ["doc_id", "donation_id", "text"], works)["signature"]


def sign_batch(batch: pa.RecordBatch, words: Words, lines: bool = False) -> pa.Table:
    """The ``signature`` rows of the documents in *batch*, which have these *words*."""
    texts = pl.Series(batch.column("text"))
    return pa.table(
        {
            "doc_id": batch.column("doc_id"),
            "donation_id": batch.column("donation_id"),
            "text_sha256": text_digests(texts),
            "n_char": texts.str.len_chars().cast(pl.Int64).to_arrow(),
            **sign_words(words),
            "lines": lines_of(texts) if lines else pa.nulls(len(texts), pa.binary()),
        },
        schema=SCHEMA,
    )


def text_digests(texts: pl.Series) -> list[str]:
    """SHA-256 of each text in lower case with every run of white space made one space."""
    plain = texts.str.to_lowercase().str.replace_all(r"\s{2,}|[^\S ]", " ").str.strip_chars()
    return [hashlib.sha256(text.encode()).hexdigest() for text in plain]


def sign(texts: pl.Series) -> dict[str, "pa.Array[Any]"]:
    """The columns ``bands`` and ``shingles`` of *texts*; null where a text has no words."""
    return sign_words(words_of(texts))


def sign_words(words: Words) -> dict[str, "pa.Array[Any]"]:
    """What :func:`sign` makes of texts with these *words*."""
    hashes, offsets = _shingles(words)
    worded = pa.array(words.counts > 0)
    return {
        "bands": pc.if_else(worded, _bands(hashes, offsets), None),
        "shingles": pc.if_else(worded, _sketches(hashes, offsets), None),
    }


def _bands(hashes: UInt64s, offsets: UInt64s) -> "pa.Array[Any]":
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        hashes, offsets, PERMUTATIONS, SEED
    )
    rows = np.array(matrix.to_rows(), np.uint64).reshape(len(offsets) - 1, PERMUTATIONS)
    keys = np.empty((len(rows), BANDS), "<u8")
    for band in range(BANDS):
        key = np.full(len(rows), band, np.uint64)
        for column in range(band * ROWS, (band + 1) * ROWS):
            key = mix(key ^ rows[:, column])
        keys[:, band] = key
    return pa.Array.from_buffers(
        pa.binary(BANDS * 8), len(rows), [None, pa.py_buffer(keys.tobytes())]
    )


def _sketches(hashes: UInt64s, offsets: UInt64s) -> "pa.Array[Any]":
    ends = offsets.astype(np.int64)
    counts = ends[1:] - ends[:-1]
    document = np.repeat(np.arange(len(counts), dtype=np.uint64), counts)
    found = np.sort(document << np.uint64(32) | hashes >> np.uint64(32))
    found = found[np.diff(found, prepend=~found[:1]) != 0]
    document = found >> np.uint64(32)
    begins = np.searchsorted(document, np.arange(len(counts), dtype=np.uint64))
    kept = np.arange(len(found)) - begins[document.astype(np.int64)] < SKETCH
    sizes = np.bincount(document[kept].astype(np.int64), minlength=len(counts))
    edges = np.concatenate(([0], np.cumsum(sizes * 4))).astype(np.int32)
    values = found[kept].astype("<u4")
    return pa.Array.from_buffers(
        pa.binary(),
        len(counts),
        [None, pa.py_buffer(edges.tobytes()), pa.py_buffer(values.tobytes())],
    )


def _shingles(words: Words) -> tuple[UInt64s, UInt64s]:
    """Hashes of all sequences of five words, and where each document's begin.

    A text with fewer words is one shorter sequence.
    """
    starts = words.ngram_starts(SHINGLE_WORDS)
    short = np.flatnonzero((words.counts > 0) & (words.counts < SHINGLE_WORDS))
    hashes = [words.ngram_hashes(SHINGLE_WORDS, starts)]
    documents = [words.document[starts]]
    for count in range(1, SHINGLE_WORDS):
        chosen = short[words.counts[short] == count]
        hashes.append(words.ngram_hashes(count, words.starts[chosen]))
        documents.append(chosen)
    document = np.concatenate(documents)
    order = np.argsort(document, kind="stable")
    offsets = np.searchsorted(document[order], np.arange(words.documents + 1))
    return np.concatenate(hashes)[order], offsets.astype(np.uint64)
