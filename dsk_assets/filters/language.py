"""The language of each document, weighed over its pieces: ``filtering/language``."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from dsk_assets.consortium.policy import LanguagePolicy, policy_for
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.filters.detection import UNDETERMINED, detect
from dsk_assets.filters.parts import write_parts
from dsk_assets.lake.store import Zone
from dsk_assets.lake.tables import read_batches

ASSET = "filtering/language"
CODE_VERSION = "1"
COLUMNS: dict[str, pa.DataType] = {
    "doc_id": pa.string(),
    "language": pa.string(),
    "confidence": pa.float64(),
    "accepted_share": pa.float64(),
    "n_char": pa.int64(),
}
SCHEMA = pa.schema(COLUMNS)

PIECE_CHARS = (150, 1200)
"""Lines are joined until a piece has the first number of characters, and cut at the second."""


def language(catalog: Catalog, donation: str) -> Snapshot:
    """Tag each document of *donation* with its language; no text is written.

    Table ``language``: ``language`` is that of most of the document's letters (ISO 639-1, ``und``
    where it has none), ``confidence`` how sure the detectors were of it, weighted by letters,
    from 0 to 1, and ``accepted_share`` the share of its letters in pieces whose language the
    donation's policy accepts. Demands gates ``approval`` and ``statistics``.
    """
    landing = catalog.require("donations/landing", donation)
    documents = catalog.require("donations/documents", donation)
    admissions = [
        admission.require(catalog, "approval", landing),
        admission.require(catalog, "statistics", documents),
    ]
    policy = policy_for(catalog.settings.consortium, donation.partition("@")[0]).language

    def produce(out: Output) -> None:
        languages: Counter[str] = Counter()
        chars = accepted = 0.0
        work = partial(tag_part, policy=policy)
        workers = catalog.settings.workers
        for table in write_parts(out, "language", SCHEMA, work, documents, "document", workers):
            languages.update(str(name) for name in table["language"])
            chars += pc.sum(table["n_char"]).as_py() or 0
            weighted = pc.multiply(table["accepted_share"], table["n_char"])
            accepted += pc.sum(weighted).as_py() or 0.0
        out.count(
            documents=languages.total(),
            characters=int(chars),
            accepted_characters=round(accepted),
            accepted_share=round(accepted / chars, 6) if chars else 0.0,
            by_language=dict(sorted(languages.items())),
        )

    return catalog.materialise(
        ASSET,
        donation,
        zone=Zone.CURATED,
        inputs=[documents, *admissions],
        config=policy.model_dump(mode="json", exclude={"min_share"}),
        code_version=CODE_VERSION,
        produce=produce,
    )


def tag_part(path: Path, policy: LanguagePolicy) -> pa.Table:
    """The ``language`` rows of one part of the ``document`` table."""
    rows = []
    for batch in read_batches(path, ["doc_id", "text"], rows=256):
        for doc_id, text in zip(batch["doc_id"].to_pylist(), batch["text"], strict=True):
            rows.append({"doc_id": doc_id, **tag(text.as_py(), policy)})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def tag(text: str, policy: LanguagePolicy) -> dict[str, str | float | int]:
    """Language, confidence, accepted share and length of one document."""
    letters: Counter[str] = Counter()
    sureness: defaultdict[str, float] = defaultdict(float)
    for piece in pieces(text):
        size = sum(map(str.isalpha, piece))
        if size:
            found, confidence = detect(piece)
            letters[found] += size
            sureness[found] += size * confidence
    total = letters.total()
    if not total:
        return {
            "language": UNDETERMINED,
            "confidence": 0.0,
            "accepted_share": 0.0,
            "n_char": len(text),
        }
    accepted = set(policy.accept)
    if len(text) < policy.confusable_below:
        accepted.update(policy.confusable)
    winner = min(letters, key=lambda code: (-letters[code], code))
    return {
        "language": winner,
        "confidence": round(sureness[winner] / letters[winner], 4),
        "accepted_share": round(sum(letters[code] for code in accepted) / total, 6),
        "n_char": len(text),
    }


def pieces(text: str) -> Iterator[str]:
    """*text* in pieces long enough to tell their language and short enough to have one."""
    least, most = PIECE_CHARS
    held: list[str] = []
    size = 0
    for line in text.splitlines():
        for start in range(0, len(line), most):
            part = line[start : start + most]
            held.append(part)
            size += len(part)
            if size >= least:
                yield "\n".join(held)
                held, size = [], 0
    if held:
        yield "\n".join(held)
