"""The quality measures of each redacted document: ``filtering/quality``."""

from pathlib import Path

import polars as pl
import pyarrow as pa

from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.measures import MEASURES, measure
from dsk_assets.filters.parts import text_slices, write_parts
from dsk_assets.filters.redacted import redacted_documents
from dsk_assets.lake.engine import Engine
from dsk_assets.lake.store import Zone

ASSET = "filtering/quality"
CODE_VERSION = "2"
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
    tables = [SCHEMA.empty_table()]
    for batch in text_slices(path, ["doc_id", "text"]):
        measured = measure(pl.Series(batch.column("text")))
        columns = {"doc_id": batch.column("doc_id"), **measured.to_arrow().to_pydict()}
        tables.append(pa.table(columns, schema=SCHEMA))
    return pa.concat_tables(tables)
