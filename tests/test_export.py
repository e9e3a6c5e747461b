"""A release in other formats: each is read back by the library that it is for."""

import csv
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tokenizers import Tokenizer

from dsk_assets.cli.main import EXPORTS, main
from dsk_assets.corpus.export import FORMATS, export, mds
from dsk_assets.corpus.export.checking import check
from dsk_assets.corpus.release import open_release
from dsk_assets.errors import CorruptedError, DskError, NotAdmittedError, StorageError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.merkle import inclusion_proof, leaf_hash, root_of, verify_inclusion
from dsk_assets.evidence.withdrawals import withdraw
from dsk_assets.intake.manifest_file import read_manifest
from dsk_assets.lake.digests import canonical_json, sha256_file
from dsk_assets.lake.store import Zone
from dsk_assets.settings import PROJECT_ROOT
from dsk_assets.training.config import load_training
from tests.corpora import donate, open_catalog, released, texts, tokenise, write
from tests.support import admit, seed

OPEN, CLOSED, EMPTY = "dsk-2026-0001@1.0.0", "dsk-2026-0007@1.0.0", "dsk-2026-0008@1.0.0"
FOLDERS = {OPEN: "arkiv-litteratur", CLOSED: "forsyning-kundeservice"}
CONTENTS = {OPEN: texts("a", 25), CLOSED: texts("bb", 8), EMPTY: texts("c", 1)}
WEIGHTS = {OPEN: 1.0, CLOSED: 2.5}
SHORTER = set(sorted(CONTENTS[OPEN])[3:5])
"""Documents whose first ten characters are cut out, because others have them too."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """A release of one donation that may be published and two that may not, one without text."""
    catalog = open_catalog(tmp_path_factory.mktemp("exported"))
    example = PROJECT_ROOT / "examples" / "consortium"
    own = catalog.settings.consortium
    for name in ("members.yaml", "agreements.yaml"):
        shutil.copy(example / name, own / name)
    for name in ("agreements", "licences"):
        shutil.copytree(example / name, own / name)
    write(
        own / "policies" / "often.yaml",
        {"name": "often", "version": "1", "applies_to": ["dsk-2026-0007"], "weight": 2.5},
    )
    for donation, contents in CONTENTS.items():
        dropped = contents if donation == EMPTY else ()
        donate(catalog, donation, contents, cut=SHORTER & contents.keys(), dropped=dropped)
        folder = FOLDERS.get(donation, FOLDERS[CLOSED])
        manifest = read_manifest(example / "donations" / folder).as_json()
        files = {"manifest.json": manifest}
        landing = seed(catalog, "donations/landing", donation, zone=Zone.RESTRICTED, files=files)
        admit(catalog, "approval", landing)
    from dsk_assets.gates.admitted import admitted

    for donation in CONTENTS:
        admitted(catalog, donation)
    tokenise(catalog, *CONTENTS)
    released(catalog)
    return catalog


def documents(catalog: Catalog) -> dict[str, dict[str, np.ndarray]]:
    """The tokens of each document by donation that has any, in the order of the shards."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for member in open_release(catalog, "1.0.0").members[:2]:
        shards = [np.fromfile(path, dtype) for path, dtype in member.files()]
        found[member.donation] = {
            span["doc_id"]: shards[span["shard"]][span["start"] : span["end"]]
            for span in member.shards.table("shard_span").to_pylist()
        }
    return found


def test_megatron_reads_every_document(catalog: Catalog, tmp_path: Path) -> None:
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    export(catalog, "1.0.0", "megatron", tmp_path / "out")
    for donation, expected in documents(catalog).items():
        read = IndexedDataset(str(tmp_path / "out" / donation))
        assert len(read) == len(expected)
        for tokens, own in zip(read, expected.values(), strict=True):
            assert np.array_equal(tokens, own)
        assert np.array_equal(read.document_indices, np.arange(len(expected) + 1))
    weights = dict(
        reversed(line.split(" ")) for line in (tmp_path / "out/blend.txt").read_text().splitlines()
    )
    tokens = {
        name: WEIGHTS[name] * sum(map(len, own.values()))
        for name, own in documents(catalog).items()
    }
    assert {name: float(weight) for name, weight in weights.items()} == tokens
    assert not list((tmp_path / "out").glob(f"{EMPTY}*"))


