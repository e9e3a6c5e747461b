"""Encoding by words: a word that was encoded before is looked up, and not encoded again.

A byte-level BPE never merges across the words that its pre-tokenizer finds, so a text's tokens are
those of its words, one after the other. A language uses few words again and again, while
``tokenizers`` finds the merges of each anew. Words are found by the same pattern, and texts with
characters that two libraries might class differently are left to ``tokenizers``, so the tokens are
those that it gives, whatever the text.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsk_assets.corpus.tokenizer import Vocabulary

REMEMBERED = 1_000_000
"""Words after which all are forgotten: they take some 200 bytes each."""

_SETTLED = (range(0x530), range(0x1E00, 0x2C00), range(0xFB00, 0xFB07), range(0x1F300, 0x1FB00))
"""European scripts and symbols: which of these characters are letters, numbers and spaces does not
change from one version of Unicode to the next."""


def _class(kind: str = "") -> str:
    """The settled characters of a general category, as in a class of a pattern."""
    every = map(chr, chain.from_iterable(_SETTLED))
    return re.escape("".join(one for one in every if unicodedata.category(one).startswith(kind)))


_ALL_SETTLED = re.compile(f"[{_class()}]*")
_L, _N, _S = _class("L"), _class("N"), "\\t-\\r\x85" + _class("Z")
_WORD = re.compile(
    rf"[^\r\n{_L}{_N}]?[{_L}]+|[{_N}]{{1,3}}| ?[^{_S}{_L}{_N}]+[\r\n]*|[{_S}]*[\r\n]+"
    rf"|[{_S}]+(?![^{_S}])|[{_S}]+"
)
"""``WORDS`` for settled characters; ``re`` does not know Unicode's classes, and is the fastest."""


class WordEncoder:
    """Encodes texts, and remembers the tokens of the words it has met."""

    def __init__(self, vocabulary: Vocabulary):
        self._tokenizer = vocabulary.tokenizer
        self._dtype = vocabulary.dtype
        self._by_words = vocabulary.by_words
        self._words = _Words(self._dtype)

    def encode(self, texts: Sequence[str]) -> list[NDArray[Any]]:
        """The tokens of each text, as ``tokenizers`` gives them."""
        known = [self._by_words and bool(_ALL_SETTLED.fullmatch(text)) for text in texts]
        found = iter(self._look_up([text for text, one in zip(texts, known, strict=True) if one]))
        rest = iter(self._encode([text for text, one in zip(texts, known, strict=True) if not one]))
        return [next(found if one else rest) for one in known]

    def _look_up(self, texts: list[str]) -> list[NDArray[Any]]:
        if len(self._words.numbers) > REMEMBERED:
            self._words = _Words(self._dtype)
        words = [_WORD.findall(text) for text in texts]
        numbers = np.fromiter(
            map(self._words.numbers.__getitem__, chain.from_iterable(words)), np.int64
        )
        self._words.learn(self._encode(self._words.new()))
        tokens, ends = self._words.tokens_of(numbers)
        last = np.cumsum([len(one) for one in words], dtype=np.int64)
        return np.split(tokens, ends[last][:-1])[: len(texts)]

    def _encode(self, texts: list[str]) -> list[NDArray[Any]]:
        made = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(one.ids, self._dtype) for one in made]


class _Words:
    """The words met so far: a number for each, and where its tokens are among those of all."""

    def __init__(self, dtype: np.dtype[Any]):
        self.numbers: defaultdict[str, int] = defaultdict()
        self.numbers.default_factory = self.numbers.__len__
        self._tokens: NDArray[Any] = np.empty(0, dtype)
        self._ends = np.zeros(1, np.int64)

    def new(self) -> list[str]:
        """The words that have a number and no tokens yet."""
        count = len(self.numbers) + 1 - len(self._ends)
        return list(islice(reversed(self.numbers), count))[::-1]

    def learn(self, made: list[NDArray[Any]]) -> None:
        """Keep the tokens of the new words."""
        lengths = np.array([len(one) for one in made], np.int64)
        self._ends = np.concatenate([self._ends, self._ends[-1] + np.cumsum(lengths)])
        self._tokens = np.concatenate([self._tokens, *made])

    def tokens_of(self, numbers: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The tokens of words, one word after the other, and where each ends, from 0 on."""
        lengths = np.diff(self._ends)[numbers]
        ends = np.cumsum(lengths)
        begins = self._ends[numbers] - (ends - lengths)
        tokens = self._tokens[np.repeat(begins, lengths) + np.arange(lengths.sum())]
        return tokens, np.concatenate([np.zeros(1, np.int64), ends])
