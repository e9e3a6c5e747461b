"""The proof for a single statement: found in the log by its asset, partition and number."""

import base64
from dataclasses import dataclass

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.entries import Entry
from dsk_assets.evidence.log import Log, parse_checkpoint, parse_note
from dsk_assets.evidence.log_index import LogIndex
from dsk_assets.evidence.merkle import leaf_hash, verify_inclusion
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

    What is written is verified. Raises :class:`MissingInputError` when it is not in the log, and
    :class:`CorruptedError` when the log's files do not prove it.
    """
    log = Log(catalog.settings, catalog.lake)
    with LogIndex(log).opened() as index:
        position = index.position(asset, partition, number)
    if position is None:
        named = f"{asset}[{partition}]" if partition else asset
        which = f"statement {number}" if number else "statement"
        raise MissingInputError(
            f"the log has no {which} of {named} — `dsk evidence append` takes up what is new"
        )
    tree = log.tree()
    data = tree.bundle(position // WIDTH)[position % WIDTH]
    if leaf_hash(data) != tree.leaf(position):
        raise CorruptedError(
            f"entry {position} of the log is not the one in its tree — restore evidence/log from "
            "a copy"
        )
    text = log.proof(position)
    if not _shows(text, position, data):
        raise CorruptedError(
            f"the log's tiles give no valid proof of entry {position} — run `dsk evidence verify`, "
            "and restore evidence/log from a copy"
        )
    return Proof(position, Entry.parse(data), text)


def _shows(proof: str, position: int, data: bytes) -> bool:
    """Whether *proof*, as it is written, shows the entry *data* in the tree of its checkpoint."""
    head, _, note = proof.partition("\n\n")
    hashes = [base64.b64decode(one) for one in head.split("\n")[2:]]
    checkpoint = parse_checkpoint(parse_note(note.encode(), "the proof"))
    return verify_inclusion(leaf_hash(data), position, checkpoint.size, hashes, checkpoint.root)