def test_megatron_takes_large_vocabularies(tmp_path: Path) -> None:
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    from dsk_assets.corpus.export.megatron import _index

    tokens = np.array([1, 70_000, 2, 5], "<i4")
    tokens.tofile(tmp_path / "x.bin")
    (tmp_path / "x.idx").write_bytes(_index(np.array([3, 1], np.int32), "int32"))
    read = IndexedDataset(str(tmp_path / "x"))
    assert [one.tolist() for one in read] == [[1, 70_000, 2], [5]]


def test_dolma_files_name_the_document_of_every_token(catalog: Catalog, tmp_path: Path) -> None:
    export(catalog, "1.0.0", "dolma", tmp_path / "out")
    dtype = next(iter(next(iter(documents(catalog).values())).values())).dtype
    for donation, expected in documents(catalog).items():
        found = {}
        for path in sorted((tmp_path / "out").glob(f"{donation}-*.csv.gz")):
            tokens = np.memmap(path.with_name(path.name.replace(".csv.gz", ".npy")), dtype, "r")
            with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file))
            assert [int(row[0]) for row in rows] == [0, *(int(row[1]) for row in rows[:-1])]
            assert int(rows[-1][1]) == len(tokens)
            found |= {row[2]: tokens[int(row[0]) : int(row[1])] for row in rows}
            assert {row[3] for row in rows} == {donation}
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[doc_id], expected[doc_id]) for doc_id in expected)


