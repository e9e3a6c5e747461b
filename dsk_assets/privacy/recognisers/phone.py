"""Danish and foreign telephone numbers."""

import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit, after_name, explained
from dsk_assets.privacy.recognisers.tables import cells

_POSITIVE = re.compile(
    r"tlf|telefo|\btel\b|\btel\.|mobil|\bmob\b|\bring(?:e|er|es|et|ede|s)?\b|opkald|samtale|\bsms|\bfax|kontakt"
    r"|nummer er|nummeret er|lokalnummer|direkte|træffes|fange|hotline|whatsapp|fastnet"
    r"|swipp|\bph\b|☎|☏|📞|\b[tm]:"
    r"|\bhenv(?:\.|endelse)|\bt1f|\bnr\.? er",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"ordre|faktura|vare-?n|isbn|issn|\bp-?n|konto|batch|\bean\b|serie|reference|sagsn|journaln"
    r"|j\.? ?nr|bilag|cvr|\bse-?n|momsn|timestamp|matr|kunden|policen|medlemsn|kørekort|\bkr\b"
    r"|beløb|produktkode|varekode|postordre|version|gln|cpr|bestilling|reg\.? ?n|lønn|medarbejdern",
    re.IGNORECASE,
)
_PREFIX = r"(?:(?:\(?(?:\+|00) ?45\)?)[ .-]?)"
_SEP = r"(?:[ .]|-|/|\n)"
_DANISH = re.compile(
    rf"(?<![\w+§])(?<!§ )(?<!\d[ .,/:-])(?<![^\W\d_]-)(?P<cc>{_PREFIX})?"
    rf"(?P<v>[2-9]\d(?:{_SEP}\d\d){{3}}|[2-9]\d{{3}}{_SEP}\d{{4}}|[2-9]\d\d?{_SEP}\d{{3}}{_SEP}\d{{3}}"
    rf"|[2-9]\d{{3}}{_SEP}\d\d{_SEP}\d\d|[2-9]\d{_SEP}\d\d{_SEP}\d{{4}}"
    rf"|[2-9]\d\d{_SEP}\d\d{_SEP}\d{{3}}|[2-9]\d\d{_SEP}\d{{3}}{_SEP}\d\d|[2-9]\d{{7}})"
    rf"(?![^\W_])(?!{_SEP}?\d)(?!,\d| ?(?:kr|dkk|mio|mia)\b)"
)
_EIGHT = r"[2-9]\d(?:[ .]?\d\d){3}|[2-9]\d{3} \d{4}|[2-9]\d\d \d\d \d{3}"
_SPACED = re.compile(r"[2-9](?<![\w+][2-9])(?<!\d[ .,/:-][2-9])(?: \d){7}(?![^\W_]| ?\d)")
_MISREAD = re.compile(
    r"(?i:tlf|telefo|mobil|\bmob\b|\bring|\bsms)[^\n\d]{0,20}?(?<![^\W_])"
    r"(?P<v>[2-9OolISBZ][\dOolISB](?:[ .]?[\dOoIlSBZ]{2}){3})(?![^\W_])"
)
"""Eight digits, some of them read as letters by a scanner, after a word for a telephone."""
_MIXED = re.compile(r"\d[OlISBZ]|[OlISBZ]\d")
_JOINED = re.compile(
    rf"(?<![\w+])(?<!\d[ .,/:-])(?:{_EIGHT})(?: ?/ ?(?:{_EIGHT}))+(?![^\W_]|[ ./-]?\d)"
)
_FOREIGN = re.compile(
    r"(?<![\w+])(?:\+|00)(?!45|0)[1-9]\d{0,2}[ .-]?(?:\(0\) ?)?(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}"
    r"(?![^\W_])"
)
_AFTER = re.compile(
    r" ?\((?:sms|mobil|tlf|telefon|privat|arbejde|arb\.?|hjem(?:me)?)\b", re.IGNORECASE
)
_YEARS = re.compile(r"(?:19|20)\d\d-(?:19|20)\d\d|\d{4}/\d{4}")
_DATED = re.compile(
    r"(?:[23]\d[ ./\n-](?:0\d|1[0-2])[ ./\n-](?:19|20)\d\d)"
    r"|20\d\d[ ./\n-](?:0\d|1[0-2])[ ./\n-][0-3]\d"
    r"|20\d\d (?:[01]\d|2[0-3])\.[0-5]\d"  # a year and a clock time, as in a journal
)
_CELL = re.compile(rf"\W{{0,2}}{_PREFIX}?(?P<v>{_EIGHT})\W{{0,2}}")
_ORGANISATION = ("70", "80", "90")


