"""Which documents can have a duplicate at all, told in bounded memory.

A document whose digest and bands nobody else has stands alone: it is in no cluster and changes
none. Nearly all do, so that only the others need be held when clusters are looked for.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from dsk_assets.filters.signatures import BANDS
from dsk_assets.lake.tables import read_batches

AT_ONCE = 16_000_000
"""Values compared at once, at about 30 bytes each; more are compared in several passes."""

Values = npt.NDArray[np.uint64]


def recurring(paths: Sequence[Path]) -> list[npt.NDArray[np.bool_]]:
    """For each part of table ``signature``: which of its rows share a digest or band with another.

    Memory does not grow with the documents, but for one byte each.
    """
    sizes = [pq.read_metadata(path).num_rows for path in paths]
    starts = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    shared = np.zeros(int(starts[-1]), np.bool_)
    passes = int(starts[-1]) * (BANDS + 1) // AT_ONCE + 1
    for number in range(passes):
        found = [
            _values(path, int(start), number, passes)
            for path, start in zip(paths, starts[:-1], strict=True)
        ]
        if found:
            values, rows = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
            order = np.argsort(values)
            again = np.flatnonzero(values[order[1:]] == values[order[:-1]])
            shared[rows[order[again]]] = shared[rows[order[again + 1]]] = True
    return [shared[start : start + size] for start, size in zip(starts[:-1], sizes, strict=True)]


def _values(
    path: Path, start: int, number: int, passes: int
) -> tuple[Values, npt.NDArray[np.int64]]:
    """Digests and bands of one part that fall to pass *number*, and the rows that have them."""
    values, rows = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for batch in read_batches(path, ["text_sha256", "bands"]):
        table = pl.DataFrame(pl.from_arrow(batch))
        digests = np.frombuffer(
            b"".join(table["text_sha256"].str.slice(0, 16).str.decode("hex")), "<u8"
        )
        known = np.flatnonzero(table["bands"].is_not_null().to_numpy())
        bands = np.frombuffer(b"".join(table["bands"].drop_nulls()), "<u8")
        both = np.concatenate((digests, bands))
        row = start + np.concatenate((np.arange(len(table)), np.repeat(known, BANDS)))
        chosen = both % np.uint64(passes) == number
        values.append(both[chosen])
        rows.append(row[chosen])
        start += len(table)
    return np.concatenate(values), np.concatenate(rows)
