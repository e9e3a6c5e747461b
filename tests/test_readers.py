"""Readers: the text of every format that is read, and a plain outcome for what cannot be."""

import gzip
import json
import random

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dsk_assets.consortium.policy import NormalisationPolicy
from dsk_assets.filters.normalisation import normalise
from dsk_assets.intake import sniff
from dsk_assets.intake.limits import MAX_RECORD
from dsk_assets.intake.readers import READERS
from dsk_assets.intake.reading import Reading, clean
from dsk_assets.intake.sniff import sniff as media_type
from dsk_assets.intake.sources import Source
from tests import donated_files as make
from tests.reading import (
    ALTO,
    EVERY_FORMAT,
    PAGE,
    PO,
    PROSE,
    RTF,
    TEI,
    parquet,
    read,
    reason,
    texts,
)

SUFFIX = {sniff.MARKDOWN: "x.md", sniff.CSV: "x.csv", sniff.TSV: "x.tsv"}


def test_every_reader_has_its_format_here():
    assert set(EVERY_FORMAT) == set(READERS)


@pytest.mark.parametrize("kind", EVERY_FORMAT, ids=lambda kind: READERS[kind])
def test_a_format_is_told_by_its_bytes_packed_or_not(kind: str):
    data, name = EVERY_FORMAT[kind], SUFFIX.get(kind, "x.bin")
    packed = (gzip.compress(data), zstandard.compress(data))
    plain, outcomes = read(data, name)
    assert (outcomes[0].media_type, outcomes[0].reader) == (kind, READERS[kind])
    assert plain
    assert [media_type(Source.of_bytes(one, name)) for one in packed] == [kind, kind]
    assert [read(one, name)[0] for one in packed] == [plain, plain]


def test_jsonl_takes_text_and_title_at_any_depth():
    records = [
        {"id": "1", "titel": "Overskrift", "tekst": "Brød", "nr": 7},
        {
            "sag": {"navn": "Bodil"},
            "beskeder": [{"nr": 1, "tekst": "En"}, {"nr": 2, "tekst": "To"}],
        },
        {"text": ["Afsnit et", "Afsnit to"]},
        {"spørgsmål": "Hvorfor?", "svar": "Derfor", "point": 3, "vist": True},
        "Bare tekst",
        {"text": None},
    ]
    data = "\n".join(json.dumps(record) for record in records).encode()
    assert texts(data) == [
        "Overskrift\n\nBrød",
        "En\n\nTo",
        "Afsnit et\n\nAfsnit to",
        "spørgsmål: Hvorfor?\nsvar: Derfor\npoint: 3",
        "Bare tekst",
    ]


@settings(deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=20))
def test_jsonl_gives_each_text_in_order(given_texts: list[str]):
    found, _ = read(make.jsonl([text.replace("\ud800", "") for text in given_texts]), "a.jsonl")
    made = [normalise(text, NormalisationPolicy()).text for text in given_texts]
    assert found == [text for text in made if text]


def test_a_damaged_line_is_left_out_and_told_and_positions_stay():
    data = b'{"text": "a"}\nnot json\n{"text": ""}\n\n{"text": "b"}\n'
    reading = Reading("dsk-2026-0001", NormalisationPolicy())
    found = list(reading.read(Source.of_bytes(data, "a.jsonl"), "0" * 64))
    assert [(document.ordinal, document.text) for document in found] == [(0, "a"), (3, "b")]
    assert (reading.skipped, reading.without_text) == (1, 1)
    assert reading.files[0].outcome == "ok"
    assert reading.files[0].reason == "records left out: 1 (line 2 is not JSON)"
    mended = list(
        Reading("dsk-2026-0001", NormalisationPolicy()).read(
            Source.of_bytes(data.replace(b"not json", b'{"text": "new"}'), "a.jsonl"), "1" * 64
        )
    )
    assert mended[-1].doc_id == found[-1].doc_id


def test_a_line_of_50_mb_is_left_out_and_the_rest_goes_on():
    long = json.dumps({"text": "x" * 50_000_000}).encode()
    data = b'{"text": "a"}\n' + long + b'\n{"text": "b"}\n'
    found, (outcome,) = read(data, "a.jsonl")
    assert found == ["a", "b"]
    assert outcome.reason == "records left out: 1 (line 2 is longer than 32 MB)"
    assert MAX_RECORD == 32 * 2**20


