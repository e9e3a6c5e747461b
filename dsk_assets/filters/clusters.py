"""Which documents duplicate which: exact by digest, near by MinHash with banding.

Banding (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3) proposes pairs
that agree in all six hashes of one of 21 bands: 99.8 % of the pairs at Jaccard 0.8. A pair counts
when its sketches have 0.8 or more in common. Every document that is dropped resembles its survivor
itself: chains of ever less similar texts do not form.

Texts from one template may agree in a band and resemble one another too little, in any number. So
a document is compared with no more than the first :data:`SURVIVORS` survivors of each of its bands;
two texts at Jaccard 0.8 share five or six bands, so it would have to miss its survivor in all.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from dsk_assets.filters.signatures import BANDS
from dsk_assets.filters.sketches import Sketches

THRESHOLD = 0.8
SURVIVORS = 64
"""Survivors of one band with which a document is compared, the preferred ones first."""

CANDIDATE = {
    "doc_id": pl.String,
    "text_sha256": pl.String,
    "bands": pl.Binary,
    "drop_exact": pl.Boolean,
    "drop_near": pl.Boolean,
    "open": pl.Boolean,
    "approved_on": pl.String,
}
"""Columns that :func:`find_duplicates` reads."""


def find_duplicates(
    candidates: pl.DataFrame, sketches: Callable[[pl.Series], Sketches]
) -> pl.DataFrame:
    """The clusters among *candidates*, each with one survivor; independent of their order.

    *sketches* gives the sketches of the documents with these ids; it is asked once, for those in
    pairs that banding proposes.

    *candidates* has the columns of :data:`CANDIDATE`: ``bands`` is null for a text without
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
    compared = np.flatnonzero((survivor == place) & ranked["bands"].is_not_null().to_numpy())
    chosen = ranked.select("doc_id", "bands", "drop_near")[compared]
    near = _near(chosen, sketches)
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


def _near(chosen: pl.DataFrame, sketches: Callable[[pl.Series], Sketches]) -> pl.DataFrame:
    """``document``, ``survivor`` and ``similarity`` of the documents that a better one stands for.

    Rows of *chosen* are in the order in which documents are preferred. A document that comes
    first in each of its bands survives and takes those that resemble it; then the next ones do.
    The survivors are those that taking the documents one by one in this order would leave, unless
    a band has more than :data:`SURVIVORS`.
    """
    droppable = chosen["drop_near"].to_numpy()
    bands = _bands(chosen["bands"]).with_columns(compared=pl.lit(0, pl.UInt32))
    shared = bands["document"].unique().sort()
    evidence = sketches(chosen["doc_id"].gather(shared))
    taken = [pl.DataFrame(schema=_TAKEN)]
    while bands.height:
        bands = bands.with_columns(first=pl.col("document").min().over("band"))
        behind = pl.col("document") != pl.col("first")
        waiting = bands.filter(behind)["document"].unique()
        is_ready = ~pl.col("first").is_in(waiting.implode())
        ready = bands.filter(is_ready)
        pairs = (
            ready.filter(behind).select("document", survivor="first").unique(maintain_order=True)
        )
        pairs = pairs.filter(pl.Series(droppable[pairs["document"].to_numpy()]))
        one, other = (np.searchsorted(shared, pairs[name]) for name in pairs.columns)
        similar = (
            pairs.with_columns(similarity=evidence.similarity(one, other))
            .filter(pl.col("similarity") >= THRESHOLD)
            .sort("document", "survivor")
            .unique("document", keep="first", maintain_order=True)
        )
        taken.append(similar)
        settled = pl.concat([similar["document"], ready["first"]]).unique()
        bands = (
            bands.with_columns(compared=pl.col("compared") + is_ready.cast(pl.UInt32))
            .filter(~pl.col("document").is_in(settled.implode()))
            .filter(pl.col("compared") < SURVIVORS)
            .filter(pl.col("band").is_duplicated())
        )
    return pl.concat(taken)


_TAKEN = {"document": pl.Int64, "survivor": pl.Int64, "similarity": pl.Float64}


def _bands(hashes: pl.Series) -> pl.DataFrame:
    """The bands that more than one document has: ``document`` and the hash of ``band``."""
    documents = pl.int_range(len(hashes), eager=True)
    parts = [pl.DataFrame(schema={"document": pl.Int64, "band": pl.UInt64})]
    for number in range(BANDS):
        band = hashes.bin.slice(number * 8, 8).bin.reinterpret(dtype=pl.UInt64)
        part = pl.DataFrame({"document": documents, "band": band})
        parts.append(part.filter(pl.col("band").is_duplicated()))
    return pl.concat(parts)
