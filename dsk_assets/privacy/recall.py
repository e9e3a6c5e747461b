"""Asset ``filtering/recall``: how much of the personal data in labelled text the search finds.

The scores that the package carries (:mod:`dsk_assets.privacy.scores`) become evidence here, so that
the gate on personal data, the marts and the published records can say by type what is missed, and
name where that comes from.
"""

import json

from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.gates.screening import RECALL, RECALL_FILE
from dsk_assets.lake.digests import sha256_bytes
from dsk_assets.lake.store import Zone
from dsk_assets.privacy import scores

CODE_VERSION = "1"


def recall(catalog: Catalog) -> Snapshot:
    """How much of the personal data in labelled text the search finds, by type and name group.

    ``scores.json`` holds the counts on each labelled set that this version carries or generates,
    and the digests of the recognisers, lists and model that were measured. Counts: ``recall`` and
    ``recall_by_group``, the share that is found, in the set where it is lowest. A gate that finds a
    donation searched by other recognisers warns that recall is not known there.
    """
    data = scores.SCORES.read_bytes()
    content = json.loads(data)

    def produce(out: Output) -> None:
        out.json(RECALL_FILE, content)
        out.count(
            recall=scores.lowest_recall(content),
            recall_by_group=scores.lowest_recall(content, "groups"),
        )

    return catalog.materialise(
        RECALL,
        zone=Zone.EVIDENCE,
        inputs=[Source(f"privacy/{scores.SCORES.name}", sha256_bytes(data))],
        config={},
        code_version=CODE_VERSION,
        produce=produce,
    )