def test_of_many_damaged_lines_the_first_are_named():
    told = reason(b"{x\n" * 9, name="a.jsonl")
    assert told.startswith("records left out: 9 (line 1 is not JSON; line 2")
    assert told.endswith("line 5 is not JSON; and 4 more)")


def test_deeply_nested_json_is_left_out():
    assert "line 1 is not JSON" in reason(b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n")


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_field_that_is_given_twice_gives_both_texts(name: str):
    data = b'{"text": "f\xc3\xb8rst", "id": 1, "text": "s\xc3\xa5", "title": "Navn"}\n'
    assert texts(data, name) == ["først\n\nså\n\nNavn"]


def test_parquet_text_without_a_mark_is_text_and_pictures_are_none():
    column = pa.array(["æble".encode(), "smør".encode("cp1252")], pa.binary())
    assert texts(parquet(pa.table({"text": column}))) == ["æble", "smør"]
    picture = pa.array([b"\x89PNG\xff"], pa.binary())
    assert texts(parquet(pa.table({"id": [7], "image": picture}))) == ["id: 7"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_line_that_tells_excel_the_delimiter_is_no_row(encoding: str):
    data = "sep=;\r\nnr;emne, kort\r\n1;Æble, pære\r\n2;Måne, sol\r\n".encode(encoding)
    assert texts(data, "a.csv") == ["nr: 1\nemne, kort: Æble, pære", "nr: 2\nemne, kort: Måne, sol"]


def test_parquet_reads_nested_and_plain_columns():
    table = pa.table({"navn": ["a"], "dele": [[{"tekst": "En"}, {"tekst": "To"}]]})
    assert texts(parquet(table)) == ["En\n\nTo"]


def test_a_damaged_parquet_file_gives_nothing():
    rows = [f"Side {number} med tekst" for number in range(50_000)]
    data = bytearray(parquet(pa.table({"text": rows})))
    data[2000:3000] = bytes(1000)
    assert "Parquet data are damaged" in reason(bytes(data))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_without_text_column_gives_names_and_values(delimiter: str):
    rows = [["navn", "by", "saldo"], ["Æble", "Ærø", "7"], ["Pære", "Årø", "8"]]
    data = "\n".join(delimiter.join(row) for row in rows).encode("cp1252")
    assert texts(data, "x.csv") == [
        "navn: Æble\nby: Ærø\nsaldo: 7",
        "navn: Pære\nby: Årø\nsaldo: 8",
    ]


def test_a_table_with_text_column_gives_the_text():
    data = b'id,titel,tekst\n1,Et,"Linje\nto, komma"\n2,To,\n'
    assert texts(data, "x.csv") == ["Et\n\nLinje\nto, komma", "To"]


def test_a_table_without_header_keeps_its_first_row():
    data = b"glad,,adj.,11,5\n" + b"vred,,adj.,12,4\n" * 9
    found = texts(data)
    assert found[0] == "glad\t\tadj.\t11\t5"
    assert len(found) == 10


def test_html_gives_the_main_text_and_a_wrong_charset_no_mojibake():
    data = PAGE.format(PROSE, "Loven træder i kraft på en øde ø.").encode("utf-8")
    (found,) = texts(data)
    assert PROSE.strip() in found
    assert "træder i kraft på en øde ø" in found
    assert "cookies" not in found
    assert "Forside" not in found


def test_html_without_main_text_gives_what_is_visible():
    page = "<html><body><script>x()</script><ul><li>Et</li><li>T<b>o</b></li></ul></body></html>"
    (found,) = texts(page.encode())
    assert found == "Et\nTo"


def test_docx_gives_everything_in_order_and_no_properties():
    data = make.word(header="Kommunen", body=["Først", ["a", "b"], "Sidst"], footer="Side 1")
    assert texts(data) == ["Kommunen\n\nFørst\na\tb\nSidst\n\nSide 1"]


def test_xlsx_reads_hidden_sheets_too():
    data = make.workbook(
        {"Ark": [["navn", "saldo"], ["Æble", 7.0]], "Skjult": [["by"], ["Ærø"]]}, hidden=["Skjult"]
    )
    assert texts(data) == ["navn: Æble\nsaldo: 7", "by: Ærø"]


def test_pdf_text_is_read():
    assert texts(make.pdf("Rødgrød med fløde")) == ["Rødgrød med fløde"]


def test_a_pdf_without_text_is_empty():
    assert "OCR" in reason(make.pdf(""), "empty")


def test_rtf_text_is_read_in_its_code_page():
    assert texts(RTF) == ["Kære læser\nNæste linje"]


def test_tei_gives_the_text_and_its_notes_but_no_header():
    (found,) = texts(TEI.encode())
    assert found == (
        "Første del\n\nHan gik over marken og saa op. Det var koldt, aar ud.\n\nEn note.\n\n"
        "HANS\nFørste vers\nandet vers"
    )


def test_alto_joins_words_broken_over_lines():
    assert texts(ALTO.encode()) == ["En report\nkom\n\nNæste"]


@pytest.mark.parametrize("body", ["&file;", "&a;&a;&a;", "&aelig;ble"])
def test_xml_entities_neither_expand_nor_reach_out(tmp_path, body: str):
    secret = tmp_path / "secret"
    secret.write_text("HEMMELIG")
    laughs = '<!ENTITY a "ha">' + f'<!ENTITY file SYSTEM "file://{secret}">'
    xml = (
        f"<!DOCTYPE TEI SYSTEM 'tei.dtd' [{laughs}]><TEI xmlns='http://www.tei-c.org/ns/1.0'><text><body>"
        f"<p>Kære {body} læser</p></body></text></TEI>"
    )
    (found,), _ = read(xml.encode())
    assert found.startswith("Kære")
    assert "HEMMELIG" not in found
    assert "ha" not in found
    assert ("æble" in found) == ("aelig" in body)


def test_a_billion_laughs_is_an_error_or_nothing():
    entities = '<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
    )
    xml = f"<!DOCTYPE TEI [{entities}]><TEI><text><p>&a11;</p></text></TEI>"
    assert read(xml.encode())[0] == []


def test_broken_xml_is_an_error():
    assert "not well-formed XML" in reason(TEI[:-40].encode())


def test_gettext_gives_the_translations():
    found, (outcome,) = read(PO.encode())
    assert found == ['Muse"taster"', "%d fil\n%d filer"]
    assert outcome.reason is not None
    assert "fuzzy" in outcome.reason


def test_markdown_loses_its_front_matter_only():
    data = b"---\ntitle: Bogen\n---\n# Kapitel\n\n---\n\nTekst\n"
    assert texts(data, "a.md") == ["# Kapitel\n\n---\n\nTekst"]


@pytest.mark.parametrize(
    ("data", "outcome", "told"),
    [
        (b"", "empty", "the file has no bytes"),
        (b" \n\n", "empty", "the file holds no text"),
        (b"{}\n", "empty", "the file holds no text"),
        (make.pdf("x", make.ENCRYPTED), "error", "the PDF is encrypted — deliver it without a"),
        (make.pdf("x")[:60], "error", "the PDF is damaged or cut off"),
        (make.word(body=["x"])[:900], "error", "the ZIP container is damaged or cut off"),
        (b"{\n 'a': 1}", "error", "the file is not readable JSON"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "unsupported", "x-ole-storage are not"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "unsupported", "image/png are not read"),
        (b"<?xml version='1.0'?><rss/>", "unsupported", "application/xml are not read"),
        (random.Random(0).randbytes(5000), "unsupported", "octet-stream are not read"),
        (bytes(range(128, 256)) * 30, "error", "no text in a known encoding — deliver the file in"),
    ],
)
def test_what_cannot_be_read_has_a_plain_reason(data: bytes, outcome: str, told: str):
    assert told in reason(data, outcome)


@settings(deadline=None)
@given(st.binary(max_size=3000), st.sampled_from(list(EVERY_FORMAT)))
def test_no_bytes_make_a_reader_raise(noise: bytes, kind: str):
    data = bytearray(EVERY_FORMAT[kind])
    middle = len(data) // 2
    data[middle : middle + len(noise)] = noise
    _, outcomes = read(bytes(data), SUFFIX.get(kind, "x"))
    assert outcomes[0].outcome in ("ok", "empty", "unsupported", "error")
    assert outcomes[0].outcome == "ok" or outcomes[0].reason


@settings(deadline=None)
@given(st.text(st.characters()))
def test_a_clean_text_can_be_written_and_is_clean(text: str):
    cleaned = clean(text)
    assert pa.array([cleaned]).to_pylist() == [cleaned]
    assert clean(cleaned) == cleaned
    assert "\x00" not in cleaned
    assert "\r" not in cleaned


def test_clean_makes_one_form_of_letters_and_lines():
    assert clean("\ufeffA\u030arhus\r\nogsa\u030a\r\x00\ud800 ") == "Århus\nogså\n\ufffd\ufffd"
    assert clean("\ud83d\ude00") == "😀"
