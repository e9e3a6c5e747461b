"""What is skipped for speed is never a finding: windows, and pieces of long texts."""

import random
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dsk_assets.privacy import analyser as analysing
from dsk_assets.privacy import canaries, synthetic
from dsk_assets.privacy.analyser import Analyser, analyser
from dsk_assets.privacy.entities import PRIORITY
from dsk_assets.privacy.name_model_build import TRAIN, read
from dsk_assets.privacy.normalise import _FOLDABLE, _foldable, _is_plain
from dsk_assets.privacy.recognisers.base import DanishRecognizer
from dsk_assets.privacy.recognisers.registry import structured_recognisers
from dsk_assets.privacy.redact import resolve

STRUCTURED = [entity for entity in PRIORITY if entity != "PERSON"]
FORMS = (
    "jf. § {n}, stk. 2, nr. 3, i lov nr. 1234 af 12. december 2023",
    "kundenr. er AB{n} og sagen har nummer {n}/24",
    "Enheden 00:1B:44:11:3A:B7 og fe80::1 svarer ikke",
    "Han er f. 3.5.74 i Viborg, bor Grønnegade nr. {n}",
    "Vores ref.: {n}12, cpr I7O389-l234 og stelnr. WVWZZZ1JZXW000001",
    "bil AQ 12 345, konto {n}, 1234 0012345678",
    "Hansen {n}, st. tv, 8000 Aarhus C. I 1995 blev det ændret",
    "MitID bruger-id 12ab34cd-12ab-34cd-12ab-1234567890ab",
    "by;navn\nViborg;Anne\nRanders;Bo",
    "anna (at) example punktum dk eller anna at example.dk, bruger=anna{n}",
    "Adresse: Gammel Mølle {n}, stuen",
    "fra 2001:db8:1a::{n} og 192.0.2.{n}",
    "porten 001b.44aa.3a{n} og abcd.ef1b.cdef, ved 55°40'{n}\" N 12°34'06\" Ø",
    "opholdskort nr. DNK123456 og kørekort 12345678",
)


def documents() -> Iterator[str]:
    """5,000 short documents: news, personal data in many forms, and both together."""
    news = [sentence["text"] for sentence in read(TRAIN)]
    personal = synthetic.documents(5000, 3)
    for index in range(5000):
        rng = random.Random(index)
        parts = rng.choices(news, k=rng.randint(1, 4))
        for _ in range(rng.choice((0, 0, 1, 2))):
            parts.insert(rng.randrange(len(parts)), rng.choice(FORMS).format(n=rng.randint(2, 99)))
        if index % 3 == 0:
            parts.append(next(personal)["text"])
        yield rng.choice((" ", "\n", "\n\n")).join(parts)


def whole() -> Analyser:
    """The structured recognisers without anchors: each reads all of every text."""
    recognisers: list[DanishRecognizer] = structured_recognisers()
    for recogniser in recognisers:
        recogniser.ANCHORS = ()  # type: ignore[misc]
    return Analyser(recognisers, STRUCTURED)


def test_windows_change_no_finding_in_5000_documents() -> None:
    anchored, plain = Analyser(structured_recognisers(), STRUCTURED), whole()
    found = skipped = 0
    for text in documents():
        findings = anchored.find(text)
        assert findings == plain.find(text), text
        found += len(findings)
        skipped += not list(anchored.anchors.windows(text))
    assert found > 5000
    assert skipped > 1000


EDGES = (
    *("ordre", "konto", "tlf", "født", "adresse", "kundenr.", "bruger=", "MitID", "CVR", "stelnr."),
    *("a;b;c", "x, y, z, w", "navn;adresse;tlf", "navn,adresse,by,cpr", "Navn\tCpr\tTlf"),
    *(
        "1,navn,konto,kundenr",
        "alfa; beta",
        "2021",
        "日本語",
        "Привет",
        "😀",
        "ſK",
        "\u2028",
        "\x85",
    ),
    *("\r\n", "\u3000", "&nbsp;", "<b>", "\u200b", "e\u0301", "Ã¦", "> ", "-\n", "0O1l", "٣"),
    *("A" + "b" * 260, "@" + "b" * 260 + ".dk", "b" * 260 + "vej 12", "Æ" * 210 + "park 7, 2. tv."),
    *("x " * 130, "fyld, " * 50, "日 " * 200, "ganske; alm, " * 30, "\t" * 260, "- " * 150),
)
JOINTS = (" ", " ", "\n", "\n\n", ", ", ". ", ": ", "; ", "", "\t", "|", " - ", "_", "/", "\r\n")
NOISE = "0123456789 ./-,;:|\t\n@()+*<&_§°ÆØÅæøåABXabfx\u2019\u2013\u200b\u0301\u0663\u2028日"


def hostile(rng: random.Random) -> str:
    """Identifiers in every form, damaged, between what cuts windows and looks like tables."""
    parts = []
    for _ in range(rng.randint(1, 9)):
        form = rng.choice(canaries.FORMS)
        value = form.make(rng)
        part = rng.choice((value, form.sentence.replace("{}", value), *rng.choices(EDGES, k=2)))
        for _ in range(rng.choice((0, 0, 1, 2)) if len(part) < 120 else 0):
            place = rng.randrange(len(part) + 1)
            part = part[:place] + rng.choice(("", *NOISE)) + part[place + rng.randrange(2) :]
        parts += part, rng.choice(JOINTS)
    return "".join(parts)


