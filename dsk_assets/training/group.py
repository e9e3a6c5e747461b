"""The processes that train together, as ``torchrun`` starts them: one for each GPU."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dsk_assets.errors import TrainingError
from dsk_assets.training.loader import Rank

_HELD: list[Any] = []
"""This process's group, to its end. Were the reducer of DistributedDataParallel its last holder,
its threads would be waited for under the interpreter's lock, which they may need to end."""


@dataclass(frozen=True)
class Group:
    """This process's place among those that train together, and the device it uses."""

    rank: Rank
    local_rank: int
    device: str

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank.number == 0

    @property
    def together(self) -> bool:
        """Whether there are other processes."""
        return self.rank.world_size > 1

    @property
    def on_gpu(self) -> bool:
        """Whether it trains on a GPU."""
        return self.device != "cpu"

    def total(self, value: float) -> float:
        """The sum of *value* over all processes, equal in each of them."""
        if not self.together:
            return value
        import torch

        summed = torch.tensor([value], dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(summed)
        return float(summed)

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.together:
            import torch

            torch.distributed.barrier()


@contextmanager
def joined(processes: int) -> Iterator[Group]:
    """The group that ``RANK``, ``WORLD_SIZE`` and ``LOCAL_RANK`` describe, joined for the block.

    Raises :class:`TrainingError` unless there are *processes* of them.
    """
    import torch

    found = {name: int(os.environ.get(name, "0")) for name in ("RANK", "LOCAL_RANK")}
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size != processes:
        raise TrainingError(
            f"training.yaml wants {processes} processes and {world_size} were started — start the "
            f"payload by torchrun with {processes} in all"
        )
    device = f"cuda:{found['LOCAL_RANK']}" if torch.cuda.is_available() else "cpu"
    group = Group(Rank(found["RANK"], world_size), found["LOCAL_RANK"], device)
    if group.on_gpu:
        torch.cuda.set_device(group.device)
    if not group.together:
        yield group
        return
    torch.distributed.init_process_group("nccl" if group.on_gpu else "gloo")
    _HELD.append(torch.distributed.group.WORLD)
    try:
        yield group
    finally:
        torch.distributed.destroy_process_group()
