"""A lake to tamper with, and how somebody with or without its keys does so."""

import datetime as dt
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dsk_assets.evidence import log, sequencer
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.verify.lake import Report, verify
from dsk_assets.evidence.withdrawals import withdraw
from dsk_assets.lake.digests import canonical_json, sha256_bytes
from tests.evidence_lake import DONATIONS, Home, release
from tests.tampering import statement

DEEP = b"[" * 100_000 + b"]" * 100_000
SHAPES: tuple[Any, ...] = (None, 7, -1.5, "text", "\x00", [], ["x"], {}, {"a": []}, True)


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A release and a checkpoint, a frozen whole of 150 parts, and a withdrawal to come."""
    home = Home(tmp_path_factory.mktemp("intact") / "home")
    catalog = home.catalog("dsk")
    release(catalog)
    withdraw(catalog, DONATIONS[1], dt.date(2090, 1, 1), "Inga Opfundet asked for it")
    sequencer.append_new(catalog)
    return home


@pytest.fixture
def home(intact: Home, tmp_path: Path) -> Home:
    return intact.copy(tmp_path / "home")


def checked(home: Home, **options: Any) -> Report:
    return verify(home.catalog("dsk"), **options)


def codes(report: Report) -> set[str]:
    return {fault.code for fault in report.faults if not fault.is_limit}


def forget(home: Home) -> None:
    for folder in (home.log, home.path / "log", home.path / "cache"):
        shutil.rmtree(folder)


def logged_anew(home: Home) -> Report:
    """The report after somebody with all keys has written the log anew from what lies there."""
    forget(home)
    sequencer.append_new(home.catalog("dsk"))
    return checked(home)


def appended(home: Home, path: Path, **changes: object) -> Report:
    """The report after somebody with the log's key has entered *path* with *changes*."""
    data = path.read_bytes()
    asset, partition, number = path.parts[-4:-2], path.parts[-2], int(path.stem)
    content = statement(path)
    entry = {
        "asset": "/".join(asset), "partition": partition, "number": number,
        "predicateType": content["predicateType"], "envelope": sha256_bytes(data),
        "statement": sha256_bytes(canonical_json(content)), **changes,
    }  # fmt: skip
    log.Log(home.settings, home.catalog().lake).append([canonical_json(entry)])
    return checked(home)


def read_by(catalog: Catalog, asset: str, partition: str) -> list[Snapshot]:
    """What the newest statement of an asset partition names as its inputs, all of one donation."""
    build = catalog.require(asset, partition).statement["predicate"]["buildDefinition"]
    return [
        catalog.require(one["uri"].removeprefix("dsk:").split("[")[0], partition).only(
            *one["annotations"].get("only", [""])
        )
        for one in build["resolvedDependencies"]
    ]


def garbled(drawn: random.Random, data: bytes) -> bytes:
    """*data* flipped, cut, prolonged, or replaced by something else; never the same."""
    position = drawn.randrange(len(data)) if data else 0
    choices: list[Callable[[], bytes]] = [
        lambda: data[:position] + bytes([data[position] ^ 1 << drawn.randrange(8)])
        + data[position + 1 :] if data else b"x",
        lambda: data[:position],
        lambda: data + b"\n{}",
        lambda: b"",
        lambda: DEEP,
        lambda: b"\xff\xfe\x00",
        lambda: canonical_json(drawn.choice(SHAPES)),
        lambda: drawn.randbytes(50),
    ]  # fmt: skip
    made = drawn.choice(choices)()
    return made if made != data else data + b" "
