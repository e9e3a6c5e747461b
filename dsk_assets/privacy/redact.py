"""What happens with findings: placeholders, pseudonyms, generalising, keeping, withholding."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dsk_assets.consortium.policy import Kept, PersonalDataPolicy
from dsk_assets.errors import SettingsError
from dsk_assets.privacy.analyser import Analyser, Finding, RecogniserFault
from dsk_assets.privacy.entities import DIRECT, RANK
from dsk_assets.privacy.gazetteer import key
from dsk_assets.privacy.residual import count_cpr
from dsk_assets.privacy.special import categories, persons

ERROR = "recogniser-error"
STOPPED = "recogniser-stopped"
DENSITY = "density"
SPECIAL = "special-category"
KEEP = "keep"
_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
_POST_CODE = re.compile(r"(?<!\d)[1-9]\d{3}(?!\d)")
_GENITIVE = re.compile(r"['’´]?s?$")


@dataclass(frozen=True)
class Span:
    """A finding after its action.

    ``start`` and ``end`` are places in the redacted text, ``source_start`` and ``source_end``
    those of what stood there in the original.
    """

    entity: str
    start: int
    end: int
    recogniser: str
    score: float
    action: str
    source_start: int
    source_end: int


@dataclass(frozen=True)
class Treatment:
    """What became of a document: its redacted text, or why it is withheld.

    ``reason`` is :data:`ERROR`, :data:`STOPPED`, :data:`DENSITY` or :data:`SPECIAL`, or None
    where the document is kept; ``residual`` counts CPR numbers that a second implementation
    finds in the redacted text; ``categories`` are special categories of personal data near a
    person in the original.
    """

    text: str | None
    reason: str | None
    spans: tuple[Span, ...] = ()
    findings: Mapping[str, int] | None = None
    residual: int = 0
    categories: tuple[str, ...] = ()


def check(policy: PersonalDataPolicy, of: str = "the policy") -> None:
    """Raise :class:`SettingsError` where *policy* names an unknown type or keeps a direct one.

    *of* says what it is a section of, for the message.
    """
    named = {*policy.actions, *(one.entity for one in policy.keep if one.entity)}
    for entity in sorted(named - RANK.keys()):
        raise SettingsError(
            f"{of} names type {entity} of personal data, which is not looked for — "
            f"use one of {', '.join(RANK)}"
        )
    for one in policy.keep:
        if one.entity in DIRECT:
            raise SettingsError(
                f"{of} keeps {one.entity}, which leads to a person by itself — leave it out of keep"
            )


def resolve(findings: Iterable[Finding]) -> list[Finding]:
    """*findings* without overlaps: where some overlap, their union under the first type.

    The order of types is that of :data:`dsk_assets.privacy.entities.PRIORITY`.
    """
    resolved: list[Finding] = []
    for finding in sorted(findings):
        if resolved and finding.start < resolved[-1].end:
            last = resolved[-1]
            best = min(last, finding, key=lambda f: (RANK[f.entity], -f.score, f.recogniser))
            end = max(last.end, finding.end)
            resolved[-1] = Finding(last.start, end, best.entity, best.score, best.recogniser)
        else:
            resolved.append(finding)
    return resolved


def redact(
    text: str, findings: Iterable[Finding], policy: PersonalDataPolicy
) -> tuple[str, list[Span]]:
    """*text* with *findings* replaced as *policy* says, and where the replacements stand."""
    pieces: list[str] = []
    spans: list[Span] = []
    names: dict[tuple[str, str], int] = {}
    read = written = 0
    for finding in resolve(findings):
        value = text[finding.start : finding.end]
        if allowed(finding, text, policy):
            action, replacement = KEEP, value
        else:
            action, replacement = _replacement(finding.entity, value, policy, names)
        pieces += [text[read : finding.start], replacement]
        start = written + finding.start - read
        written, read = start + len(replacement), finding.end
        spans.append(
            Span(
                finding.entity,
                start,
                written,
                finding.recogniser,
                finding.score,
                action,
                finding.start,
                finding.end,
            )
        )
    pieces.append(text[read:])
    return "".join(pieces), spans


def original(spans: Sequence[Span], place: int) -> int:
    """The place in the original text that *place* in the redacted text came from.

    A place inside a replacement came from the beginning of what was replaced.
    """
    before = bisect_right(spans, place, key=lambda span: span.start) - 1
    if before < 0:
        return place
    span = spans[before]
    if place >= span.end:
        return span.source_end + place - span.end
    return span.source_start + (place - span.start if span.action == KEEP else 0)


def treat(text: str, policy: PersonalDataPolicy, engine: Analyser) -> Treatment:
    """Search *text* and act on what is found; a fault of any recogniser withholds the document.

    A document is withheld too when it has more direct identifiers than ``policy.max_density`` a
    thousand words (one shorter than a thousand words counts as a thousand), and when it says
    something of a special category near a person who stays in it.
    """
    try:
        found = resolve(engine.find(text, policy.min_score))
    except RecogniserFault:
        return Treatment(None, ERROR)
    redacted, spans = redact(text, found, policy)
    counts = Counter(span.entity for span in spans)
    flags = categories(text, persons(found))
    direct = sum(number for entity, number in counts.items() if entity in DIRECT)
    if direct * 1000 > policy.max_density * max(1000, len(text.split())):
        return Treatment(None, DENSITY, findings=counts, categories=flags)
    if flags and categories(text, _surviving(found, text, policy)):
        return Treatment(None, SPECIAL, findings=counts, categories=flags)
    return Treatment(redacted, None, tuple(spans), counts, count_cpr(redacted), flags)


def allowed(finding: Finding, text: str, policy: PersonalDataPolicy) -> Kept | None:
    """The entry of the policy by which *finding* may stay in *text*."""
    types, names = _kept(policy.keep)
    if finding.entity in types or finding.entity != "PERSON" or not names:
        return types.get(finding.entity)
    forms = _without_genitive(text[finding.start : finding.end])
    return next((names[form] for form in sorted(forms & names.keys())), None)


@lru_cache(maxsize=8)
def _kept(keep: tuple[Kept, ...]) -> tuple[dict[str, Kept], dict[str, Kept]]:
    """What may stay, by type and by the key of a name."""
    types = {one.entity: one for one in keep if one.entity is not None}
    return types, {key(one.name): one for one in keep if one.name is not None}


def _surviving(found: Sequence[Finding], text: str, policy: PersonalDataPolicy) -> list[int]:
    """Where persons whom the law protects stay in the text, sorted."""
    staying = ((f, allowed(f, text, policy)) for f in found if f.entity == "PERSON")
    return [finding.start for finding, kept in staying if kept and kept.is_protected]


def _replacement(
    entity: str, value: str, policy: PersonalDataPolicy, names: dict[tuple[str, str], int]
) -> tuple[str, str]:
    """The action that could be taken on *value*, and what stands in its place."""
    action = policy.actions.get(entity, "placeholder")
    if action == "pseudonym":
        return action, f"<{entity}_{_number(entity, value, names)}>"
    if action == "generalise":
        pattern = {"DATE_OF_BIRTH": _YEAR, "ADDRESS": _POST_CODE}.get(entity)
        general = pattern.findall(value) if pattern else []
        if general:
            return action, general[-1]
    return "placeholder", f"<{entity}>"


def _number(entity: str, value: str, names: dict[tuple[str, str], int]) -> int:
    """The number of *value* in this document; a part of one earlier name has that name's."""
    forms = sorted((entity, form) for form in _without_genitive(value))
    number = next((names[form] for form in forms if form in names), None)
    if number is None and entity == "PERSON" and " " not in value.strip():
        whole = {n for (_, name), n in names.items() if {f for _, f in forms} & set(name.split())}
        number = whole.pop() if len(whole) == 1 else None
    if number is None:
        number = max((n for (kind, _), n in names.items() if kind == entity), default=0) + 1
    for form in forms:
        names.setdefault(form, number)
    return number


def _without_genitive(value: str) -> set[str]:
    plain = " ".join(value.split())
    return {key(plain), key(_GENITIVE.sub("", plain))}
