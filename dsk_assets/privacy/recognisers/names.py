"""Names of people by word lists and by how Danish writes names."""

import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.gazetteer import is_elsewhere, is_public_figure, key, marks
from dsk_assets.privacy.name_model import search
from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit
from dsk_assets.privacy.recognisers.model_names import by_model
from dsk_assets.privacy.recognisers.name_words import (
    FIRM,
    NEVER_FIRST,
    NOT_NAMES,
    PARTICLES,
    SUFFIX,
    TITLES,
    Word,
    organisation,
    sentence_start,
    words,
)
from dsk_assets.privacy.recognisers.things import names_a_thing

_GAP = re.compile(r" {1,2}|\. ?| ?\n")
_PARTNER = re.compile(r"([^\W\d_]+) [A-ZÆØÅ][\w-]+(?:, [A-ZÆØÅ][\w-]+)* & $")
"""Before the last name of a firm, as in *Advokatfirmaet Holm & Bruun*."""
_LOWER_PAIR = re.compile(r"(?<![\w@.-])([^\W\d_A-ZÆØÅ]{2,}) ([^\W\d_A-ZÆØÅ]{3,})(?![\w@])")
_ACTS = re.compile(
    r"(?: (?:siger|sagde|fortæller|fortalte|oplyser|oplyste|mindede|mener|mente|spurgte|svarede"
    r"|bor|boede|ringer|ringede|skriver|skrev|ønsker|ønskede|deltog|forklarer|forklarede|tilføjer"
    r"|hedder|takkede|synes|syntes|husker|glædede|smilede|lo|nikkede|rystede?r?)\b"
    r"| (?:mor|far|søster|bror|søn|datter|nabo|mand|kone|kæreste|børn|forældre|ægtefælle|samlever"
    r"|navn|telefon|mobil|bedsteforældre|gæster|sag)\b| og [A-ZÆØÅ][a-zæøå]+ (?!Kommune|Amt|Sogn))"
)
_DISTRICTED = {
    "københavn",
    "odense",
    "aarhus",
    "århus",
    "aalborg",
    "randers",
    "esbjerg",
    "frederiksberg",
}
_DENIABLE, _LEAST, _DOUBTED = 0.65, 0.02, 0.3
"""A find with at most this score is dropped where the model gives it less than this probability,
which must be higher for a word that also names a place or a firm."""
_FULL = 0.88
"""Least score of a full name that the model finds whose parts are looked for elsewhere."""
_LONGEST = 8
"""Words in a name, at most."""

_WRAP = 40
"""A line longer than this may break inside a name."""