def test_windows_change_no_finding_in_hostile_texts() -> None:
    anchored, plain = Analyser(structured_recognisers(), STRUCTURED), whole()
    for seed in range(4000):
        text = hostile(random.Random(seed))
        assert anchored.find(text) == plain.find(text), seed


@pytest.mark.parametrize("mark", [";", ",", "|", "\t"])
@pytest.mark.parametrize("value", ["tlf 67112233", "personnummer 1703501234"])
def test_a_stretch_that_alone_looks_like_a_table_hides_nothing(mark: str, value: str) -> None:
    anchored = Analyser(structured_recognisers(), STRUCTURED)
    for shift in range(150, 240, 3):
        line = "I 2021 blev der talt længe " * 14 + mark.join([" alfa", "beta", "gamma", "delta"])
        text = line + "\n" + mark.join(["x" * shift + f" hendes {value}", "y", "y", "y"]) + "\n"
        (found,) = anchored.find(text)
        assert text[found.start : found.end] == value.split()[1]


@pytest.mark.parametrize("first", ["1", "2nr", '"1 a"', " " * 50 + "nr", '"  nr  "'])
def test_a_heading_explains_what_is_far_below_whatever_the_first_column_is(first: str) -> None:
    rows = "".join(f"{n},{4471000 + n},Qwx,{12340012345678 + n}\n" for n in range(60))
    found = Analyser(structured_recognisers(), STRUCTURED).find(
        f"{first},kundenr,navn,konto\n{rows}"
    )
    assert sum(one.entity == "DK_BANK_ACCOUNT" for one in found) == 60
    assert sum(one.entity == "PERSON_ID" for one in found) == 60


def test_an_address_after_a_word_longer_than_a_window_is_found() -> None:
    text = "Ord" * 200 + " Hansen 56, st. tv, 8400 Aarhus C"
    places = {p for f in analyser().find(text) for p in range(f.start, f.end)}
    assert places.issuperset(range(text.index("56"), len(text)))


def test_only_suspects_are_folded_and_all_of_them() -> None:
    letters = "ab Å§0O1l&;#x2</b>-\n\u00a0\u200b\u00ad\u0301\u2011７٣Ã¦ø@.Ä¼Å€š\u0309é…–"
    rng = random.Random(1)
    for _ in range(3000):
        text = "".join(rng.choices(letters, k=rng.randint(0, 60)))
        places = [m.span() for m in _FOLDABLE.finditer(text)]
        assert [m.span() for m in _foldable(text)] == places
        assert not (_is_plain(text) and places)


@pytest.mark.parametrize("separator", [" ", "\n"])
def test_a_long_text_loses_nothing_at_a_border(
    monkeypatch: pytest.MonkeyPatch, separator: str
) -> None:
    monkeypatch.setattr(analysing, "PIECE", 700)
    monkeypatch.setattr(analysing, "OVERLAP", 400)
    values = ("cpr 170389-1234", "Anne Bundgaard", "Prøvevej 12, 2. tv., 8000 Aarhus C")
    for shift in range(0, 700, 31):
        text, wanted = "ord " * (shift // 4) + "x" * (shift % 4), []
        for number in range(8):
            value = values[number % 3]
            text += f"{separator}og her står {value} i mappen, " + "fyldord " * 31
            wanted.append((text.rindex(value), value))
        places = {p for f in analyser().find(text) for p in range(f.start, f.end)}
        for start, value in wanted:
            digits = [
                i
                for i in range(start, start + len(value))
                if text[i].isupper() or text[i].isdigit()
            ]
            assert places.issuperset(digits), (shift, value)


def test_a_long_table_keeps_its_headings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysing, "PIECE", 900)
    monkeypatch.setattr(analysing, "OVERLAP", 100)
    rows = "".join(f"{4471000 + n};Qwxz Blimf;{12340012345678 + n}\n" for n in range(200))
    found = resolve(analyser().find("Liste\nkundenr;navn;kontonr\n" + rows))
    counts = {
        e: len({f.start for f in found if f.entity == e})
        for e in ("PERSON_ID", "PERSON", "DK_BANK_ACCOUNT")
    }
    assert counts == {"PERSON_ID": 200, "PERSON": 200, "DK_BANK_ACCOUNT": 200}


def test_forty_million_characters_are_searched_in_pieces() -> None:
    text = "Ganske almindelig tekst uden noget i sig. " * 1_000_000 + "Cpr 170389-1234."
    assert len(text) > 40_000_000
    found = Analyser(structured_recognisers(), STRUCTURED).find(text)
    assert {(f.entity, text[f.start : f.end]) for f in found} == {("DK_CPR", "170389-1234")}


def test_recognisers_work_with_presidio_alone():
    """They need nothing but what Presidio itself has loaded, and the standard library."""
    script = """
import sys
sys.modules.update(dict.fromkeys(("stanza", "torch", "transformers")))
import presidio_analyzer
loaded = {name.partition(".")[0] for name in sys.modules}
from dsk_assets.privacy.recognisers.registry import all_recognisers
found = {
    result.entity_type
    for recogniser in all_recognisers()
    for result in recogniser.analyze(
        "Adresse: Nørregade 10, 8000 Aarhus C", recogniser.supported_entities, None
    )
}
assert "ADDRESS" in found, found
more = {name.partition(".")[0] for name in sys.modules} - loaded - sys.stdlib_module_names
assert more <= {"dsk_assets"}, more
"""
    subprocess.run([sys.executable, "-c", script], check=True)
