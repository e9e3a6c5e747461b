"""A small sequence model that says how likely each word of a text is part of a person's name.

A linear-chain conditional random field over four labels: outside, begins and continues a person's
name, and part of another name (a place, an organisation, a work), which it so learns to tell apart.
:mod:`dsk_assets.privacy.name_model_build` trains it; ``data/name_model.json`` is its card. Every
feature depends on one word and its distance from the labelled one, or on the classes of two
neighbours. So what a word contributes is looked up once for each distinct word, and a whole text
is scored by adding rows of arrays: there is no list of features to build at run time.

A text without capitals, or all in capitals, says nothing by its case; its words are looked up in
lower case with features of their own.
"""

import gzip
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dsk_assets.privacy.gazetteer import (
    DATA,
    cities,
    key,
    lexicon,
    marks,
    others,
    places,
    word_list,
)

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

MODEL = DATA / "name_model.tsv.gz"
LABELS = ("O", "B", "I", "X")
OFFSETS = (-2, -1, 0, 1, 2)
BREAK = "\n"
"""Stands for what lies between two sentences; it is never part of a name."""

TOKEN = re.compile(
    r"(?<![^\W_])[A-ZÆØÅÖÄÜ]\.|[^\W\d_]+(?:['’´-][^\W\d_]+)*['’´]?|\d+"
    r"|(?P<break>[.!?]{1,20}+[\"»«”“')]{0,20}+(?=\s+[\"»«”“'(-]*[A-ZÆØÅÖÄÜÉ]|\s*\Z)|\n)|[^\w\s]"
)
_WRAP = 40
"""A line longer than this may break inside a sentence."""

_SURNAME = re.compile(
    r"(?:sen|gaard|gård|sson|dottir|dóttir|enko|chuk|czyk|sk[iay]|wicz|oğlu|oglu|i[cć]|vić|yan|ian"
    r"|escu|zadeh|zai|ullah|strup|holt|bæk|toft|lund|bjerg|kjær|skov|berg|quist|qvist|strøm|ström"
    r"|stad|mann|mose|rup|dahl|vad|feldt|ov|ova|ev|eva|nen|poulos|idis|shvili)['’´]?s?$"
)
_SCALED = 8
"""After so many tokens sums over the paths through a sentence are scaled, lest they vanish."""
_CACHED = 200_000
"""Distinct words whose contributions are kept; beyond that all are forgotten."""


class Token(NamedTuple):
    """A word, number or mark of a text, or the :data:`BREAK` between two sentences."""

    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """*text* cut into tokens, with breaks between sentences and after short lines."""
    found = []
    line = 0
    for match in TOKEN.finditer(text):
        start, end = match.span()
        if match.lastgroup is None:
            found.append(Token(match.group(), start, end))
        elif text[start] != "\n":
            found.append(Token(BREAK, start, end))
        else:
            if start - line <= _WRAP or text[end : end + 1] in ("\n", "", "-", "*"):
                found.append(Token(BREAK, start, end))
            line = end
    return found


def is_caseless(words: Sequence[str]) -> bool:
    """Whether the case of *words* says nothing: all lower, or all in capitals."""
    text = "".join(words)
    letters = sum(map(str.isalpha, text))
    upper = sum(map(str.isupper, text))
    return letters > 3 and (upper == 0 or upper > 0.9 * letters)


@cache
def _flags() -> dict[str, str]:
    flags: dict[str, str] = {}
    for section in ("not_names", "organisation", "titles", "particles"):
        flags |= dict.fromkeys(word_list(section), section[0])
    return dict.fromkeys(cities(), "c") | flags


def _ordinary(lower: str) -> str:
    """Whether a word in lower case, or without its s, is an ordinary word."""
    if len(lower) < 3 or not lower[0].isalpha():
        return ""
    bare = key(lower)
    return "l" if bare in lexicon() else "L" if bare.removesuffix("s") in lexicon() else ""


def _elsewhere(lower: str) -> str:
    """Whether a word in lower case, or without its s, stands in the name of a place or a firm."""
    if len(lower) < 3 or not lower[0].isalpha():
        return ""
    bare = key(lower)
    stem = bare.removesuffix("s")
    return "".join(listed.get(bare) or listed.get(stem) or "" for listed in (places(), others()))


def _shape(word: str) -> str:
    if word == BREAK:
        return "#"
    if word[0].isdigit():
        return f"9{min(len(word), 5)}"
    if not word[0].isalpha():
        return word[0]
    if len(word) == 2 and word[1] == ".":
        return "A."
    if word.isupper():
        return "A" if len(word) == 1 else "AA"
    if word[0].isupper():
        return "Aa" if word[1:].islower() else "AaA"
    return "a" if word.islower() else "aA"


