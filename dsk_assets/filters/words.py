"""The words of many documents as flat arrays, so that measures need no loop over documents.

A word is a run of letters, combining marks, ASCII digits and underscores, in lower case:
punctuation is no word, and a placeholder such as ``<DK_CPR>`` or ``<PERSON_1>`` is one. Words are
known by a 64-bit hash of their UTF-8 bytes that is the same on every machine and in every version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

UInt64s = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_BASE = np.uint64(0x9E3779B97F4A7C15)
_STRINGS = pa.large_string()
_TO_SPACES = bytes(
    byte if byte > 0x7F or chr(byte).isalnum() or chr(byte) == "_" else ord(" ")
    for byte in range(256)
)
_POWERS = np.multiply.accumulate(np.full(4096, _BASE, np.uint64))


@dataclass(frozen=True)
class Words:
    """All words of a batch of documents, in order.

    ``document`` is the row of the document that each word stands in, ``hash`` its identity,
    ``chars`` its length, ``has_letter`` whether a letter is in it. ``starts`` has, for each
    document, the index of its first word, and one more entry: the number of words.
    """

    document: Ints
    hash: UInt64s
    chars: Ints
    has_letter: Bools
    starts: Ints

    @property
    def documents(self) -> int:
        """How many documents the batch has."""
        return len(self.starts) - 1

    @property
    def counts(self) -> Ints:
        """How many words each document has."""
        return np.diff(self.starts)

    def ngram_hashes(self, n: int, first: Ints) -> UInt64s:
        """The hash of the *n* words from each index in *first*."""
        total = np.zeros(len(first), np.uint64)
        for offset in range(n):
            total = total * _BASE + self.hash[first + offset]
        return mix(total)

    def ngram_starts(self, n: int) -> Ints:
        """Indices of the words at which *n* words of the same document begin."""
        first = np.arange(max(len(self.hash) - n + 1, 0), dtype=np.int64)
        return np.asarray(first[self.document[first] == self.document[first + n - 1]])


def mix(value: UInt64s) -> UInt64s:
    """Spread the bits of 64-bit numbers (the finaliser of SplitMix64, Steele et al. 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def among(hashes: UInt64s, few: UInt64s) -> Ints:
    """Where those of *hashes* stand that are among *few*, which rise.

    Most that are not tell so by their first bits.
    """
    likely = np.zeros(1 << 20, np.bool_)
    likely[few >> np.uint64(44)] = True
    places = np.flatnonzero(likely[hashes >> np.uint64(44)])
    found = hashes[places]
    return np.asarray(places[few[np.searchsorted(few[:-1], found)] == found])


def words_of(texts: pl.Series) -> Words:
    """The words of *texts*, one text a document."""
    parts = pc.split_pattern(_spaced(texts), " ")
    encoded = parts.flatten().dictionary_encode()
    vocabulary = pl.Series(encoded.dictionary, dtype=pl.String).replace("", " ")
    part = encoded.indices.to_numpy()
    is_word = (vocabulary != " ").to_numpy()[part]
    document = np.repeat(np.arange(len(texts)), np.diff(parts.offsets.to_numpy()))[is_word]
    word = part[is_word]
    return Words(
        document=document,
        hash=hash_strings(vocabulary)[word],
        chars=vocabulary.str.len_chars().to_numpy().astype(np.int64)[word],
        has_letter=vocabulary.str.contains(r"[a-z]|[^\x00-\x7f]").to_numpy()[word],
        starts=np.searchsorted(document, np.arange(len(texts) + 1)).astype(np.int64),
    )


def _spaced(texts: pl.Series) -> "pa.Array[Any]":
    """*texts* in lower case, with a space for each character that is in no word.

    What is not ASCII and rare goes first; a table of bytes does the rest at memory's speed.
    """
    lowered = texts.fill_null("").str.to_lowercase()
    array = lowered.str.replace_all(r"[^\pL\pM\x00-\x7f]+|__+", " ").to_arrow().cast(_STRINGS)
    _, places, data = array.buffers()
    spaced = pa.py_buffer(bytes(data or b"").translate(_TO_SPACES))
    buffers = [None, places, spaced]
    return pa.Array.from_buffers(_STRINGS, len(array), buffers, offset=array.offset)


def hash_words(words: Sequence[str]) -> UInt64s:
    """The hashes that :func:`words_of` gives single words."""
    return words_of(pl.Series(words, dtype=pl.String)).hash


def hash_strings(strings: pl.Series) -> UInt64s:
    """A polynomial over the bytes of each string, none of them empty, modulo 2^64, then mixed."""
    if not len(strings):
        return np.zeros(0, np.uint64)
    array = strings.to_arrow().cast(_STRINGS)
    _, places, data = array.buffers()
    assert places is not None and data is not None
    edges = np.frombuffer(memoryview(places), np.int64)[array.offset :][: len(array) + 1]
    letters = np.frombuffer(memoryview(data), np.uint8)[edges[0] : edges[-1]]
    begins, lengths = edges[:-1] - edges[0], np.diff(edges)
    position = np.arange(len(letters)) - np.repeat(begins, lengths)
    terms = (letters.astype(np.uint64) + np.uint64(1)) * _POWERS[position % len(_POWERS)]
    return mix(np.add.reduceat(terms, begins))
