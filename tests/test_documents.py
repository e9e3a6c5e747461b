"""The stage ``donations/documents``: every file has an outcome, every document a row."""

import gzip
import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dsk_assets.errors import MissingInputError, NotAdmittedError, StorageError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.filters.normalisation import KINDS
from dsk_assets.intake import documents as stage
from dsk_assets.intake.documents import DOCUMENT, SOURCE_FILE, documents
from dsk_assets.intake.landing import land
from dsk_assets.lake.digests import canonical_json, sha256_bytes, sha256_text
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings
from tests import donated_files as make
from tests.support import DONATION, admit
from tests.support_donations import make_donation, read_donation

LETTERS = "abcdefghijklmnopqrstuvwxyzæøå     "


def texts(number: int, length: int, seed: int = 1) -> list[str]:
    """Texts that hardly compress."""
    source = random.Random(seed)
    return ["".join(source.choices(LETTERS, k=length)) for _ in range(number)]


def rows(snapshot: Snapshot, table: str) -> list[dict[str, Any]]:
    return snapshot.table(table).to_pylist()


def outcome(catalog: Catalog, tmp_path: Path, data: bytes, name: str = "a.bin") -> dict[str, Any]:
    """The row of a file that lies in a donation beside a sound one, which must stay intact."""
    folder = make_donation(tmp_path / "delivery", {name: data, "sound.txt": "Kære læser".encode()})
    made = read_donation(catalog, folder)
    found = {row["rel_path"]: row for row in rows(made, "source_file")}
    assert found["sound.txt"]["outcome"] == "ok"
    assert "Kære læser" in [row["text"] for row in rows(made, "document")]
    return found[name]


def test_documents_and_files_have_their_rows(catalog: Catalog, tmp_path: Path):
    data = make.jsonl(["  Først, og så - ét ord til: 3,5!\r\nÅh", "To"])
    files = {"b/tekster.jsonl": data, "a.txt": "Kære læser".encode("cp1252"), "c.png": b"\x89PNG"}
    made = read_donation(catalog, make_donation(tmp_path, files))
    assert made.folder.startswith(f"{Zone.RESTRICTED}/donations/documents/{DONATION}/")
    assert made.table("document").schema == DOCUMENT
    assert made.table("source_file").schema == SOURCE_FILE
    first, second, third = rows(made, "document")
    text = "Først, og så - ét ord til: 3,5!\nÅh"
    identity = canonical_json(["dsk-2026-0001", "b/tekster.jsonl", 0])
    assert second == {
        "doc_id": sha256_bytes(identity)[:32],
        "donation_id": "dsk-2026-0001",
        "file_id": sha256_bytes(data),
        "ordinal": 0,
        "text": text,
        "text_sha256": sha256_text(text),
        "n_char": len(text),
        "n_word": 9,
        "added": "2026-11-01",
        "created": "2019-01-01, 2020-02-29",
    }
    assert (first["text"], third["text"], third["ordinal"]) == ("Kære læser", "To", 1)
    table = rows(made, "source_file")
    assert [(row["rel_path"], row["outcome"], row["documents"]) for row in table] == [
        ("a.txt", "ok", 1),
        ("b/tekster.jsonl", "ok", 2),
        ("c.png", "unsupported", 0),
    ]
    assert [row["encoding"] for row in table] == ["iso-8859-1", "utf-8", None]
    assert made.counts == {
        "documents": 3,
        "characters": len(text) + 12,
        "words": 12,
        "files": {"ok": 2, "unsupported": 1},
        "encodings": {"iso-8859-1": 1, "utf-8": 1},
        "normalised": dict.fromkeys(KINDS, 0) | {"line_ends": 1},
        "records_without_text": 0,
        "records_skipped": 0,
    }


@pytest.mark.parametrize(
    ("period", "created"),
    [
        (("unknown", "unknown"), "unknown, unknown"),
        (("1871-03", "1871"), "1871-03-01, 1871-12-31"),
        (("1871-03-09", "1871-04"), "1871-03-09, 1871-04-30"),
    ],
)
def test_partial_dates_are_widened(
    catalog: Catalog, tmp_path: Path, period: tuple[str, str], created: str
):
    start, end = period
    folder = make_donation(
        tmp_path,
        {"a.txt": b"Hej"},
        received=None,
        dataset__period__content_start=start,
        dataset__period__content_end=end,
    )
    (row,) = rows(read_donation(catalog, folder), "document")
    assert (row["added"], row["created"]) == ("2026-10-01", created)


def test_nothing_is_read_before_approval(catalog: Catalog, tmp_path: Path):
    with pytest.raises(MissingInputError):
        documents(catalog, DONATION)
    landing = land(catalog, make_donation(tmp_path, {"a.txt": b"Hej"}))
    with pytest.raises(NotAdmittedError, match="has not been judged by gate approval"):
        documents(catalog, DONATION)
    admit(catalog, "approval", landing, admitted=False)
    with pytest.raises(NotAdmittedError, match="gate approval refused"):
        documents(catalog, DONATION)