class GazetteerNameRecognizer(DanishRecognizer):
    """Names built of listed given names and surnames, initials and particles.

    Danish does not capitalise nouns, so a listed word with a capital inside a sentence is a
    name even when it is also an ordinary word (*Bjørn*, *Lærke*, *Storm*); at the start of a
    sentence such a word needs a second one. Unlisted words join a listed given name. A name
    before an organisation word (*Legat*, *A/S*, *Vej*) names no person. Each part of a full name,
    also of one that only the model finds, is found again elsewhere in the text. Well-known people
    dead for more than ten years are left.

    Lists: faker's locales in Latin script (MIT) and a supplement; gazetteers decide recall and
    fairness more than the model does: names of a group without a list are missed at 30 to 70 %.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("PERSON",)

    def find(self, text: str) -> Iterator[Hit]:
        """The names in *text*."""
        found: list[Hit] = []
        loose: list[Word] = []
        known: set[str] = set()
        for run in _runs(text):
            for words_, score in _names(text, run):
                hit = Hit("PERSON", words_[0].start, words_[-1].end, score)
                if is_public_figure(text, hit.start, hit.end) or _denied(text, hit):
                    continue
                if names_a_thing(text, hit.start, hit.end):
                    continue
                found.append(hit)
                if len(words_) > 1:
                    known |= {key(w.text) for w in words_ if len(w.text) > 2}
            loose += run
        for hit in by_model(text):
            parts = text[hit.start : hit.end].split()
            if hit.score >= _FULL and len(parts) > 1:
                known |= {key(part) for part in parts if len(part) > 2 and part[0].isupper()}
        yield from found
        taken = {hit.start for hit in found}
        for word in loose:
            first = word.text.split("-")[0]
            stem = key(first)
            is_known = {stem, stem.removesuffix("s")} & known
            if not is_known or word.start in taken or word.lower in NOT_NAMES or not word.capital:
                continue
            if word.lower not in NEVER_FIRST or not sentence_start(text, word.start):
                part = word.text != first and "h" not in word.marks
                end = word.start + len(first) if part else word.end
                hit = Hit("PERSON", word.start, end, 0.5)
                if not _denied(text, hit):
                    yield hit
        yield from _lower_case(text)


def _denied(text: str, hit: Hit) -> bool:
    """Whether the sequence model denies a name that is not sure, by the sentence round it."""
    if hit.score > _DENIABLE or text[hit.end : hit.end + 1] == "-":
        return False
    words_ = text[hit.start : hit.end].split()
    doubted = all(is_elsewhere(word) and "d" not in marks(word) for word in words_)
    return search(text).probability(hit.start, hit.end) < (_DOUBTED if doubted else _LEAST)


def _runs(text: str) -> Iterator[list[Word]]:
    """Neighbouring words written like names, with nothing but a space or a full stop between."""
    run: list[Word] = []
    for word in words(text):
        if run and not _joined(text, run[-1], word):
            yield _trimmed(run)
            run = []
        if run or word.capital:
            run.append(word)
    if run:
        yield _trimmed(run)


def _joined(text: str, left: Word, right: Word) -> bool:
    gap = text[left.end : right.start]
    if not _GAP.fullmatch(gap):
        return False
    if gap.startswith("."):
        return left.initial or left.lower in ("st", "chr", "fr", "joh", "hr", "dr")
    if "\n" in gap:
        wrapped = left.start - (text.rfind("\n", 0, left.start) + 1) > _WRAP
        return wrapped or (left.sure and "g" in left.marks and right.sure and right.marks == "ds")
    return right.capital or right.text in PARTICLES


def _trimmed(run: list[Word]) -> list[Word]:
    end = len(run)
    while end and not run[end - 1].capital:
        end -= 1
    return run[:end]


def _names(text: str, run: list[Word]) -> Iterator[tuple[list[Word], float]]:
    place = 0
    while place < len(run):
        end, score = _name_at(text, run, place)
        if end > place:
            yield run[place:end], score
        place = max(end, place + 1)


def _name_at(text: str, run: list[Word], place: int) -> tuple[int, float]:
    """Where a name that begins at *place* of *run* ends, and its score; *place* for none."""
    first = run[place]
    opening = sentence_start(text, first.start)
    if first.text == "I" and text[first.end : first.end + 1] == " ":
        return place, 0.0
    if first.lower in NOT_NAMES or first.lower in TITLES or organisation(first.lower):
        return place, 0.0
    shouting = first.text.isupper() and len(first.text) > 1
    end = place + 1
    while end < min(len(run), place + _LONGEST) and _continues(run, end, shouting):
        end += 1
    while end > place + 1 and not run[end - 1].capital:
        end -= 1
    following = run[end].lower if end < len(run) else ""
    if (
        organisation(following)
        or FIRM.match(text, run[end - 1].end)
        or text.startswith("/S", run[end - 1].end)
    ):
        return place, 0.0
    partner = _PARTNER.search(text, max(0, first.start - 80), first.start)
    if partner is not None and organisation(partner[1].lower()):
        return place, 0.0
    if end - place == 1:
        alone = len(run) == 1
        return _single(text, first, opening, shouting, alone, place)
    parts = run[place + 1 : end]
    if first.initial:
        last = [part for part in parts if not part.initial]
        named = any(
            part.lower in PARTICLES or "s" in part.marks or SUFFIX.search(part.text)
            for part in last
        )
        return (end, 0.75) if named and not _district(text, first) else (place, 0.0)
    if first.lower in PARTICLES - {"den", "de", "der", "af", "da"} and "s" in parts[-1].marks:
        return end, 0.6
    if "g" in first.marks or "h" in first.marks:
        return _after_given(first, parts, opening, shouting, place, end)
    last_word = parts[-1]
    if first.sure and "s" in first.marks and any("g" in part.marks for part in parts):
        return end, 0.7
    listed = "s" in last_word.marks and last_word.sure and "d" in last_word.marks
    if not opening and not shouting and not first.marks and listed and end - place <= 4:
        return end, 0.6
    return place, 0.0


def _district(text: str, word: Word) -> bool:
    """Whether a letter belongs to a post town, as in *Odense C*."""
    town = text[max(0, word.start - 20) : word.start].rstrip().rsplit(None, 1)
    return bool(town) and word.start > 0 and town[-1].lower() in _DISTRICTED


def _after_given(
    first: Word, parts: list[Word], opening: bool, shouting: bool, place: int, end: int
) -> tuple[int, float]:
    listed = [p for p in parts if p.marks and not p.initial]
    ordinary = "w" in first.marks
    if first.lower in NEVER_FIRST and opening:
        supported = any(p.sure or SUFFIX.search(p.text) for p in parts)
        return (end, 0.8) if supported else (place, 0.0)
    if shouting and not (listed or SUFFIX.search(parts[-1].text)):
        return place, 0.0
    if ordinary and opening:
        supported = bool(listed) or any(SUFFIX.search(p.text) for p in parts)
        return (end, 0.7) if supported else (place, 0.0)
    if "p" in first.marks and not listed:
        return place, 0.0
    return end, 0.9 if listed else 0.65


def _continues(run: list[Word], place: int, shouting: bool) -> bool:
    word = run[place]
    if word.lower in NOT_NAMES or organisation(word.lower):
        return False
    if not word.capital:
        return place + 1 < len(run)
    if shouting != (word.text.isupper() and len(word.text) > 1) and not word.initial:
        return bool(word.marks) and not shouting
    return word.lower not in TITLES or bool(word.marks)


def _single(
    text: str, word: Word, opening: bool, shouting: bool, alone: bool, place: int
) -> tuple[int, float]:
    """A listed word alone: one that is nothing else, or one whose capital or neighbour tells."""
    nordic, given, surname = "d" in word.marks, "g" in word.marks, "s" in word.marks
    if shouting or word.initial or not word.marks or len(word.text) < 2:
        return place, 0.0
    if word.sure and given and (nordic or not surname or not opening):
        return place + 1, 0.6 if nordic else 0.45
    if word.sure and surname and nordic:
        return place + 1, 0.5
    if not nordic or "p" in word.marks or len(word.text) < 2:
        return (place + 1, 0.4) if alone and word.sure and not opening else (place, 0.0)
    if opening:
        acts = word.lower not in NEVER_FIRST and _ACTS.match(text, word.end)
        return (place + 1, 0.45) if acts and given else (place, 0.0)
    quoted = text[word.start - 1 : word.start] in "\"'»«"
    return (place, 0.0) if quoted or not (given or alone) else (place + 1, 0.4)


def _lower_case(text: str) -> Iterator[Hit]:
    """A listed given name and surname in lower case, side by side, neither an ordinary word."""
    place = 0
    while match := _LOWER_PAIR.search(text, place):
        place = match.end(1)
        given, surname = marks(match[1]), marks(match[2])
        if "g" in given and "s" in surname and not {"w", "p"} & set(given + surname):
            yield Hit("PERSON", match.start(), match.end(), 0.5)
            place = match.end()