@lru_cache(maxsize=65536)
def word_features(word: str, caseless: bool, listed: str | None = None) -> tuple[str, list[str]]:
    """The class of *word*, and its features; *listed* replaces its marks in the name lists."""
    shape = _shape(word)
    if caseless and shape[0] in "Aa" and len(shape) < 4:
        word = word.lower()
        shape = "a~"
    alphabetic = word[0].isalpha()
    lower = "#" if word == BREAK else word.lower().rstrip("'’´")
    if listed is None:
        listed = marks(word) if alphabetic and len(lower) > 1 and shape != "A." else ""
    flag = _flags().get(lower, "") or _flags().get(lower.removesuffix("s"), "").upper()
    surname = "+" if alphabetic and len(lower) > 4 and _SURNAME.search(lower) else ""
    ordinary, place = _ordinary(lower), _elsewhere(lower)
    kind = f"{shape}|{listed}|{flag}|{surname}|{ordinary}{place}"
    features = [f"w={lower}", f"s={shape}", f"m={listed}", f"k={kind}"]
    features += [f"f={flag}{shape[0]}", f"f={ordinary}{place}{shape[0]}"]
    if alphabetic and shape != "A.":
        mode = "~" if caseless else shape[:2]
        bare = key(lower)
        features += [f"{mode}e{n}={bare[-n:]}" for n in (2, 3, 4) if len(bare) > n]
        features += [f"{mode}b{n}={bare[:n]}" for n in (2, 3, 4) if len(bare) > n]
        features.append(f"{mode}l={min(len(bare), 9)}{'-' in word}")
        if "-" in lower:
            features.append(f"{mode}h={lower.rsplit('-', 1)[1]}")
    return kind, features


NEAR = ("w", "s", "m", "k", "f")
FAR = ("w", "s", "m")


def at_offset(features: Sequence[str], offset: int) -> Iterator[str]:
    """Those of a word's *features* that count for a word *offset* places away, with its sign."""
    if offset == 0:
        yield from (f"0{feature}" for feature in features)
        return
    allowed = NEAR if abs(offset) == 1 else FAR
    for feature in features:
        if feature.split("=", 1)[0] in allowed:
            yield f"{offset}{feature}"


class NameModel:
    """The weights of a trained model, and the search with them."""

    def __init__(self, path: Path = MODEL) -> None:
        self._weights: dict[str, Array] = {}
        self._transitions = np.zeros((len(LABELS), len(LABELS)))
        self._pairs: dict[str, Array] = {}
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                name, *values = line.rstrip("\n").split("\t")
                weights = np.array([float(value) for value in values])
                if name.startswith("t:"):
                    self._transitions[LABELS.index(name[2:])] = weights
                else:
                    self._weights[name] = weights
        self._forget()

    def _forget(self) -> None:
        self._words: dict[tuple[str, bool], int] = {}
        self._rows = np.zeros((1024, len(OFFSETS), len(LABELS)))
        self._classes: dict[str, int] = {}
        self._kinds = np.zeros(1024, dtype=np.int64)
        self._pair = np.zeros((0, 0, len(LABELS)))
        self._beside = np.zeros((0, 0, len(LABELS)))

    def _word(self, word: str, caseless: bool) -> int:
        """The row of a word not met before."""
        row = len(self._words)
        if row == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._kinds = np.concatenate([self._kinds, np.zeros_like(self._kinds)])
        kind, features = word_features(word, caseless)
        for place, offset in enumerate(OFFSETS):
            for feature in at_offset(features, offset):
                if (weights := self._weights.get(feature)) is not None:
                    self._rows[row, place] += weights
        self._kinds[row] = self._class(kind)
        self._words[word, caseless] = row
        return row

    def _class(self, kind: str) -> int:
        if kind not in self._classes:
            number = len(self._classes)
            self._classes[kind] = number
            pair, beside = np.zeros((2, number + 1, number + 1, len(LABELS)))
            pair[:number, :number], beside[:number, :number] = self._pair, self._beside
            for other, index in self._classes.items():
                for table, name in ((pair, "p"), (beside, "q")):
                    for left, right, i, j in (
                        (kind, other, number, index),
                        (other, kind, index, number),
                    ):
                        weights = self._weights.get(f"{name}={left}>{right}")
                        if weights is not None:
                            table[i, j] = weights
            self._pair, self._beside = pair, beside
        return self._classes[kind]

    def probabilities(self, found: Sequence[Token]) -> Array:
        """For each token how probably it is outside, begins and continues a person's name."""
        result = np.zeros((len(found), 3))
        result[:, 0] = 1.0
        if len(self._words) > _CACHED:
            self._forget()
        sentences = _sentences(found)
        if not sentences:
            return result
        known = self._words
        rows: list[int] = [self._row_of_break()]
        places: list[int] = [-1]
        for start, end in sentences:
            words = [token.text for token in found[start:end]]
            caseless = is_caseless(words)
            for place, word in enumerate(words, start):
                row = known.get((word, caseless))
                rows.append(self._word(word, caseless) if row is None else row)
                places.append(place)
            rows.append(0)
            places.append(-1)
        scores = self._scores(np.array(rows))
        lengths = np.array([end - start for start, end in sentences])
        where = np.array(places)
        starts = np.flatnonzero(where < 0)[:-1] + 1
        for group in _groups(lengths):
            size = lengths[group]
            index = starts[group][:, None] + np.arange(size.max())[None, :]
            inside = np.arange(size.max())[None, :] < size[:, None]
            index = np.where(inside, index, 0)
            marginals = _marginals(scores[index], inside, self._transitions)
            found_here = marginals[inside]
            found_here[:, 0] += found_here[:, 3]
            result[where[index[inside]]] = found_here[:, :3]
        return result

    def _row_of_break(self) -> int:
        row = self._words.get((BREAK, False))
        return self._word(BREAK, False) if row is None else row

    def _scores(self, rows: Places) -> Array:
        """The unnormalised score of each label for each token of a text, breaks between."""
        count = len(rows)
        scores: Array = self._rows[rows, 2].copy()
        kinds = self._kinds[rows]
        scores[1:] += self._rows[rows[:-1], 1] + self._pair[kinds[:-1], kinds[1:]]
        scores[:-1] += self._rows[rows[1:], 3]
        if count > 2:
            inner = (rows[1:-1] != 0)[:, None]
            scores[2:] += np.where(inner, self._rows[rows[:-2], 0], 0.0)
            scores[:-2] += np.where(inner, self._rows[rows[2:], 4], 0.0)
            scores[1:-1] += self._beside[kinds[:-2], kinds[2:]]
        return scores


