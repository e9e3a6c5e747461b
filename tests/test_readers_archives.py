"""Readers of files in files: mails with attachments, archives, packed data, and bombs."""

import gzip
import random
import string
import zlib

import pyarrow as pa
import pytest
import zstandard

from tests import donated_files as make
from tests.reading import (
    mail,
    read,
    reason,
    texts,
)


def test_mail_gives_subject_and_body_and_its_attachments_apart():
    message = mail()
    message.set_content("Kære læser, se vedlagte.")
    message.add_alternative("<p>Kære læser, se vedlagte.</p>", subtype="html")
    text = "Også en ø".encode("cp1252")
    message.add_attachment(text, maintype="application", subtype="octet-stream", filename="a.txt")
    message.add_attachment(b"\x89PNG\r\n", maintype="image", subtype="png", filename="b.png")
    message.add_attachment(text, maintype="application", subtype="octet-stream", filename="a.txt")
    found, outcomes = read(message.as_bytes(), "post.eml")
    assert found == ["Hilsen på gensyn\n\nKære læser, se vedlagte.", "Også en ø", "Også en ø"]
    assert [(row.rel_path, row.outcome) for row in outcomes] == [
        ("post.eml", "ok"),
        ("post.eml!/a.txt", "ok"),
        ("post.eml!/b.png", "unsupported"),
        ("post.eml!/a.txt#2", "ok"),
    ]


def test_an_attachment_with_an_undecodable_name_is_read():
    raw = (
        b"From: a@example.dk\nSubject: Hej\nContent-Type: multipart/mixed; boundary=x\n\n"
        b"--x\nContent-Type: text/plain\n\nBrev\n"
        b'--x\nContent-Disposition: attachment; filename="bl\xe5.txt"\n\nBilag\n--x--\n'
    )
    found, outcomes = read(raw, "post.eml")
    assert found == ["Hej\n\nBrev", "Bilag"]
    assert pa.array([row.rel_path for row in outcomes]).to_pylist()[1].startswith("post.eml!/bl")


def test_a_damaged_member_is_an_error_of_its_own():
    data = make.archive({"a.txt": b"Foerst", "b.txt": b"Anden" * 50, "c.txt": b"Sidst"})
    packed = zlib.compress(b"Anden" * 50)[2:-4]
    assert packed in data
    damaged = data.replace(packed, b"\xff" * len(packed))
    found, outcomes = read(damaged, "alt.zip")
    assert found == ["Foerst", "Sidst"]
    assert [row.outcome for row in outcomes] == ["ok", "ok", "error", "ok"]


def test_mail_with_only_html_or_a_wrong_charset():
    message = mail()
    message.set_content("<p>Kære læser</p>", subtype="html")
    assert texts(message.as_bytes()) == ["Hilsen på gensyn\n\nKære læser"]
    wrong = (
        b"From: a@example.dk\nSubject: Hej\nContent-Type: text/plain; charset=utf-8\n"
        b"Content-Transfer-Encoding: 8bit\n\n" + "Også en ø".encode("latin-1")
    )
    assert texts(wrong) == ["Hej\n\nOgså en ø"]


def test_a_mail_in_a_mail_is_read():
    inner = mail(Subject="Indre")
    inner.set_content("Den inderste")
    outer = mail(Subject="Ydre")
    outer.set_content("Se nedenfor")
    outer.add_attachment(inner)
    assert texts(outer.as_bytes()) == ["Ydre\n\nSe nedenfor", "Indre\n\nDen inderste"]


def test_mbox_gives_each_mail():
    start = b"From - Mon Jan  1 10:00:00 2024\nFrom: a@example.dk\nSubject: "
    data = start + b"Et\n\nTekst\n>From her\n\n" + start + b"To\n\nTekst to\n"
    assert texts(data) == ["Et\n\nTekst\nFrom her", "To\n\nTekst to"]


def test_archives_give_their_members_as_files_of_their_own():
    inner = make.archive({"dyb.txt": b"Dybt"})
    data = make.archive({"a.txt": "Også en ø".encode("cp1252"), "b.bin": bytes(99), "c.zip": inner})
    found, outcomes = read(data, "alt.zip")
    assert found == ["Også en ø", "Dybt"]
    assert [(row.rel_path, row.outcome, row.encoding) for row in outcomes] == [
        ("alt.zip", "ok", None),
        ("alt.zip!/a.txt", "ok", "iso-8859-1"),
        ("alt.zip!/b.bin", "unsupported", None),
        ("alt.zip!/c.zip", "ok", None),
        ("alt.zip!/c.zip!/dyb.txt", "ok", "ascii"),
    ]


def test_archives_in_archives_end_somewhere():
    data = b"Hej"
    for _ in range(6):
        data = make.archive({"x": data})
    found, outcomes = read(data)
    assert found == []
    assert outcomes[-1].outcome == "error"
    assert "containers deep" in str(outcomes[-1].reason)


@pytest.mark.parametrize("kind", ["docx", "xlsx", "zip", "gz", "zst"])
def test_a_bomb_is_an_error_before_it_is_unpacked(kind: str):
    size = 100 * 2**20
    if kind == "docx":
        data = make.bomb(make.word(body=["a"]), "word/document.xml", size)
    elif kind == "xlsx":
        data = make.bomb(make.workbook({"Ark": [[1]]}), "xl/worksheets/sheet1.xml", size)
    elif kind == "zip":
        data = make.bomb(make.archive({"a": b"x"}), "a", size)
    elif kind == "gz":
        data = zlib.compress(b"a" * size, level=1, wbits=31)
    else:
        data = zstandard.compress(b"a" * size)
    assert "expand more than 200 times" in reason(data)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packed_data_cut_off_give_nothing(pack):
    letters = random.Random(1)
    lines = ["".join(letters.choices(string.ascii_letters, k=200)) for _ in range(2000)]
    data = pack(make.jsonl(lines))
    assert "data are damaged or cut off — pack and deliver" in reason(data[: len(data) // 2])
    assert "data are damaged or cut off" in reason(data[:-1])
