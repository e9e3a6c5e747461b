"""Documents to tokens, in batches of even size however long a document is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsk_assets.corpus.tokenizer import Vocabulary
from dsk_assets.corpus.words import WordEncoder

PIECE = 100_000
"""Characters encoded as one; a longer document is encoded in pieces, cut after a line if it can."""
BATCH = 1_000_000
"""Characters encoded at once."""


@dataclass(frozen=True)
class EncodedDocument:
    """A document's tokens, with the end-of-text token as the last."""

    doc_id: str
    characters: int
    tokens: NDArray[Any]


@dataclass(frozen=True)
class _Piece:
    doc_id: str
    text: str
    last: bool


def encode_documents(
    vocabulary: Vocabulary, documents: Iterable[tuple[str, str]]
) -> Iterator[EncodedDocument]:
    """Each ``(doc_id, text)`` as tokens, in the given order."""
    end = np.array([vocabulary.end_of_text], vocabulary.dtype)
    encoder = WordEncoder(vocabulary)
    characters = 0
    parts: list[NDArray[Any]] = []
    for batch in _batches(_pieces(documents)):
        encoded = encoder.encode([piece.text for piece in batch])
        for piece, found in zip(batch, encoded, strict=True):
            parts.append(found)
            characters += len(piece.text)
            if piece.last:
                tokens = np.concatenate([*parts, end])
                yield EncodedDocument(piece.doc_id, characters, tokens)
                parts, characters = [], 0


def _pieces(documents: Iterable[tuple[str, str]]) -> Iterator[_Piece]:
    for doc_id, text in documents:
        start = 0
        while len(text) - start > PIECE:
            end = text.rfind("\n", start, start + PIECE) + 1 or start + PIECE
            yield _Piece(doc_id, text[start:end], last=False)
            start = end
        yield _Piece(doc_id, text[start:], last=True)


def _batches(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    batch: list[_Piece] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece.text)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