def test_a_revised_donation_keeps_the_ids_of_its_documents(catalog: Catalog, tmp_path: Path):
    first = make_donation(tmp_path / "1", {"a.jsonl": make.jsonl(["Et", "To"])})
    second = make_donation(
        tmp_path / "2", {"a.jsonl": make.jsonl(["Et", "To", "Tre"])}, version="1.1.0"
    )
    ids = [
        [row["doc_id"] for row in rows(read_donation(catalog, folder), "document")]
        for folder in (first, second)
    ]
    assert ids[1][:2] == ids[0]
    assert len(set(ids[1])) == 3


def test_a_donation_without_any_text_has_empty_tables(catalog: Catalog, tmp_path: Path):
    made = read_donation(catalog, make_donation(tmp_path, {"a.png": b"\x89PNG"}))
    assert made.table("document").num_rows == 0
    assert made.table("document").schema == DOCUMENT
    assert made.counts["documents"] == 0


def test_parts_hold_a_bounded_share_and_all_documents(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stage, "PART_BYTES", 20_000)
    given = texts(100, 1000)
    made = read_donation(
        catalog, make_donation(tmp_path, {"a.jsonl": make.jsonl(given), "b.txt": b"Sidst"})
    )
    parts = [pa.parquet.read_table(path)["text"].to_pylist() for path in made.paths("document")]
    assert len(parts) > 4
    assert all(sum(len(text.encode()) for text in part[:-1]) < 20_000 for part in parts)
    assert [text for part in parts for text in part] == [*(text.strip() for text in given), "Sidst"]


def test_equal_donations_give_equal_bytes(tmp_path: Path):
    files = {f"{number}.jsonl": make.jsonl(texts(5, 50, number)) for number in range(3)}
    files |= {"a.docx": make.word(body=["Brev"]), "b.html": b"<p>Side</p>"}
    digests = set()
    for name in ("here", "there"):
        catalog = Catalog(load_settings(home=tmp_path / name))
        digests.add(read_donation(catalog, make_donation(tmp_path / f"{name}-in", files)).digest)
    assert len(digests) == 1


def test_a_second_run_reads_nothing(catalog: Catalog, tmp_path: Path):
    folder = make_donation(tmp_path / "delivery", {"a.txt": b"Hej"})
    read_donation(catalog, folder)
    catalog.made.clear()
    read_donation(catalog, folder)
    assert catalog.made == []


def test_the_statement_names_no_file_and_no_text(catalog: Catalog, tmp_path: Path):
    folder = make_donation(tmp_path, {"Bodil Prøve.txt": b"Hemmeligt", "Bodil.bin": bytes(9)})
    statement = json.dumps(read_donation(catalog, folder).statement)
    assert "odil" not in statement
    assert "emmeligt" not in statement


def test_truncated_gzip(catalog: Catalog, tmp_path: Path):
    data = gzip.compress(make.jsonl(texts(200, 100)))
    row = outcome(catalog, tmp_path, data[:-100], "a.jsonl.gz")
    assert (row["outcome"], row["documents"]) == ("error", 0)
    assert row["reason"] == (
        "the gzip data are damaged or cut off — pack and deliver the file again"
    )


def test_invalid_utf8(catalog: Catalog, tmp_path: Path):
    row = outcome(catalog, tmp_path, bytes(range(128, 256)) * 30)
    assert row["outcome"] == "error"
    assert row["reason"] == (
        "the bytes are no text in a known encoding — deliver the file in UTF-8"
    )


def test_stray_bytes_in_utf8(catalog: Catalog, tmp_path: Path):
    row = outcome(catalog, tmp_path, "Blåbærgrød ".encode() * 9 + b"\xe5", "a.txt")
    assert (row["outcome"], row["encoding"]) == ("ok", "utf-8")
    assert row["reason"] == "some bytes are not UTF-8 and were read as Windows-1252 — check them"


def test_a_line_of_50_mb(catalog: Catalog, tmp_path: Path):
    data = b'{"text": "' + b"x" * 50_000_000 + b'"}\n{"text": "kort"}\n'
    row = outcome(catalog, tmp_path, data, "a.jsonl")
    assert (row["outcome"], row["documents"]) == ("ok", 1)
    assert row["reason"] == "records left out: 1 (line 1 is longer than 32 MB)"


def test_an_empty_file(catalog: Catalog, tmp_path: Path):
    row = outcome(catalog, tmp_path, b"")
    assert (row["outcome"], row["reason"]) == ("empty", "the file has no bytes")


def test_a_zip_bomb_in_a_docx(catalog: Catalog, tmp_path: Path):
    data = make.bomb(make.word(body=["Brev"]), "word/document.xml", 100 * 2**20)
    row = outcome(catalog, tmp_path, data, "a.docx")
    assert row["outcome"] == "error"
    assert row["reason"].startswith("the packed data expand more than 200 times")


