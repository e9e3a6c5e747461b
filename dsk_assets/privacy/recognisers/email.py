"""E-mail addresses, also on internal domains and written so that machines do not see them."""

import re
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.gazetteer import word_list
from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit

_LOCAL = r"[^\W_](?:[\w.+'%&-]{0,250}[\w+-])?"
_DOMAIN = r"[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*"
_PLAIN = re.compile(
    rf"(?<![\w.+-])({_LOCAL}|\"[^\"\s@]{{1,64}}\")@(\[[\da-f.:]+\]|{_DOMAIN})", re.IGNORECASE
)
_SPACED = (
    r" \. (?:(?:dk|com|org|net|eu|nu|se|no|de|uk|info|local)(?![\w-])|[^\W_][\w-]*(?= \. [a-z]))"
)
"""A part of a domain after a full stop with spaces round it: ``example . dk``."""
_SPACED_END = re.compile(rf"(?:{_SPACED})+")
_HIDDEN = re.compile(
    rf"(?<![\w.+@-])({_LOCAL})(?: ?[\[({{]\s?(?:at|a|snabel-?a|@)\s?[\])}}] ?"
    r"| snabel-?a | at | @ ?|@ )"
    r"([^\W_][\w-]*(?:(?:\.| ?[\[({]?(?:dot|punktum|prik)[\])}]? ?)[^\W_][\w-]*"
    rf"|{_SPACED}){{1,4}})(?![\w-])",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"[\[({]\s?(?:at|a|snabel|@)")
_BARE = re.compile(r" at [\w-]+(?: ?\.| ?[\[({]?(?:dot|punktum|prik))")
"""Every hidden form has one of these, or the word snabel, in lower case."""
_ROLE = word_list("role_mailboxes")


class EmailDkRecognizer(DanishRecognizer):
    """E-mail addresses by RFC 5321 without the forms nobody uses, with any or no top domain.

    Presidio's own recogniser asks a list of top domains, which it fetches from the network, and
    gives ``anna@kommune.local`` score 0; a leak weighs more than a false find here. Shared
    mailboxes (info, kontakt, faktura) lead to no person and are left.
    Hidden forms: ``anna (at) example.dk``, ``anna snabel-a example punktum dk``.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("EMAIL_ADDRESS",)
    ANCHORS: ClassVar[tuple[str, ...]] = (
        "@",
        "(?i)snabel",
        r"(?i)[\[({]\s?(?:at|a)\s?[\])}]",
        r"(?i) at [^ \n]+(?:\.[^ ]| \. | ?[\[({]?(?:dot|punktum|prik))",
    )
    BEFORE: ClassVar[int] = 180

    def find(self, text: str) -> Iterator[Hit]:
        """The addresses in *text*."""
        if "@" in text:
            for match in _PLAIN.finditer(text):
                if match[1].lower() not in _ROLE:
                    spaced = None if "." in match[2] else _SPACED_END.match(text, match.end())
                    end = spaced.end() if spaced else match.end()
                    yield Hit("EMAIL_ADDRESS", match.start(), end, 0.95)
        lower = text.lower()
        if not (
            "snabel" in lower
            or " @" in text
            or "@ " in text
            or _BRACKETED.search(lower)
            or _BARE.search(lower)
        ):
            return
        for match in _HIDDEN.finditer(text):
            bare = " at " in match.group().lower()
            domain = match[2].endswith(" . dk") if " . " in match[2] else "." in match[2]
            if match[1].lower() not in _ROLE and (domain or not bare):
                yield Hit("EMAIL_ADDRESS", match.start(), match.end(), 0.5 if bare else 0.85)
