"""Danish addresses: street and number with floor and door, and post code with town."""

import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.gazetteer import cities
from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit, explained
from dsk_assets.privacy.recognisers.tables import cells

_SURE = r"vej|gade|all[eé]|stræde|vænge(?:t)?|boulevard|parken|bakken|vangen|toften|stien|svinget"
_MORE = (
    r"park|plads(?:en)?|torv(?:et)?|bakke|sti|have(?:n)?|toft|ager(?:en)?|mark(?:en)?|krog(?:en)?"
    r"|dal(?:en)?|gård(?:en)?|kaj(?:en)?|bro(?:en)?|løkke(?:n)?|høj(?:en)?|vang|lund(?:en)?"
    r"|brink(?:en)?|skrænten|eng(?:en)?|kæret|mosen|buen|ringen|gyde(?:n)?|skov(?:en)?|diget"
    r"|klint(?:en)?|næs(?:set)?|odden|sletten|terrasserne|hegnet|passage(?:n)?|led(?:det)?|byen"
)
_DEFINITE = r"vejen|gaden|all[eé]en|strædet|boulevarden|stra[^\s]{1,2}e|gatan|vägen|veien"
"""Endings after which a number is a house number only where the street has a capital letter."""
_CAP = r"[A-ZÆØÅÖÜÉ][\w.'’-]*"
_GAP = r"[ \n]"
_NUMBER = r"(?:nr\. ?)?[1-9]\d{0,2}(?: ?[A-Za-z](?![\w]))?(?: ?- ?\d{1,3}[A-Z]?(?!\d))?"
_FLOOR = (
    rf"(?i:,?{_GAP}?(?:(?:st|kl|k[1-9]|stuen|kld)\b\.?|\d{{1,2}}\.(?!\d)(?:{_GAP}?sal)?|\d{{1,2}}{_GAP}sal"
    rf"|\d{{1,2}}(?={_GAP}(?:tv|th|mf)))"
    rf"(?:(?:,?{_GAP}?|-)(?:(?:tv|th|mf|t\.v|t\.h|midtfor)\b\.?|(?:dør|lejl\.?){_GAP}?\d{{1,4}}|\d{{1,3}}\b(?![.\d])))?)"
)
_TOWN = rf"[A-ZÆØÅ][\wæøå.-]+(?:{_GAP}[A-ZÆØÅ](?!\w)|{_GAP}[A-ZÆØÅ][\wæøå.-]+){{0,2}}"
_LOWER_TOWN = r"[a-zæøå]{3,}(?: [a-zæøå](?!\w))?"
_TAIL = (
    rf"(?:(?:,|,?{_GAP}-|{_GAP}i)?{_GAP}?(?:{_CAP}(?: {_CAP})?(?:,| -|(?=\n)){_GAP}?)?"
    r"(?:DK[- ])?(?<!\d)"
    rf"(?P<post>[1-9]\d{{3}}|\d{{5}}|\d{{3}} \d\d){_GAP}(?P<town>{_TOWN}|{_LOWER_TOWN}))"
)
_STREET = re.compile(
    rf"(?<![\w-])(?P<street>(?:{_CAP}{_GAP}){{0,3}}?(?:[A-ZÆØÅ][\w'’-]*(?:{_SURE}|{_MORE}|{_DEFINITE})"
    rf"|(?:{_CAP}{_GAP}){{1,3}}(?i:{_SURE}|{_MORE})|[a-zæøå]{{2,}}(?:{_SURE})"
    rf"|[A-ZÆØÅ]{{3,}}(?:(?i:{_SURE}|{_MORE}))))"
    rf"{_GAP}(?P<number>{_NUMBER})(?![\d.,]\d)(?!\w){_FLOOR}?{_TAIL}?"
)
_WITH_POST = re.compile(
    rf"(?<![\w-])(?:{_CAP}{_GAP}){{1,3}}(?P<number>{_NUMBER})(?!\w),?{_FLOOR}?,{_TAIL}"
)
_LABELLED = re.compile(
    rf"(?i:adresse|bopæl|bor på|boende|bor i|flyttet til|leveres til|sendt til)\W{{1,3}}"
    rf"(?P<all>(?!Stk)(?:{_CAP}{_GAP}){{1,4}}{_NUMBER}(?![\d.,]\d)(?!\w){_FLOOR}?{_TAIL}?)"
)
_FIELD = re.compile(
    r"(?<![^\W_])(?i:(?P<post>postn(?:umme)?r|post_?(?:nr|by))|(?P<street>vejnavn|gade(?:navn)?)"
    r"|husn(?:umme)?r|etage|sal|dør|postdistrikt|by(?:navn)?)\.?[\"'’]?\s?[:=>]\s?[\"'’]?"
    r"(?P<v>[^\W_][^\n,;:=<>\"|]{0,40})"
)
"""One part of an address with its label: ``husnr.: 71``, ``"postnr": "1850"``, ``<by>Ry</by>``."""
_FIELDS = ("postn", "post_", "vejnavn", "gade")
"""One of them stands in every row of such parts."""
_BETWEEN = 16
"""Characters between such fields that belong together, at most."""
_LABELS = ("adresse", "bopæl", "bor på", "boende", "bor i", "flyttet til", "leveres", "sendt til")
_POST = re.compile(rf"(?<![\w.,/-])(?P<post>[1-9]\d{{3}}){_GAP}(?P<town>{_TOWN}|{_LOWER_TOWN})")
_HOUSE = re.compile(r"[^\W\d_][ \n](?:nr\. ?)?[1-9]")
_POSTED = re.compile(r"[1-9]\d{3}[ \n][^\W\d_]")
"""In every street with a number and in every post code with a town."""
_LARGE_TOWNS = ("københavn", "frederiksberg", "odense", "aarhus", "århus", "aalborg")
_FIRST_WORDS = "|".join(sorted({town.split()[0] for town in (*cities(), *_LARGE_TOWNS)}))
"""First words of the Danish post towns."""
_PLACE = re.compile(r"postn|\bby\b|adresse|bopæl|\bbor\b|flytte|lever|er det", re.IGNORECASE)
_HEADING = re.compile(r"adresse|postn|gade|vejnavn|bopæl|^by$|postnr_by", re.IGNORECASE)


