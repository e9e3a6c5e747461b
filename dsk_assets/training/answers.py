"""What the checkpoints of a lake have read of a document or of a donation: ``dsk exposure``.

A checkpoint and the release that it names say all that its order depends on, so no question about
a donation opens anything else, and one about a document only what finds it in its release.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dsk_assets.corpus.lookup import Place, find
from dsk_assets.corpus.release import ASSET as RELEASE
from dsk_assets.corpus.release import FILE, open_release
from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.lake.digests import sha256_json
from dsk_assets.training.exposure import reads
from dsk_assets.training.order import NAME, Order, Source

CHECKPOINT = "training/checkpoint"


@dataclass(frozen=True)
class Exposure:
    """What one checkpoint has read of a donation, or of one of its documents.

    ``tokens`` is its length without what is ``held_out``, tokens that are never trained on;
    ``tokens_read`` counts each reading, ``first_step`` is the step that first read a token of it,
    None where none has been read.
    """

    checkpoint: str
    step: int
    donation: str
    tokens: int
    held_out: int
    tokens_read: int
    first_step: int | None

    @property
    def times_read(self) -> float:
        """How often it was read on average."""
        return self.tokens_read / self.tokens if self.tokens else 0.0

    def as_json(self) -> dict[str, str | int | float | None]:
        """All of it, for programs."""
        return {
            "checkpoint": self.checkpoint,
            "step": self.step,
            "donation": self.donation,
            "tokens": self.tokens,
            "held_out": self.held_out,
            "tokens_read": self.tokens_read,
            "times_read": self.times_read,
            "first_step": self.first_step,
        }


def of_checkpoint(catalog: Catalog, key: str) -> list[Exposure]:
    """What the checkpoint *key* has read of every donation of its release.

    Raises :class:`MissingInputError` for an unknown one.
    """
    snapshot = catalog.latest(CHECKPOINT, key)
    if snapshot is None:
        known = ", ".join(catalog.partitions(CHECKPOINT)) or "none yet"
        raise MissingInputError(f"there is no checkpoint {key} — the checkpoints are: {known}")
    return list(_Trained.of(catalog, snapshot, {}).donations())


def of_donation(catalog: Catalog, donation: str) -> list[Exposure]:
    """What each checkpoint has read of *donation*, a key or an id that stands for all versions.

    Raises :class:`MissingInputError` where no checkpoint's release has the donation.
    """
    found = [
        exposure
        for trained in _checkpoints(catalog)
        for exposure in trained.donations()
        if donation in (exposure.donation, exposure.donation.partition("@")[0])
    ]
    return _or_missing(found, f"donation {donation}")


def of_document(catalog: Catalog, doc_id: str) -> list[Exposure]:
    """What each checkpoint has read of the document, computed from the order of its run.

    Raises :class:`MissingInputError` where no checkpoint's release has the document, and
    :class:`CorruptedError` where the span table that has it was changed.
    """
    found: list[Exposure] = []
    places: dict[str, Place | None] = {}
    for trained in _checkpoints(catalog):
        version = str(trained.release.snapshot.partition)
        if version not in places:
            places[version] = find(open_release(catalog, version).members, doc_id)
        place = places[version]
        if place is not None:
            found.append(trained.exposed(place))
    return _or_missing(found, f"document {doc_id}")


def newest_unread(catalog: Catalog, exposures: Iterable[Exposure]) -> str | None:
    """The newest checkpoint that has read nothing of it, if there is one.

    One whose release does not have it has read nothing of it either.
    """
    read = {one.checkpoint for one in exposures if one.tokens_read}
    keys = [str(snapshot.partition) for snapshot in _snapshots(catalog)]
    return next((key for key in reversed(keys) if key not in read), None)


def _or_missing(found: list[Exposure], name: str) -> list[Exposure]:
    if not found:
        raise MissingInputError(
            f"{name} is in no release that a checkpoint was trained on — `dsk why` says what "
            "became of a document, `dsk status` lists the donations"
        )
    return found


def _snapshots(catalog: Catalog) -> list[Snapshot]:
    """All checkpoints, the oldest first."""
    snapshots = [catalog.require(CHECKPOINT, key) for key in catalog.partitions(CHECKPOINT)]
    return sorted(snapshots, key=partial(_age, catalog))


def _checkpoints(catalog: Catalog) -> Iterator["_Trained"]:
    opened: dict[str, _Release] = {}
    for snapshot in _snapshots(catalog):
        yield _Trained.of(catalog, snapshot, opened)


def _age(catalog: Catalog, snapshot: Snapshot) -> tuple[str, int]:
    """When a checkpoint was made for the first time, and its step: repaired, it is no newer."""
    number = catalog.numbers(CHECKPOINT, snapshot.partition)[0]
    if number != snapshot.number:
        snapshot = catalog.numbered(CHECKPOINT, snapshot.partition, number)
    moment = snapshot.statement["predicate"]["runDetails"]["metadata"]["finishedOn"]
    return moment, int(snapshot.counts["step"])


@dataclass
class _Release:
    """A release, what it says of its donations, and the orders in which they are read."""

    snapshot: Snapshot
    donations: Sequence[Mapping[str, Any]]
    orders: dict[str, Order] = field(default_factory=dict)


@dataclass(frozen=True)
class _Trained:
    """A checkpoint and the release that it was trained on."""

    snapshot: Snapshot
    named: Mapping[str, Any]
    """The order of reading, as the checkpoint names it."""
    release: _Release

    @classmethod
    def of(cls, catalog: Catalog, snapshot: Snapshot, opened: dict[str, _Release]) -> "_Trained":
        """The checkpoint *snapshot*; those of one release share what was *opened*."""
        origin = snapshot.json("checkpoint.json")
        version = origin["release"]
        if version not in opened:
            release = catalog.require(RELEASE, version)
            opened[version] = _Release(release, release.json(FILE)["donations"])
        return cls(snapshot, origin["order"], opened[version])

    @property
    def step(self) -> int:
        return int(self.snapshot.counts["step"])

    @property
    def order(self) -> Order:
        """The order of reading, which checkpoints of one run share.

        A checkpoint says of each donation how many tokens are trained on; the others are held out.
        Raises :class:`CorruptedError` where the release is another one.
        """
        named, release = self.named, self.release.snapshot
        if (named["name"], named["release"]) != (NAME, release.digest):
            raise CorruptedError(
                f"{self.snapshot.key} was trained in the order {named['name']} over a "
                f"release with digest {named['release']}, and {release.key} is another one — "
                "restore it from a copy of the lake"
            )
        key = sha256_json(dict(named))
        if key not in self.release.orders:
            sources = tuple(
                Source(one["donation"], row["tokens"], one["weight"], one["tokens"] - row["tokens"])
                for one, row in zip(self.release.donations, self._read, strict=True)
            )
            length = named["sequenceLength"]
            self.release.orders[key] = Order(named["seed"], release.digest, sources, length)
        return self.release.orders[key]

    @property
    def _read(self) -> list[dict[str, Any]]:
        return self.snapshot.table("exposure").to_pylist()

    def donations(self) -> Iterator[Exposure]:
        for row, one in zip(self._read, self.release.donations, strict=True):
            held_out = one["tokens"] - row["tokens"]
            yield Exposure(str(self.snapshot.partition), self.step, held_out=held_out, **row)

    def exposed(self, place: Place) -> Exposure:
        source = self.order.sources[place.source]
        start, end = (max(0, at - source.held_out) for at in (place.start, place.end))
        batch_size = self.named["batchSize"]
        found = reads(self.order, place.source, start, end, self.step, batch_size)
        return Exposure(
            checkpoint=str(self.snapshot.partition),
            step=self.step,
            donation=source.donation,
            tokens=end - start,
            held_out=place.end - place.start - (end - start),
            tokens_read=found.until(self.step),
            first_step=found.first,
        )
