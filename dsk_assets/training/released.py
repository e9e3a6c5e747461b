"""A corpus release as training reads it: its order, and its sequences out of the lake."""

from dsk_assets.corpus.release import OpenedRelease
from dsk_assets.errors import TrainingError
from dsk_assets.training.dataset import SequenceDataset
from dsk_assets.training.order import Order, Source


def release_order(release: OpenedRelease, seed: int, sequence_length: int) -> Order:
    """The order in which a release is read with these settings.

    Raises :class:`TrainingError` for a release without tokens.
    """
    order = Order(
        seed=seed,
        release=release.snapshot.digest,
        sources=tuple(
            Source(member.donation, member.tokens, member.weight) for member in release.members
        ),
        sequence_length=sequence_length,
    )
    if not order.tokens_per_pass:
        raise TrainingError(
            f"{release.snapshot.key} holds no tokens to train on — see why its donations' "
            "documents were dropped in filtering/decisions"
        )
    return order


def release_dataset(
    release: OpenedRelease, *, seed: int, sequence_length: int, batch_size: int
) -> SequenceDataset:
    """The sequences of a release, read where its shards lie in the lake."""
    order = release_order(release, seed, sequence_length)
    return SequenceDataset(order, [member.files() for member in release.members], batch_size)
