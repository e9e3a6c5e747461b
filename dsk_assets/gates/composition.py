"""Gate ``composition``: may everything that is in a corpus release be trained on today?"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import polars as pl

from dsk_assets.errors import NotAdmittedError
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates.admitted import ADMISSION, LANDING, current_donations, require_admitted
from dsk_assets.gates.approval import is_withdrawn
from dsk_assets.gates.judging import judge, scan
from dsk_assets.gates.spans import TOKENS

CODE_VERSION = "1"
SHARDS = "corpus/shards"


@dataclass(frozen=True)
class Part:
    """One donation of a release, as it stands today; None where a gate does not admit it."""

    donation: str
    admitted: Snapshot | None
    spans: Snapshot | None
    shards: Snapshot | None
    withdrawn: bool
    expired: bool

    @property
    def inputs(self) -> list[Snapshot]:
        """What was read of it."""
        return [one for one in (self.admitted, self.spans) if one is not None]

    @property
    def valid_until(self) -> dt.date | None:
        """The last day of its admission; None without an end."""
        until = self.admitted.json(ADMISSION)["validUntil"] if self.admitted else None
        return dt.date.fromisoformat(until) if until else None


def composition(catalog: Catalog, release: str) -> Snapshot:
    """Judge the release of version *release*; the decision ends with the earliest admission.

    A release is frozen, so its shards are looked up by the digests it names, and a gate's
    decision on them counts although newer shards may have been made since.
    """
    snapshot = catalog.require("corpus/release", release)
    digests = {
        entry["donation"]: entry["digest"] for entry in snapshot.json("release.json")["donations"]
    }
    rows = scan(snapshot, "release_shard").select("donation", "sha256", "tokens").collect()
    parts = [
        _part(catalog, donation, digests.get(donation, ""))
        for donation in sorted({*digests, *rows["donation"]})
    ]
    measures = {
        "donations": len(parts),
        "tokens": int(rows["tokens"].sum()),
        "unadmitted_donations": sum(part.admitted is None for part in parts),
        "withdrawn_donations": sum(part.withdrawn for part in parts),
        "expired_donations": sum(part.expired for part in parts),
        "donations_without_spans_gate": sum(part.spans is None for part in parts),
        "shards_with_other_bytes": sum(_other_bytes(part, rows) for part in parts),
        "superseded_donations": len(
            {part.donation for part in parts} - set(current_donations(catalog))
        ),
    }
    ends = [part.valid_until for part in parts if part.valid_until is not None]
    return judge(
        catalog,
        "composition",
        snapshot,
        lambda: measures,
        code_version=CODE_VERSION,
        inputs=[one for part in parts for one in part.inputs],
        config={"measures": measures},
        valid_until=min(ends, default=None),
    )


def _part(catalog: Catalog, donation: str, digest: str) -> Part:
    landing = catalog.latest(LANDING, donation)
    try:
        admitted = require_admitted(catalog, donation)
    except NotAdmittedError:
        admitted = None
    return Part(
        donation=donation,
        admitted=admitted,
        spans=_spans_verdict(catalog, donation, digest),
        shards=_with_digest(catalog.history(SHARDS, donation), digest),
        withdrawn=landing is not None and is_withdrawn(catalog, landing),
        expired=_is_expired(catalog, donation),
    )


def _with_digest(history: list[Snapshot], digest: str) -> Snapshot | None:
    return next((one for one in reversed(history) if one.digest == digest), None)


def _spans_verdict(catalog: Catalog, donation: str, digest: str) -> Snapshot | None:
    """The newest decision on the shards with *digest*, where it admits them."""
    for verdict in reversed(catalog.history(admission.asset_of("spans"), donation)):
        decided = admission.decision(verdict)
        if decided.judged_digest == digest:
            return verdict.only(admission.VERDICT) if decided.admitted else None
    return None


def _is_expired(catalog: Catalog, donation: str) -> bool:
    newest = catalog.latest(admission.asset_of("approval"), donation)
    until = admission.decision(newest).valid_until if newest else None
    return until is not None and until < catalog.settings.date


def _other_bytes(part: Part, rows: pl.DataFrame) -> int:
    """How many of the release's shard rows name no file of the shards it was made of."""
    named = rows.filter(pl.col("donation") == part.donation)["sha256"]
    files: dict[str, Any] = (
        {file.sha256: file for file in part.shards.files if file.name.startswith(TOKENS)}
        if part.shards
        else {}
    )
    return sum(sha256 not in files for sha256 in named)
