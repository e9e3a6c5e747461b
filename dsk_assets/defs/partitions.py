"""The dynamic partitions: donation versions, corpus releases, training runs, checkpoints."""

import dagster as dg

DONATION = dg.DynamicPartitionsDefinition(name="donation")
RELEASE = dg.DynamicPartitionsDefinition(name="release")
TRAINING_RUN = dg.DynamicPartitionsDefinition(name="training_run")
CHECKPOINT = dg.DynamicPartitionsDefinition(name="checkpoint")


def register(
    instance: dg.DagsterInstance, definition: dg.DynamicPartitionsDefinition, keys: list[str]
) -> list[str]:
    """Add those of *keys* that Dagster does not know yet; returns them."""
    name = definition.name
    assert name is not None
    known = set(instance.get_dynamic_partitions(name))
    new = [key for key in keys if key not in known]
    if new:
        instance.add_dynamic_partitions(name, new)
    return new
