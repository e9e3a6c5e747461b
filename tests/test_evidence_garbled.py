"""Whatever lies in a file, a folder or a name: each is named, and nothing ends in a crash."""

import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.errors import CorruptedError
from dsk_assets.evidence import attestations, sequencer
from dsk_assets.evidence.verify.envelopes import Unreadable, read_statement
from dsk_assets.evidence.witness import from_request
from tests.evidence_lake import DONATIONS, RELEASE, Home
from tests.tampered_lake import DEEP, SHAPES, checked, codes, garbled
from tests.tampered_lake import home as home
from tests.tampered_lake import intact as intact
from tests.tampering import edit, statement

GATE = "gate/composition"


MOMENTS = ("2026-99-99T99:99:99.000Z", "yesterday", "2026-01-01T00:00:00Z", 7, None)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_that_is_none_is_unreadable(home: Home, moment: object):
    path = home.statement("corpus/release", RELEASE)
    edit(path, lambda content: content["predicate"]["runDetails"]["metadata"].update(
        startedOn=moment))  # fmt: skip
    with pytest.raises(Unreadable):
        read_statement(path.read_bytes(), {}, str(path.relative_to(home.lake)))


def test_a_statement_of_any_shape_is_read_or_unreadable(home: Home):
    """Every value of a statement replaced by values of other shapes: never another error."""
    for asset, partition in (("corpus/release", RELEASE), (GATE, RELEASE)):
        path = home.statement(asset, partition)
        _all_shapes(path, str(path.relative_to(home.lake)))
    for path in (home.lake / "evidence/attestations").rglob("*.json"):
        _all_shapes(path, str(path.relative_to(home.lake)), some=40)


def _all_shapes(path: Path, place: str, some: int = 400) -> None:
    original = path.read_bytes()
    drawn = random.Random(place)
    spots = list(_spots(statement(path)))
    for spot in drawn.sample(spots, min(some // len(SHAPES), len(spots))):
        for shape in SHAPES:
            path.write_bytes(original)
            edit(path, lambda content, spot=spot, shape=shape: _put(content, spot, shape))
            try:
                read_statement(path.read_bytes(), {}, place)
            except Unreadable:
                continue
    path.write_bytes(original)


def _spots(value: Any, at: tuple[Any, ...] = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in items:
        yield (*at, key)
        if isinstance(one, dict | list):
            yield from _spots(one, (*at, key))


def _put(content: Any, spot: tuple[Any, ...], shape: Any) -> None:
    for key in spot[:-1]:
        content = content[key]
    content[spot[-1]] = shape


def evident(home: Home) -> list[Path]:
    """Every file that a statement or the log speaks of, and every file of the evidence."""
    skipped = ("lock",)
    files = [path for path in home.lake.rglob("*") if path.is_file() and path.name not in skipped]
    size = int((home.log / "checkpoint").read_text().split("\n")[1])
    current = {f"{size % 256}"}
    return sorted(path for path in files if path.parent.suffix != ".p" or path.name in current)


def test_whatever_is_done_to_any_file_is_named(home: Home):
    """A fault with a code for each of 120 drawn changes; no crash, and never "nothing is wrong"."""
    drawn = random.Random(20261125)
    files = evident(home)
    for number in range(120):
        path = files[drawn.randrange(len(files))]
        original = path.read_bytes()
        how = drawn.choice(("bytes", "bytes", "bytes", "gone", "folder"))
        if how == "bytes":
            path.write_bytes(garbled(drawn, original))
        else:
            path.unlink()
            if how == "folder":
                path.mkdir()
        assert codes(checked(home)), (number, how, str(path.relative_to(home.lake)))
        if how == "folder":
            path.rmdir()
        path.write_bytes(original)
    assert codes(checked(home)) == set()


@pytest.mark.parametrize("target", ["/dev/zero", "loop", "nothing"])
def test_a_file_that_is_a_link_to_no_file(home: Home, target: str):
    """What would give bytes for ever is not read."""
    for path in (
        home.statement("corpus/release", RELEASE),
        next(home.lake.glob(f"curated/corpus/release/{RELEASE}/*/release.json")),
        home.log / "checkpoint",
    ):
        data = path.read_bytes()
        path.unlink()
        path.symlink_to(path if target == "loop" else target)
        assert codes(checked(home))
        path.unlink()
        path.write_bytes(data)


def test_a_link_to_a_folder_is_named_and_not_followed(home: Home, tmp_path: Path):
    """A web server would follow it, and publish what lies there."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/000001.json").write_bytes(b"{}")
    for place, code in (
        ("public/elsewhere", "file-stray"),
        (f"curated/corpus/shards/{DONATIONS[0]}/extra", "file-stray"),
        ("evidence/statements/corpus/release/9.9.9", "statement-unreadable"),
    ):
        path = home.lake / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (fault,) = [fault for fault in checked(home).faults if not fault.is_limit]
        assert (fault.code, fault.place) == (code, place)
        path.unlink()


def test_strays_of_any_form_and_name_are_named(home: Home):
    folder = home.lake / "evidence/statements"
    strays = [
        folder / "x.json",
        folder / ("long" * 60) / "y.json",
        folder / "corpus/release/1.0.0/copy.json",
        folder / "corpus/release" / "a\nb" / "000001.json",
    ]
    for number, path in enumerate(strays):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((DEEP, b"\xff", b"[]", b"null")[number])
    found = [fault for fault in checked(home).faults if not fault.is_limit]
    assert {fault.code for fault in found} == {"statement-unreadable"}
    assert len(found) == len(strays)
    assert all(fault.text().isprintable() for fault in found)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"old 3\n!!\n\nnote", b"old \xc2\xb2\n\nx"])
def test_a_garbled_request_to_a_witness(tmp_path: Path, content: bytes):
    path = tmp_path / "request"
    path.write_bytes(content)
    with pytest.raises(CorruptedError):
        from_request(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\n", DEEP])
def test_a_file_of_events_that_holds_none(tmp_path: Path, content: bytes):
    path = tmp_path / "events.ndjson"
    path.write_bytes(content)
    result = CliRunner().invoke(main, ["openlineage", "check", str(path)])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)


def test_garbage_among_what_waits_for_signatures_is_named(home: Home):
    stray = home.lake / "evidence/pending/stray"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"\xff")
    catalog = home.catalog("dsk")
    ring, size = sequencer.keyring(catalog)
    with pytest.raises(CorruptedError, match="stray"):
        list(attestations.pending(catalog.lake, ring, size))
