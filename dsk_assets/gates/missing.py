"""Why an asset that somebody asks for by name is not there, and what there is instead."""

from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.gates.admitted import LANDING, SCREENING

SHOWN = 8
"""Names that are listed; of more, the last ones."""


def explained(catalog: Catalog, asset: str, partition: str | None) -> str:
    """What to tell a person who asked for *asset* of *partition*, which is not there.

    Either no night has made it yet; or a gate refused its donation; or the name is wrong, and then
    the names that there are.
    """
    there, landed = catalog.partitions(asset), catalog.partitions(LANDING)
    if partition is None:
        return f"there is no {asset} yet — `dsk nightly` makes it"
    if partition in landed:
        if reasons := _refusals(catalog, partition):
            return f"there is no {asset} of {partition}, which is refused: {'; '.join(reasons)}"
        return f"there is no {asset} of {partition} yet — `dsk nightly` makes it"
    if versions := [key for key in landed if key.partition("@")[0] == partition]:
        return f"{partition} names no version — say {' or '.join(versions)}"
    if not there:
        return f"there is no {asset} {partition}, nor any other yet — `dsk nightly` makes them"
    more = f"{len(there) - SHOWN} others and " if len(there) > SHOWN else ""
    known = f"{more}{', '.join(there[-SHOWN:])}"
    return f"there is no {asset} {partition} — there {'is' if len(there) == 1 else 'are'} {known}"


def _refusals(catalog: Catalog, donation: str) -> list[str]:
    verdicts = (catalog.latest(admission.asset_of(gate), donation) for gate, _ in SCREENING)
    return [reason for one in verdicts if one for reason in admission.decision(one).refusals]
