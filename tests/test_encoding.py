"""Encodings: found from the bytes, whatever a file says of itself."""

import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsk_assets.intake.encoding import NotText, detect

WORDS = [
    *("rødgrød", "med", "fløde", "på", "øen", "Æbeløe", "når", "årene", "går", "bliver", "ælden"),
    *("større", "også", "hjælp", "Østerbro", "Århus", "lægehuset", "spørgsmål", "måske", "øjeblik"),
    *("først", "således", "være", "over", "under", "mellem", "gård", "skov", "by", "hus"),
]
SINGLE_BYTE = ("windows-1252", "iso-8859-1", "cp850", "mac_roman")


def decoded(data: bytes, declared: str | None = None, size: int = 7) -> str:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = detect(pieces, declared)
    return data.decode(found.name, found.errors)


@pytest.mark.parametrize("encoding", (*SINGLE_BYTE, "utf-8", "utf-8-sig", "utf-16", "utf-16-le"))
@settings(deadline=None)
@given(words=st.lists(st.sampled_from(WORDS), min_size=3, max_size=40))
def test_danish_is_read_in_every_encoding_of_old_archives(encoding: str, words: list[str]):
    text = " ".join(["Kære læser", *words])
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", SINGLE_BYTE)
@pytest.mark.parametrize("declared", ["utf-8", "windows-1252", "ascii", "no-such-codec", "", None])
def test_a_wrong_declaration_makes_no_mojibake(encoding: str, declared: str | None):
    text = "Også i går så Åse en rød bil på Ærø."
    assert decoded(text.encode(encoding), declared) == text


@pytest.mark.parametrize("declared", ["iso-8859-1", "windows-1252", "cp850"])
def test_valid_utf8_is_utf8_whatever_is_declared(declared: str):
    text = "Også i går så Åse en rød bil på Ærø."
    assert decoded(text.encode(), declared) == text


def test_a_declared_code_page_is_believed_where_the_bytes_bear_it_out():
    text = "Příliš žluťoučký kůň úpěl ďábelské ódy, řekla žena v černém kabátě."
    assert decoded(text.encode("iso-8859-2"), "iso-8859-2") == text


def test_cyrillic_is_not_read_as_western_letters():
    text = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 20
    assert decoded(text.encode("windows-1251")) == text


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"kun ascii", "ascii"),
        ("så".encode(), "utf-8"),
        ("\ufeffså".encode(), "utf-8-sig"),
        ("så det".encode("utf-16"), "utf-16"),
        ("så det er sådan".encode("utf-16-be"), "utf-16-be"),
        ("så det er".encode("latin-1"), "iso-8859-1"),
        ("så det er – sagde hun – sådan".encode("cp1252"), "windows-1252"),
    ],
)
def test_the_name_that_is_recorded(data: bytes, name: str):
    assert detect([data]).name == name


def test_stray_bytes_in_utf8_are_read_as_windows_1252_and_noted():
    text = "Rødgrød med fløde på øen. " * 5
    data = text.encode() + "Tilføjet på en gammel maskine".encode("cp1252")
    found = detect([data])
    assert data.decode(found.name, found.errors) == text + "Tilføjet på en gammel maskine"
    assert found.note is not None
    assert "not UTF-8" in found.note


def test_utf8_cut_in_the_middle_of_a_letter_is_still_utf8():
    assert decoded(("blåbær " * 20 + "å").encode()[:-1]).startswith("blåbær blåbær")


@pytest.mark.parametrize("seed", range(5))
def test_bytes_that_are_no_text_are_refused(seed: int):
    with pytest.raises(NotText):
        detect([random.Random(seed).randbytes(4000)])


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_utf8_is_always_read_as_it_was_written(text: str):
    data = text.encode()
    if b"\x00" in data or text.startswith("\ufeff"):
        return
    assert unicodedata.normalize("NFC", decoded(data)) == unicodedata.normalize("NFC", text)
