"""Names of people: how Danish writes them, and what only looks like one."""

import pytest

from dsk_assets.consortium.policy import PersonalDataPolicy
from dsk_assets.privacy import guarded
from dsk_assets.privacy.analyser import analyser
from dsk_assets.privacy.guarded import Guarded
from dsk_assets.privacy.redact import DENSITY, resolve


def persons(text: str) -> list[str]:
    found = [f for f in analyser().find(text) if f.entity == "PERSON"]
    longest = [
        f
        for f in found
        if not any(g != f and g.start <= f.start and f.end <= g.end for g in found)
        or all(g == f for g in found if (g.start, g.end) == (f.start, f.end))
    ]
    return sorted({text[f.start : f.end] for f in longest})


def covers(text: str, name: str) -> bool:
    places = {
        p for f in analyser().find(text) if f.entity == "PERSON" for p in range(f.start, f.end)
    }
    start = text.index(name)
    return all(p in places for p in range(start, start + len(name)) if text[p].isalnum())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I mødet deltog Anne Bundgaard og andre.", "Anne Bundgaard"),
        ("Det var Mette Marie Østergaards cykel.", "Mette Marie Østergaards"),
        ("Sagen er behandlet af M. Hansen.", "M. Hansen"),
        ("Det sagde Ludwig von Zabern i går.", "Ludwig von Zabern"),
        ("Han mødte Jens-Ole Krogh-Nielsen.", "Jens-Ole Krogh-Nielsen"),
        ("Fru Storm oplyste, at alt var i orden.", "Storm"),
        ("Hej Bo\nTak for sidst.", "Bo"),
        ("Tak.\n\nVenlig hilsen\n\nXarquo Blimf", "Xarquo Blimf"),
        ("Navn: Xarquo Blimf\nBy: Viborg", "Xarquo Blimf"),
        ("Pt.: Hansen, Anne Marie, set i dag", "Hansen, Anne Marie"),
        ("Afgørelse til ANNE BUNDGAARD om støtte", "ANNE BUNDGAARD"),
        ("spørg mette jensen om det", "mette jensen"),
        ("Så kom Bjørn hjem.", "Bjørn"),
        ("Oksana Kovalenko og Mehmet Yılmaz er indkaldt.", "Mehmet Yılmaz"),
        ("Nguyen Thi Lan boede der.", "Nguyen Thi Lan"),
        ("Guðrún Sigurðardóttir ringede.", "Guðrún Sigurðardóttir"),
        ("Soeren Joergensen skrev igen.", "Soeren Joergensen"),
        ("S&oslash;ren J&oslash;rgensen skrev.", "S&oslash;ren J&oslash;rgensen"),
        ("Sign. A.B.\n", "A.B."),
        ("Notat /K.L.\n", "K.L."),
        ("Aftalen er indgået med Niels Gade i marts.", "Niels Gade"),
        ("Det sagde Jesper Bank efter løbet.", "Jesper Bank"),
    ],
)
def test_names_are_found(text: str, name: str) -> None:
    assert covers(text, name)


@pytest.mark.parametrize(
    "text",
    [
        "Hans bror svarede ikke. Min nabo gjorde.",
        "En bjørn og en lærke i lunden; grøn var skoven.",
        "Grøn var skoven, og på stranden lå en sten.",
        "Rasmus Møllers Legat uddeles på H.C. Andersens Boulevard.",
        "Jensens Bageri leverer maden.",
        "Maden leveres af Slagter Lund.",
        "Han har arbejdet i Fiktiv Forsikring A/S. Mit brev er vedlagt.",
        "Foredraget handler om Søren Kierkegaard og H.C. Andersen.",
        "Eksempel Kommune og Prøvestad Boligforening holder møde i Roskilde.",
        "Loven gælder ikke for Færøerne og Grønland.",
        "Hej alle\nHusk mødet på fredag.",
        "Med venlig hilsen\nEksempel Forsyning A/S",
        "Stykket står i E-dur, og publikum kom med S-tog.",
        "De rejste fra Bruxelles til Torino og videre til Dallas.",
        "Linoleum fås i baner.",
    ],
)
def test_what_only_looks_like_a_name_is_left(text: str) -> None:
    assert persons(text) == []


