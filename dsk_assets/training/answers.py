"""What the checkpoints of a lake have read of a document or of a donation: ``dsk exposure``."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb

from dsk_assets.corpus.release import OpenedRelease, open_release
from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.training.exposure import reads
from dsk_assets.training.order import NAME, Order
from dsk_assets.training.released import document_offsets, release_order

CHECKPOINT = "training/checkpoint"


@dataclass(frozen=True)
class Exposure:
    """What one checkpoint has read of a donation, or of one of its documents.

    ``tokens`` is its length, ``tokens_read`` counts each reading, ``first_step`` is the step that
    first read a token of it; None where none has been read.
    """

    checkpoint: str
    step: int
    donation: str
    tokens: int
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
            "tokens_read": self.tokens_read,
            "times_read": self.times_read,
            "first_step": self.first_step,
        }


def of_checkpoint(catalog: Catalog, key: str) -> list[Exposure]:
    """What the checkpoint *key* has read of every donation of its release."""
    return list(_Trained(catalog, catalog.require(CHECKPOINT, key)).donations())


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

    Raises :class:`MissingInputError` where no checkpoint's release has the document.
    """
    found: list[Exposure] = []
    places: dict[str, list[Place]] = {}
    for trained in _checkpoints(catalog):
        version = trained.release.version
        if version not in places:
            places[version] = Spans.of(trained.release).find(doc_id)
        found += [trained.exposed(place) for place in places[version]]
    return _or_missing(found, f"document {doc_id}")


def newest_unread(exposures: Iterable[Exposure]) -> str | None:
    """The newest checkpoint that has read nothing of it, if there is one."""
    unread = [one.checkpoint for one in exposures if not one.tokens_read]
    return unread[-1] if unread else None


def _or_missing(found: list[Exposure], name: str) -> list[Exposure]:
    if not found:
        raise MissingInputError(
            f"{name} is in no release that a checkpoint was trained on — `dsk why` says what "
            "became of a document, `dsk status` lists the donations"
        )
    return found


def _checkpoints(catalog: Catalog) -> Iterator["_Trained"]:
    """All checkpoints, the oldest first; those of one release share what was opened."""
    snapshots = [catalog.require(CHECKPOINT, key) for key in catalog.partitions(CHECKPOINT)]
    opened: dict[str, OpenedRelease] = {}
    for snapshot in sorted(snapshots, key=_finished):
        trained = _Trained(catalog, snapshot)
        version = trained.origin["release"]
        opened[version] = trained.release = opened.get(version) or trained.release
        yield trained


def _finished(snapshot: Snapshot) -> tuple[str, str]:
    moment = snapshot.statement["predicate"]["runDetails"]["metadata"]["finishedOn"]
    return moment, str(snapshot.partition)


@dataclass
class _Trained:
    """A checkpoint and the release and order it was trained with."""

    catalog: Catalog
    snapshot: Snapshot

    @cached_property
    def origin(self) -> dict[str, Any]:
        content: dict[str, Any] = self.snapshot.json("checkpoint.json")
        return content

    @property
    def step(self) -> int:
        return int(self.snapshot.counts["step"])

    @cached_property
    def release(self) -> OpenedRelease:
        return open_release(self.catalog, self.origin["release"])

    @cached_property
    def order(self) -> Order:
        """The order of reading; :class:`CorruptedError` where the release is another one."""
        named = self.origin["order"]
        share = named.get("heldOut", 0.0)
        made = release_order(self.release, named["seed"], named["sequenceLength"], share)
        if (named["name"], named["release"]) != (NAME, made.release):
            raise CorruptedError(
                f"{self.snapshot.key} was trained in the order {named['name']} over a "
                f"release with digest {named['release']}, and release "
                f"{self.release.version} is another one — restore it from a copy of the lake"
            )
        return made

    def donations(self) -> Iterator[Exposure]:
        for row in self.snapshot.table("exposure").to_pylist():
            yield Exposure(str(self.snapshot.partition), self.step, **row)

    def exposed(self, place: "Place") -> Exposure:
        named = self.origin["order"]
        held_out = self.order.sources[place.source].held_out
        stretch = (max(0, place.start - held_out), max(0, place.end - held_out))
        found = reads(self.order, place.source, *stretch, self.step, named["batchSize"])
        return Exposure(
            checkpoint=str(self.snapshot.partition),
            step=self.step,
            donation=self.order.sources[place.source].donation,
            tokens=place.end - place.start,
            tokens_read=found.until(self.step),
            first_step=found.first,
        )


@dataclass(frozen=True)
class Place:
    """Where a document stands: number of its donation, and its tokens from start to before end.

    Tokens are counted through the donation's shards laid end to end.
    """

    source: int
    start: int
    end: int


@dataclass(frozen=True)
class Spans:
    """The span tables of a release, verified once and open for any number of questions."""

    files: Mapping[str, int]
    """Path of each file, and the number of the donation it belongs to."""
    offsets: tuple[Mapping[int, int], ...]
    """For each donation, the tokens before each of its shards."""
    database: duckdb.DuckDBPyConnection

    @classmethod
    def of(cls, release: OpenedRelease) -> "Spans":
        """Those of *release*; :class:`CorruptedError` where a file was changed."""
        files = {
            str(path): number
            for number, member in enumerate(release.members)
            for path in member.shards.paths("shard_span")
        }
        database = duckdb.connect()
        database.execute("set parquet_metadata_cache = true")
        return cls(files, tuple(map(document_offsets, release.members)), database)

    def find(self, doc_id: str) -> list[Place]:
        """Where the document stands; nothing where the release has it not.

        Reads the row groups whose smallest and largest ``doc_id`` leave room for it, no others.
        """
        rows = self.database.execute(
            """
            select filename, shard, "start", "end"
            from read_parquet($files, filename = true) where doc_id = $doc_id
            """,
            {"files": list(self.files), "doc_id": doc_id},
        ).fetchall()
        places = []
        for filename, shard, start, end in rows:
            number = self.files[filename]
            before = self.offsets[number][shard]
            places.append(Place(number, before + start, before + end))
        return places
