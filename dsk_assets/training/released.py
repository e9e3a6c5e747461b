"""A corpus release as training reads it: its order, and its sequences out of the lake."""

import pyarrow.compute as pc
import pyarrow.parquet as pq

from dsk_assets.corpus.release import Member, OpenedRelease
from dsk_assets.errors import TrainingError
from dsk_assets.training.dataset import SequenceDataset
from dsk_assets.training.order import Order, Source

IDS = 16**32
"""Number of document ids: they are digests of 32 hexadecimal digits."""


def held_out_below(share: float) -> str:
    """The first document id that is not held out when *share* of the documents are.

    Ids are digests, so those below it are a random sample, and a document that is held out stays so
    in every release: no later training reads what an earlier one was measured on.
    """
    return f"{min(IDS - 1, int(share * IDS)):032x}"


def held_out_tokens(member: Member, share: float) -> int:
    """Tokens of a donation's held-out documents: shards are in the order of ids, so its first."""
    if not share:
        return 0
    chosen = pc.field("doc_id") < held_out_below(share)
    tokens = 0
    for path in member.shards.paths("shard_span"):
        spans = pq.read_table(path, columns=["start", "end"], filters=chosen)
        tokens += pc.sum(pc.subtract(spans["end"], spans["start"])).as_py() or 0
    return tokens


def release_order(
    release: OpenedRelease, seed: int, sequence_length: int, held_out: float = 0.0
) -> Order:
    """The order in which a release is read with these settings, without its held-out documents.

    Raises :class:`TrainingError` for a release without tokens.
    """
    order = Order(
        seed=seed,
        release=release.snapshot.digest,
        sources=tuple(_source(member, held_out) for member in release.members),
        sequence_length=sequence_length,
    )
    if not order.tokens_per_pass:
        raise TrainingError(
            f"{release.snapshot.key} holds no tokens to train on — see why its donations' "
            "documents were dropped in filtering/decisions"
        )
    return order


def _source(member: Member, share: float) -> Source:
    held_out = held_out_tokens(member, share)
    return Source(member.donation, member.tokens - held_out, member.weight, held_out)


def release_dataset(
    release: OpenedRelease,
    *,
    seed: int,
    sequence_length: int,
    batch_size: int,
    held_out: float = 0.0,
) -> SequenceDataset:
    """The sequences of a release, read where its shards lie in the lake."""
    order = release_order(release, seed, sequence_length, held_out)
    return SequenceDataset(order, [member.files() for member in release.members], batch_size)
