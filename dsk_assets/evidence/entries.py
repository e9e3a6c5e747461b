"""Entries of the log: which statement was written, and the digests it had. No personal data."""

import json
import re
from dataclasses import dataclass

from dsk_assets.errors import CorruptedError
from dsk_assets.evidence.statements import PREDICATE_TYPE
from dsk_assets.lake.digests import canonical_json
from dsk_assets.lake.store import Zone

STATEMENTS = f"{Zone.EVIDENCE}/statements"
ATTESTATIONS = f"{Zone.EVIDENCE}/attestations"
UNPARTITIONED = "_"
_PLACE = re.compile(r"[^/]+/([^/]+/)+[^/]+/[0-9]{6,}\.json")


@dataclass(frozen=True)
class Entry:
    """One entry: ``envelope`` is the SHA-256 of the statement's file, ``statement`` of its payload.

    ``number`` counts the statements of the asset partition, from 1.
    """

    asset: str
    partition: str | None
    number: int
    predicate_type: str
    envelope: str
    statement: str

    @property
    def path(self) -> str:
        """Where the signed statement lies in the lake."""
        folder = STATEMENTS if self.predicate_type == PREDICATE_TYPE else ATTESTATIONS
        return statement_path(folder, self.asset, self.partition, self.number)

    @property
    def key(self) -> str:
        """``asset[partition] number``, for messages."""
        where = f"{self.asset}[{self.partition}]" if self.partition else self.asset
        return f"{where} {self.number}"

    def as_bytes(self) -> bytes:
        """The entry as canonical JSON: what the log hashes."""
        return canonical_json(
            {
                "asset": self.asset,
                "partition": self.partition,
                "number": self.number,
                "predicateType": self.predicate_type,
                "envelope": self.envelope,
                "statement": self.statement,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> "Entry":
        """The entry in *data*; :class:`CorruptedError` where it is none."""
        try:
            content = json.loads(data)
            return cls(
                asset=content["asset"],
                partition=content["partition"],
                number=content["number"],
                predicate_type=content["predicateType"],
                envelope=content["envelope"],
                statement=content["statement"],
            )
        except (ValueError, KeyError, TypeError):
            raise CorruptedError("an entry of the log is not readable") from None


def statement_path(folder: str, asset: str, partition: str | None, number: int) -> str:
    """Where statement *number* of an asset partition lies below *folder*."""
    return f"{folder}/{asset}/{partition or UNPARTITIONED}/{number:06d}.json"


def is_place(path: str) -> bool:
    """Whether *path*, below its folder, is one of a statement."""
    return _PLACE.fullmatch(path) is not None


def located(path: str) -> tuple[str, str | None, int]:
    """Asset, partition and number of the statement whose path below its folder is *path*.

    Raises ``ValueError`` for another path.
    """
    if not is_place(path):
        raise ValueError(path)
    *asset, partition, name = path.split("/")
    return (
        "/".join(asset),
        None if partition == UNPARTITIONED else partition,
        int(name.removesuffix(".json")),
    )
