"""Corpus releases: frozen, versioned sets of shards with the weights of their mix.

A release never changes and stays readable: it names each donation's shards by digest, and
:func:`open_release` finds the materialisation with that digest also after newer ones were made.
Its version follows https://semver.org: removed documents, or another tokenizer, raise the major
version, added documents the minor, and other weights or changed text the patch version.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from dsk_assets.consortium.policy import policy_for
from dsk_assets.corpus import shards as corpus_shards
from dsk_assets.corpus.config import load_corpus
from dsk_assets.corpus.shards import shard_file
from dsk_assets.errors import CorruptedError, MissingInputError, NotAdmittedError
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.merkle import root_of
from dsk_assets.gates.admitted import admitted_donations, require_admitted
from dsk_assets.lake.digests import sha256_json
from dsk_assets.lake.store import Zone

CODE_VERSION = "2"
ASSET = "corpus/release"
FILE = "release.json"
FIRST = "1.0.0"

_RELEASE_SHARD: list[tuple[str, pa.DataType]] = [
    ("donation", pa.string()),
    ("shard", pa.int32()),
    ("sha256", pa.string()),
    ("tokens", pa.int64()),
    ("documents", pa.int64()),
    ("weight", pa.float64()),
]
RELEASE_SHARD = pa.schema(_RELEASE_SHARD)


@dataclass(frozen=True)
class Member:
    """One donation of a release: its shards, and how often a pass over the release reads them."""

    donation: str
    shards: Snapshot
    weight: float

    @property
    def tokens(self) -> int:
        """Tokens of all its shards."""
        return int(self.shards.counts["tokens"])

    @cached_property
    def table(self) -> pa.Table:
        """Its ``shard`` table."""
        return self.shards.table("shard")

    def files(self) -> Iterator[tuple[Path, str]]:
        """Verified path and number type of each shard file, in the order of the shards."""
        for shard in self.table.to_pylist():
            yield self.shards.path(shard_file(shard["shard"])), shard["dtype"]

    def as_json(self) -> dict[str, Any]:
        """What ``release.json`` says of the donation."""
        return {
            "donation": self.donation,
            "digest": self.shards.digest,
            "weight": self.weight,
            **{name: self.shards.counts[name] for name in _COUNTED},
        }


_COUNTED = ("tokens", "documents", "characters", "shards")


@dataclass(frozen=True)
class OpenedRelease:
    """A release and the very materialisations it was made of."""

    snapshot: Snapshot
    tokenizer: Snapshot
    members: tuple[Member, ...]

    @property
    def version(self) -> str:
        """Its version, which is the partition."""
        return str(self.snapshot.partition)


@dataclass(frozen=True)
class ReleaseDiff:
    """What release ``b`` has and release ``a`` has not, and the other way round.

    Donations are keys with their version; documents are tables of ``donation_id`` and ``doc_id``,
    so a document that a newer version of its donation still has is neither added nor removed.
    """

    donations_added: tuple[str, ...]
    donations_removed: tuple[str, ...]
    documents_added: pa.Table
    documents_removed: pa.Table

    def as_json(self) -> dict[str, Any]:
        """The difference as JSON: documents as lists of ``donation_id`` and ``doc_id``."""
        return {
            "donations_added": list(self.donations_added),
            "donations_removed": list(self.donations_removed),
            "documents_added": self.documents_added.to_pylist(),
            "documents_removed": self.documents_removed.to_pylist(),
        }


def release(catalog: Catalog) -> Snapshot:
    """The newest release: made now from all admitted donations, or the present one if it is equal.

    Its partition is its version. ``release.json``: ``name``, ``version``, ``previous``,
    ``tokenizer`` (digest), totals, ``donations`` with the digest of their shards, their weight and
    counts, and ``root`` of the Merkle tree over the leaves of all shards, in their order.
    ``release_shard``: one row for each shard. A donation is in it when its admission is in force
    and gate ``spans`` admits its shards, which the newest tokenizer must have made. Raises
    :class:`NotAdmittedError` when there is none.
    """
    tokenizer = catalog.require("corpus/tokenizer")
    members, inputs = _members(catalog, tokenizer)
    name = load_corpus(catalog.settings.consortium).release
    content = {
        "name": name,
        "tokenizer": tokenizer.digest,
        "donations": [member.as_json() for member in members],
    }
    config = {"content": sha256_json(content)}
    version, previous = _version(catalog, config, tokenizer, members)

    def produce(out: Output) -> None:
        totals = {name: sum(member.shards.counts[name] for member in members) for name in _COUNTED}
        leaves = [bytes.fromhex(row["leaf"]) for one in members for row in one.table.to_pylist()]
        root = {"root": root_of(leaves).hex()}
        out.json(FILE, {"version": version, "previous": previous, **content, **totals, **root})
        out.table("release_shard", [_release_shard(member) for member in members], RELEASE_SHARD)
        out.count(donations=len(members), **totals)

    return catalog.materialise(
        ASSET,
        version,
        zone=Zone.CURATED,
        inputs=[tokenizer, *inputs],
        config=config,
        code_version=CODE_VERSION,
        produce=produce,
        frozen=True,
    )


def versions(catalog: Catalog) -> list[str]:
    """Versions of all releases, oldest first."""
    return sorted(catalog.partitions(ASSET), key=_numbers)


def newest_version(catalog: Catalog) -> str | None:
    """Version of the newest release, or None before the first."""
    return next(reversed(versions(catalog)), None)


def newest_release(catalog: Catalog) -> Snapshot | None:
    """The newest release, or None before the first."""
    version = newest_version(catalog)
    return catalog.latest(ASSET, version) if version else None


def open_release(catalog: Catalog, version: str) -> OpenedRelease:
    """The release with everything it names, found by digest.

    Raises :class:`MissingInputError` for an unknown version, and :class:`CorruptedError` when
    something it names is no longer in the catalog.
    """
    snapshot = catalog.require(ASSET, version)
    content = snapshot.json(FILE)
    return OpenedRelease(
        snapshot=snapshot,
        tokenizer=_with_digest(catalog, snapshot, "corpus/tokenizer", None, content["tokenizer"]),
        members=tuple(_member(catalog, snapshot, entry) for entry in content["donations"]),
    )


def diff(catalog: Catalog, a: str, b: str) -> ReleaseDiff:
    """What changed from the release of version *a* to that of version *b*."""
    return _difference(open_release(catalog, a).members, open_release(catalog, b).members)


def _members(catalog: Catalog, tokenizer: Snapshot) -> tuple[list[Member], list[Snapshot]]:
    members: list[Member] = []
    inputs: list[Snapshot] = []
    for donation in admitted_donations(catalog):
        try:
            admitted = require_admitted(catalog, donation)
            shards = catalog.require(corpus_shards.ASSET, donation)
            verdict = admission.require(catalog, "spans", shards)
        except (MissingInputError, NotAdmittedError):
            continue
        if not _made_with(shards, tokenizer):
            continue
        policy = policy_for(catalog.settings.consortium, donation.partition("@")[0])
        members.append(Member(donation, shards, policy.weight))
        inputs += [shards, verdict, admitted]
    if not members:
        raise NotAdmittedError(
            "corpus/release has nothing to be made of: no admitted donation has shards that gate "
            "spans admits — materialise corpus/shards first"
        )
    return members, inputs


def _made_with(shards: Snapshot, tokenizer: Snapshot) -> bool:
    inputs = shards.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    used = [one["digest"]["sha256"] for one in inputs if one["uri"] == "dsk:corpus/tokenizer"]
    return used == [tokenizer.digest]


def _version(
    catalog: Catalog, config: Mapping[str, Any], tokenizer: Snapshot, members: list[Member]
) -> tuple[str, str | None]:
    """The version for the content that *config* names, and the version before it."""
    known = versions(catalog)
    if not known:
        return FIRST, None
    newest = catalog.require(ASSET, known[-1])
    if newest.statement["predicate"]["buildDefinition"]["internalParameters"]["config"] == config:
        return known[-1], known[-2] if len(known) > 1 else None
    before = open_release(catalog, known[-1])
    change = _difference(before.members, tuple(members))
    major, minor, patch = _numbers(known[-1])
    if change.documents_removed.num_rows or before.tokenizer.digest != tokenizer.digest:
        return f"{major + 1}.0.0", known[-1]
    if change.documents_added.num_rows:
        return f"{major}.{minor + 1}.0", known[-1]
    return f"{major}.{minor}.{patch + 1}", known[-1]


def _difference(a: tuple[Member, ...], b: tuple[Member, ...]) -> ReleaseDiff:
    keys_a, keys_b = {one.donation for one in a}, {one.donation for one in b}
    equal = {one.shards.digest for one in a} & {one.shards.digest for one in b}
    in_a = _documents(one for one in a if one.shards.digest not in equal)
    in_b = _documents(one for one in b if one.shards.digest not in equal)
    return ReleaseDiff(
        donations_added=tuple(sorted(keys_b - keys_a)),
        donations_removed=tuple(sorted(keys_a - keys_b)),
        documents_added=_only_in(in_b, in_a),
        documents_removed=_only_in(in_a, in_b),
    )


def _documents(members: Iterator[Member]) -> pl.DataFrame:
    schema = {"donation_id": pl.String, "doc_id": pl.String}
    spans = [member.shards.table("shard_span", list(schema)) for member in members]
    return pl.concat(
        [pl.DataFrame(schema=schema), *(pl.DataFrame(pl.from_arrow(table)) for table in spans)]
    )


def _only_in(one: pl.DataFrame, other: pl.DataFrame) -> pa.Table:
    only = one.join(other, on=["donation_id", "doc_id"], how="anti")
    return only.sort("donation_id", "doc_id").to_arrow()


def _release_shard(member: Member) -> pa.Table:
    rows = [
        {"donation": member.donation, "weight": member.weight, **shard}
        for shard in member.table.drop_columns(["donation_id", "dtype"]).to_pylist()
    ]
    return pa.Table.from_pylist(rows, RELEASE_SHARD)


def _member(catalog: Catalog, release: Snapshot, entry: Mapping[str, Any]) -> Member:
    donation = entry["donation"]
    shards = _with_digest(catalog, release, corpus_shards.ASSET, donation, entry["digest"])
    return Member(donation, shards, entry["weight"])


def _with_digest(
    catalog: Catalog, release: Snapshot, asset: str, partition: str | None, digest: str
) -> Snapshot:
    for snapshot in reversed(catalog.history(asset, partition)):
        if snapshot.digest == digest:
            return snapshot
    raise CorruptedError(
        f"{release.key} names {asset}[{partition or ''}] with digest {digest}, which the catalog "
        "does not know — restore its statements from a copy of the evidence zone"
    )


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(number) for number in version.split("."))
    return major, minor, patch
