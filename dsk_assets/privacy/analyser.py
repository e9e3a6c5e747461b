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
from typing import TYPE_CHECKING

from dsk_assets.errors import SettingsError
from dsk_assets.lake.digests import sha256_file, sha256_json
from dsk_assets.privacy import gazetteer
from dsk_assets.privacy.entities import PRIORITY, RANK
from dsk_assets.privacy.normalise import fold

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer, RecognizerResult

MIN_SCORE = 0.35
_PLACEHOLDER = re.compile(rf"<(?:{'|'.join(PRIORITY)})(?:_\d{{1,4}})?>")
"""What redaction leaves behind; anything else between angle brackets is searched."""
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
        self.entities = sorted(entities)
        self._recognisers = list(recognisers)

    def find(self, text: str, min_score: float = MIN_SCORE) -> list[Finding]:
        """Personal data in *text*, by place. Findings may overlap; offsets are those of *text*.

        Raises :class:`RecogniserFault`, without any text, when a recogniser could not do its work.
        """
        try:
            folded = fold(text)
            with _strict():
                results = [
                    (str(recogniser.name), result)  # type: ignore[has-type]
                    for recogniser in self._recognisers
                    for result in recogniser.analyze(folded.text, self.entities, None) or ()  # type: ignore[arg-type]
                    if _sound(result, len(folded.text)) >= min_score
                    and result.entity_type in self.entities
                ]
        except Exception as error:
            raise RecogniserFault(f"a recogniser raised {type(error).__name__}") from None
        if not results:
            return []
        taken = {p for match in _PLACEHOLDER.finditer(folded.text) for p in range(*match.span())}
        findings = set()
        for name, result in results:
            start, end = _trimmed(folded.text, result.start, result.end)
            if start < end and taken.isdisjoint(range(start, end)):
                place = folded.original(start, end)
                findings.add(Finding(*place, result.entity_type, round(result.score, 3), name))
        return sorted(findings)


def _sound(result: "RecognizerResult", length: int) -> float:
    """The score of *result*; a fault where redaction could not act on it."""
    if (
        result.entity_type not in RANK
        or not 0 <= result.start < result.end <= length
        or not 0 <= result.score <= 1
    ):
        raise RecogniserFault("a recogniser gave an unknown type, place or score")
    return float(result.score)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


@functools.cache
def analyser() -> Analyser:
    """The analyser with all recognisers, built once a process."""
    from dsk_assets.privacy.recognisers.registry import all_recognisers

    return Analyser(all_recognisers())


@functools.cache
def digest() -> dict[str, str]:
    """Digests of the code that searches and of its lists; Presidio is not loaded for it."""
    here = Path(__file__).parent
    code = {path.name: sha256_file(path) for path in (*here.glob("recognisers/*.py"), *_CODE)}
    return {"recognisers": sha256_json(code), **gazetteer.digest()}