class AddressDkRecognizer(DanishRecognizer):
    """Street, house number (1 to 999, a letter), floor, door, post code and town.

    Source: danmarksadresser.dk, "Regler og vejledning: adresser". A street without a number is
    a place, not an address. A post code with a town alone is taken when the town is a Danish
    post town; one that looks like a year (1900 to 2099) only in Copenhagen or after a word such
    as *bor*. Parts with labels (``vejnavn: …, husnr.: 7``) are taken where two stand in a row.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("ADDRESS",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        rf"(?i)(?:{_SURE}|{_MORE}|{_DEFINITE})\s(?:nr\. ?)?[1-9]",
        rf"(?i)[1-9]\d{{3}}\s(?:{_FIRST_WORDS})",
        r"\d[^\d]{0,30},[^\d]{0,60}[1-9]\d{3}[ \n][^\d\s]",
        r"(?i)(?:postn(?:umme)?r|post_?nr|post_?by|vejnavn|gade)(?:navn)?\.?[\"']?\s?[:=>]",
        rf"(?i)(?:{'|'.join(_LABELS)})[^\w][\s\S]{{0,300}}[1-9]",
    )
    BEFORE: ClassVar[int] = 180
    HEADINGS: ClassVar[bool] = True
    COUNTRY_CODE: ClassVar[str] = "dk"

    def find(self, text: str) -> Iterator[Hit]:
        """The addresses in *text*."""
        for match in _STREET.finditer(text) if _HOUSE.search(text) else ():
            yield Hit("ADDRESS", match.start(), _end(match), 0.8)
        posted = _POSTED.search(text) is not None
        for match in _WITH_POST.finditer(text) if posted else ():
            yield Hit("ADDRESS", match.start(), _end(match), 0.6)
        lower = text.lower()
        labelled = any(word in lower for word in _LABELS)
        for match in _LABELLED.finditer(text) if labelled else ():
            yield Hit("ADDRESS", match.start("all"), _end(match), 0.75)
        for match in _POST.finditer(text) if posted else ():
            end = _end(match)
            known = end > match.start("town") and _is_town(text[match.start("town") : end])
            year = 1900 <= int(match["post"]) < 2100
            capital = match["town"].lower().startswith(("københavn", "frederiksberg"))
            if known and (not year or capital or explained(text, match.start(), _PLACE, None, 25)):
                yield Hit("ADDRESS", match.start(), end, 0.7)
        for field in _fields(text) if any(word in lower for word in _FIELDS) else ():
            yield Hit("ADDRESS", field.start("v"), field.end("v"), 0.7)
        for cell in cells(text):
            value = text[cell.start : cell.end]
            if value.strip() and _HEADING.search(cell.heading) and "@" not in value:
                yield Hit("ADDRESS", cell.start, cell.end, 0.7)


def _fields(text: str) -> Iterator[re.Match[str]]:
    """Labelled parts of addresses, two or more in a row, one a street or a post code."""
    row: list[re.Match[str]] = []
    for field in (*_FIELD.finditer(text), None):
        if row and (field is None or field.start() - row[-1].end() > _BETWEEN):
            if len(row) > 1 and any(part["post"] or part["street"] for part in row):
                yield from row
            row = []
        if field is not None:
            row.append(field)


def _is_town(words: str) -> bool:
    plain = re.sub(r"\s+", " ", words).strip(" .")
    district = re.fullmatch(r"(.+) (?:[NS][VØ]|[CKNSVØ])", plain)
    return (district[1] if district else plain).lower() in cities() or bool(
        re.fullmatch(
            r"(?i)(københavn|frederiksberg|odense|aarhus|århus|aalborg)(\s[A-ZØ]{1,2})?", words
        )
    )


def _end(match: re.Match[str]) -> int:
    """Where the address ends: a town of several words only as far as such a town exists."""
    town = match["town"]
    if not town:
        return match.end()
    town, start = town.rstrip("."), match.start("town")
    stops = [stop.start() for stop in re.finditer(r"[ \n]", town)] + [len(town)]
    for stop in reversed(stops):
        if _is_town(town[:stop]):
            return start + len(town[:stop].rstrip("."))
    if town[0].islower():
        return match.start("post") if "number" not in match.re.groupindex else match.end("number")
    letter = re.match(r"[\wæøå.-]+ [A-ZØ](?!\w)", town)
    return start + (letter.end() if letter else len(town[: stops[0]].rstrip(".")))
