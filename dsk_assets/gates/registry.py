"""The gates by name: what each judges, which principle it holds, and the function that judges."""

from collections.abc import Callable
from dataclasses import dataclass

from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates import suites
from dsk_assets.gates.approval import approval
from dsk_assets.gates.checkpoint import checkpoint
from dsk_assets.gates.composition import composition
from dsk_assets.gates.evidence import evidence
from dsk_assets.gates.screening import language, personal_data, statistics
from dsk_assets.gates.spans import spans


@dataclass(frozen=True)
class Gate:
    """One gate: ``judge(catalog, partition)`` records its decision on a partition of ``asset``."""

    name: str
    asset: str
    judge: Callable[[Catalog, str], Snapshot]

    @property
    def principle(self) -> str:
        """Number of the consortium's principle that the gate holds."""
        return suites.load(self.name).meta.principle

    @property
    def title(self) -> str:
        """The gate's name for readers, in English."""
        return suites.load(self.name).meta.title

    @property
    def title_da(self) -> str:
        """The gate's name for readers, in Danish."""
        return suites.load(self.name).meta.title_da

    @property
    def description(self) -> str:
        """What the gate makes sure of, in one sentence."""
        return suites.load(self.name).meta.description

    @property
    def description_da(self) -> str:
        """The same in Danish."""
        return suites.load(self.name).meta.description_da


GATES = {
    gate.name: gate
    for gate in (
        Gate("approval", "donations/landing", approval),
        Gate("statistics", "donations/documents", statistics),
        Gate("language", "filtering/language", language),
        Gate("personal_data", "filtering/personal_data", personal_data),
        Gate("spans", "corpus/shards", spans),
        Gate("composition", "corpus/release", composition),
        Gate("checkpoint", "training/checkpoint", checkpoint),
        Gate("evidence", "transparency/verification", evidence),
    )
}
"""In the order of the flow."""
