"""Parquet: one document a row, read batch by batch."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from dsk_assets.intake.encoding import Encoding
from dsk_assets.intake.items import Item
from dsk_assets.intake.readers.records import TITLE_NAMES, is_text_name, record_text
from dsk_assets.intake.sources import Source, Unreadable, seekable

_ROWS = 256


def read(source: Source, encoding: Encoding) -> Iterator[Item]:
    """The text of each row. All pages are read once before, so a damaged file gives nothing."""
    try:
        for _ in _batches(source):
            pass
    except (pa.ArrowException, OSError):
        raise Unreadable("the Parquet data are damaged or cut off — deliver them again") from None
    for batch in _batches(source):
        for row in batch.to_pylist():
            yield record_text(row)


def _batches(source: Source) -> Iterator[pa.RecordBatch]:
    with seekable(source) as stream, pq.ParquetFile(stream) as file:
        names = file.schema_arrow.names
        texts = [name for name in names if is_text_name(name) or name.lower() in TITLE_NAMES]
        columns = texts if any(is_text_name(name) for name in texts) else names
        yield from file.iter_batches(batch_size=_ROWS, columns=columns)
