"""User names, handles in chats and logs, and web addresses that lead to one person."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from dsk_assets.privacy.gazetteer import word_list
from dsk_assets.privacy.recognisers.base import DanishRecognizer, Hit
from dsk_assets.privacy.recognisers.tables import cells

_AT = re.compile(r"(?<![\w@.+-])@[A-Za-z](?:[\w.]{1,28}\w)(?!@)")
_LABELLED = re.compile(
    r"(?<!\w)(?:bruger(?:navn|id)?|user(?:name)?|login(?:navn)?|skype|snap(?:chat)?|insta(?:gram)?"
    r"|discord|steam|twitch|telegram|xbox|psn|gamertag|profilnavn|nick(?:name)?)\s?[:=]\s?"
    r"(?P<v>[^\W_][\w.@-]{1,38}\w(?:#\d{4}(?!\d))?)",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    r"\b[Bb]ruger(?:en|navnet)? (?P<v>[a-z][a-z-]*[\d._][\w.-]*\w)(?=[ ,.]|$)", re.MULTILINE
)
_ACCOUNT = re.compile(
    r"(?<!\w)(?:brugernavn(?:et)?|(?:uni-?)?login|logon|user|(?:snap|snapchat|insta|instagram|discord)"
    r"(?:ten|en)?)"
    r"(?: er| hedder)? (?P<v>(?=[a-z._-]*[\d._][\w.-]*\w)[a-z][\w.-]{1,38}\w)(?=[ ,.)]|$)",
    re.IGNORECASE | re.MULTILINE,
)
"""Without a colon only a name with a digit, dot or underscore."""
_WROTE = re.compile(
    r"^(?:<(?P<irc>(?![A-Z_]+>)[\w-]{2,30})> |(?P<v>(?=\w*[\d_])\w{3,30}) skrev\b)", re.MULTILINE
)
"""Who speaks in a forum (``mini99 skrev:``) or on IRC (``<mini99> hej``)."""
_REDDIT = re.compile(r"(?<![\w/.])(?P<v>/?u/[A-Za-z][\w-]{2,19})(?![\w/])")
_LOGGED = re.compile(
    r"(?<!\w)for (?:(?:invalid|illegal) )?(?:user )?(?P<v>[a-z][\w.-]{1,30}) from "
    r"(?=[\da-f]{1,4}[.:])"
)
"""As OpenSSH writes a login down: ``Failed password for invalid user NAME from ADDRESS``."""
_ACCOUNTS = (
    *("bruger", "user", "login", "skype", "snap", "insta", "discord", "gamertag"),
    *("profilnavn", "nick", "steam", "twitch", "telegram", "xbox", "psn"),
)
_SPEAKER = re.compile(r"(?P<v>[a-zA-Z][\w.-]{1,29}\w):(?= |$)", re.MULTILINE)
_CODE = frozenset(
    (
        *("media", "import", "charset", "font-face", "keyframes", "supports", "page", "namespace"),
        *("layer", "container", "Override", "Deprecated", "SuppressWarnings", "SafeVarargs"),
        *("FunctionalInterface", "Test", "Before", "After", "Autowired", "Bean", "Component"),
        *("Service", "Repository", "Entity", "Table", "Column", "Id", "Nullable", "NotNull"),
        *("property", "staticmethod", "classmethod", "dataclass", "abstractmethod", "pytest"),
        *("param", "return", "returns", "throws", "exception", "see", "since", "deprecated"),
    )
)
"""Rules of CSS (W3C), annotations of Java, decorators of Python and tags of Javadoc."""
_PERSONAL_URL = re.compile(
    r"(?:(?<![\w@])(?:https?://)?(?:[\w-]+\.)?(?:facebook\.com/(?!events|groups|sharer|pages)"
    r"|linkedin\.com/in/|instagram\.com/|twitter\.com/|(?<![\w])x\.com/|tiktok\.com/@"
    r"|github\.com/|youtube\.com/@|snapchat\.com/add/|(?:[\w-]+\.)+[a-z]{2,}/~)[\w.%-]{2,60}"
    r"|https?://[\w.-]+/(?:[\w-]+/){0,3}(?:medarbejdere?|ansatte?|profil(?:er)?|personer?|people"
    r"|staff|users?|brugere?|authors?|forfattere?)/[^\W\d_]{2,}(?:[-_.][^\W\d_]{2,}){1,4})"
    r"(?:[/?#][\w.%~/?=&#@:+-]{0,200}[\w/])?",
    re.IGNORECASE,
)
_SITES = (
    *("facebook.", "linkedin.", "instagram.", "twitter.", "x.com", "tiktok.", "github."),
    *("youtube.", "snapchat.", "/~", "medarbejder", "ansat", "profil", "person", "people/"),
    *("staff/", "user", "bruger", "author", "forfatter"),
)
_LABELS = word_list("line_labels")
_HEADING = re.compile(r"^(?:bruger(?:navn|id)?|user(?:name)?|login|initialer)$", re.IGNORECASE)


class HandleUrlRecognizer(DanishRecognizer):
    """Handles (``@anna``, ``bruger=anna12``, speakers in a chat) and personal web addresses.

    A speaker is the word before a colon at the start of a line when it has a digit, dot or
    underscore, or opens two lines or more and is written in lower case.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("USER_HANDLE", "URL_PERSONAL")
    ANCHORS: ClassVar[tuple[str, ...]] = (
        r"@[A-Za-z]",
        r"(?i)(?:bruger(?:navn|id)?|user(?:name)?|login(?:navn)?|skype|snap(?:chat)?|insta(?:gram)?"
        r"|discord|steam|twitch|telegram|xbox|psn|gamertag|profilnavn|nick(?:name)?)\s?[:=]",
        r"(?i)(?:brugernavn(?:et)?|login|logon|user) ",
        r"(?i)(?:snap|snapchat|insta|instagram|discord)(?:ten|en)? ",
        r"(?:^|\n)(?:<[^>\s]{2,30}> |[^\s]{3,30} skrev)",
        r"u/[A-Za-z]",
        r" from [0-9a-f]{1,4}[.:]",
        r"[Bb]ruger(?:en|navnet)? [a-z][^ \n]*[0-9._]",
        r"(?:^|\n)[a-z][^A-ZÆØÅ\s:]{1,30}:(?:[ \n]|$)",
        r"(?:^|\n)[a-zA-Z][^\s:]*[0-9._][^\s:]*:(?:[ \n]|$)",
        r"(?i)https?://|(?:facebook|linkedin|instagram|twitter|x|tiktok|github|youtube|snapchat)"
        r"\.com/|/~",
    )
    WHOLE: ClassVar[bool] = True
    HEADINGS: ClassVar[bool] = True

    def find(self, text: str) -> Iterator[Hit]:
        """The handles and addresses in *text*."""
        lower = text.lower()
        if "@" in text:
            for match in _AT.finditer(text):
                if match.group()[1:] not in _CODE:
                    yield Hit("USER_HANDLE", match.start(), match.end(), 0.7)
        for pattern, words in (
            (_LABELLED, _ACCOUNTS),
            (_ACCOUNT, ("brugernavn", "login", "logon", "user", "snap", "insta", "discord")),
            (_SPOKEN, ("bruger",)),
            (_LOGGED, (" from ",)),
            (_REDDIT, ("reddit", " r/")),
        ):
            if any(word in lower for word in words):
                for match in pattern.finditer(text):
                    yield Hit("USER_HANDLE", match.start("v"), match.end("v"), 0.7)
        for match in _WROTE.finditer(text) if "skrev" in lower or "<" in text else ():
            yield Hit("USER_HANDLE", *match.span(match.lastgroup or 0), 0.7)
        speakers = list(_speakers(text)) if ":" in text else []
        turns = Counter(match["v"] for match in speakers)
        for match in speakers:
            handle = match["v"]
            repeated = turns[handle] > 1 and handle.islower()
            if handle.lower() not in _LABELS and (repeated or re.search(r"[\d._]", handle)):
                yield Hit("USER_HANDLE", match.start("v"), match.end("v"), 0.55)
        if "/" in text and any(site in lower for site in _SITES):
            for match in _PERSONAL_URL.finditer(text):
                yield Hit("URL_PERSONAL", match.start(), match.end(), 0.8)
        for cell in cells(text):
            if _HEADING.search(cell.heading) and cell.end > cell.start:
                yield Hit("USER_HANDLE", cell.start, cell.end, 0.7)


def _speakers(text: str) -> Iterator[re.Match[str]]:
    """The words before a colon at the start of lines."""
    start = 0
    while start >= 0:
        if match := _SPEAKER.match(text, start):
            yield match
        start = text.find("\n", start) + 1 or -1
