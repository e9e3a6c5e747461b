"""Shards: a donation's kept documents as tokens, and the table that says which token is whose."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from dsk_assets.corpus.config import load_corpus
from dsk_assets.corpus.encoding import EncodedDocument, encode_documents
from dsk_assets.corpus.kept import kept_documents
from dsk_assets.corpus.tokenizer import vocabulary
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.merkle import leaf_hash
from dsk_assets.gates.admitted import require_admitted
from dsk_assets.lake.digests import canonical_json, sha256_file
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Zone

CODE_VERSION = "4"
ASSET = "corpus/shards"
LOOKUP_ROWS = 4096
LOOKUP = "lookup.bin"
LOOKUP_TYPE = np.dtype("S8")
"""The first eight characters of a ``doc_id``; few documents of a donation share them."""

_SHARD: list[tuple[str, pa.DataType]] = [
    ("shard", pa.int32()),
    ("donation_id", pa.string()),
    ("tokens", pa.int64()),
    ("documents", pa.int64()),
    ("sha256", pa.string()),
    ("dtype", pa.string()),
    ("leaf", pa.string()),
]
SHARD = pa.schema(_SHARD)
_SHARD_SPAN: list[tuple[str, pa.DataType]] = [
    ("shard", pa.int32()),
    ("seq", pa.int64()),
    ("start", pa.int64()),
    ("end", pa.int64()),
    ("doc_id", pa.string()),
    ("donation_id", pa.string()),
]
SHARD_SPAN = pa.schema(_SHARD_SPAN)


def shards(catalog: Catalog, donation: str) -> Snapshot:
    """The donation's kept documents as token files that training reads.

    ``tokens/<shard>.bin``: tokens as little-endian integers of the table's ``dtype``, documents
    in the order of their ids, each ended by the end-of-text token. ``shard``: one row for each
    file; ``leaf`` is the Merkle leaf (RFC 9162, section 2.1) of its other columns as canonical
    JSON. ``shard_span``: one part for each shard, one row for each document, its number ``seq`` in
    the shard and its tokens from ``start`` to before ``end``; every token of a shard lies in
    exactly one span. ``lookup.bin``: of each document in this order the first eight characters of
    its id, so that it can be found without opening any table (:mod:`dsk_assets.corpus.lookup`).
    Counts: ``documents``, ``tokens``, ``shards``, ``characters``.
    """
    admitted = require_admitted(catalog, donation)
    kept = kept_documents(catalog, donation)
    tokenizer = catalog.require("corpus/tokenizer")
    config = load_corpus(catalog.settings.consortium).shards

    def produce(out: Output) -> None:
        documents = encode_documents(vocabulary(tokenizer), kept.texts())
        progress = track(documents, "Tokenising", unit="documents")
        writer = ShardWriter(out, donation.partition("@")[0], config.target_tokens)
        writer.write(progress)
        out.table("shard", [pa.Table.from_pylist(writer.shards, SHARD)], SHARD)
        out.count(
            documents=sum(shard["documents"] for shard in writer.shards),
            tokens=sum(shard["tokens"] for shard in writer.shards),
            shards=len(writer.shards),
            characters=writer.characters,
        )

    return catalog.materialise(
        ASSET,
        donation,
        zone=Zone.CURATED,
        inputs=[*kept.inputs, tokenizer, admitted],
        config=config.model_dump(mode="json"),
        code_version=CODE_VERSION,
        produce=produce,
    )


def shard_file(shard: int) -> str:
    """Name of the file with the tokens of *shard*."""
    return f"tokens/{shard:05d}.bin"


def write_spans(out: Output, shards: Iterable[pa.Table]) -> None:
    """Write the spans of a donation's *shards*, each a part of its own, and the lookup file.

    Row groups are so small that finding one document reads little of its part.
    """
    beginnings = [np.array([], LOOKUP_TYPE)]
    for number, spans in enumerate(shards):
        starts = range(0, max(1, spans.num_rows), LOOKUP_ROWS)
        groups = (spans.slice(start, LOOKUP_ROWS) for start in starts)
        out.table("shard_span", groups, SHARD_SPAN, part=number)
        beginnings.append(np.array(spans["doc_id"].to_pylist(), LOOKUP_TYPE))
    with out.file(LOOKUP) as path:
        np.concatenate(beginnings).tofile(path)


class ShardWriter:
    """Cuts a stream of documents into shards and writes them."""

    def __init__(self, out: Output, donation_id: str, target_tokens: int):
        self._out = out
        self._donation_id = donation_id
        self._target = target_tokens
        self.shards: list[dict[str, Any]] = []
        self.characters = 0

    def write(self, documents: Iterable[EncodedDocument]) -> None:
        """Write the shards of *documents* and their spans: an empty table where there are none."""
        write_spans(self._out, self._spans(documents))

    def _spans(self, documents: Iterable[EncodedDocument]) -> Iterator[pa.Table]:
        held: list[EncodedDocument] = []
        tokens = 0
        for document in documents:
            if held and tokens + len(document.tokens) > self._target:
                yield self._write(held)
                held, tokens = [], 0
            held.append(document)
            tokens += len(document.tokens)
        yield self._write(held) if held else SHARD_SPAN.empty_table()

    def _write(self, documents: list[EncodedDocument]) -> pa.Table:
        number = len(self.shards)
        tokens = np.concatenate([document.tokens for document in documents])
        with self._out.file(shard_file(number)) as path:
            tokens.tofile(path)
            digest = sha256_file(path)
        row = {
            "shard": number,
            "donation_id": self._donation_id,
            "tokens": len(tokens),
            "documents": len(documents),
            "sha256": digest,
            "dtype": tokens.dtype.name,
        }
        self.shards.append({**row, "leaf": leaf_hash(canonical_json(row)).hex()})
        self.characters += sum(document.characters for document in documents)
        ends = np.cumsum([len(document.tokens) for document in documents])
        columns = {
            "shard": np.full(len(documents), number),
            "seq": np.arange(len(documents)),
            "start": np.concatenate([[0], ends[:-1]]),
            "end": ends,
            "doc_id": [document.doc_id for document in documents],
            "donation_id": [self._donation_id] * len(documents),
        }
        return pa.table(columns)