def test_an_encrypted_pdf(catalog: Catalog, tmp_path: Path):
    row = outcome(catalog, tmp_path, make.pdf("Hemmeligt", make.ENCRYPTED), "a.pdf")
    assert row["outcome"] == "error"
    assert row["reason"] == "the PDF is encrypted — deliver it without a password"


def child(home: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run *script* in a process of its own, with ``catalog`` over the lake in *home*."""
    head = (
        "import os, resource, signal\n"
        "from pathlib import Path\n"
        "from dsk_assets.errors import DskError\n"
        "from dsk_assets.evidence.catalog import Catalog, Output\n"
        "from dsk_assets.intake import documents as stage\n"
        "from dsk_assets.settings import load_settings\n"
        f"catalog = Catalog(load_settings(home=Path({str(home)!r})))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", head + script], capture_output=True, text=True, check=False
    )


def test_a_full_disk_while_writing(tmp_path: Path):
    home = tmp_path / "dsk"
    catalog = Catalog(load_settings(home=home))
    earlier = read_donation(catalog, make_donation(tmp_path / "1", {"a.txt": b"Hej"}))
    files = {"a.jsonl": make.jsonl(texts(300, 5000))}
    landing = land(catalog, make_donation(tmp_path / "2", files, version="2.0.0"))
    admit(catalog, "approval", landing)
    run = child(
        home,
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: stage.documents(catalog, 'dsk-2026-0001@2.0.0')\n"
        "except DskError as error: print(type(error).__name__, error)\n",
    )
    assert run.stdout.startswith(f"{StorageError.__name__} could not write restricted/donations/")
    assert "nothing already written was touched" in run.stdout
    assert catalog.latest("donations/documents", "dsk-2026-0001@2.0.0") is None
    assert documents(catalog, DONATION) == earlier
    assert [row["text"] for row in rows(earlier, "document")] == ["Hej"]
    assert documents(catalog, "dsk-2026-0001@2.0.0").counts["documents"] == 300


KILLED_AT_PART = """
stage.PART_BYTES = 20_000
write, written = Output.table, []
def kill(*arguments, **options):
    written.append(write(*arguments, **options))
    if len(written) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return written[-1]
Output.table = kill
stage.documents(catalog, 'dsk-2026-0001@1.0.0')
"""


def test_a_killed_run_leaves_nothing_and_the_next_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stage, "PART_BYTES", 20_000)
    folder = make_donation(tmp_path / "delivery", {"a.jsonl": make.jsonl(texts(100, 1000))})
    undisturbed = read_donation(Catalog(load_settings(home=tmp_path / "one")), folder)
    catalog = Catalog(load_settings(home=tmp_path / "two"))
    admit(catalog, "approval", land(catalog, folder))
    run = child(tmp_path / "two", KILLED_AT_PART)
    assert run.returncode == -signal.SIGKILL
    assert catalog.latest("donations/documents", DONATION) is None
    assert list((tmp_path / "two" / "lake" / "restricted").rglob("document/part-*"))
    assert documents(catalog, DONATION).digest == undisturbed.digest


def test_memory_does_not_grow_with_the_file(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    line = make.jsonl(texts(1, 10_000))
    with path.open("wb") as file:
        for _ in range(20):
            file.write(line * 500)
    run = child(
        tmp_path / "dsk",
        "from dsk_assets.consortium.policy import NormalisationPolicy\n"
        "from dsk_assets.intake.reading import Reading\n"
        "from dsk_assets.intake.sources import Source\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "reading = Reading('d', NormalisationPolicy())\n"
        "def read(data): return sum(1 for _ in reading.read(data, 'f'))\n"
        "read(Source.of_bytes(b'{\"text\": \"a\"}\\n' * 2, 'a.jsonl'))\n"
        f"before, path = peak(), Path({str(path)!r})\n"
        "print(read(Source.of_file(path, 'a.jsonl')), peak() - before)\n",
    )
    assert path.stat().st_size > 100 * 2**20
    count, grown = map(int, run.stdout.split())
    assert count == 10_000
    assert grown < 40


def test_text_is_normalised_and_the_changes_are_recorded(catalog: Catalog, tmp_path: Path):
    delivered = ["KÃ¸benhavn\r\nog A\u030arhus", "Ren tekst"]
    made = read_donation(catalog, make_donation(tmp_path, {"a.jsonl": make.jsonl(delivered)}))
    assert [row["text"] for row in rows(made, "document")] == ["København\nog Århus", "Ren tekst"]
    [row] = rows(made, "normalisation")
    assert row["doc_id"] == rows(made, "document")[0]["doc_id"]
    assert (row["mojibake"], row["line_ends"], row["nfc"], row["control"]) == (1, 1, 1, 0)
    assert row["length"] == len(delivered[0])
    assert row["stretches"] == [
        {"start": 10, "original": 12, "length": 3},
        {"start": 14, "original": 17, "length": 4},
    ]
    assert made.counts["normalised"] == {
        **dict.fromkeys(KINDS, 0),
        **dict.fromkeys(("mojibake", "line_ends", "nfc"), 1),
    }
