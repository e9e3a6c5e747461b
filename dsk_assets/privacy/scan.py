"""Personal data in JSON lines, without Dagster or a lake: find it, or write the text without it.

Texts are searched in a process of their own (:mod:`dsk_assets.privacy.guarded`), so that one on
which a recogniser hangs or crashes is withheld and the others go on.
"""

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, cast

import pyarrow as pa

from dsk_assets.consortium.policy import PersonalDataPolicy
from dsk_assets.counted import counted
from dsk_assets.errors import DonationError, InputError
from dsk_assets.lake.progress import track
from dsk_assets.privacy.guarded import guarded
from dsk_assets.privacy.redact import Span, check
from dsk_assets.privacy.residual import count_cpr

EVERYTHING = PersonalDataPolicy(max_density=1e12)
"""Nothing is kept and nothing is withheld, unless it could not be searched."""
_PACKED: dict[bytes, Literal["gzip", "zstd"]] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_NAMED = 10
"""So many lines with a problem are named; the others are counted."""


def text_lines(file: BinaryIO) -> Iterator[str]:
    """The lines of *file*, which may be packed with gzip or zstd.

    Bytes that are not UTF-8 become surrogates. Raises :class:`InputError` where a packed file is
    damaged or ends too early.
    """
    plain = io.BufferedReader(cast(io.RawIOBase, file))
    start = plain.peek(4)
    kind = next((name for magic, name in _PACKED.items() if start.startswith(magic)), None)
    if kind is not None:
        unpacked = pa.CompressedInputStream(cast(Any, plain), kind)
        plain = io.BufferedReader(cast(Any, unpacked))
    try:
        yield from io.TextIOWrapper(plain, "utf-8-sig", "surrogateescape")
    except OSError as error:
        if kind is None or error.errno is not None:
            raise
        raise InputError(
            "the packed input is damaged or ends too early — the lines before are done; pack it "
            "again"
        ) from None


def scan_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """For each ``{"id", "text"}`` line what was found, without overlaps, in the lines' order.

    ``{"id", "spans": [{"start", "end", "label", "score"}], "flags": [...]}``; flags are special
    categories of personal data, or ``recogniser-error`` or ``recogniser-stopped`` for a text that
    could not be searched. Raises :class:`DonationError` at the end where lines were no documents
    or an id came twice; see :class:`_Documents`.
    """
    for identity, text in track(documents := _Documents(lines), "scan", unit="documents"):
        (treatment,) = guarded().treat([text], EVERYTHING)
        spans = [
            {"start": s.source_start, "end": s.source_end, "label": s.entity, "score": s.score}
            for s in treatment.spans
        ]
        flags = [treatment.reason] if treatment.reason else list(treatment.categories)
        yield {"id": identity, "spans": spans, "flags": flags}
    documents.demand_all()


def redact_lines(
    lines: Iterable[str], policy: PersonalDataPolicy | None = None
) -> Iterator[dict[str, Any]]:
    """For each ``{"id", "text"}`` line ``{"id", "text", "withheld", "spans", "flags"}``, in order.

    ``text`` is the redacted text, or None where ``withheld`` says why there is none:
    ``recogniser-error``, ``recogniser-stopped``, ``density`` or ``special-category``. ``spans``
    map places: what stands at ``start:end`` of the redacted text has taken the place of
    ``source_start:source_end``. ``flags`` are special categories of personal data. Raises
    :class:`DonationError` as :func:`scan_lines` does, and also where an id, which is given back as
    it is, holds a CPR number: that line is left out.
    """
    policy = policy or PersonalDataPolicy()
    check(policy)
    for identity, text in track(
        documents := _Documents(lines, public=True), "redact", unit="documents"
    ):
        (treatment,) = guarded().treat([text], policy)
        yield {
            "id": identity,
            "text": treatment.text,
            "withheld": treatment.reason,
            "spans": [_placed(span) for span in treatment.spans],
            "flags": list(treatment.categories),
        }
    documents.demand_all()


def _placed(span: Span) -> dict[str, Any]:
    return {
        "start": span.start,
        "end": span.end,
        "label": span.entity,
        "action": span.action,
        "source_start": span.source_start,
        "source_end": span.source_end,
    }


@dataclass
class _Documents:
    """The documents in *lines*; what is wrong with a line is noted and does not hold the others.

    A line that is no document is left out. One whose id came before is given all the same: both
    are in the output. Of lines that are to be *public* the ids are looked at as well.
    """

    lines: Iterable[str]
    public: bool = False
    problems: list[str] = field(default_factory=list)
    more: int = 0
    given: int = 0

    def __iter__(self) -> Iterator[tuple[str | int, str]]:
        seen: set[int] = set()
        for number, line in enumerate(self.lines, 1):
            if not line.strip():
                continue
            try:
                identity, text = _parsed(line)
            except ValueError as error:
                self._note(f"line {number} {error}")
                continue
            if self.public and "-" in str(identity) and count_cpr(str(identity)):
                self._note(f"line {number} has an id that holds a CPR number and is left out")
                continue
            mark = hash((type(identity), identity))
            if mark in seen:
                self._note(f"line {number} has an id that came before; both are in the output")
            seen.add(mark)
            self.given += 1
            yield identity, text

    def demand_all(self) -> None:
        """Raise :class:`DonationError` that names the lines with a problem, if there were any."""
        if self.problems:
            others = [f"and {counted(self.more, 'other')}"] if self.more else []
            done = "the other lines are done; " if self.given else ""
            raise DonationError("; ".join([*self.problems, *others]) + f" — {done}correct the file")

    def _note(self, problem: str) -> None:
        if len(self.problems) < _NAMED:
            self.problems.append(problem)
        else:
            self.more += 1


def _parsed(line: str) -> tuple[str | int, str]:
    """Id and text of *line*; a ``ValueError`` says what it lacks, without a word of it."""
    in_utf8(line)
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError('is no JSON object with "id" and "text"') from None
    if not isinstance(document, dict) or not {"id", "text"} <= document.keys():
        raise ValueError('is no JSON object with "id" and "text"')
    identity, text = document["id"], document["text"]
    if isinstance(identity, bool) or not isinstance(identity, str | int):
        raise ValueError('has an "id" that is neither text nor a whole number')
    if not isinstance(text, str):
        raise ValueError('has a "text" that is no text')
    return identity, text


def in_utf8(line: str) -> None:
    """Raise ``ValueError`` where *line*, read with ``surrogateescape``, was not in UTF-8."""
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("is not in UTF-8") from None
