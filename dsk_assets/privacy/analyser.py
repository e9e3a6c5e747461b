"""One Presidio analyser a process, which fails closed where Presidio would go on.

Presidio skips a pattern that runs out of time and an entity it does not know, with a warning in
the log; here such a warning is a fault. Its engine also drops one of two equal findings by the
order of a set, which differs from process to process, so the recognisers are asked directly. No
model is loaded and nothing is fetched: they look at the context themselves.
"""

import functools
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsk_assets.errors import SettingsError
from dsk_assets.lake.digests import sha256_file, sha256_json
from dsk_assets.privacy.entities import PRIORITY, RANK
from dsk_assets.privacy.gazetteer import DATA
from dsk_assets.privacy.normalise import fold
from dsk_assets.settings import load_settings

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer

MIN_SCORE = 0.35
PIECE = 200_000
"""Characters of a long text that are searched at once."""
OVERLAP = 2_000
"""Characters on both sides of such a piece that are read with it."""
_PLACEHOLDER = re.compile(rf"<(?:{'|'.join(PRIORITY)})(?:_\d{{1,4}})?>")
"""What redaction leaves behind; anything else between angle brackets is searched."""
_VALUE = re.compile(r"[^\W_]")
_CODE = [
    Path(__file__).with_name(f"{name}.py")
    for name in (
        "analyser",
        "entities",
        "gazetteer",
        "name_model",
        "normalise",
        "redact",
        "residual",
        "special",
    )
]
_LISTS = (
    "names.tsv",
    "cities.txt",
    "public_figures.txt",
    "words.txt",
    "lexicon.txt.gz",
    "places.txt",
    "not_persons.txt",
    "things.txt",
    "name_model.tsv.gz",
)
_log = logging.getLogger("presidio-analyzer")


class RecogniserFault(Exception):
    """A recogniser failed, ran out of time or was missing; the document must be withheld."""


@dataclass(frozen=True, order=True)
class Finding:
    """Personal data in a text: where, of which type, found by which recogniser how surely."""

    start: int
    end: int
    entity: str
    score: float
    recogniser: str


