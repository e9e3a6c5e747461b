"""Withdrawal of a donation, heeded at once: its gates judge again before the night does."""

import datetime as dt

from dsk_assets.evidence import sequencer, withdrawals
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.withdrawals import Withdrawal
from dsk_assets.gates.registry import GATES

RELEASE = "corpus/release"


def withdraw(
    catalog: Catalog, donation: str, withdrawn_on: dt.date, reason: str
) -> list[Withdrawal]:
    """Withdraw a donation as :func:`dsk_assets.evidence.withdrawals.withdraw` does.

    Then gate ``approval`` judges it, and gate ``composition`` every corpus release. What they
    admitted before would else be exported, sent away or trained on until the next night.
    """
    made = withdrawals.withdraw(catalog, donation, withdrawn_on, reason)
    for one in made:
        GATES["approval"].judge(catalog, one.donation)
    for version in catalog.partitions(RELEASE):
        GATES["composition"].judge(catalog, version)
    sequencer.append_new(catalog)
    return made
