"""Dolma's and OLMo's token files: ``<donation>-<shard>.npy`` and beside it ``.csv.gz``.

Despite its ending the first holds plain little-endian tokens without a header. The second has a
line for each document: ``start,end,id,src,loc``, where ``src`` is the donation and ``loc`` the
document's number in the shard.
"""

import csv
import gzip
import io
from pathlib import Path

from dsk_assets.corpus.export.spans import shards
from dsk_assets.corpus.release import OpenedRelease
from dsk_assets.evidence.catalog import Catalog


def write(catalog: Catalog, release: OpenedRelease, folder: Path) -> None:
    """Write every shard of *release*."""
    for member in release.members:
        for shard in shards(member):
            name = f"{member.donation}-{shard.number:05d}"
            shard.tokens.tofile(folder / f"{name}.npy")
            with (
                (folder / f"{name}.csv.gz").open("wb") as raw,
                gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
                io.TextIOWrapper(packed, "utf-8", newline="") as text,
            ):
                rows = zip(shard.starts, shard.ends, shard.doc_ids, strict=True)
                csv.writer(text).writerows(
                    (start, end, doc_id, member.donation, place)
                    for place, (start, end, doc_id) in enumerate(rows)
                )
