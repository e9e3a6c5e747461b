"""Review by a person: a random sample of redacted text is read, and only counts are kept.

The redacted text of a donation is cut into passages of :data:`WORDS` words. Passages with a run
of six digits, with a capital letter inside a sentence, and the rest are three strata, since what
is missed stands mostly in the first two. The sample is drawn by the digest of the text, so that
it is the same when a review goes on another day; passages are held in memory alone.
"""

import heapq
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsk_assets.consortium.policy import REVIEWERS
from dsk_assets.errors import MissingInputError, NotAdmittedError, SettingsError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.gates.approval import is_withdrawn
from dsk_assets.gates.screening import REVIEW, REVIEW_FILE, reviewed_texts
from dsk_assets.lake.progress import track
from dsk_assets.lake.store import Zone, publish
from dsk_assets.lake.tables import read_batches
from dsk_assets.privacy.bounds import CONFIDENCE, Stratum, upper_bound

CODE_VERSION = "2"
WORDS = 20
PER = 100_000
SHARES = {"digits": 0.15, "capitals": 0.55, "rest": 0.30}
"""Share of the sample that each stratum gets, as far as it has so many passages."""

_PLACEHOLDER = re.compile(r"<[A-Z_]+(?:_\d+)?>")
_WORD = re.compile(rf"(?:{_PLACEHOLDER.pattern}|\S){{1,40}}")
"""A word; of a longer one, such as data without spaces, as much as counts as one."""
_DIGITS = re.compile(r"\d(?:[ .\-/]?\d){5}")
_CAPITAL = re.compile(r"(?<=[^\s.!?:;>\-•*])\s+[^\w\s]?(?=[^\W\d_])(\w)")


@dataclass(frozen=True)
class Passage:
    """A passage of the redacted text, with what stands before and after it."""

    stratum: str
    before: str
    text: str
    after: str


@dataclass(frozen=True)
class Sample:
    """Passages to read in this order, the numbers of all by stratum, and the words of the text."""

    passages: tuple[Passage, ...]
    sizes: Mapping[str, int]
    words: int


def draw(texts: Iterable[str], size: int, seed: str) -> Sample:
    """A random sample of *size* passages of *texts*; of fewer, all. The same *seed*, the same."""
    rng = random.Random(seed)
    drawn: dict[str, list[tuple[float, Passage]]] = {stratum: [] for stratum in SHARES}
    sizes: Counter[str] = Counter(dict.fromkeys(SHARES, 0))
    words = 0
    for text in texts:
        places = [match.span() for match in _WORD.finditer(text)]
        words += len(_PLACEHOLDER.sub(" ", text).split())
        for first in range(0, len(places), WORDS):
            last = min(first + WORDS, len(places)) - 1
            start, end = places[first][0], places[last][1]
            stratum = _stratum(text, start, end)
            sizes[stratum] += 1
            rank, held = rng.random(), drawn[stratum]
            if len(held) < size or -rank > held[0][0]:
                before = text[places[max(0, first - WORDS)][0] : start]
                after = text[end : places[min(last + WORDS, len(places) - 1)][1]]
                one = (-rank, Passage(stratum, before, text[start:end], after))
                push = heapq.heappush if len(held) < size else heapq.heapreplace
                push(held, one)
    numbers = _allocated(sizes, size)
    chosen = [
        one for stratum, held in drawn.items() for one in heapq.nlargest(numbers[stratum], held)
    ]
    chosen.sort(key=lambda one: -one[0])
    return Sample(tuple(passage for _, passage in chosen), dict(sizes), words)


def _stratum(text: str, start: int, end: int) -> str:
    passage = _PLACEHOLDER.sub(" ", text[start:end])
    if _DIGITS.search(passage):
        return "digits"
    capitals = _CAPITAL.finditer(_PLACEHOLDER.sub("x", text[max(0, start - 2) : end]))
    return "capitals" if any(found[1].isupper() for found in capitals) else "rest"