class PhoneDkRecognizer(DanishRecognizer):
    """Eight digits, written together, in pairs, fours or threes, with or without +45.

    Source: "Den samlede danske nummerplan" (Styrelsen for Dataforsyning og Infrastruktur): a
    closed plan of eight digits whose first is 2 to 9. Prefix lists do not help: 68 % of random
    eight-digit strings and 44 % of dates written YYYYMMDD are numbers that could be in use. So
    eight digits together need a country code, an explaining word or a name right before them;
    digits in groups need only that no other word (*CVR*, *ordrenummer*) explains them. Two numbers
    may be joined by a slash; eight single digits, or letters that a scanner took for digits, need a
    word for a telephone. The
    series 70, 80 and 90 belong to companies and services, and are kept unless a name stands
    before them. In a table the heading of the column explains.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("PHONE_NUMBER",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        r"[2-9](?:[ ./\n-]?\d){7}",
        r"\d[OlISBZ]|[OlISBZ]\d",
    )
    COUNTRY_CODE: ClassVar[str] = "dk"

    def find(self, text: str) -> Iterator[Hit]:
        """The numbers in *text*."""
        for match in _DANISH.finditer(text):
            score = self._score(text, match)
            if score:
                yield Hit("PHONE_NUMBER", match.start(), match.end(), score)
        for match in _SPACED.finditer(text):
            if explained(text, match.start(), _POSITIVE, _NEGATIVE, 40) == 1:
                yield Hit("PHONE_NUMBER", match.start(), match.end(), 0.8)
        for match in _MISREAD.finditer(text) if _MIXED.search(text) else ():
            if sum(c.isdigit() for c in match["v"]) in range(4, 8):
                yield Hit("PHONE_NUMBER", match.start("v"), match.end("v"), 0.7)
        for match in _JOINED.finditer(text):
            near = explained(text, match.start(), _POSITIVE, _NEGATIVE, 40)
            spaced = " " in match.group().replace(" / ", "/")
            if near == 1 or (near == 0 and (spaced or after_name(text, match.start()))):
                yield Hit("PHONE_NUMBER", match.start(), match.end(), 0.6 + 0.3 * near)
        for cell in cells(text):
            if _POSITIVE.search(cell.heading) and not _NEGATIVE.search(cell.heading):
                number = _CELL.fullmatch(text, cell.start, cell.end)
                if number and not number["v"].startswith(_ORGANISATION):
                    yield Hit("PHONE_NUMBER", number.start("v"), number.end("v"), 0.9)

    def _score(self, text: str, match: re.Match[str]) -> float:
        near = explained(text, match.start(), _POSITIVE, _NEGATIVE, 40)
        if _DATED.fullmatch(match["v"]):
            return 0.0
        if match["v"].startswith(_ORGANISATION) or (near < 1 and _YEARS.fullmatch(match["v"])):
            return 0.2
        if match["cc"]:
            return 0.95
        if near == 1 or (near == 0 and _AFTER.match(text, match.end())):
            return 0.9
        if near == 0 and after_name(text, match.start()):
            return 0.6
        if near == -1 or match["v"].isdigit():
            return 0.2
        return 0.6


class PhoneForeignRecognizer(DanishRecognizer):
    """International numbers: + or 00, a country code other than 45, 8 to 15 digits (E.164)."""

    ENTITIES: ClassVar[tuple[str, ...]] = ("PHONE_NUMBER",)
    ANCHORS: ClassVar[tuple[str, ...]] = (r"(?:\+|00)[1-9][\d ().-]{5}",)

    def find(self, text: str) -> Iterator[Hit]:
        """The numbers in *text*."""
        for match in _FOREIGN.finditer(text):
            digits = len(re.sub(r"\D", "", match.group()))
            plus = match.group().startswith("+")
            near = explained(text, match.start(), _POSITIVE, _NEGATIVE, 40)
            grouped = plus or " " in match.group()
            if 8 <= digits <= 15 and (near == 1 or (grouped and near == 0)):
                yield Hit("PHONE_NUMBER", match.start(), match.end(), 0.8)
