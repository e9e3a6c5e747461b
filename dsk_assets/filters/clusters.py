"""Which documents duplicate which: exact by digest, near by MinHash with banding.

Banding (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3) proposes pairs
that agree in all six hashes of one of 21 bands: 99.8 % of the pairs at Jaccard 0.8. A pair counts
when the signatures estimate 0.8 or more. Every document that is dropped resembles its survivor
itself: chains of ever less similar texts do not form.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from dsk_assets.filters.signatures import PERMUTATIONS
from dsk_assets.filters.words import mix

BANDS = 21
ROWS = 6
THRESHOLD = 0.8
_PAIRS_AT_ONCE = 65_536

CANDIDATE = {
    "doc_id": pl.String,
    "text_sha256": pl.String,
    "minhash": pl.Binary,
    "drop_exact": pl.Boolean,
    "drop_near": pl.Boolean,
    "open": pl.Boolean,
    "approved_on": pl.String,
}
"""Columns that :func:`find_duplicates` reads."""

Signatures = npt.NDArray[np.uint32]


def find_duplicates(candidates: pl.DataFrame) -> pl.DataFrame:
    """The clusters among *candidates*, each with one survivor; independent of their order.

    *candidates* has the columns of :data:`CANDIDATE`: ``minhash`` is null for a text without
    words, ``drop_exact`` and ``drop_near`` say whether the document's policy lets it be dropped
    as a duplicate of that kind, and ``open`` that it is donated to be open-sourced, under an open
    licence. The survivor is a document that its policy keeps in any case, else an open one, else
    the earliest approved, else the one with the lowest ``doc_id``.

    Returns ``doc_id``, ``cluster_id`` (the lowest ``doc_id`` in the cluster), ``survivor_id``,
    ``kind`` and ``similarity`` to the survivor, for all clusters of at least two, survivors
    included, sorted by ``doc_id``.
    """
    ranked = _ranked(candidates)
    place = np.arange(ranked.height)
    first = ranked.select(pl.col("place").min().over("text_sha256")).to_series().to_numpy()
    survivor = np.where(ranked["drop_exact"].to_numpy(), first, place)
    similarity = np.ones(ranked.height)
    compared = np.flatnonzero((survivor == place) & ranked["minhash"].is_not_null().to_numpy())
    signatures = np.frombuffer(b"".join(ranked["minhash"].gather(compared)), "<u4")
    near = _near(signatures.reshape(-1, PERMUTATIONS), ranked["drop_near"].to_numpy()[compared])
    taken = compared[near["document"].to_numpy()]
    survivor[taken] = compared[near["survivor"].to_numpy()]
    similarity[taken] = near["similarity"].to_numpy()
    exact_of = survivor
    survivor, similarity = survivor[exact_of], np.minimum(similarity, similarity[exact_of])
    return _rows(ranked, survivor, similarity)


def _ranked(candidates: pl.DataFrame) -> pl.DataFrame:
    exact = pl.col("drop_exact")
    near = exact & pl.col("drop_near")
    return (
        candidates.with_columns(drop_near=near, droppable=exact.cast(pl.Int8) + near.cast(pl.Int8))
        .sort("droppable", ~pl.col("open"), "approved_on", "doc_id")
        .with_row_index("place")
    )


def _rows(
    ranked: pl.DataFrame, survivor: npt.NDArray[np.int64], similarity: npt.NDArray[np.float64]
) -> pl.DataFrame:
    digest = ranked["text_sha256"]
    return (
        ranked.select(
            "doc_id",
            cluster_id=pl.col("doc_id"),
            survivor_id=pl.Series(ranked["doc_id"].gather(survivor)),
            kind=pl.when(digest == digest.gather(survivor))
            .then(pl.lit("exact"))
            .otherwise(pl.lit("near")),
            similarity=pl.Series(similarity),
        )
        .filter(pl.len().over("survivor_id") > 1)
        .with_columns(cluster_id=pl.col("cluster_id").min().over("survivor_id"))
        .sort("doc_id")
    )


def _near(signatures: Signatures, droppable: npt.NDArray[np.bool_]) -> pl.DataFrame:
    """``document``, ``survivor`` and ``similarity`` of the documents that a better one stands for.

    Rows of *signatures* are in the order in which documents are preferred. A document that comes
    first in each of its bands survives and takes those that resemble it; then the next ones do.
    The survivors are those that taking the documents one by one in this order would leave.
    """
    taken = [pl.DataFrame(schema=_TAKEN)]
    bands = _bands(signatures)
    while bands.height:
        bands = bands.with_columns(first=pl.col("document").min().over("band"))
        behind = pl.col("document") != pl.col("first")
        waiting = bands.filter(behind)["document"].unique()
        ready = bands.filter(~pl.col("first").is_in(waiting.implode()))
        pairs = (
            ready.filter(behind).select("document", survivor="first").unique(maintain_order=True)
        )
        pairs = pairs.filter(pl.Series(droppable[pairs["document"].to_numpy()]))
        similar = (
            pairs.with_columns(similarity=pl.Series(_similarities(signatures, pairs)))
            .filter(pl.col("similarity") >= THRESHOLD)
            .sort("document", "survivor")
            .unique("document", keep="first", maintain_order=True)
        )
        taken.append(similar)
        settled = pl.concat([similar["document"], ready["first"]]).unique()
        bands = bands.filter(~pl.col("document").is_in(settled.implode())).filter(
            pl.col("band").is_duplicated()
        )
    return pl.concat(taken)


_TAKEN = {"document": pl.Int64, "survivor": pl.Int64, "similarity": pl.Float64}


def _bands(signatures: Signatures) -> pl.DataFrame:
    """The bands that more than one document has: ``document`` and the hash of ``band``."""
    documents = np.arange(len(signatures))
    parts = [pl.DataFrame(schema={"document": pl.Int64, "band": pl.UInt64})]
    for number in range(BANDS if len(signatures) else 0):
        key = np.full(len(signatures), number, np.uint64)
        for column in range(number * ROWS, (number + 1) * ROWS):
            key = mix(key ^ signatures[:, column].astype(np.uint64))
        part = pl.DataFrame({"document": documents, "band": key})
        parts.append(part.filter(pl.col("band").is_duplicated()))
    return pl.concat(parts)


def _similarities(signatures: Signatures, pairs: pl.DataFrame) -> npt.NDArray[np.float64]:
    """The estimated Jaccard similarity of each pair."""
    one, other = pairs["document"].to_numpy(), pairs["survivor"].to_numpy()
    estimates = [
        (signatures[one[start:stop]] == signatures[other[start:stop]]).mean(axis=1)
        for start in range(0, len(one), _PAIRS_AT_ONCE)
        for stop in [start + _PAIRS_AT_ONCE]
    ]
    return np.concatenate(estimates) if estimates else np.zeros(0)
