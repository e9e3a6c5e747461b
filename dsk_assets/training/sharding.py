"""A model in parts: each process holds a share of every weight and of what belongs to it.

That is PyTorch's ``fully_shard`` (FSDP2; Zhao et al. 2023, https://arxiv.org/abs/2304.11277, after
ZeRO stage 3, Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054). The weights of one layer
at a time are whole in a process, while it computes with them, and the sum of their gradients is
divided again. What is computed is what :class:`DistributedDataParallel` computes, in float32 or by
the same autocast, so checkpoints are the same files and training goes on from either.
"""

from typing import Any

from dsk_assets.training.group import Group


def shard(model: Any, group: Group) -> Any:
    """Divide *model* among the processes of *group*, layer by layer; returns it.

    A layer is what transformers never divides between devices (``_no_split_modules``). A process
    moves one layer at a time to its device, so no device ever holds the whole model. Where layers
    stand in one another, the inner ones are divided first, as ``fully_shard`` asks.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(group.device.partition(":")[0], (group.rank.world_size,))
    layers = set(model._no_split_modules or ())
    for module in reversed(list(model.modules())):
        if type(module).__name__ in layers:
            fully_shard(module, mesh=mesh)
    # Else what lies outside layers would stay whole where no backward pass follows a forward one.
    return fully_shard(model, mesh=mesh, reshard_after_forward=True)


def whole_state(model: Any, optimizer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights by name, and the optimizer's state as ``<weight>.<moment>``, whole and on the CPU.

    Weights that are tied stand under one name, as transformers writes them. All processes must call
    it where the model is in parts; only the first one gets anything then.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    found: Any
    state: Any
    found, state = get_state_dict(model, optimizer, options=options)
    named = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    weights = {name: value for name, value in found.items() if name in named}
    moments = {
        f"{name}.{moment}": value.contiguous()
        for name, held in state.get("state", {}).items()
        for moment, value in held.items()
    }
    return weights, moments


def share(value: Any, parameter: Any) -> Any:
    """What this process holds of the tensor *value*, which belongs to *parameter*."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(parameter, DTensor):
        return value.to(parameter.device)
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)