def _allocated(sizes: Mapping[str, int], size: int) -> dict[str, int]:
    """How many passages of each stratum are read; what one does not have is left to the others."""
    numbers = dict.fromkeys(sizes, 0)
    open_strata = [stratum for stratum in SHARES if sizes[stratum]]
    left = min(size, sum(sizes.values()))
    while left:
        total = sum(SHARES[stratum] for stratum in open_strata)
        wanted = {
            stratum: min(
                sizes[stratum] - numbers[stratum], max(1, int(left * SHARES[stratum] / total))
            )
            for stratum in open_strata
        }
        for stratum, number in wanted.items():
            given = min(number, left)
            numbers[stratum] += given
            left -= given
        open_strata = [stratum for stratum in open_strata if numbers[stratum] < sizes[stratum]]
    return numbers


_BEGUN = ("documents", "version", "role", "size")
"""What a review that goes on must have in common with the one that was begun."""


class Review:
    """A review of the present texts of *donation*, begun now or gone on with.

    *size* passages are to be read by somebody in *role*, a part played and not a name. One that was
    begun goes on in the same role with the same size; ``anew`` says that texts have changed since,
    so that it begins again. Raises :class:`SettingsError` for an unknown role, a size below one and
    a review begun otherwise, :class:`~dsk_assets.errors.MissingInputError` before the donation has
    been searched, and :class:`~dsk_assets.errors.NotAdmittedError` once it is withdrawn.
    """

    def __init__(self, catalog: Catalog, donation: str, role: str, size: int):
        if role not in REVIEWERS:
            raise SettingsError(f"{role} is no reviewer — use one of {', '.join(REVIEWERS)}")
        if size < 1:
            raise SettingsError("a review reads at least one passage — give a larger number")
        self._catalog = catalog
        self._donation = donation
        self._role = role
        self._size = size
        self._texts = _present(catalog, donation)
        self.sample = draw(_read(self._texts), size, self._texts.digest)
        self._path = catalog.settings.home.resolve() / "reviews" / f"{donation}.json"
        self.anew = False
        self._read, self._leaks = self._begun()
        self._undone: bool | None = None

    @property
    def position(self) -> int:
        """How many passages have been read."""
        return sum(self._read.values())

    @property
    def current(self) -> Passage | None:
        """The passage to read now; None when all have been read."""
        passages = self.sample.passages
        return passages[self.position] if self.position < len(passages) else None

    @property
    def leaks(self) -> int:
        """In how many passages personal data was left."""
        return sum(self._leaks.values())

    def answer(self, leak: bool) -> None:
        """Whether personal data is left in the current passage; kept at once, as counts."""
        assert self.current is not None
        stratum = self.current.stratum
        self._read[stratum] += 1
        self._leaks[stratum] += leak
        self._undone = leak
        self._keep()

    def undo(self) -> bool:
        """Take the last answer back, if it was given since this review was opened."""
        if self._undone is None:
            return False
        stratum = self.sample.passages[self.position - 1].stratum
        self._read[stratum] -= 1
        self._leaks[stratum] -= self._undone
        self._undone = None
        self._keep()
        return True

    def finish(self) -> Snapshot:
        """Record what was counted as ``filtering/review``; the gate reads it.

        Raises :class:`SettingsError` where passages are still to be read, or the texts have changed
        since; then nothing is recorded.
        """
        if self.current is not None:
            left = len(self.sample.passages) - self.position
            raise SettingsError(f"{left} passages are still to be read — go on with the review")
        if _present(self._catalog, self._donation).digest != self._texts.digest:
            raise SettingsError(
                "the texts have changed since this review was opened, so its counts are not theirs "
                "— review them anew"
            )
        content = self.result()

        def produce(out: Output) -> None:
            out.json(REVIEW_FILE, content)
            out.count(passages=self.position, leaks=self.leaks, leaks_at_most=content["bound"])

        snapshot = self._catalog.materialise(
            REVIEW,
            self._donation,
            zone=Zone.EVIDENCE,
            inputs=[self._texts],
            config=content,
            code_version=CODE_VERSION,
            produce=produce,
        )
        self._path.unlink(missing_ok=True)
        return snapshot

    def result(self) -> dict[str, Any]:
        """The content of ``review.json``: counts and the bound, leaks for each 100,000 words."""
        strata = {
            name: Stratum(size, self._read[name], self._leaks[name])
            for name, size in self.sample.sizes.items()
        }
        words = self.sample.words
        return {
            "donation": self._donation,
            "documents": self._texts.digest,
            "role": self._role,
            "words": words,
            "passageWords": WORDS,
            "strata": {name: vars(stratum) for name, stratum in strata.items()},
            "confidence": CONFIDENCE,
            "bound": round(upper_bound(strata.values()) / words * PER, 1) if words else 0.0,
        }

    def _begun(self) -> tuple[Counter[str], Counter[str]]:
        """The counts of a review of these texts that was left; else none."""
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            documents, version, role, size = (kept[name] for name in _BEGUN)
            read, leaks = Counter[str](kept["read"]), Counter[str](kept["leaks"])
        except FileNotFoundError:
            return Counter(), Counter()
        except (ValueError, KeyError, TypeError):
            raise self._damaged() from None
        if (documents, version) != (self._texts.digest, CODE_VERSION):
            self.anew = True
            return Counter(), Counter()
        if (role, size) != (self._role, self._size):
            raise SettingsError(
                f"a review of these texts was begun, with {read.total()} passages read — go on "
                f"with --role {role} --passages {size}, or delete {self._path} to begin again"
            )
        first = self.sample.passages[: read.total()]
        if Counter(passage.stratum for passage in first) != +read or not leaks <= read:
            raise self._damaged()
        return read, leaks

    def _damaged(self) -> SettingsError:
        return SettingsError(f"{self._path} is damaged — delete it, and the review begins again")

    def _keep(self) -> None:
        begun = (self._texts.digest, CODE_VERSION, self._role, self._size)
        kept = {
            **dict(zip(_BEGUN, begun, strict=True)),
            "read": dict(self._read),
            "leaks": dict(self._leaks),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(kept), "utf-8")
        publish(temporary, self._path)


