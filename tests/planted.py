"""Invented personal data planted in a donation, and a search for it in all that was written.

The values stand in a file that can be read and in others that are damaged, each in its own way, so
that whatever a reader or a library says of a file it stumbles over is searched as well.
"""

import gzip
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dsk_assets.intake.manifest_file import write_files_section
from tests import donated_files as make

VALUES = (
    "170389-1234", "1703891234", "67 12 34 56", "anne.bundgaard@example.dk", "Anne Bundgaard",
    "Prøvevej 12", "4000 0012 3456 7899", "DK5000400440116243", "192.0.2.17",
)  # fmt: skip
TEXTS = (
    "Borger Anne Bundgaard, cpr 170389-1234, Prøvevej 12, 4000 Roskilde.",
    "Tlf. 67 12 34 56, anne.bundgaard@example.dk, ip 192.0.2.17.",
    "Kortet 4000 0012 3456 7899 og IBAN DK5000400440116243.",
    "Hr. Anne Bundgaard har epilepsi. Cpr 1703891234.",
)
_ALL = " ".join(TEXTS)


def damaged() -> dict[str, bytes]:
    """Files by name that hold the values and cannot be read, or not all of them."""
    table = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": [_ALL] * 9}), table, compression="none")
    parquet = table.getvalue().to_pybytes()
    word, rows = make.word(body=[_ALL]), make.workbook({"Ark": [[_ALL]]})
    return {
        "cut.docx": word[: len(word) // 2] + _ALL.encode(),
        "other.docx": make.archive(
            {"[Content_Types].xml": b"<x>", "word/document.xml": _utf(_ALL)}
        ),
        "cut.xlsx": rows[: len(rows) // 2],
        "broken.xlsx": make.archive(
            {"xl/workbook.xml": _utf(f"<{_ALL}"), "[Content_Types].xml": _utf(_ALL)}
        ),
        "secret.pdf": make.pdf(_ALL, make.ENCRYPTED),
        "cut.pdf": make.pdf(_ALL)[:400],
        "lines.jsonl": b"\n".join([b'{"text": "' + _utf(text) for text in TEXTS]),
        "fields.jsonl": b"\n".join(b'{"text": ["' + _utf(text) + b'"]}' for text in TEXTS),
        "one.json": b'{"' + _utf(_ALL) + b'": ' + _utf(_ALL),
        "page.xml": _utf(f"<TEI xmlns='http://www.tei-c.org/ns/1.0'><text><p>{_ALL}</q></text>"),
        "broken.po": _utf(f'msgid "{_ALL}\nmsgstr {_ALL}'),
        "cut.parquet": parquet[:4] + _utf(_ALL) + parquet[-8:],
        "cut.txt.gz": gzip.compress(_utf(_ALL) * 9)[:60],
        "mail.eml": b"Content-Type: text/plain; charset=no\nContent-Transfer-Encoding: base64\n"
        b"Subject: =?no?q?" + _utf(TEXTS[0]) + b"?=\n\n" + _utf(_ALL),
        "bytes.txt": b"\xff\xfe\x00\xd8" + _utf(_ALL) + b"\x00\xff\x81",
    }


def _utf(text: str) -> bytes:
    return text.encode()


def plant(folder: Path) -> None:
    """Put the values into the donation in *folder*, and the files into its manifest."""
    (folder / "files" / "whole.txt").write_text("\n\n".join(TEXTS), "utf-8")
    for name, data in damaged().items():
        (folder / "files" / name).write_bytes(data)
    write_files_section(folder)


def outside_restricted(folder: Path) -> Iterator[tuple[str, str]]:
    """Everything that was written below *folder* outside ``restricted``, in readable form."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "restricted" not in path.parts:
            yield str(path), _readable(path)


def _readable(path: Path) -> str:
    data = path.read_bytes()
    text = data.decode("utf-8", "replace")
    if data[:4] == b"PAR1":
        text += str(pq.read_table(path).to_pylist())
    elif data.startswith(b"SQLite format 3"):
        with sqlite3.connect(path) as database:
            text += "\n".join(map(str, database.iterdump()))
    elif data[8:12] == b"DUCK":
        with duckdb.connect(str(path), read_only=True) as database:
            for (table,) in database.sql("select table_name from duckdb_tables()").fetchall():
                text += str(database.sql(f'select * from "{table}"').fetchall())
    elif data[:2] == b"\x1f\x8b":
        text += gzip.decompress(data).decode("utf-8", "replace")
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                text += name + packed.read(name).decode("utf-8", "replace")
    return text


def leaks(written: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Where which value stands."""
    return [(name, value) for name, text in written for value in VALUES if value in text]
