"""The data order as PyTorch reads it: an ``IterableDataset`` of one rank, from any step on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsk_assets.training.dataset import SequenceDataset
from dsk_assets.training.order import Division

if TYPE_CHECKING:
    from torch.utils.data import IterableDataset


@dataclass(frozen=True)
class Rank:
    """One of *world_size* processes that train together; each reads its own rows of every batch."""

    number: int = 0
    world_size: int = 1

    def division(self, batch_size: int) -> Division:
        """How a batch falls to the processes; ``ValueError`` where it cannot be divided evenly."""
        if batch_size % self.world_size:
            raise ValueError(
                f"batch_size {batch_size} cannot be divided among {self.world_size} processes — "
                "choose a multiple"
            )
        return Division(batch_size, self.world_size)


def step_dataset(
    dataset: SequenceDataset, first: int, last: int, rank: Rank | None = None
) -> "IterableDataset[Any]":
    """What *rank* reads in steps *first* to *last*: one tensor of its sequences for each step.

    For a ``DataLoader(…, batch_size=None, num_workers=n)``: the steps come in order whatever *n*
    is, since worker *w* makes each *n*-th step and the loader takes from the workers in turn. All
    ranks together read in each step what one process alone would.
    """
    import torch
    from torch.utils.data import IterableDataset, get_worker_info

    place = rank or Rank()
    division = place.division(dataset.batch_size)

    class Steps(IterableDataset[Any]):
        def __iter__(self) -> Iterator[torch.Tensor]:
            worker = get_worker_info()
            number, workers = (worker.id, worker.num_workers) if worker else (0, 1)
            for step in range(first + number, last + 1, workers):
                [samples] = division.parts(step, place.number)
                yield torch.from_numpy(dataset.samples(samples))

    return Steps()
