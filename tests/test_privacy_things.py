"""Names of things that are written as persons' are left; persons beside them are found."""

import pytest

from dsk_assets.privacy.analyser import analyser
from dsk_assets.privacy.recognisers.things import names_a_thing


def persons(text: str) -> list[str]:
    return [text[f.start : f.end] for f in analyser().find(text) if f.entity == "PERSON"]


@pytest.mark.parametrize(
    "text",
    [
        "Hun fik konstateret Parkinsons sygdom og Crohns sygdom samme år.",
        "Børn med Downs syndrom har oftere Hirschsprungs sygdom end andre børn.",
        "Positiv Lasègue på højre side, Babinski negativ og Romberg i.a.",
        "Pt. får fortsat Metoprolol og Simvastatin, men Marevan er seponeret for Eliquis.",
        "Lægen ville udskrive Fluoxetin og Rosuvastatin, men kun Pinex hjælper.",
        "Vi kørte til Rold Skov og sejlede på Esrum Sø og på Mossø.",
        "Sankt Jørgens Sø og Sankt Pauls Kirkeplads ligger i byen.",
        "Turen går fra Hans Broges Bakke til Sankt Knuds Torv.",
        "Orkanen Bodil rasede, og M/F Povl Anker blev i havn.",
        "Kristi Himmelfartsdag, Valentinsdag og Mariæ Bebudelse er fridage, og Eid fejres også.",
        "Christian 4. byggede tårnet, og Frederik 7. gav os Grundloven.",
        "Mit IBAN nummer, og PESEL eller NINO for udlændinge.",
    ],
)
def test_things_are_no_persons(text: str) -> None:
    assert persons(text) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I går talte Merethe Skov med pressen.", "Merethe Skov"),
        ("Konduktør Per Sø arbejdede over.", "Per Sø"),
        ("Jens Bakke og Mads Strand flyttede.", "Jens Bakke"),
        ("Vi så Erik 4. december i byen.", "Erik"),
        ("Hr. Gilbert Barrett blev ansat i går.", "Gilbert Barrett"),
        ("Ingrid Marie Holm fylder år.", "Ingrid Marie Holm"),
    ],
)
def test_persons_who_are_called_like_things_are_found(text: str, name: str) -> None:
    assert any(name in found for found in persons(text))


def test_a_surname_that_a_disease_also_has_needs_a_word_for_the_disease() -> None:
    alone, beside = "Parkinson blev valgt.", "Parkinsons sygdom"
    assert not names_a_thing(alone, 0, 9)
    assert names_a_thing(beside, 0, 10)
