"""Which materialisations SQL reads: the newest of each asset partition that is in use."""

from collections.abc import Iterator
from dataclasses import dataclass

from dsk_assets.evidence.catalog import STATEMENTS, UNPARTITIONED, Catalog, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.evidence.withdrawals import LANDING, Withdrawal, withdrawal
from dsk_assets.gates.admitted import current_donations
from dsk_assets.records.tables import FACTS, PARQUET

OF_DONATIONS = frozenset(table.asset for table in PARQUET.values() if table.partition == "donation")
"""Assets of which only the partitions of current donations are read."""


@dataclass(frozen=True)
class Sources:
    """The materialisations behind each table.

    ``tables`` holds them by table, ``current`` the keys of the current donations, and ``inputs``
    all of them, each once and cut down to the files that are read; ``withdrawn`` what donors have
    withdrawn since delivery, by donation.
    """

    tables: dict[str, list[Snapshot]]
    current: frozenset[str]
    withdrawn: dict[str, Withdrawal]
    inputs: list[Snapshot | Source]


def sources(catalog: Catalog) -> Sources:
    """What there is to read now. Only statements and manifests are opened for it."""
    current = frozenset(current_donations(catalog))
    files: dict[str, list[str]] = {}
    for name, table in PARQUET.items():
        files.setdefault(table.asset, []).append(f"{name}/")
    for fact in FACTS.values():
        files.setdefault(fact.asset, []).append(fact.file)
    inputs = {
        asset: [one.only(*names) for one in _newest(catalog, asset, current)]
        for asset, names in files.items()
    }
    withdrawn = {
        key: found
        for key in catalog.partitions(LANDING)
        if (found := withdrawal(catalog, key)) is not None
    }
    return Sources(
        tables={name: inputs[table.asset] for name, table in (PARQUET | FACTS).items()},
        current=current,
        withdrawn=withdrawn,
        inputs=[
            *(snapshot for snapshots in inputs.values() for snapshot in snapshots),
            *(one.source for one in withdrawn.values()),
        ],
    )


def _partitions(catalog: Catalog, asset: str) -> Iterator[tuple[str, str | None]]:
    for name in catalog.lake.names(f"{STATEMENTS}/{asset}"):
        yield asset, None if name == UNPARTITIONED else name


AFTERWARDS = "evidence"
"""The gate that judges the verification of the marts themselves, among others: it comes later."""


def _newest(catalog: Catalog, asset: str, current: frozenset[str]) -> Iterator[Snapshot]:
    nouns = catalog.lake.names(f"{STATEMENTS}/gate") if asset == "gate" else [""]
    for noun in nouns:
        if noun == AFTERWARDS:
            continue
        for name, partition in _partitions(catalog, f"{asset}/{noun}".rstrip("/")):
            if asset in OF_DONATIONS and partition is not None and partition not in current:
                continue
            snapshot = catalog.latest(name, partition)
            if snapshot is not None:
                yield snapshot
