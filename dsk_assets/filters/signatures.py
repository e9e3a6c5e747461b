"""What duplicates are found by, made once for each donation: ``filtering/signatures``."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import rensa

from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.parts import text_slices, write_parts
from dsk_assets.filters.redacted import redacted_documents
from dsk_assets.filters.words import Words, words_of
from dsk_assets.lake.store import Zone

ASSET = "filtering/signatures"
CODE_VERSION = "1"
PERMUTATIONS = 128
SHINGLE_WORDS = 5
SEED = 20_260_501
COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "donation_id": pa.string(),
    "text_sha256": pa.string(),
    "n_char": pa.int64(),
    "minhash": pa.binary(PERMUTATIONS * 4),
}
SCHEMA = pa.schema(COLUMNS)


def signatures(catalog: Catalog, donation: str) -> Snapshot:
    """Make the signature of each redacted document of *donation*.

    Table ``signature``: ``text_sha256`` is that of the lower-case text with its white space
    collapsed, ``minhash`` the 128 smallest hashes (unsigned 32 bit, little-endian) of its
    sequences of five words under as many permutations (Broder 1997): the share of equal ones
    estimates the Jaccard similarity of two texts. A text without words has none. Demands gates
    ``approval`` and ``personal_data``.
    """
    redacted, admissions = redacted_documents(catalog, donation)

    def produce(out: Output) -> None:
        workers = catalog.settings.workers
        written = write_parts(out, "signature", SCHEMA, sign_part, redacted, "document", workers)
        out.count(documents=sum(table.num_rows for table in written))

    return catalog.materialise(
        ASSET,
        donation,
        zone=Zone.CURATED,
        inputs=[redacted.only("document/"), *admissions],
        config={
            "permutations": PERMUTATIONS,
            "shingleWords": SHINGLE_WORDS,
            "seed": SEED,
            "rensaAlgorithm": int(rensa.RMinHash.ALGORITHM_VERSION),
        },
        code_version=CODE_VERSION,
        produce=produce,
    )


def sign_part(path: Path) -> pa.Table:
    """The ``signature`` rows of one part of the redacted ``document`` table."""
    tables = [SCHEMA.empty_table()]
    for batch in text_slices(path, ["doc_id", "donation_id", "text"]):
        texts = pl.Series(batch.column("text"))
        tables.append(
            pa.table(
                {
                    "doc_id": batch.column("doc_id"),
                    "donation_id": batch.column("donation_id"),
                    "text_sha256": text_digests(texts),
                    "n_char": texts.str.len_chars().cast(pl.Int64).to_arrow(),
                    "minhash": minhashes(texts),
                },
                schema=SCHEMA,
            )
        )
    return pa.concat_tables(tables)


def text_digests(texts: pl.Series) -> list[str]:
    """SHA-256 of each text in lower case with every run of white space made one space."""
    plain = texts.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    return [hashlib.sha256(text.encode()).hexdigest() for text in plain]


def minhashes(texts: pl.Series) -> "pa.Array[Any]":
    """The MinHash signature of each text; null where it has no words."""
    words = words_of(texts)
    hashes, offsets = _shingles(words)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        hashes, offsets, PERMUTATIONS, SEED
    )
    rows = np.array(matrix.to_rows(), dtype="<u4").reshape(len(texts), PERMUTATIONS)
    return pa.array(
        [row.tobytes() if count else None for row, count in zip(rows, words.counts, strict=True)],
        pa.binary(PERMUTATIONS * 4),
    )


def _shingles(words: Words) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
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