def _sentences(found: Sequence[Token]) -> list[tuple[int, int]]:
    """The runs of tokens between breaks."""
    edges = [-1, *(i for i, token in enumerate(found) if token.text == BREAK), len(found)]
    return [(a + 1, b) for a, b in pairwise(edges) if b > a + 1]


def _groups(lengths: Places) -> Iterator[Places]:
    """Sentences of like length together, so that little is padded."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = max(8, 2 * lengths[order[start]])
        end = int(np.searchsorted(lengths[order], longest, side="right"))
        yield order[start:end]
        start = end


def _marginals(scores: Array, inside: npt.NDArray[np.bool_], transitions: Array) -> Array:
    """Posterior label probabilities by the forward-backward algorithm, for a batch of sentences.

    *scores* is (sentences, tokens, labels); *inside* tells tokens from padding.
    """
    emitted = np.exp(scores - scores.max(axis=2, keepdims=True))
    emitted[~inside] = 1.0
    step = np.exp(transitions)
    length = scores.shape[1]
    forward, backward = np.empty_like(emitted), np.empty_like(emitted)
    forward[:, 0] = emitted[:, 0]
    for t in range(1, length):
        now = (forward[:, t - 1] @ step) * emitted[:, t]
        forward[:, t] = now if t % _SCALED else now / now.sum(axis=1, keepdims=True)
    backward[:, -1] = 1.0
    for t in range(length - 2, -1, -1):
        now = (backward[:, t + 1] * emitted[:, t + 1]) @ step.T
        now = np.where(inside[:, t + 1, None], now, 1.0)
        backward[:, t] = now if t % _SCALED else now / now.sum(axis=1, keepdims=True)
    both: Array = forward * backward
    both /= both.sum(axis=2, keepdims=True)
    return both


@cache
def name_model() -> NameModel:
    """The model that is shipped, read once a process."""
    return NameModel()


class Names(NamedTuple):
    """What the model says of a text: its tokens and, for each, the probabilities of the labels."""

    found: list[Token]
    labels: Array

    def spans(self, threshold: float) -> Iterator[tuple[int, int, float]]:
        """Start, end and highest probability of the names that are at least so probable."""
        inside = 1.0 - self.labels[:, 0] >= threshold
        begins = self.labels[:, 1] > self.labels[:, 2]
        start = end = -1
        for place in [*np.flatnonzero(inside).tolist(), -1]:
            if start >= 0 and (place != end or begins[place]):
                probability = float(1.0 - self.labels[start:end, 0].min())
                yield self.found[start].start, self.found[end - 1].end, probability
                start = -1
            if start < 0:
                start = place
            end = place + 1

    def probability(self, start: int, end: int) -> float:
        """The highest probability that a token within ``start:end`` is part of a name."""
        first = bisect_right(self.found, start, key=lambda token: token.end)
        last = bisect_left(self.found, end, key=lambda token: token.start)
        return float(1.0 - self.labels[first:last, 0].min()) if first < last else 0.0


@lru_cache(maxsize=2)
def search(text: str) -> Names:
    """What the shipped model says of *text*."""
    found = tokens(text)
    return Names(found, name_model().probabilities(found))
