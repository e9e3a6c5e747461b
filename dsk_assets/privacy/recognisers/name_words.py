"""Words that the name rules know besides the name lists, and how a text is cut into words."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from dsk_assets.privacy.gazetteer import marks, word_list

_WORD = re.compile(r"[^\W\d_]+(?:['’´-][^\W\d_]+)*['’´]?")
_PREFIXED = re.compile(
    r"(?:el|al|ad|as|ash|at|an|ul|ur|bin|ibn|d|o|mac|mc)['’-][^\W\d_]", re.IGNORECASE
)

PARTICLES = word_list("particles")
SUFFIX = re.compile(
    r"(?:[^aeiouyæøå]sen|gaard|gård|sson|dóttir|dottir|enko|chuk|czyk|ski|ska|wski|oğlu|oglu|ić"
    r"|vić|ović|yan|ian|escu|pour|zadeh|zai|ullah|strup|holt|bæk|toft|lund|bjerg|kjær|skov|berg"
    r"|quist|qvist|strøm|ström|stad|feldt|mann|mose|rup)['’´]?s?$",
    re.IGNORECASE,
)
ORGANISATION = word_list("organisation")
FIRM = re.compile(
    r"['’´]?s? ?(?:[IVX]+['’´]?s? (?=[Vv]ej|[Gg]ade|[Pp]lads))?"
    r"(?:A/S|ApS|I/S|K/S|& |&\w|Eftf\b|(?:[Vv]ej|[Gg]ade|[Pp]lads)\b)"
)
"""What follows a name that is one of a firm or a street."""
TITLES = word_list("titles")
NOT_NAMES = word_list("not_names")
NEVER_FIRST = word_list("never_first")
_ORGANISATION_END = re.compile(
    r"(?:fond|fonden|forening|foreningen|kommune|kommunen|firma|firmaet|huset|skole|skolen|klub"
    r"|klubben|selskab|selskabet|banken|styrelsen|ministeriet|nævnet|rådet|udvalget|centret|centeret"
    r"|sygehus|hospital|kirken|bibliotek|biblioteket|bibliotekerne|gruppen|værket|service)s?$"
)


def organisation(word: str) -> bool:
    """Whether *word* (lower case) names a kind of organisation or place rather than a person."""
    return word in ORGANISATION or (len(word) > 7 and bool(_ORGANISATION_END.search(word)))


class Word(NamedTuple):
    """A word of the text; ``marks`` are those of the name lists."""

    text: str
    start: int
    end: int
    marks: str

    @property
    def capital(self) -> bool:
        """Whether the word is written like a name."""
        return self.text[0].isupper() or (
            _PREFIXED.match(self.text) is not None and any(c.isupper() for c in self.text)
        )

    @property
    def initial(self) -> bool:
        """Whether the word is one capital letter."""
        return len(self.text) == 1 and self.text.isupper()

    @property
    def sure(self) -> bool:
        """Whether the word is on a name list and neither an ordinary word nor a place."""
        return bool(self.marks) and "w" not in self.marks and "p" not in self.marks

    @property
    def lower(self) -> str:
        """The word in lower case without a genitive mark."""
        return self.text.lower().rstrip("'’´")


def words(text: str) -> Iterator[Word]:
    """The words of *text* that a name rule may look at: capitals and particles, with marks."""
    for match in _WORD.finditer(text):
        word = match.group()
        if word[0].isupper() or _PREFIXED.match(word):
            yield Word(word, match.start(), match.end(), "" if len(word) == 1 else marks(word))
        elif word in PARTICLES:
            yield Word(word, match.start(), match.end(), "")


def sentence_start(text: str, place: int) -> bool:
    """Whether *place* is where a sentence or line begins, so that a capital says nothing."""
    head = text[max(0, place - 6) : place].rstrip(" \"'»«“”„*•(-\t")
    return not head or head[-1] in ".!?:\n;|>"
