"""Texts that a model will be examined with must not be trained on: ``filtering/contamination``.

Evaluation sets are files in one folder. A document that has a sequence of 13 words in common with
one of their texts (the length of Brown et al. 2020, arXiv 2005.14165, appendix C) is marked; how
many it may have is for its policy to say.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from dsk_assets.consortium.policy import NormalisationPolicy
from dsk_assets.errors import SettingsError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.filters.normalisation import normalise_texts
from dsk_assets.filters.parts import text_slices, write_parts
from dsk_assets.filters.redacted import redacted_documents
from dsk_assets.filters.words import Bools, Ints, UInt64s, words_of
from dsk_assets.lake.digests import sha256_file, sha256_set
from dsk_assets.lake.engine import Engine
from dsk_assets.lake.store import Zone

ASSET = "filtering/contamination"
CODE_VERSION = "2"
FOLDER = "evaluations"
"""The folder of evaluation sets in the consortium's folder."""
NGRAM_WORDS = 13
COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "evaluation": pa.string(),
    "overlaps": pa.int64(),
}
SCHEMA = pa.schema(COLUMNS)
_ENDINGS = (".jsonl", ".jsonl.gz", ".txt", ".parquet")


@dataclass(frozen=True)
class Evaluations:
    """The sequences of 13 words of all evaluation sets, as rising hashes.

    ``owner`` is, for each, the place in ``names`` of the set it is from (the first, if several).
    ``short`` counts the texts that have fewer words and so cannot be looked for.
    """

    names: tuple[str, ...]
    hashes: UInt64s
    owner: Ints
    short: int


def contamination(catalog: Catalog, donation: str) -> Snapshot:
    """Mark the redacted documents of *donation* that overlap with evaluation sets.

    Table ``contamination``, a row for each document that does: ``overlaps``, how many of its
    sequences of 13 words stand in an evaluation set, and ``evaluation``, the set with most of
    them. The sets are the files in the consortium's folder ``evaluations``, if there is one.
    Demands gates ``approval`` and ``personal_data``.
    """
    redacted, admissions = redacted_documents(catalog, donation)
    folder = catalog.settings.consortium / FOLDER
    sets = evaluation_files(folder)
    digest = sha256_set((path.name, sha256_file(path)) for path in sets)

    def produce(out: Output) -> None:
        evaluations = load_evaluations(folder)
        work = partial(overlap_part, evaluations=evaluations)
        engine = Engine.of(catalog.settings)
        written = write_parts(out, "contamination", SCHEMA, work, redacted, "document", engine)
        out.count(
            documents=sum(table.num_rows for table in written),
            evaluations=len(evaluations.names),
            texts_too_short=evaluations.short,
        )

    return catalog.materialise(
        ASSET,
        donation,
        zone=Zone.CURATED,
        inputs=[redacted.only("document/"), Source(f"consortium/{FOLDER}", digest), *admissions],
        config={"ngramWords": NGRAM_WORDS},
        code_version=CODE_VERSION,
        produce=produce,
    )


def evaluation_files(folder: Path) -> list[Path]:
    """The evaluation sets in *folder*, sorted; none where there is no such folder.

    Raises :class:`SettingsError` for a file of another kind.
    """
    paths = sorted(path for path in folder.glob("*") if not path.name.startswith("."))
    for path in paths:
        if path.name != "README.md" and not path.name.endswith(_ENDINGS):
            raise SettingsError(
                f"{FOLDER}/{path.name} is no evaluation set — give each as one of "
                f"{', '.join(_ENDINGS)}"
            )
    return [path for path in paths if path.name != "README.md"]


def load_evaluations(folder: Path) -> Evaluations:
    """The evaluation sets in *folder*, each named by its file.

    Every string in a record of JSON lines or Parquet and every paragraph of a plain text is a
    text; it is normalised as documents are. Raises :class:`SettingsError` for a file that cannot
    be read.
    """
    paths = evaluation_files(folder)
    hashes, owner, short = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)], 0
    for number, path in enumerate(paths):
        try:
            texts = pl.Series(list(_texts(path)), dtype=pl.String)
            words = words_of(normalise_texts(texts, NormalisationPolicy())["text"])
        except (ValueError, OSError, pa.ArrowException) as error:
            raise SettingsError(
                f"{FOLDER}/{path.name} cannot be read ({type(error).__name__}) — check the file"
            ) from None
        found = words.ngram_hashes(NGRAM_WORDS, words.ngram_starts(NGRAM_WORDS))
        short += int((words.counts < NGRAM_WORDS).sum())
        hashes.append(found)
        owner.append(np.full(len(found), number))
    unique, first = np.unique(np.concatenate(hashes), return_index=True)
    names = tuple(path.name.partition(".")[0] for path in paths)
    return Evaluations(names, unique, np.concatenate(owner)[first], short)


def overlap_part(path: Path, evaluations: Evaluations) -> pa.Table:
    """The ``contamination`` rows of one part of a table with ``doc_id`` and ``text``."""
    tables = [SCHEMA.empty_table()]
    for batch in text_slices(path, ["doc_id", "text"]) if len(evaluations.hashes) else ():
        found = overlaps(pl.Series(batch.column("text")), evaluations)
        doc_ids = pl.Series("doc_id", batch.column("doc_id")).gather(found["document"])
        tables.append(found.with_columns(doc_ids).select(SCHEMA.names).to_arrow().cast(SCHEMA))
    return pa.concat_tables(tables)


def overlaps(texts: pl.Series, evaluations: Evaluations) -> pl.DataFrame:
    """``document`` (its place in *texts*), ``evaluation`` and ``overlaps`` of those with any."""
    words = words_of(texts)
    starts = words.ngram_starts(NGRAM_WORDS)
    hashes = words.ngram_hashes(NGRAM_WORDS, starts)
    likely = np.flatnonzero(_bitmap(evaluations)[hashes >> _SHIFT])
    place = np.searchsorted(evaluations.hashes, hashes[likely])
    place = np.minimum(place, len(evaluations.hashes) - 1)
    hit = evaluations.hashes[place] == hashes[likely]
    names = pl.Series(evaluations.names, dtype=pl.String)
    return (
        pl.DataFrame(
            {
                "document": words.document[starts[likely[hit]]],
                "evaluation": names.gather(evaluations.owner[place[hit]]),
            }
        )
        .group_by("document", "evaluation")
        .len("overlaps")
        .sort("document", -pl.col("overlaps").cast(pl.Int64), "evaluation")
        .group_by("document", maintain_order=True)
        .agg(pl.col("evaluation").first(), pl.col("overlaps").sum())
    )


_SHIFT = np.uint64(40)


def _bitmap(evaluations: Evaluations) -> Bools:
    """Which beginnings of hashes occur: nearly all sequences are ruled out by one look-up."""
    bits = np.zeros(1 << 24, bool)
    bits[evaluations.hashes >> _SHIFT] = True
    return bits


def _texts(path: Path) -> Iterator[str]:
    if path.name.endswith(".parquet"):
        for batch in pq.ParquetFile(path).iter_batches():
            yield from _strings(batch.to_pylist())
        return
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.name.endswith(".gz") else data).decode()
    if path.name.endswith(".txt"):
        yield from text.split("\n\n")
        return
    for line in text.split("\n"):
        yield from _strings(json.loads(line)) if line.strip() else ()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)
