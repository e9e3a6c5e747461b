"""What tests of readers share: how a file is read, and one of each format."""

import io
import json
from email.message import EmailMessage

import pyarrow as pa
import pyarrow.parquet as pq

from dsk_assets.consortium.policy import NormalisationPolicy
from dsk_assets.intake import sniff
from dsk_assets.intake.reading import FileOutcome, Reading
from dsk_assets.intake.sources import Source
from tests import donated_files as make

TEI = """<?xml version="1.0" encoding="UTF-8"?>
<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt><title>Katalogtitel</title>
</titleStmt></fileDesc></teiHeader><text><body><fw>Klummetitel</fw><div><head>Første del</head>
<p>Han gik over mar<pb n="2"/>ken og
   <hi>saa</hi> op.<note>En note.</note> Det var <choice><sic>koldd</sic>
   <corr>koldt</corr></choice>, <choice><orig>aar</orig><reg>år</reg></choice> ud.</p>
<sp><speaker>HANS</speaker><l>Første vers</l><l>andet vers</l></sp></div></body></text></TEI>"""


ALTO = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v2#"><Layout><Page><PrintSpace>
<TextBlock><TextLine><String CONTENT="En"/><SP/>
<String CONTENT="re" SUBS_TYPE="HypPart1" SUBS_CONTENT="report"/><HYP CONTENT="-"/></TextLine>
<TextLine><String CONTENT="port" SUBS_TYPE="HypPart2" SUBS_CONTENT="report"/>
<String CONTENT="kom"/></TextLine></TextBlock>
<TextBlock><TextLine><String CONTENT="Næste"/></TextLine></TextBlock>
</PrintSpace></Page></Layout></alto>"""


PAGE = """<!DOCTYPE html><html><head><meta charset="iso-8859-1"><title>Lov</title></head><body>
<nav><a href="/">Forside</a><a href="/om">Om os</a></nav><div class="cookie">Accepter cookies</div>
<article><h1>Lov om måner</h1><p>{}</p><p>{}</p></article>
<footer>Ophavsret Eksempelstyrelsen</footer></body></html>"""


PROSE = "Månen går rundt om jorden på omtrent en måned, og loven gælder hele året igennem. " * 3


RTF = rb"{\rtf1\ansi\ansicpg1252{\info{\author Bodil}}K\'e6re l\'e6ser\par N\u230?ste linje\par}"


PO = """# Danish translation
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"

#: a.page:1
msgid "Mouse \\"keys\\""
msgstr "Muse\\"taster\\""

#, fuzzy
msgid "Old"
msgstr "Gammel"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d fil"
msgstr[1] "%d "
"filer"

msgid "Untranslated"
msgstr ""

#~ msgid "Gone"
#~ msgstr "Væk"
"""


def read(data: bytes, name: str = "file") -> tuple[list[str], list[FileOutcome]]:
    """Texts of the documents in *data*, and the outcomes, the file's own first."""
    reading = Reading("dsk-2026-0001", NormalisationPolicy())
    source = Source.of_bytes(data, name)
    texts = [document.text for document in reading.read(source, "0" * 64)]
    assert sum(row.documents for row in reading.files) == len(texts)
    return texts, reading.files


def texts(data: bytes, name: str = "file") -> list[str]:
    found, outcomes = read(data, name)
    assert {row.outcome for row in outcomes} == {"ok"}
    return found


def reason(data: bytes, outcome: str = "error", name: str = "file") -> str:
    found, outcomes = read(data, name)
    assert (found, outcomes[0].outcome) == ([], outcome)
    assert outcomes[0].reason is not None
    return outcomes[0].reason


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def mail(**headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in (
        {"From": "bodil@example.dk", "Subject": "Hilsen på gensyn"} | headers
    ).items():
        message[name] = value
    return message


EVERY_FORMAT = {
    sniff.JSONL: make.jsonl(["Blåbær", "Æbler"]),
    sniff.JSON: json.dumps([{"text": "Blåbær"}, {"text": "Æbler"}], indent=1).encode(),
    sniff.PARQUET: parquet(pa.table({"id": [1, 2], "text": ["Blåbær", "Æbler"]})),
    sniff.CSV: "id;navn;by\n1;Blåbær;Ærø\n2;Æbler;Årø\n".encode("cp1252"),
    sniff.TSV: "id\tnavn\tby\n1\tBlåbær\tÆrø\n2\tÆbler\tÅrø\n".encode(),
    sniff.TEXT: "Blåbær og æbler".encode("cp850"),
    sniff.MARKDOWN: b"# Bl\xc3\xa5b\xc3\xa6r\n",
    sniff.HTML: PAGE.format(PROSE, "Æbler").encode(),
    sniff.DOCX: make.word(body=["Blåbær"]),
    sniff.XLSX: make.workbook({"Ark": [["id", "navn"], [1, "Blåbær"]]}),
    sniff.PDF: make.pdf("Blåbær"),
    sniff.RTF: RTF,
    sniff.TEI: TEI.encode(),
    sniff.ALTO: ALTO.encode(),
    sniff.MAIL: b"From: a@example.dk\nSubject: Hej\nDate: Mon, 1 Jan 2024 10:00:00 +0100\n\nBrev\n",
    sniff.MBOX: b"From a@example.dk Mon Jan  1 10:00:00 2024\nFrom: a@example.dk\n\nBrev\n",
    sniff.GETTEXT: PO.encode(),
    sniff.ZIP: make.archive({"a.txt": b"Hej"}),
}
