# ruff: noqa: TID253
"""What all recognisers share: the class Presidio calls, and the words that stand round a value."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from presidio_analyzer import LocalRecognizer, RecognizerResult

from dsk_assets.privacy.gazetteer import marks
from dsk_assets.privacy.recognisers.tables import header_at

WINDOW = 60
"""How many characters before a value are searched for words that explain it."""


_NAME_BEFORE = re.compile(
    r"(?:(?P<first>[A-ZÆØÅ][\w'’-]*),? (?:[A-ZÆØÅ][\w.'’-]*,? )*(?=[A-ZÆØÅ]))?"
    r"(?P<last>[^\W\d_][\w'’-]+)(?:[,:;]? ?\(?| - |: ?(?:ja |det er ))$"
)


class Hit(NamedTuple):
    """One value found: its type, its place and how sure the rule is (0 to 1)."""

    entity: str
    start: int
    end: int
    score: float


class DanishRecognizer(LocalRecognizer):  # type: ignore[misc]
    """A Presidio recogniser for Danish text that does its own context and validation.

    A subclass names its ``ENTITIES`` and yields :class:`Hit` from ``find``. Any text will do, with
    ``presidio-analyzer`` alone; one folded by :func:`dsk_assets.privacy.normalise.fold` hides less.

    Where it has ``ANCHORS`` (:mod:`.anchors`), every value begins up to ``BEFORE`` characters
    before or shortly after the end of one, so that :mod:`dsk_assets.privacy.analyser` has it read
    only what stands round them; ``WHOLE`` if that does not do, and ``HEADINGS`` if it also finds
    values by the heading of a table's column.
    """

    ENTITIES: ClassVar[tuple[str, ...]]
    ANCHORS: ClassVar[tuple[str, ...]] = ()
    BEFORE: ClassVar[int] = 60
    WHOLE: ClassVar[bool] = False
    HEADINGS: ClassVar[bool] = False
    VERSION: ClassVar[str] = "1"

    def __init__(self) -> None:
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

    def within(self, text: str, start: int, end: int) -> Iterator[Hit]:
        """The values in ``start:end`` of *text*, at places in that stretch."""
        return self.find(text[start:end])

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """Presidio's entry point; *nlp_artifacts* is not used."""
        metadata = {
            RecognizerResult.RECOGNIZER_NAME_KEY: type(self).__name__,
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
        }
        return [
            RecognizerResult(
                hit.entity, hit.start, hit.end, hit.score, recognition_metadata=metadata
            )
            for hit in self.find(text)
            if hit.entity in entities
        ]


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
