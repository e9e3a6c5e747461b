"""Which documents of a batch can hold a structured identifier at all, before any is read.

Passes of compiled automata over the Arrow column (polars, up to several GB a second each) tell for
each document whether anything stands in it that the structured recognisers look for. They err on
the side of too many; a test compares the findings with and without them.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

from dsk_assets.privacy.gazetteer import cities, word_list
from dsk_assets.privacy.normalise import fold
from dsk_assets.privacy.recognisers.windows import LARGE, windows

_HEX = r"[0-9a-fA-F]"
_ELSEWHERE = (
    "@|::|°|/~",
    rf"[:-]{_HEX}{{1,4}}[:-]{_HEX}{{1,4}}[:-]|\.{_HEX}{{4}}\.{_HEX}{{4}}",
    r"(?i)snabel|https?://|(?:facebook|linkedin|instagram|twitter|x|tiktok|github|youtube|snapchat)"
    r"\.com/",
    r"[\[({]\s?(?i:at|a)\s?[\])}]",
    r" (?i:at) [^\W_][\w-]*(?:\.[^\W_]| \. | ?[\[({]?(?i:dot|punktum|prik))",
    r"(?i)(?:bruger(?:navn|id)?|user(?:name)?|login(?:navn)?|skype|snap(?:chat)?|insta(?:gram)?"
    r"|discord|gamertag|profilnavn|nick(?:name)?)\s?[:=]",
    r"[Bb]ruger(?:en|navnet)? [a-z][a-z-]*[0-9._]",
    r"(?m)^[a-z][^A-ZÆØÅ\s:]{2,30}:(?: |$)|^[a-zA-Z][\w.-]*[0-9._][\w.-]*:(?: |$)",
    r"[\t|]|;[^\n;]*;",
    r"(?m)^[^0-9;\n,]{0,36},(?:\s*[^0-9;\n,]{0,31}\s*,){2,}\s*[^0-9;\n,]{0,31}\s*$",
)
"""Mail, handles, web and machine addresses, and tables: what need have no digit."""

_GAP = r"[ ./_\n()+<-]"
_STREETS = "|".join(sorted(word_list("streets")))
_TOWNS = "|".join(sorted({city.split()[0] for city in (*cities(), *LARGE)}))
_DIGITS = (
    rf"[0-9](?:{_GAP}{{0,4}}[0-9]){{5}}|(?:[0-9]+{_GAP}{{1,4}}){{3}}[0-9]",
    r"[A-ZÆØÅ]{2} ?[0-9]",
    r"(?is)(?:n(?:umme)?r(?:et)?|no|id(?:'et)?)[^a-zæøå0-9_].{0,21}[0-9]",
    r"(?is)(?:ref|sag)\w*\W.{0,20}[0-9]",
    r"(?i)cpr|personn|mitid|nemid|stel|chassis|(?:^|[^a-zæøå])vin(?:[^a-zæøå]|$)",
    r"(?is)(?:f(?:ø|oe|o)d|fdt|f\.|dob|birth|døb|\*).{0,50}[0-9]",
    rf"(?i)(?:{_STREETS})\S?\s(?:nr[.:#=)]*\s)?[1-9]",
    r"(?is)(?:adresse|bopæl|bor på|boende|bor i|flyttet til|leveres|sendt til).{0,120}[1-9]",
    rf"(?i)[1-9][0-9]{{3}}[ \n](?:{_TOWNS})",
    r",[^0-9]{0,60}[1-9][0-9]{3}[ \n]",
)
"""Numbers with a word or form that may explain them: more than the windows take up."""

_FOLDED = (
    r"[^\x00-\x25\x27-\x3b\x3d\x3f-\x7e\x{a1}-\x{ac}\x{ae}-\x{c2}\x{c6}-\x{2ff}"
    r"\x{2018}-\x{201e}…€]|-\n",
    r"[0-9][OoIl]{1,2}[0-9]|[0-9]O[ -][0-9]",
)
"""Where folding may change the text, as in :mod:`dsk_assets.privacy.normalise`."""


class Candidate(NamedTuple):
    """What a document may hold: something near digits, and something that needs none."""

    digits: bool
    elsewhere: bool


def candidates(texts: "pa.Array[Any]") -> Iterator[Candidate]:
    """For each of *texts* (strings) what the structured recognisers could find in it.

    Only texts that the column-wide passes leave open become Python strings.
    """
    column = pl.Series(pl.from_arrow(texts))
    digits, elsewhere, folded = (_any(column, p) for p in (_DIGITS, _ELSEWHERE, _FOLDED))
    for row, (near, other, changed) in enumerate(zip(digits, elsewhere, folded, strict=True)):
        text = texts[row].as_py() if near or changed else ""
        if changed and fold(text).text != text:
            yield Candidate(True, True)
        else:
            yield Candidate(bool(near and windows(text)) or other, other)


def _any(column: pl.Series, patterns: Sequence[str]) -> pl.Series:
    """Whether each text matches one of *patterns*: one by one is faster than all in one."""
    return reduce(or_, (column.str.contains(pattern) for pattern in patterns))
