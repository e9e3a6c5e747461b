"""Megatron's indexed dataset: ``<donation>.bin`` with tokens, ``<donation>.idx`` with documents.

The index (version 1, as ``megatron/core/datasets/indexed_dataset.py`` reads it, all numbers
little-endian): ``MMIDIDX\\0\\0``, version as uint64, number type as one byte, numbers of sequences
and of document boundaries as uint64, then each sequence's tokens as int32, its offset in bytes as
int64, and the boundaries as int64. A sequence is a document. ``blend.txt`` is the mix, a weight and
a path a line, as ``--data-path`` takes it.
"""

import struct
from pathlib import Path

import numpy as np

from dsk_assets.corpus.export.spans import shards
from dsk_assets.corpus.release import OpenedRelease
from dsk_assets.evidence.catalog import Catalog

MAGIC = b"MMIDIDX\x00\x00"
CODES = {"uint16": 8, "int32": 4}
"""Megatron's codes of number types. It has no uint32; tokens fit into int32."""


def write(catalog: Catalog, release: OpenedRelease, folder: Path) -> None:
    """Write each donation of *release* that has a token, and the mix.

    The library cannot open files without one.
    """
    lines = []
    for member in release.members:
        if not member.tokens:
            continue
        name = member.donation
        lengths: list[int] = []
        kind = "uint16"
        with (folder / f"{name}.bin").open("wb") as file:
            for shard in shards(member):
                kind = "uint16" if shard.tokens.dtype.itemsize == 2 else "int32"
                file.write(shard.tokens.astype(f"<{np.dtype(kind).str[1:]}", copy=False).tobytes())
                lengths += [
                    end - start for start, end in zip(shard.starts, shard.ends, strict=True)
                ]
        (folder / f"{name}.idx").write_bytes(_index(np.array(lengths, np.int32), kind))
        lines.append(f"{member.weight * member.tokens:g} {name}\n")
    (folder / "blend.txt").write_text("".join(lines))


def _index(lengths: np.ndarray, kind: str) -> bytes:
    size = np.dtype(kind).itemsize
    offsets = (np.cumsum(lengths, dtype=np.int64) - lengths) * size
    documents = np.arange(len(lengths) + 1, dtype=np.int64)
    head = struct.pack("<QBQQ", 1, CODES[kind], len(lengths), len(documents))
    arrays = (lengths.astype("<i4"), offsets.astype("<i8"), documents.astype("<i8"))
    return MAGIC + head + b"".join(array.tobytes() for array in arrays)