def test_names_in_a_list_stay_apart() -> None:
    text = "Rollerne spilles af Anne Holm, Kim Jansson og Ole Dam."
    found = [text[f.start : f.end] for f in resolve(analyser().find(text))]
    assert found == ["Anne Holm", "Kim Jansson", "Ole Dam"]


def test_the_partners_in_the_name_of_a_firm_are_no_findings() -> None:
    assert persons("Maden leveres af Advokatfirmaet Holm & Bruun.") == []
    found = persons("Vi hilser på Karen Holm og Mette Bruun.")
    assert {"Holm", "Bruun"} <= {name.split()[-1] for name in found}


@pytest.mark.parametrize("gap", ["\n", "  "])
def test_a_name_split_by_a_line_break_or_two_spaces_is_found_whole(gap: str) -> None:
    text = f"Referat\nKirsten{gap}Nyborg Mikkelsen\nformand"
    found = {p for f in analyser().find(text) for p in range(f.start, f.end)}
    end = text.index("\nformand")
    assert {p for p in range(8, end) if text[p].isalpha()} <= found
    assert end + 1 not in found


def test_a_part_of_a_full_name_is_found_again() -> None:
    text = "Klageren er Ulla Blimfqvist. Efter mødet ringede Blimfqvist igen."
    found = [text[f.start : f.end] for f in analyser().find(text) if f.entity == "PERSON"]
    assert "Blimfqvist" in found


def test_the_surname_of_a_full_name_that_only_the_model_finds_is_found_again() -> None:
    text = "Det sagde direktør Wibken Drasvold til avisen. Drasvold gik straks efter."
    found = {p for f in analyser().find(text) for p in range(f.start, f.end)}
    assert set(range(text.rindex("Drasvold"), text.index(" gik"))) <= found


GROUPS = {
    "da": ("Kirsten Thygesen", "Torben Damgaard", "Vibeke Krogsgaard"),
    "tr": ("Ayşe Demir", "Mustafa Öztürk", "Emine Kaya"),
    "ar": ("Fatima Al-Masri", "Khaled Hussein", "Zainab Mahmoud"),
    "so": ("Abdirahman Warsame", "Hodan Abdi", "Sahra Farah"),
    "pl": ("Agnieszka Nowak", "Piotr Kowalczyk", "Małgorzata Wiśniewska"),
    "uk": ("Oksana Shevchuk", "Volodymyr Tkachenko", "Iryna Bondarenko"),
    "ro": ("Elena Popescu", "Mihai Ionescu", "Ionuț Dumitru"),
    "vi": ("Thi Huong Nguyen", "Van Minh Tran", "Lan Pham"),
    "in": ("Priya Sharma", "Arjun Patel", "Deepak Verma"),
    "fo": ("Jógvan Joensen", "Marjun Djurhuus", "Bárður Patursson"),
    "kl": ("Paninnguaq Kleist", "Aqqaluk Lynge", "Pipaluk Olsvig"),
    "fi": ("Päivi Virtanen", "Heikki Korhonen", "Jukka Mäkinen"),
}


@pytest.mark.parametrize("group", GROUPS)
def test_names_of_every_group_are_found(group: str) -> None:
    for name in GROUPS[group]:
        assert covers(f"På mødet fortalte {name}, at sagen var afsluttet.", name)


def test_no_text_costs_more_than_its_length() -> None:
    """Each of these takes minutes where a repetition is searched from every place in it."""
    hostile = ("\n", "A-", "Aa'", "!", "Hilsen A-A-A-A-A-A-A-A-A-A-A-A-0 ")
    guard = Guarded(guarded.ENGINE, seconds=5)
    try:
        texts = [f"Hilsen {one * (40_000 // len(one))}0" for one in hostile]
        treated = list(guard.treat(texts, PersonalDataPolicy()))
    finally:
        guard.close()
    assert {one.reason for one in treated} <= {None, DENSITY}
