"""Names of people by what stands before them: labels, greetings, signatures, titles, headings."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.gazetteer import is_elsewhere, is_public_figure, marks
from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit
from dsk_assets.privacy.recognisers.name_words import NEVER_FIRST, NOT_NAMES, TITLES, organisation
from dsk_assets.privacy.recognisers.tables import cells

_CAP = r"[A-ZÆØÅÖÄÜÉÁÍÓÚÞŞÇĞİŁŻŠŽČĆ][^\W\d_]{0,40}+(?:['’´-][^\W\d_]{1,40}+){0,4}+['’´]?+"
"""A word with a capital. Every repetition here has an end, and no word is tried in parts, so that
any text costs no more than its length."""
_PARTICLE = r"(?:von|van|de|der|den|la|le|á|af|al|el|bin|ibn|dos|da|di|du)"
_ONE = rf"(?:(?:el|al)-)?(?:[A-ZÆØÅ]\.|{_CAP})"
_NAME = rf"{_ONE}(?:(?: |-|(?<=\.))(?:{_PARTICLE} )?{_ONE}){{0,4}}"
_ANY = r"[^\W\d_][^\W\d_'’-]{1,40}+(?:[ -][^\W\d_][\w'’.-]{0,40}+){0,4}+"

_LABEL = re.compile(
    r"(?:^|[^\w])(?:(?i:fulde navn|navn|fornavn|efternavn|mellemnavn|kontaktperson|sagsbehandler"
    r"|borger|klient|patient|pt\.?|leder|medarbejder|bisidder|vidne|modparten?|forælder|barn"
    r"|underretter|ansøger|klager|anmelder|forsikringstager|skadelidte|beboer|afsender|modtager"
    r"|formand|kasserer|referent|ordstyrer|pårørende|ægtefælle|samlever|mor|far|læge|egen læge"
    r"|lærer|stillet af|kursist|elev|til stede|afbud|fraværende|deltagere|kontohaver|ejer|lejer"
    r"|udlejer|køber|sælger|viede|døbte|begravede|kontakt|att\.?|ved|underskrevet|indehaver"
    r"|evt\. partsrepræsentant|partsrepræsentant|værge|fra|til|cc|kopi til|vedr\.|vedrørende"
    r"|forfatter|redaktør|tilmeldt af|bestilt af|behandler|kontaktlærer|vikar)) ?: {0,3}"
    rf"(?P<v>{_NAME})"
)
_LABEL_LOWER = re.compile(
    r"(?im)^[^\w\n]{0,40}+(?:fulde navn|navn|fornavn|efternavn|kontaktperson) ?: {0,3}"
    rf"(?P<v>{_ANY})"
)
_GREETING = re.compile(
    r"(?:^|[^\w])(?:Hej(?:sa)?(?: igen)?|Kære(?:ste)?|Goddag|Godmorgen|Godaften|Hallo|Dear|Hi|hej"
    r"|kære)"
    rf" (?P<v>{_NAME}(?:(?:,| og| &) {_CAP}(?= |,|!|\n|$))?)"
)
_SIGNATURE = re.compile(
    r"(?i:hilsen|hilsner|\bmvh\.?|\bvh\.?|\bkh\.?|\bdbh\.?|\bknus|\btak på forhånd)"
    rf"(?:[ ,.!-]{{0,20}}(?:fra )?|[ ,.!-]{{0,20}}(?: ?\n){{1,4}} ?)(?P<v>{_NAME})"
    r"(?= ?[,.]?(?:\n| {0,20}$)|,|\.| og)",
)
_SLASH = re.compile(
    rf"(?:(?<=\s)|^)/ ?(?P<v>{_NAME}|(?:[A-ZÆØÅ]\.){{2,4}})(?=\s{{0,20}}(?:\n|$)|\.)", re.MULTILINE
)
_SIGNED = re.compile(rf"(?i:sign\.|underskrevet af|v/) ?(?P<v>(?:[A-ZÆØÅ]\.){{2,4}}|{_NAME})")
_TITLE = re.compile(
    r"(?<![\w-])(?P<t>[Hh]r\.?|[A-ZÆØÅa-zæøå][a-zæøå]{1,18}\.?),? (?P<v>(?:"
    + _PARTICLE
    + r" ){0,2}"
    + _NAME
    + r")"
)
_CALLED = re.compile(
    r"(?:hedder|ved navn|kaldet|kaldes|født navn|navnet|[Oo]pkald fra) (?:er )?"
    rf"(?P<v>{_NAME})"
)
_LOWER = re.compile(
    r"(?<![\w-])(?:hej|kære|hilsen|mvh|kh|vh|spørg|tak|ring til|min mand|min kone|min kæreste"
    r"|min søn|min datter|min mor|min far|kollega)"
    r" (?P<v>[^\W\d_]{2,40}(?:-[^\W\d_]{1,40})?)(?![\w@])",
    re.IGNORECASE,
)
_SPEAKER = re.compile(r"^(?P<v>[^\W\d_]{2,40}(?: [^\W\d_]{2,40})?):(?= )", re.MULTILINE)
_REVERSED = re.compile(
    rf"(?<![\w-])(?P<v>(?P<s>{_CAP}(?:[ -]{_CAP})?), (?P<g>{_CAP}(?: {_ONE}){{0,2}}))"
)
_NAME_BEFORE = re.compile(rf"{_CAP} $")
"""What stands before *Holm* in a list such as *Anne Holm, Bo Dam*."""
_INITIALED = re.compile(
    rf"(?<![\w.])(?<![AIK]/)(?P<v>(?:[A-ZÆØÅ]\. ?){{1,3}}{_CAP}|{_CAP} [A-ZÆØÅ]\.)(?![\w])"
)
_INITIAL_FIRST = re.compile(
    rf"(?:^|(?<![AIK])/|: |\b(?:af|som|med|fra|hos|om|og|til) )(?P<v>(?:[A-ZÆØÅ]\.[ \n]?){{1,3}}"
    rf"(?:{_PARTICLE} )?{_CAP}(?<=\w{{3}}))(?=[\s,.;:)]|$)",
    re.MULTILINE,
)
_HEADING = re.compile(
    r"navn(?!e?t? på)|medlem$|borger$|kunde$|elev$|patient$|person$|deltager$|kontakt$|medarbejder$"
    r"|^ejer$|^beboer$|forælder|^name$|ansøger",
    re.IGNORECASE,
)
_NOT_HEADING = re.compile(
    r"bruger|vej|virksomhed|firma|fil|vare|produkt|by|gade|login", re.IGNORECASE
)


class NameContextRecognizer(DanishRecognizer):
    """Names that lists need not know, because the words before them say what they are.

    Labels of forms (``Navn:``), greetings, signatures, titles and family words (*fru*, *nabo*),
    *hedder*, surname first (``Hansen, Anne``), initials with a surname, speakers in a chat, and
    columns of tables headed as names. A run that ends in an organisation word is no name.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("PERSON",)

    def find(self, text: str) -> Iterator[Hit]:
        """The names in *text*."""
        yield from _labelled(text)
        yield from _titled(text)
        yield from _with_initials(text)
        yield from _in_chat(text)
        for match in _REVERSED.finditer(text):
            if _is_reversed(text, match):
                yield Hit("PERSON", match.start("v"), match.end("v"), 0.7)
        for cell in cells(text):
            value = text[cell.start : cell.end]
            named = _HEADING.search(cell.heading) and not _NOT_HEADING.search(cell.heading)
            if named and any(c.isalpha() for c in value) and not _organisation(value, ""):
                yield Hit("PERSON", cell.start, cell.end, 0.75)


