# ruff: noqa: TID253
"""What all recognisers share: the class Presidio calls, and the words that stand round a value."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from presidio_analyzer import LocalRecognizer, RecognizerResult

from dsk_assets.privacy.gazetteer import marks
from dsk_assets.privacy.recognisers.tables import cells, header_at
from dsk_assets.privacy.recognisers.windows import windows

DIGIT = re.compile(r"\d")
WINDOW = 60
"""How many characters before a value are searched for words that explain it."""


_NAME_BEFORE = re.compile(
    r"(?:(?P<first>[A-ZÆØÅ][\w'’-]*),? (?:[A-ZÆØÅ][\w.'’-]*,? )*(?=[A-ZÆØÅ]))?"
    r"(?P<last>[^\W\d_][\w'’-]+)(?:[,:;]? ?\(?|: ?(?:ja |det er ))$"
)


class Hit(NamedTuple):
    """One value found: its type, its place and how sure the rule is (0 to 1)."""

    entity: str
    start: int
    end: int
    score: float


class DanishRecognizer(LocalRecognizer):  # type: ignore[misc]
    """A Presidio recogniser for Danish text that does its own context and validation.

    A subclass names its ``ENTITIES``, a ``GATE`` that every text with a value of its kind
    matches (others are not searched), and yields :class:`Hit` from ``find``. Where
    ``AROUND_DIGITS`` is set, only the windows of
    :func:`dsk_assets.privacy.recognisers.windows.windows` are searched, unless the text has a
    table or is ``explained_anywhere``: a word far from a value may explain it. Any text will do,
    with ``presidio-analyzer`` alone; one folded by :func:`dsk_assets.privacy.normalise.fold`
    hides less. ``windowed=False`` searches every text whole, for comparison; what is
    ``prefiltered`` need not be asked about a text that
    :func:`dsk_assets.privacy.prefilter.candidates` finds nothing for.
    """

    ENTITIES: ClassVar[tuple[str, ...]]
    GATE: ClassVar[re.Pattern[str]] = DIGIT
    AROUND_DIGITS: ClassVar[bool] = False
    VERSION: ClassVar[str] = "1"

    def __init__(self, windowed: bool = True) -> None:
        self._windowed = windowed and self.AROUND_DIGITS
        self.prefiltered = windowed and "PERSON" not in self.ENTITIES
        super().__init__(
            supported_entities=list(self.ENTITIES),
            supported_language="da",
            version=self.VERSION,
        )

    def load(self) -> None:
        """Nothing is loaded: rules and lists come with the module."""

    def find(self, text: str) -> Iterator[Hit]:
        """The values in *text*."""
        raise NotImplementedError

    def explained_anywhere(self, text: str) -> bool:
        """Whether a word in *text*, however far from a value, may explain it."""
        return False

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """Presidio's entry point; *nlp_artifacts* is not used."""
        if not self._windowed and not self.GATE.search(text):
            return []
        metadata = {
            RecognizerResult.RECOGNIZER_NAME_KEY: type(self).__name__,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
        }
        return [
            RecognizerResult(
                hit.entity, hit.start, hit.end, hit.score, recognition_metadata=metadata
            )
            for hit in (self._in_windows(text) if self._windowed else self.find(text))
            if hit.entity in entities
        ]

    def _in_windows(self, text: str) -> Iterator[Hit]:
        stretches = windows(text)
        if cells(text) or (stretches and self.explained_anywhere(text)):
            yield from self.find(text)
            return
        for start, end, core_start, core_end in stretches:
            for hit in self.find(text[start:end]):
                if core_start <= start + hit.start < core_end:
                    yield hit._replace(start=start + hit.start, end=start + hit.end)


def before(text: str, start: int, size: int = WINDOW) -> str:
    """The up to *size* characters before *start*, not across an empty line."""
    window = text[max(0, start - size) : start]
    return window.rsplit("\n\n", 1)[-1]


def after_name(text: str, start: int) -> bool:
    """Whether a name stands right before *start*: two words with capitals, or a listed one."""
    match = _NAME_BEFORE.search(before(text, start, 80))
    if match is None:
        return False
    found = marks(match["last"])
    return bool(match["first"]) or bool(set("gs") & set(found) and not set("wp") & set(found))


def explained(
    text: str,
    start: int,
    positive: re.Pattern[str],
    negative: re.Pattern[str] | None = None,
    size: int = WINDOW,
) -> int:
    """1 when the nearest explaining word before *start* is *positive*, -1 when it is *negative*.

    In a table the column's heading decides; 0 means that nothing explains the value.
    """
    heading = header_at(text, start)
    for words in (before(text, start, size),) if heading is None else (heading,):
        wanted = max((match.end() for match in positive.finditer(words)), default=-1)
        other = -1
        if negative is not None:
            other = max((match.end() for match in negative.finditer(words)), default=-1)
        if wanted != other:
            return 1 if wanted > other else -1
    return 0
