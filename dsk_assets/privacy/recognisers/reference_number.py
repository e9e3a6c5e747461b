"""Numbers under which an organisation keeps a person: customer, member, policy, case."""

import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit
from dsk_assets.privacy.recognisers.tables import cells

_NUMBER = r"[- _]?(?:n(?:umme)?r(?:et)?\b\.?|no\b\.?|id(?:'et)?\b|nummeret)"
_PERSONS = (
    *("kunde", "medlem", "medarbejder", "personale", "løn", "police", "studie", "elev", "patient"),
    *("borger", "abonnement", "låner", "lejer", "forsikrings", "spiller", "donor", "klient"),
    *("ansat", "tjeneste", "kursist", "bruger", "beboer", "deltager", "rejsekort", "lånekort"),
    *("kandidat", "måler", "aftage", "installations", "forbruger", "forsikringspolice"),
)
_PERSON = rf"(?:{'|'.join(_PERSONS)})s?"
_CASE = r"(?:sags?|journal|skade|klage|straffe|anmeldelses?|rets|ticket|ærende|j\.?|akt)"
_LINK = r"(?: er| lyder(?: på)?| på|:|=|#|\)|\.){0,2}[ \n]{0,2}(?:#|nr\.? ?)?"
_GROUPS = r"(?: \d{1,4}(?![\w.,:/-]?\d| ?(?:kr|dkk|,-|stk|år)|\w)){0,4}"
"""Further digits of a number written in groups, no date, time or amount."""
_PERSON_ID = re.compile(
    rf"(?<![^\W_]){_PERSON}{_NUMBER}{_LINK}"
    r"(?P<v>(?=[A-Z]{0,4}-?(?:[A-Z-]{0,2} ?\d){3})"
    rf"[A-Z]{{0,4}}-?\d[\dA-Z-]{{0,15}}{_GROUPS})(?!\w)",
    re.IGNORECASE,
)
_CASE_NUMBER = re.compile(
    rf"(?<![^\W_])(?:{_CASE}{_NUMBER}|sagen har nummer(?:et)?"
    r"|(?:vores|jeres|vor|deres) (?:ref|sag)\w*\.?)"
    r"(?: er| lyder(?: på)?|:|=|#|\.){0,2}[ \n]{0,2}"
    r"(?P<v>[A-ZÆØÅ]{0,6}[-/ .]?\d[\w./-]{2,30}[\w])(?![\w])",
    re.IGNORECASE,
)
_CASE_SLASHED = re.compile(
    r"(?<![^\W_])(?:(?:straffe|civil|rets)?sag|sagen|journal)(?: nr\.?)? "
    r"(?P<v>(?![CTF]-\d{1,4}/\d\d)(?:[A-ZÆØÅ]{1,3}[- ]){0,2}\d(?=[\d.]{0,9}[/-])[\d./-]{3,24}\d"
    r"(?:-[A-ZÆØÅ]{2,4})?)(?![\w/])",
    re.IGNORECASE,
)
"""As courts and authorities number: *sag 12/3456*, *B-1182-14*, *BS 7-1183/2018*; cases of the
Court of Justice (*C-131/12*) are published under their parties' names."""
_DATE = re.compile(r"\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|\d{4}-\d\d-\d\d|\d{4}[-/]\d{2,4}")
_KL = re.compile(
    r"(?<![\w.])(?:\d\d\.\d\d\.\d\d-[A-Z]\d\d-\d{1,6}-\d\d|[A-Z]{3,4}-20\d\d-\d{4,6}"
    r"|[BS]S-\d{3,6}/20\d\d-[A-ZÆØÅ]{3}|\d{4}-\d{5}-\d{5}-\d\d)(?![\w-])"
)
"""KL's plan, municipal and court systems (*BS-1234/2023-OLR*), and the police (POLSAS)."""
_PERSON_HEADING = re.compile(rf"^{_PERSON}{_NUMBER}", re.IGNORECASE)
_CASE_HEADING = re.compile(rf"^{_CASE}{_NUMBER}", re.IGNORECASE)


class PersonIdRecognizer(DanishRecognizer):
    """Customer, member, policy, staff or student numbers: any form, so the word decides."""

    ENTITIES: ClassVar[tuple[str, ...]] = ("PERSON_ID",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        rf"(?i)(?:{'|'.join(_PERSONS)})s?[- _]?(?:nr|nummer|no|id)",
    )
    HEADINGS: ClassVar[bool] = True

    def find(self, text: str) -> Iterator[Hit]:
        """The numbers in *text*."""
        lower = text.lower()
        for match in _PERSON_ID.finditer(text) if any(w in lower for w in _PERSONS) else ():
            yield Hit("PERSON_ID", match.start("v"), match.end("v"), 0.8)
        for cell in cells(text):
            if _PERSON_HEADING.search(cell.heading) and cell.end > cell.start:
                yield Hit("PERSON_ID", cell.start, cell.end, 0.8)


class CaseNumberRecognizer(DanishRecognizer):
    """Case and journal numbers: after a word for them, or in the form of the KL filing plan.

    A decided case stays identifiable through its number (Datatilsynet, "Krav til anonymisering i
    retsinformationssystemer"). The municipal form is NN.NN.NN-LNN-N-YY (KL-emnesystematik).
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("CASE_NUMBER",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        rf"(?i){_CASE}[- _]?(?:nr|nummer|no|id)",
        r"(?i)sagen har nummer|(?:vores|jeres|vor|deres) (?:ref|sag)",
        r"(?i)(?:sag|sagen|journal)(?: nr\.?)? (?:[a-zæøå]{1,3}[- ]){0,2}\d",
        r"[BS]S-\d{3}",
        r"\d{4}-\d{5}-\d{5}-\d\d",
        r"(?i)\d\d\.\d\d\.\d\d-[A-Z]",
        r"[A-Z]{3}-20\d\d-\d{4}",
    )
    HEADINGS: ClassVar[bool] = True

    def find(self, text: str) -> Iterator[Hit]:
        """The numbers in *text*."""
        for match in _CASE_NUMBER.finditer(text):
            if sum(c.isdigit() for c in match["v"]) >= 3:
                yield Hit("CASE_NUMBER", match.start("v"), match.end("v"), 0.75)
        for match in _CASE_SLASHED.finditer(text):
            enough = 4 if match["v"][0].isalpha() else 6
            digits = sum(c.isdigit() for c in match["v"])
            if digits >= enough and not _DATE.fullmatch(match["v"]):
                yield Hit("CASE_NUMBER", match.start("v"), match.end("v"), 0.6)
        for match in _KL.finditer(text):
            yield Hit("CASE_NUMBER", match.start(), match.end(), 0.6)
        for cell in cells(text):
            if _CASE_HEADING.search(cell.heading) and cell.end > cell.start:
                yield Hit("CASE_NUMBER", cell.start, cell.end, 0.7)
