"""What kind of file a source is, told by its bytes.

The name decides only between kinds that are all plain text (Markdown, CSV with one column).
"""

import csv
import re
import zipfile
from collections.abc import Sequence

from dsk_assets.intake.limits import CHUNK
from dsk_assets.intake.sources import Source, Unreadable, seekable

JSONL = "application/jsonl"
JSON = "application/json"
PARQUET = "application/vnd.apache.parquet"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
ODT = "application/vnd.oasis.opendocument.text"
ZIP = "application/zip"
RTF = "application/rtf"
TEI = "application/tei+xml"
ALTO = "application/alto+xml"
XML = "application/xml"
HTML = "text/html"
MAIL = "message/rfc822"
MBOX = "application/mbox"
GETTEXT = "text/x-gettext-translation"
CSV = "text/csv"
TSV = "text/tab-separated-values"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
BINARY = "application/octet-stream"
EMPTY = "application/x-empty"

_MAGIC = (
    (b"PAR1", PARQUET),
    (b"{\\rtf", RTF),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"ID3", "audio/mpeg"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!", "application/vnd.rar"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
)
_HTML_START = re.compile(
    r"\s*(<!--.*?-->\s*)*"
    r"<(!doctype html|html|head|body|title|meta|div|p|h[1-6]|table|ul|article)\b",
    re.IGNORECASE | re.DOTALL,
)
_ROOT = re.compile(r"<(?![?!])(?:[\w.-]+:)?([\w.-]+)([^>]*)", re.DOTALL)
_HEADER = re.compile(r"(?im)^(from|to|subject|date|received|return-path|message-id|mime-version):")
_MBOX_START = re.compile(r"From \S+.*\d{4}\r?\n(>?[A-Za-z-]+:)")
_PO = re.compile(r'(?m)^msgid\s+"')


def sniff(source: Source) -> str:
    """The media type of *source*, of its uncompressed bytes where it is compressed.

    Damaged containers keep the type of their packing; reading them tells what is wrong.
    """
    try:
        head = source.head()
    except Unreadable:
        return f"application/{source.compression}"
    if not head:
        return EMPTY
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _in_zip(source)
    if b"%PDF-" in head[:1024]:
        return PDF
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return _textual(head, source.name)


def _in_zip(source: Source) -> str:
    try:
        with seekable(source) as stream, zipfile.ZipFile(stream) as archive:
            names = set(archive.namelist())
    except (Unreadable, zipfile.BadZipFile, ValueError, OSError):
        return ZIP
    for part, kind in (
        ("word/document.xml", DOCX),
        ("xl/workbook.xml", XLSX),
        ("ppt/presentation.xml", PPTX),
        ("META-INF/manifest.xml", ODT),
    ):
        if part in names:
            return kind
    return ZIP


def _textual(head: bytes, name: str) -> str:
    text = _readable(head)
    if text is None:
        return BINARY
    start = text.lstrip("\ufeff \t\r\n")
    name = name.lower().removesuffix(".gz").removesuffix(".zst")
    if start.startswith("<"):
        return _markup(start)
    if name.endswith((".jsonl", ".ndjson")) and re.search(r'(?m)^[{\["]', start):
        return JSONL
    if start.startswith("{"):
        return _json_kind(start)
    if start.startswith("[") and re.match(r'\[\s*[\[{"\]]', start):
        return JSON
    if _MBOX_START.match(start):
        return MBOX
    if len({found.lower() for found in _HEADER.findall(start.partition("\n\n")[0])}) >= 2 and (
        re.match(r"[A-Za-z-]+:", start)
    ):
        return MAIL
    if _PO.search(start) and re.search(r'(?m)^msgstr(\[0\])?\s+"', start):
        return GETTEXT
    return _table_kind(start, name, len(head) == CHUNK) or (
        MARKDOWN if name.endswith((".md", ".markdown")) else TEXT
    )


def _readable(head: bytes) -> str | None:
    """The head's characters as far as structure needs them, or None where it is no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace").replace("\r\n", "\n")
    zeros = head.count(0)
    if zeros > len(head) / 5 and len(head) >= 8:
        order = "utf-16-le" if head[1::2].count(0) > head[0::2].count(0) else "utf-16-be"
        text = head.decode(order, "replace")
        if "\ufffd" in text[:-1] or "\x00" in text:
            return None
        return text.replace("\r\n", "\n")
    controls = sum(head.count(byte) for byte in (*range(9), *range(14, 27), 28, 29, 30, 31))
    if controls > max(2, len(head) / 200):
        return None
    return head.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")


def _markup(start: str) -> str:
    if _HTML_START.match(start):
        return HTML
    root = _ROOT.search(start)
    name, attributes = (root[1].lower(), root[2]) if root else ("", "")
    if name == "html" or "<html" in start[:4096].lower():
        return HTML
    if name.startswith("tei") or "www.tei-c.org/ns" in attributes:
        return TEI
    if name.startswith("alto") or "standards/alto" in attributes:
        return ALTO
    return XML if start.startswith("<?xml") or root else TEXT


def _json_kind(start: str) -> str:
    """JSON Lines where the first line closes what it opens, or does not end in sight."""
    line, newline, _ = start.partition("\n")
    if not newline:
        return JSONL
    return JSONL if line.rstrip().endswith("}") else JSON


def _table_kind(start: str, name: str, cut: bool) -> str | None:
    named = name.endswith((".csv", ".tsv", ".tab"))
    lines = start.split("\n")[: -1 if cut else None]
    for delimiter in ("\t", ";", ",", "|"):
        widths = row_widths(lines, delimiter)
        if widths and _consistent(widths, named):
            return TSV if delimiter == "\t" else CSV
    return CSV if named else None


def row_widths(lines: Sequence[str], delimiter: str) -> list[int]:
    """Cells in each of the first rows."""
    try:
        rows = list(csv.reader((line for line in lines[:200] if line), delimiter=delimiter))
    except csv.Error:
        return []
    return [len(row) for row in rows]


def _consistent(widths: list[int], named: bool) -> bool:
    """Whether rows are as wide as rows of one table; without a name to say so, beyond doubt."""
    common = max(set(widths), key=lambda width: (widths.count(width), width))
    share = widths.count(common) / len(widths)
    if named:
        return common >= 2 and share >= 0.8
    return common >= 3 and share == 1.0 and len(widths) >= 10
