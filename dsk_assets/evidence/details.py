"""What may concern a person and belongs to a statement: kept beside it, and erasable.

A statement never changes and stays; so a text that might name somebody, such as the reason of a
withdrawal, is no part of it. It lies in the restricted zone with 32 random bytes, and the
statement holds the digest of that file (``detail``). When the file is erased (art. 17 GDPR), the
digest gives nothing away, every signature and the tree still verify, and a statement in the log
says that it was erased.
"""

import secrets

from dsk_assets.errors import MissingInputError
from dsk_assets.evidence import attestations, predicates, sequencer
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.entries import ATTESTATIONS, statement_path
from dsk_assets.evidence.envelope import open_envelope
from dsk_assets.lake.digests import canonical_json, sha256_bytes
from dsk_assets.lake.store import Lake, Zone

DETAILS = f"{Zone.RESTRICTED}/details"


def keep(lake: Lake, text: str) -> str:
    """Keep *text* and a salt; returns the digest that a statement holds as its ``detail``."""
    data = canonical_json({"salt": secrets.token_hex(32), "text": text})
    digest = sha256_bytes(data)
    with lake.writing(detail_path(digest)) as path:
        path.write_bytes(data)
    return digest


def detail_path(digest: str) -> str:
    """Where the detail with this digest lies."""
    return f"{DETAILS}/{digest}.json"


def erase(
    catalog: Catalog, asset: str, partition: str | None, number: int, reason: str
) -> tuple[str, bool]:
    """Erase the detail of a statement that is no materialisation.

    Returns its digest, and whether it was there until now. *reason* becomes part of a statement
    that stays: a rule or a case number, nothing about a person. What is already erased may be
    erased again. Raises :class:`MissingInputError` for an unknown statement and for one that has
    no detail.
    """
    sequencer.append_new(catalog)
    path = statement_path(ATTESTATIONS, asset, partition, number)
    if not catalog.lake.exists(path):
        raise MissingInputError(f"there is no statement {path}")
    envelope = open_envelope(catalog.lake.read(path))
    digest = envelope.statement["predicate"].get("detail")
    if digest is None:
        raise MissingInputError(
            f"{path} has no detail to erase: statements hold nothing about persons themselves"
        )
    statement = predicates.erasure(
        asset, partition, number, statement=envelope.digest, detail=digest, reason=reason
    )
    attestations.write(
        catalog.settings, catalog.lake, "erasure/detail", digest, statement, number=1
    )
    sequencer.append_new(catalog)
    was_there = catalog.lake.exists(detail_path(digest))
    catalog.lake.remove(detail_path(digest))
    return str(digest), was_there