def test_olmo_reads_tokens_and_documents(catalog: Catalog, tmp_path: Path) -> None:
    """Runs where ai2-olmo-core is, which needs an environment of its own."""
    olmo = pytest.importorskip("olmo_core.data")
    from olmo_core.data.utils import iter_document_indices  # type: ignore[import-not-found]

    export(catalog, "1.0.0", "dolma", tmp_path / "out")
    for donation, expected in documents(catalog).items():
        left = list(expected.values())
        for path in sorted((tmp_path / "out").glob(f"{donation}-*.npy")):
            bounds = list(iter_document_indices(path, use_array_if_local=False))
            own, left = left[: len(bounds)], left[len(bounds) :]
            assert [end - start for start, end in bounds] == [len(one) for one in own]
            read = olmo.NumpyFSLDataset(
                path, sequence_length=16, pad_token_id=1, eos_token_id=0, vocab_size=600,
                dtype=np.uint16,
            )  # fmt: skip
            read.prepare()
            whole = np.concatenate([read[n]["input_ids"].numpy() for n in range(len(read))])
            tokens = np.concatenate(own)
            assert np.array_equal(whole, tokens[: len(tokens) // 16 * 16])
        assert not left


def read_by_mosaicml(export: Path, folder: Path) -> Any:
    """What MosaicML's library finds in *export*, in a process of its own."""
    library = Path(sys.prefix) / "mosaicml"
    if not library.is_dir():
        pytest.skip(f"no mosaicml-streaming in {library}; make install puts it there")
    ran = subprocess.run(
        [sys.executable, Path(__file__).with_name("read_mds.py"), export, folder / "cache"],
        env=os.environ | {"PYTHONPATH": str(library)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_mosaicml_reads_every_document(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mds, "SHARD_BYTES", 2000)
    export(catalog, "1.0.0", "mds", tmp_path / "out")
    assert len(list((tmp_path / "out" / OPEN).glob("*.mds"))) > 2
    assert all(one.stat().st_size <= 2000 for one in (tmp_path / "out").rglob("*.mds"))
    read = read_by_mosaicml(tmp_path / "out", tmp_path)
    expected = {
        donation: [
            {
                "doc_id": doc_id,
                "donation_id": donation.partition("@")[0],
                "tokens": tokens.tolist(),
                "dtype": tokens.dtype.name,
            }
            for doc_id, tokens in own.items()
        ]
        for donation, own in documents(catalog).items()
    }
    epoch = sum(int(WEIGHTS[name] * len(own)) for name, own in expected.items())
    assert read == {"samples": expected, "epoch": epoch}


@pytest.mark.parametrize(("length", "code", "width"), [(255, 0, 1), (256, 1, 2), (2**16, 2, 4)])
def test_mds_writes_the_length_of_a_document_as_narrow_as_it_goes(
    length: int, code: int, width: int
) -> None:
    column = mds._array(np.arange(length, dtype="<u4"))
    assert column[0] == 4 + code
    assert int.from_bytes(column[1 : 1 + width], "little") == length
    assert len(column) == 1 + width + 4 * length


def test_a_document_that_no_mds_shard_holds_is_named(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mds, "LARGEST", 300)
    with pytest.raises(StorageError, match=r"document \w+ has \d+ tokens, which no MDS shard"):
        export(catalog, "1.0.0", "mds", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_datasets_reads_the_six_columns_of_what_may_be_published(
    catalog: Catalog, tmp_path: Path
) -> None:
    from datasets import load_dataset

    export(catalog, "1.0.0", "dynaword", tmp_path / "out")
    files = sorted(map(str, (tmp_path / "out").rglob("*.parquet")))
    assert len(files) == 1
    rows = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))["train"]
    assert rows.column_names == ["id", "text", "source", "added", "created", "token_count"]
    expected = {
        name: text[10:].strip() if name in SHORTER else text
        for name, text in CONTENTS[OPEN].items()
    }
    assert dict(zip(rows["id"], rows["text"], strict=True)) == expected
    assert set(rows["source"]) == {OPEN.partition("@")[0]}
    counts = {doc_id: len(tokens) for doc_id, tokens in documents(catalog)[OPEN].items()}
    assert dict(zip(rows["id"], rows["token_count"], strict=True)) == counts
    assert (tmp_path / "out/left-out.txt").read_text() == f"{CLOSED}\n{EMPTY}\n"


@pytest.mark.parametrize("name", FORMATS)
def test_exports_are_listed_closed_to_others_and_the_same_twice(
    catalog: Catalog, tmp_path: Path, name: str
) -> None:
    files = export(catalog, "1.0.0", name, tmp_path / "one")
    assert files == export(catalog, "1.0.0", name, tmp_path / "two")
    listing = json.loads((tmp_path / "one/export.json").read_text())
    for entry in listing["files"]:
        path = tmp_path / "one" / entry["path"]
        assert sha256_file(path) == entry["sha256"] == sha256_file(tmp_path / "two" / entry["path"])
        assert path.stat().st_mode & 0o077 == 0
    assert {entry["path"] for entry in listing["files"]} == set(files) - {"export.json"}
    assert listing["digest"] == catalog.require("corpus/release", "1.0.0").digest


@pytest.mark.parametrize("name", ["megatron", "dolma", "mds"])
def test_tokens_come_with_their_tokenizer_and_what_is_held_out(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings = load_training(catalog.settings.consortium).model_copy(update={"held_out": 0.7})
    monkeypatch.setattr("dsk_assets.corpus.export.load_training", lambda consortium: settings)
    export(catalog, "1.0.0", name, tmp_path / "out")
    told = json.loads((tmp_path / "out/export.json").read_text())
    reader = Tokenizer.from_file(str(tmp_path / "out" / told["tokenizer"]["file"]))
    assert told["tokenizer"]["vocabulary"] == reader.get_vocab_size()
    held_out = 0
    for one in told["donations"]:
        tokens = documents(catalog).get(one["donation"], {})
        assert (one["documents"], one["tokens"]) == (len(tokens), sum(map(len, tokens.values())))
        first = [key for key in tokens if key < told["heldOut"]["idsBelow"]]
        assert first == list(tokens)[: one["heldOutDocuments"]], "they come first"
        assert one["heldOutTokens"] == sum(len(tokens[key]) for key in first)
        assert {int(document[-1]) for document in tokens.values()} <= {
            told["tokenizer"]["endOfText"]
        }
        held_out += len(first)
    assert held_out == 25, "those of the first donation, by their ids"


def test_one_file_can_be_proven_to_be_part_of_an_export(catalog: Catalog, tmp_path: Path) -> None:
    """With the root alone, and a few hashes of the tree (RFC 9162)."""
    export(catalog, "1.0.0", "dolma", tmp_path / "out")
    listing = json.loads((tmp_path / "out/export.json").read_text())
    leaves = [bytes.fromhex(entry["leaf"]) for entry in listing["files"]]
    place = len(leaves) // 2
    path = tmp_path / "out" / listing["files"][place]["path"]
    named = {"path": path.name, "sha256": sha256_file(path), "bytes": path.stat().st_size}
    proof = inclusion_proof(place, len(leaves), lambda start, end: root_of(leaves[start:end]))
    given = (place, len(leaves), proof, bytes.fromhex(listing["root"]))
    assert verify_inclusion(leaf_hash(canonical_json(named)), *given)
    assert not verify_inclusion(leaf_hash(canonical_json(named | {"bytes": 1})), *given)


def swap(folder: Path, one: str, other: str) -> None:
    (folder / one).rename(folder / "aside")
    (folder / other).rename(folder / one)
    (folder / "aside").rename(folder / other)


@pytest.mark.parametrize("name", FORMATS)
def test_a_copy_that_was_changed_is_named(catalog: Catalog, tmp_path: Path, name: str) -> None:
    whole = tmp_path / "whole"
    files = export(catalog, "1.0.0", name, whole)
    told = check(whole)
    assert told == check(whole, f"sha256:{told}") == sha256_file(whole / "export.json")
    one, other = (
        sorted(files[:-1], key=lambda file: (whole / file).stat().st_size)[place]
        for place in (-1, -2)
    )
    changes: list[tuple[Callable[[Path], object], str]] = [
        (lambda copy: (copy / one).open("r+b").write(b"\x07"), f"{one} has other bytes"),
        (lambda copy: (copy / one).unlink(), f"{one} is missing"),
        (lambda copy: (copy / "more").write_text("x"), "more was added"),
        (lambda copy: swap(copy, one, other), f"{other} has other bytes"),
        (lambda copy: (copy / "up").symlink_to("/etc"), "up is neither file nor folder"),
        (lambda copy: (copy / "export.json").write_text("{}"), "no readable export.json"),
    ]
    for number, (change, message) in enumerate(changes):
        copy = Path(shutil.copytree(whole, tmp_path / str(number)))
        change(copy)
        with pytest.raises(DskError, match=re.escape(message)):
            check(copy)
    listing = json.loads((whole / "export.json").read_bytes())
    listing["heldOut"]["idsBelow"] = "f" * 32
    (whole / "export.json").write_bytes(canonical_json(listing))
    check(whole)
    with pytest.raises(CorruptedError, match=r"export\.json is not the one with sha256"):
        check(whole, told)
    listing["files"] = listing["files"][1:]
    (whole / "export.json").write_bytes(canonical_json(listing))
    with pytest.raises(CorruptedError, match=r"was added; export\.json: leaves and root"):
        check(whole)


def test_nothing_is_overwritten_and_nothing_unjudged_leaves(
    catalog: Catalog, tmp_path: Path
) -> None:
    (tmp_path / "own.txt").write_text("mine")
    with pytest.raises(StorageError, match="is not empty — name a new folder"):
        export(catalog, "1.0.0", "megatron", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["own.txt"]
    lake = tmp_path / "copy"
    shutil.copytree(catalog.settings.home.parent, lake)
    refused = open_catalog(lake)
    withdraw(refused, CLOSED, refused.settings.date, "test")  # the gate admitted it before
    with pytest.raises(NotAdmittedError, match="composition refused"):
        export(refused, "1.0.0", "megatron", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_offers_every_format(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tuple(FORMATS) == EXPORTS
    monkeypatch.setenv("DSK_HOME", str(catalog.settings.home))
    monkeypatch.setenv("DSK_CONSORTIUM", str(catalog.settings.consortium))
    out = str(tmp_path / "out")
    result = CliRunner().invoke(
        main, ["corpus", "export", "1.0.0", "--format", "dolma", "--out", out]
    )
    assert result.exit_code == 0, result.output
    listing, digest = result.output.splitlines()[-1].split()
    assert listing == str(tmp_path / "out" / "export.json")
    checked = CliRunner().invoke(main, ["corpus", "check", out, "--sha256", digest])
    assert (checked.exit_code, digest in checked.output) == (0, True), checked.output