def _present(catalog: Catalog, donation: str) -> Snapshot:
    """The texts of *donation* to be read now."""
    landing = catalog.latest("donations/landing", donation)
    if landing is not None and is_withdrawn(catalog, landing):
        raise NotAdmittedError(f"{donation} is withdrawn — nobody may read its text any more")
    screened = catalog.latest("filtering/personal_data", donation)
    if screened is None:
        raise MissingInputError(
            f"{donation} has not been searched for personal data — name it as `dsk status` lists "
            "it, with its version"
        )
    return reviewed_texts(screened)


def recorded(catalog: Catalog, donation: str) -> Snapshot:
    """What a person who read a sample of the redacted text counted; no text is kept.

    ``review.json``: passages, those read and those with personal data left, by stratum, and the
    upper bound (95 %) on leaks for each 100,000 words. Counts: ``passages``, ``leaks`` and
    ``leaks_at_most``. Only ``dsk privacy review`` makes it, in a terminal; here it is shown.
    Raises :class:`~dsk_assets.errors.MissingInputError` where nobody has reviewed the donation.
    """
    made = catalog.latest(REVIEW, donation)
    if made is None:
        raise MissingInputError(
            f"{donation} has not been reviewed — run dsk privacy review {donation} in a terminal"
        )
    return made


def _read(texts: Snapshot) -> Iterator[str]:
    for path in track(texts.paths("document"), "drawing the sample", unit="parts"):
        for batch in read_batches(Path(path), ["text"]):
            yield from (text or "" for text in batch.column("text").to_pylist())
