"""The quality measures of each redacted document: ``filtering/quality``."""

from pathlib import Path

import polars as pl
import pyarrow as pa

from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.measures import MEASURES, measure
from dsk_assets.filters.parts import tables_of, write_parts
from dsk_assets.filters.redacted import redacted_documents
from dsk_assets.filters.words import Words
from dsk_assets.lake.engine import Engine
from dsk_assets.lake.store import Zone

ASSET = "filtering/quality"
CODE_VERSION = "3"
COLUMNS: dict[str, pa.DataType] = {"doc_id": pa.string(), **dict.fromkeys(MEASURES, pa.float64())}
SCHEMA = pa.schema(COLUMNS)


def quality(catalog: Catalog, donation: str) -> Snapshot:
    """Measure each redacted document of *donation*; nothing is judged here.

    Table ``attribute``: ``doc_id`` and one column for each of
    :data:`~dsk_assets.filters.measures.MEASURES`. The policy is no input: other rules or
    thresholds never measure a text again. Demands gates ``approval`` and ``personal_data``.
    """
    redacted, admissions = redacted_documents(catalog, donation)

    def produce(out: Output) -> None:
        engine = Engine.of(catalog.settings)
        written = write_parts(out, "attribute", SCHEMA, measure_part, redacted, "document", engine)
        out.count(documents=sum(table.num_rows for table in written))

    return catalog.materialise(
        ASSET,
        donation,
        zone=Zone.CURATED,
        inputs=[redacted.only("document/"), *admissions],
        config={"measures": list(MEASURES)},
        code_version=CODE_VERSION,
        produce=produce,
    )


def measure_part(path: Path) -> pa.Table:
    """The ``attribute`` rows of one part of the redacted ``document`` table."""
    works = {"attribute": (SCHEMA, measure_batch)}
    return tables_of(path, ["doc_id", "text"], works)["attribute"]


def measure_batch(batch: pa.RecordBatch, words: Words) -> pa.Table:
    """The ``attribute`` rows of the documents in *batch*, which have these *words*."""
    measured = measure(pl.Series(batch.column("text")), words).to_arrow()
    return measured.add_column(0, "doc_id", batch.column("doc_id")).cast(SCHEMA)