class _WarningIsFault(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            raise RecogniserFault("Presidio reported a warning")


@contextmanager
def _strict() -> Iterator[None]:
    """Presidio's warnings are faults, and its log, which may quote text, goes nowhere."""
    handler, propagate = _WarningIsFault(logging.WARNING), _log.propagate
    _log.addHandler(handler)
    _log.propagate = False
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.propagate = propagate


class Analyser:
    """Finds personal data with a set of recognisers; see :func:`analyser` for the usual one."""

    def __init__(
        self, recognisers: "Sequence[EntityRecognizer]", entities: Sequence[str] = PRIORITY
    ) -> None:
        supported = {entity for r in recognisers for entity in r.supported_entities}
        missing = sorted(set(entities) - supported)
        if missing:
            raise SettingsError(
                f"no recogniser supports {', '.join(missing)} — add one or leave the types out"
            )
        from dsk_assets.privacy.recognisers.anchors import Anchors
        from dsk_assets.privacy.recognisers.base import DanishRecognizer

        self.entities = sorted(entities)
        anchored = [r for r in recognisers if isinstance(r, DanishRecognizer) and r.ANCHORS]
        self.anchors = Anchors(anchored)
        self._others = [r for r in recognisers if r not in anchored]

    def find(self, text: str, min_score: float = MIN_SCORE) -> list[Finding]:
        """Personal data in *text*, by place. Findings may overlap; offsets are those of *text*.

        Raises :class:`RecogniserFault`, without any text, when a recogniser could not do its work.
        """
        try:
            folded = fold(text)
            results = [
                found for piece in _pieces(folded.text) for found in self._in(piece, min_score)
            ]
        except Exception as error:
            raise RecogniserFault(f"a recogniser raised {type(error).__name__}") from None
        if not results:
            return []
        taken = [match.span() for match in _PLACEHOLDER.finditer(folded.text)]
        findings = set()
        for found in results:
            for part in _beside(taken, found.start, found.end):
                start, end = _trimmed(folded.text, *part)
                if start < end and _VALUE.search(folded.text, start, end):
                    place = folded.original(start, end)
                    score = round(found.score, 3)
                    findings.add(Finding(*place, found.entity, score, found.recogniser))
        return sorted(findings)

    def _in(self, piece: "_Piece", min_score: float) -> Iterator[Finding]:
        """What the recognisers find in *piece*, at places in the whole text."""
        for start, end, entity, score, name in self._hits(piece.text):
            _require_sound(start, end, entity, score, len(piece.text))
            start, end = start + piece.shift, end + piece.shift
            if score >= min_score and entity in self.entities and piece.start <= start < piece.end:
                yield Finding(start, end, entity, score, name)

    def _hits(self, text: str) -> Iterator[tuple[int, int, str, float, str]]:
        """Place, type, score and recogniser of each find in *text*, unchecked."""
        for anchored, stretches in self.anchors.windows(text):
            for start, end, core_start, core_end in stretches:
                for entity, first, last, score in anchored.within(text, start, end):
                    if start + first < core_end and core_start < start + last:
                        yield start + first, start + last, entity, score, str(anchored.name)  # type: ignore[has-type]
        with _strict():
            for other in self._others:
                for result in other.analyze(text, self.entities, None) or ():  # type: ignore[arg-type]
                    place = result.start, result.end
                    yield *place, result.entity_type, float(result.score), str(other.name)  # type: ignore[has-type]


class _Piece(NamedTuple):
    """A part of a long text with what stands round it; findings that begin in it count.

    ``shift`` is added to a place in ``text`` for the place in the whole text.
    """

    text: str
    shift: int
    start: int
    end: int


def _pieces(text: str) -> Iterator[_Piece]:
    """*text*, or parts of it: a line of headings goes with every part of its table."""
    if len(text) <= PIECE + OVERLAP:
        yield _Piece(text, 0, 0, len(text))
        return
    from dsk_assets.privacy.recognisers.tables import open_heading

    start, heading = 0, ""
    while start < len(text):
        end = _cut(text, start + PIECE) if start + PIECE < len(text) else len(text)
        lead = _cut(text, max(0, start - OVERLAP)) if start > OVERLAP else 0
        yield _Piece(heading + text[lead : end + OVERLAP], lead - len(heading), start, end)
        heading = open_heading(heading + text[lead:end])
        start = end


def _cut(text: str, place: int) -> int:
    """A place shortly before *place* where a line begins, or else a word."""
    head = max(0, place - OVERLAP)
    line = text.rfind("\n", head, place) + 1
    return line or text.rfind(" ", head, place) + 1 or place


def _require_sound(start: int, end: int, entity: str, score: float, length: int) -> None:
    """A fault where redaction could not act on a find in a text of *length* characters."""
    if entity not in RANK or not 0 <= start < end <= length or not 0 <= score <= 1:
        raise RecogniserFault("a recogniser gave an unknown type, place or score")


def _beside(taken: Sequence[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of ``start:end`` that lie outside the stretches *taken*."""
    for first, last in taken:
        if start < last and first < end:
            yield start, first
            start = last
    yield start, end


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def analyser() -> Analyser:
    """The analyser with all recognisers, built once a process.

    With the name model in the folder of the setting ``DSK_NAME_ENGINE`` besides, if there is one.
    """
    return _analyser(load_settings().name_engine)


@functools.cache
def _analyser(engine: Path | None) -> Analyser:
    from dsk_assets.privacy.recognisers.registry import all_recognisers

    if engine is None:
        return Analyser(all_recognisers())
    from dsk_assets.privacy.recognisers.engines import FolderNameRecognizer

    return Analyser([*all_recognisers(), FolderNameRecognizer(engine)])


def digest() -> dict[str, str]:
    """Digests of the code that searches, its lists and models; Presidio is not loaded for it."""
    engine = load_settings().name_engine
    if engine is None:
        return _digest()
    files = sorted(path for path in engine.rglob("*") if path.is_file())
    folder = {path.relative_to(engine).as_posix(): sha256_file(path) for path in files}
    return {**_digest(), "name_engine": sha256_json(folder)}


@functools.cache
def _digest() -> dict[str, str]:
    here = Path(__file__).parent
    code = {path.name: sha256_file(path) for path in (*here.glob("recognisers/*.py"), *_CODE)}
    lists = {name: sha256_file(DATA / name) for name in _LISTS}
    return {"recognisers": sha256_json(code), **lists}
