"""A donation's shards and the documents in them, shard by shard: what token formats are made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dsk_assets.corpus.release import Member


@dataclass(frozen=True)
class Shard:
    """One shard, memory-mapped: its tokens, and for each document its id, start and end."""

    number: int
    tokens: NDArray[Any]
    doc_ids: list[str]
    starts: list[int]
    ends: list[int]


def shards(member: Member) -> Iterator[Shard]:
    """The shards of a release's member in their order, documents in the order of their tokens."""
    spans = pl.DataFrame(pl.from_arrow(member.shards.table("shard_span"))).sort("shard", "seq")
    for number, (path, dtype) in enumerate(member.files()):
        own = spans.filter(pl.col("shard") == number)
        yield Shard(
            number,
            np.memmap(path, np.dtype(dtype).newbyteorder("<"), mode="r"),
            own["doc_id"].to_list(),
            own["start"].to_list(),
            own["end"].to_list(),
        )
