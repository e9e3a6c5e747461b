"""The proof for a single statement: found in the log by its asset, partition and number."""

from dataclasses import dataclass

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.entries import Entry
from dsk_assets.evidence.log import Log
from dsk_assets.evidence.log_index import LogIndex
from dsk_assets.evidence.merkle import leaf_hash
from dsk_assets.evidence.tiles import WIDTH


@dataclass(frozen=True)
class Proof:
    """An entry of the log, its place, and the proof as text (https://c2sp.org/tlog-proof)."""

    position: int
    entry: Entry
    text: str


def prove(
    catalog: Catalog, asset: str, partition: str | None = None, number: int | None = None
) -> Proof:
    """The proof that statement *number* (None: the newest) of an asset partition is in the log.

    Raises :class:`MissingInputError` when it is not in the log.
    """
    log = Log(catalog.settings, catalog.lake)
    with LogIndex(log).opened() as index:
        position = index.position(asset, partition, number)
    if position is None:
        raise MissingInputError(
            f"the log has no statement {number or ''} of {asset}[{partition or ''}] — "
            "`dsk evidence append` takes up what is new"
        )
    tree = log.tree()
    data = tree.bundle(position // WIDTH)[position % WIDTH]
    if leaf_hash(data) != tree.leaf(position):
        raise CorruptedError(
            f"entry {position} of the log is not the one in its tree — restore evidence/log from "
            "a copy"
        )
    return Proof(position, Entry.parse(data), log.proof(position))