def _is_reversed(text: str, match: re.Match[str]) -> bool:
    """Whether a surname stands first, and not the end of the full name before it in a list."""
    first, *more = match["s"].split()
    found = set(marks(first))
    full = bool(more) and "g" in found and not found & {"w", "p"}
    listed = "s" in found and "g" in marks(match["g"].split()[0])
    before = max(0, match.start() - 40)
    return listed and not full and not _NAME_BEFORE.search(text, before, match.start())


def _labelled(text: str) -> Iterator[Hit]:
    for pattern in (_LABEL, _LABEL_LOWER, _GREETING, _SIGNATURE, _SLASH, _SIGNED, _CALLED):
        for match in pattern.finditer(text):
            if not _organisation(match["v"], text[match.end("v") : match.end("v") + 12]):
                start, end = _without_titles(match["v"])
                offset = match.start("v")
                if end > start and not is_public_figure(text, offset + start, offset + end):
                    yield Hit("PERSON", offset + start, offset + end, 0.7)


def _with_initials(text: str) -> Iterator[Hit]:
    for pattern, score in ((_INITIALED, 0.6), (_INITIAL_FIRST, 0.5)):
        for match in pattern.finditer(text):
            start, end = match.span("v")
            name = max(match["v"].replace(".", " ").split(), key=len)
            listed = pattern is _INITIAL_FIRST or set("sg") & set(marks(name))
            kept = _organisation(match["v"], text[end : end + 12])
            if listed and not kept and not is_public_figure(text, start, end):
                yield Hit("PERSON", start, end, score)


def _in_chat(text: str) -> Iterator[Hit]:
    """Speakers, and names in lower case after a greeting or a word for a relation."""
    turns = Counter(match["v"] for match in _SPEAKER.finditer(text))
    for pattern in (_LOWER, _SPEAKER):
        for match in pattern.finditer(text):
            found = [marks(word) for word in match["v"].split()]
            speaks = turns[match["v"]] > 1 and "d" in found[0]
            if all(found) and "g" in found[0] and (speaks or not {"w", "p"} & set(found[0])):
                yield Hit("PERSON", match.start("v"), match.end("v"), 0.5)


def _titled(text: str) -> Iterator[Hit]:
    place = 0
    while match := _TITLE.search(text, place):
        place = match.start("v")
        title = match["t"].lower()
        if title.rstrip(".") not in TITLES or (title[-1] == "." and len(title) > 5):
            continue
        start, end = _without_titles(match["v"])
        if end > start and not _organisation(match["v"], text[match.end() : match.end() + 12]):
            yield Hit("PERSON", match.start("v") + start, match.start("v") + end, 0.65)
            place = match.end()


def _without_titles(name: str) -> tuple[int, int]:
    """The part of *name* before a word that is none and after titles."""
    start, end = 0, len(name)
    for word in re.finditer(r"[^\s]+", name):
        bare = word.group().lower().rstrip(".,'’´")
        if bare in TITLES and not marks(bare) and word.start() == start:
            start = word.end() + 1
        elif bare in NOT_NAMES or bare in TITLES or bare in NEVER_FIRST - {"hans"}:
            end = max(word.start() - 1, 0)
            break
    return start, end


def _organisation(name: str, following: str) -> bool:
    parts = name.lower().rstrip("'’´.").split()
    if len(parts) == 1 and is_elsewhere(name) and not marks(name):
        return True
    next_word = re.match(r"['’´]?s? ?([^\s,.;:<()]{1,40})", following.lower())
    if next_word is not None and organisation(next_word[1]):
        return True
    return (
        organisation(parts[0]) or organisation(parts[-1]) or following.startswith((" &", "&", "/S"))
    )
