"""The language of each document, weighed over its pieces: ``filtering/language``."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dsk_assets.consortium.policy import LanguagePolicy, policy_for
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.careful import UNDETERMINED
from dsk_assets.filters.detection import detect_pieces
from dsk_assets.filters.parts import text_slices, write_parts
from dsk_assets.lake.engine import Engine
from dsk_assets.lake.store import Zone

ASSET = "filtering/language"
CODE_VERSION = "3"
_PARAGRAPH: dict[str, pa.DataType] = {
    "start": pa.int64(),
    "end": pa.int64(),
    "language": pa.string(),
    "confidence": pa.float64(),
}
COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "language": pa.string(),
    "confidence": pa.float64(),
    "accepted_share": pa.float64(),
    "n_char": pa.int64(),
    "paragraphs": pa.list_(pa.struct(list(_PARAGRAPH.items()))),
}
SCHEMA = pa.schema(COLUMNS)

PIECE_CHARS = (150, 1200)
"""How many characters a paragraph has at least and at most; see :func:`pieces`."""


def language(catalog: Catalog, donation: str) -> Snapshot:
    """Tag each document of *donation* with its language; no text is written.

    Table ``language``: ``language`` is that of most of the document's letters (ISO 639-1, ``und``
    where it has none), ``confidence`` how sure the detectors were of it, weighted by letters,
    from 0 to 1, and ``accepted_share`` the share of its letters in pieces whose language the
    donation's policy accepts; ``paragraphs`` says the same of each paragraph, with the places of
    its characters (Unicode code points; the end is exclusive). Demands gates ``approval`` and
    ``statistics``.
    """
    landing = catalog.require("donations/landing", donation)
    documents = catalog.require("donations/documents", donation)
    admissions = [
        admission.require(catalog, "approval", landing),
        admission.require(catalog, "statistics", documents),
    ]
    policy = policy_for(catalog.settings.consortium, donation.partition("@")[0]).language

    def produce(out: Output) -> None:
        languages: Counter[str] = Counter()
        chars = accepted = 0.0
        work = partial(tag_part, policy=policy)
        engine = Engine.of(catalog.settings)
        for table in write_parts(out, "language", SCHEMA, work, documents, "document", engine):
            languages.update(str(name) for name in table["language"])
            chars += pc.sum(table["n_char"]).as_py() or 0
            weighted = pc.multiply(table["accepted_share"], table["n_char"])
            accepted += pc.sum(weighted).as_py() or 0.0
        out.count(
            documents=languages.total(),
            characters=int(chars),
            accepted_characters=round(accepted),
            accepted_share=round(accepted / chars, 6) if chars else 0.0,
            by_language=dict(sorted(languages.items())),
        )

    return catalog.materialise(
        ASSET,
        donation,
        zone=Zone.CURATED,
        inputs=[documents, *admissions],
        config=policy.model_dump(mode="json", exclude={"min_share"}),
        code_version=CODE_VERSION,
        produce=produce,
    )


def tag_part(path: Path, policy: LanguagePolicy) -> pa.Table:
    """The ``language`` rows of one part of the ``document`` table."""
    tables = [SCHEMA.empty_table()]
    for batch in text_slices(path, ["doc_id", "text"]):
        tagged = tag(pl.Series(batch.column("text")), policy)
        rows = tagged.with_columns(doc_id=pl.Series(batch.column("doc_id")))
        tables.append(rows.select(SCHEMA.names).to_arrow().cast(SCHEMA))
    return pa.concat_tables(tables)


def tag(texts: pl.Series, policy: LanguagePolicy) -> pl.DataFrame:
    """Everything but ``doc_id`` of the ``language`` rows of *texts*, in their order."""
    texts = texts.fill_null("")
    rows = pl.DataFrame({"document": np.arange(len(texts)), "n_char": texts.str.len_chars()})
    pieces = _pieces(texts)
    weighed = (
        pieces.group_by("document", "language")
        .agg(letters=pl.col("letters").sum(), sure=pl.col("letters").dot("confidence"))
        .filter(pl.col("letters") > 0)
        .sort("document", -pl.col("letters"), "language")
        .join(rows, on="document", maintain_order="left")
    )
    short = pl.col("n_char") < policy.confusable_below
    accepted = pl.col("language").is_in(policy.accept) | (
        short & pl.col("language").is_in(policy.confusable)
    )
    documents = weighed.group_by("document").agg(
        pl.col("language").first(),
        confidence=(pl.col("sure").first() / pl.col("letters").first()).round(4),
        accepted_share=(pl.col("letters").filter(accepted).sum() / pl.col("letters").sum()).round(
            6
        ),
    )
    paragraphs = pieces.group_by("document").agg(
        paragraphs=pl.struct("start", "end", "language", pl.col("confidence").round(4))
    )
    return (
        rows.join(documents, on="document", how="left")
        .join(paragraphs, on="document", how="left")
        .sort("document")
        .with_columns(
            pl.col("language").fill_null(UNDETERMINED),
            pl.col("confidence", "accepted_share").fill_null(0.0),
            pl.col("paragraphs").fill_null([]),
        )
        .drop("document")
    )


def _pieces(texts: pl.Series) -> pl.DataFrame:
    """``document``, ``start``, ``end`` and what was detected of all pieces of *texts*."""
    document, start, end, piece = [], [], [], []
    for number, text in enumerate(texts):
        for begin, stop in pieces(text):
            document.append(number)
            start.append(begin)
            end.append(stop)
            piece.append(text[begin:stop])
    found = detect_pieces(pl.Series(piece, dtype=pl.String), np.array(document, np.int64))
    return found.with_columns(
        document=np.array(document, np.int64),
        start=np.array(start, np.int64),
        end=np.array(end, np.int64),
    )


def pieces(text: str) -> Iterator[tuple[int, int]]:
    """Where the paragraphs of *text* begin and end; together they are the whole text.

    Lines are joined until a paragraph has the first number of :data:`PIECE_CHARS`, enough to tell
    its language; one with more than the second, which may have several, is cut between words.
    """
    least, most = PIECE_CHARS
    start, size = 0, len(text)
    while start < size:
        end = text.find("\n", start + least - 1) + 1 or size
        if end - start > most:
            end = text.rfind(" ", start + least, start + most) + 1 or start + most
        yield start, end
        start = end
