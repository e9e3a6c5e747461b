"""Withdrawal of a donation: a statement that ends its approval from a day on."""

import datetime as dt
from dataclasses import dataclass

from dsk_assets.errors import DonationError
from dsk_assets.evidence import attestations, details, predicates, sequencer
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.statements import Source

ASSET = "withdrawal/donation"
LANDING = "donations/landing"


@dataclass(frozen=True)
class Withdrawal:
    """The day from which a donation may not be used, and the statement that says so."""

    donation: str
    withdrawn_on: dt.date
    statement: str

    @property
    def source(self) -> Source:
        """The withdrawal as an input of those who heed it."""
        return Source(f"withdrawal/{self.donation}", self.statement)


def withdraw(
    catalog: Catalog, donation: str, withdrawn_on: dt.date, reason: str
) -> list[Withdrawal]:
    """Withdraw a landed donation: a version of it (its key), or all landed versions (its id).

    *reason* is kept apart from the statement and can be erased; see ``details``. Gates refuse the
    donation from that day on; releases that hold it are no longer admitted for training. A later
    withdrawal may only be earlier in effect. Raises :class:`DonationError` for a donation that is
    not landed, or is withdrawn from as early a day already.
    """
    keys = [key for key in catalog.partitions(LANDING) if donation in (key, key.partition("@")[0])]
    if not keys:
        raise DonationError(f"{donation} has not been landed — name it as `dsk status` lists it")
    due = [
        key
        for key in keys
        if (known := withdrawal(catalog, key)) is None or withdrawn_on < known.withdrawn_on
    ]
    if not due:
        raise DonationError(f"{donation} is withdrawn already, from that day or an earlier one")
    detail = details.keep(catalog.lake, reason)
    for key in due:
        landing = catalog.require(LANDING, key)
        statement = predicates.withdrawal(
            key, landing.digest, landing.statement_digest, withdrawn_on, detail
        )
        attestations.write(catalog.settings, catalog.lake, ASSET, key, statement)
    sequencer.append_new(catalog)
    return [found for key in due if (found := withdrawal(catalog, key)) is not None]


def withdrawal(catalog: Catalog, donation: str) -> Withdrawal | None:
    """The withdrawal of a donation version in force, or None."""
    newest = attestations.newest(catalog.lake, ASSET, donation)
    if newest is None:
        return None
    day = dt.date.fromisoformat(newest.statement["predicate"]["withdrawnOn"])
    return Withdrawal(donation, day, newest.digest)


def withdrawn_on(catalog: Catalog, landing: Snapshot) -> dt.date | None:
    """From when on a landed donation is withdrawn, by its manifest or by a statement since."""
    stated = withdrawal(catalog, landing.partition or "")
    delivered = landing.json("manifest.json").get("withdrawal", {}).get("withdrawn_on")
    days = [dt.date.fromisoformat(delivered)] if delivered else []
    return min([*days, *([stated.withdrawn_on] if stated else [])], default=None)
