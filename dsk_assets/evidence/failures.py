"""What went wrong in a stage for one partition, kept until the stage succeeds for it."""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass

from dsk_assets.errors import safe_message
from dsk_assets.evidence.catalog import UNPARTITIONED, Catalog
from dsk_assets.lake.digests import canonical_json
from dsk_assets.lake.store import Zone

FOLDER = f"{Zone.EVIDENCE}/failures"


@dataclass(frozen=True)
class Failure:
    """A stage that failed in *run*: *message* holds no donated text (see :func:`safe_message`)."""

    asset: str
    partition: str
    message: str
    attempts: int
    at: str
    run: str = ""


def record(
    catalog: Catalog, asset: str, partition: str | None, error: BaseException, attempts: int
) -> Failure:
    """Keep that *asset* failed for *partition* after so many attempts."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    key, message = partition or UNPARTITIONED, safe_message(error)
    failure = Failure(asset, key, message, attempts, now, catalog.run_id)
    with catalog.lake.writing(_path(asset, partition)) as path:
        path.write_bytes(canonical_json(asdict(failure)))
    return failure


def clear(catalog: Catalog, asset: str, partition: str | None) -> None:
    """Forget an earlier failure: the stage has succeeded."""
    catalog.lake.remove(_path(asset, partition))


def keep_only(catalog: Catalog, asset: str, partitions: Collection[str | None]) -> None:
    """Forget the failures of *asset* for all but *partitions*: what is replaced is not tried."""
    kept = {partition or UNPARTITIONED for partition in partitions}
    for failure in failures(catalog):
        if failure.asset == asset and failure.partition not in kept:
            clear(catalog, asset, failure.partition)


def failures(catalog: Catalog) -> list[Failure]:
    """All failures that still stand, by asset and partition."""
    lake = catalog.lake
    found = []
    for group in lake.names(FOLDER):
        for asset in lake.names(f"{FOLDER}/{group}"):
            for name in lake.names(f"{FOLDER}/{group}/{asset}"):
                data = json.loads(lake.read(f"{FOLDER}/{group}/{asset}/{name}"))
                found.append(Failure(**data))
    return found


def grouped(found: Iterable[Failure]) -> list[tuple[str, list[Failure]]]:
    """*found* by message, each once, with all that failed of it: one mistake stops many donations.

    Where a stage fails because of what it reads, both have the same message.
    """
    groups: dict[str, list[Failure]] = {}
    for failure in found:
        groups.setdefault(failure.message, []).append(failure)
    return list(groups.items())


def named(group: Sequence[Failure]) -> str:
    """The first of a group by name, and how many there are beside it."""
    first = f"{group[0].asset}[{group[0].partition}]"
    return first if len(group) == 1 else f"{first} and {len(group) - 1} more"


def _path(asset: str, partition: str | None) -> str:
    return f"{FOLDER}/{asset}/{partition or UNPARTITIONED}.json"
