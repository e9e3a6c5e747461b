"""Repeated word sequences, after Gopher (Rae et al. 2021, arXiv 2112.11446, table A1).

All documents of a batch are measured at once. A sequence of n words can only repeat where its
first n - 1 words repeat, so each length looks only at the places that the one before left.
"""

import numpy as np
import numpy.typing as npt

from dsk_assets.filters.words import Ints, UInt64s, Words, among, mix

TOP_N = (2, 3, 4)
DUPLICATE_N = (5, 6, 7, 8, 9, 10)
TOP_MIN_COUNT = 3
"""A sequence that stands twice is not yet a habit (the Danish pipeline of DFM, 2024)."""

Floats = npt.NDArray[np.float64]


def repetition(words: Words, n_char: Ints) -> dict[str, Floats]:
    """Shares of each document's characters, from 0 to 1, by measure.

    ``top_N_gram_char_share``: in the most frequent sequence of N words, spaces between them
    counted, where it occurs at least :data:`TOP_MIN_COUNT` times (of equally frequent ones, the
    longest). ``dup_N_gram_char_share``: in sequences of N words that occurred earlier in the
    document, taken from left to right: what follows one that is taken begins behind it, and what
    begins within it does not count as having occurred. So datatrove takes them, with which the
    published thresholds were found; only its words are others, as punctuation is one there.
    """
    measures = {}
    places = np.arange(len(words.hash), dtype=np.int64)
    own = mix(np.arange(1, words.documents + 1, dtype=np.uint64))
    size = np.maximum(n_char, 1)
    for n in range(2, max(DUPLICATE_N) + 1):
        places = places[places + n <= len(words.hash)]
        places = places[words.document[places] == words.document[places + n - 1]]
        hashes = words.ngram_hashes(n, places) ^ own[words.document[places]]
        ordered = np.sort(hashes)
        repeated = among(hashes, ordered[1:][ordered[1:] == ordered[:-1]])
        places, hashes = places[repeated], hashes[repeated]
        if n in TOP_N:
            covered = _top(words, n, places, hashes)
            measures[f"top_{n}_gram_char_share"] = np.minimum(covered / size, 1.0)
        if n in DUPLICATE_N:
            covered = _duplicated(words, n, places, hashes)
            measures[f"dup_{n}_gram_char_share"] = np.minimum(covered / size, 1.0)
    return measures


def _top(words: Words, n: int, places: Ints, hashes: UInt64s) -> Floats:
    _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    often = counts >= TOP_MIN_COUNT
    start, counts = places[first[often]], counts[often].astype(np.int64)
    ends = np.concatenate(([0], np.cumsum(words.chars)))
    length = ends[start + n] - ends[start] + n - 1
    best = np.zeros(words.documents, np.int64)
    np.maximum.at(best, words.document[start], (counts << 32) | length)
    return ((best >> 32) * (best & 0xFFFFFFFF)).astype(np.float64)


def _duplicated(words: Words, n: int, places: Ints, hashes: UInt64s) -> Floats:
    taken, seen, free = [], set(), 0
    for place, sequence in zip(places.tolist(), hashes.tolist(), strict=True):
        if place < free:
            continue
        if sequence in seen:
            taken.append(place)
            free = place + n
        seen.add(sequence)
    starts = np.array(taken, np.int64)
    ends = np.concatenate(([0], np.cumsum(words.chars)))
    return np.bincount(
        words.document[starts], weights=ends[starts + n] - ends[starts], minlength=words.documents
    ).astype(np.float64)
