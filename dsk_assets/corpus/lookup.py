"""Where a document of a release stands, found without opening the span tables.

``lookup.bin`` of a donation holds the beginnings of its documents' ids in ascending order. Ids are
digests and so spread evenly: where one would stand is known to within some square roots of their
number, and asking a donation is reading some kilobytes.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isqrt
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dsk_assets.corpus.release import Member
from dsk_assets.corpus.shards import LOOKUP, LOOKUP_TYPE

_SPREAD = 4
"""How many square roots of their number an id is at most from its place, but for a rare one."""


@dataclass(frozen=True)
class Place:
    """Where a document stands: number of its donation, and its tokens from start to before end.

    Tokens are counted through the donation's shards laid end to end.
    """

    source: int
    start: int
    end: int


def find(members: Sequence[Member], doc_id: str) -> Place | None:
    """Where the document stands in a release of *members*; None where it is in none of them.

    A document is of one donation, so only the table that has it needs to be as its statement says;
    before it is said that none has it, all lookup files are compared. Raises
    :class:`CorruptedError` where a file was changed.
    """
    for verified in (False, True):
        for number, member in enumerate(members):
            for part in _parts(member, doc_id, verified):
                if place := _read(member, number, part, doc_id):
                    return place
    return None


def document_offsets(member: Member) -> dict[int, int]:
    """The tokens of a donation before each of its shards."""
    shards = member.table.select(["shard", "tokens"]).sort_by("shard").to_pydict()
    return dict(zip(shards["shard"], accumulate(shards["tokens"], initial=0), strict=False))


def rows_like(path: Path, doc_id: str) -> range:
    """Numbers of a donation's documents whose ids begin as *doc_id* does; none without a file."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size // LOOKUP_TYPE.itemsize
            width = _SPREAD * isqrt(size) + 1
            first = min(max(0, _guess(doc_id, size) - width), size)
            near = _beginnings(file.fileno(), first, 2 * width)
            found = _equal(near, doc_id)
            if (found.start or not first) and (found.stop < len(near) or first + len(near) == size):
                return range(first + found.start, first + found.stop)
            return _equal(_beginnings(file.fileno(), 0, size), doc_id)
    except OSError:
        return range(0)


def _parts(member: Member, doc_id: str, verified: bool) -> Iterator[str]:
    """Names of the parts of the span table that may have the document.

    Those are all where the shards were made before there were lookup files.
    """
    names = [file.name for file in member.shards.files]
    if LOOKUP not in names:
        yield from (name for name in names if name.startswith("shard_span/"))
        return
    path = member.shards.path(LOOKUP) if verified else member.shards.unverified(LOOKUP)
    rows = rows_like(path, doc_id)
    if rows:
        ends = np.cumsum(member.table.sort_by("shard")["documents"].to_numpy())
        shards = np.unique(np.searchsorted(ends, np.array(rows), "right"))
        yield from (f"shard_span/part-{shard:05d}.parquet" for shard in shards)


def _guess(doc_id: str, size: int) -> int:
    """Where the document would stand among *size* of them; 0 where its id is no digest."""
    digits = doc_id[: LOOKUP_TYPE.itemsize]
    try:
        return int(digits, 16) * size >> 4 * len(digits)
    except ValueError:
        return 0


def _beginnings(file: int, first: int, number: int) -> NDArray[np.bytes_]:
    size = LOOKUP_TYPE.itemsize
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, first * size, number * size, os.POSIX_FADV_RANDOM)
    data = os.pread(file, number * size, first * size)
    return np.frombuffer(data[: len(data) // size * size], LOOKUP_TYPE)


def _equal(beginnings: NDArray[np.bytes_], doc_id: str) -> range:
    key = np.array(doc_id.encode(errors="replace"), LOOKUP_TYPE)
    first, beyond = (
        np.searchsorted(beginnings, key, "left"),
        np.searchsorted(beginnings, key, "right"),
    )
    return range(int(first), int(beyond))


def _read(member: Member, number: int, part: str, doc_id: str) -> Place | None:
    """Where the part says that the document stands, once it is as its statement says."""
    chosen = pc.field("doc_id") == doc_id
    columns = ["shard", "start", "end"]
    spans = pq.read_table(member.shards.path(part), columns=columns, filters=chosen)
    for row in spans.to_pylist():
        before = document_offsets(member)[row["shard"]]
        return Place(number, before + row["start"], before + row["end"])
    return None
