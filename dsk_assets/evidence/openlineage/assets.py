"""What statements do not say: a sentence on each asset, and which column comes from which.

Column lineage is written down here by hand, next to nothing else that could derive it: the filters
are Python over Arrow. An event names only columns that the table really has and inputs that the
statement really lists, so an entry that falls behind the code disappears instead of lying.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DOCUMENTATION = {
    "consortium/members": "The organisations of the consortium.",
    "consortium/agreements": "What each rights holder allowed: terms, purposes, period.",
    "consortium/use_cases": "What the members use Danish language models for.",
    "donations/landing": "A donation as delivered, unchanged, with its manifest.",
    "donations/documents": "The documents in a donation's files, before redaction.",
    "filtering/language": "The language of each document.",
    "filtering/personal_data": "Documents without personal data, and what was found and done.",
    "filtering/recall": "How much of the personal data in labelled text the search finds.",
    "filtering/review": "What a person who read a sample of the redacted text counted.",
    "filtering/quality": "Measures of each document's quality.",
    "filtering/contamination": "Documents that overlap with evaluation sets.",
    "filtering/signatures": "What documents are compared by to find duplicates.",
    "filtering/admitted": "The gates' decisions that together admit a donation.",
    "filtering/duplicates": "Documents that repeat another one, across all donations.",
    "filtering/decisions": "Whether each document is kept, and by which rule it was dropped.",
    "corpus/tokenizer": "The tokenizer, trained once on what was kept.",
    "corpus/shards": "The kept documents of a donation as tokens, and where each one lies.",
    "corpus/release": "A version of the corpus: shards of admitted donations and their weights.",
    "training/base_model": "The model that training begins with.",
    "training/run": "A training run: its configuration and losses.",
    "training/checkpoint": "A trained model at one step.",
    "training/evaluation": "How well a model predicts, what it repeats, which answers it prefers.",
    "transparency/warehouse": "The marts: SQL over the lake's tables.",
    "transparency/verification": "What a verification of all evidence behind a release found.",
    "transparency/records": "The published records of a release.",
    "transparency/model_release": "What goes with a released model, and which files it has.",
}
GATE = "The decisions of gate {}: expected and actual values, and the verdict."


def documentation(asset: str) -> str | None:
    """One sentence on *asset*; None where nothing is known of it."""
    if asset.startswith("gate/"):
        return GATE.format(asset.removeprefix("gate/"))
    return DOCUMENTATION.get(asset)


@dataclass(frozen=True)
class Column:
    """The column *column* (``table.column``) comes from *source* of the asset *asset*.

    *kind* is a subtype of OpenLineage's column lineage facet; *masking* says that what stood
    there before cannot be read any more.
    """

    column: str
    asset: str
    source: str
    kind: str
    masking: bool = False


def _same(table: str, names: str, asset: str, source: str) -> Iterator[Column]:
    for name in names.split():
        yield Column(f"{table}.{name}", asset, f"{source}.{name}", "IDENTITY")


def _made(table: str, names: str, asset: str, source: str, masking: bool = False) -> list[Column]:
    return [
        Column(f"{table}.{name}", asset, source, "TRANSFORMATION", masking)
        for name in names.split()
    ]


_DOCUMENTS, _REDACTED = "donations/documents", "filtering/personal_data"
_TEXT = "document.text"

COLUMNS: dict[str, tuple[Column, ...]] = {
    "filtering/language": (
        *_same("language", "doc_id n_char", _DOCUMENTS, "document"),
        *_made("language", "language confidence accepted_share paragraphs", _DOCUMENTS, _TEXT),
    ),
    "filtering/personal_data": (
        *_same("document", "doc_id donation_id ordinal added created", _DOCUMENTS, "document"),
        *_made("document", "text text_sha256 n_char n_word", _DOCUMENTS, _TEXT, masking=True),
        *_same("pii_span", "doc_id", _DOCUMENTS, "document"),
        *_made("pii_span", "entity_type start end recogniser score action", _DOCUMENTS,
               _TEXT, masking=True),
        *_same("pii_outcome", "doc_id", _DOCUMENTS, "document"),
        *_made("pii_outcome", "outcome reason findings residual", _DOCUMENTS, _TEXT, masking=True),
    ),
    "filtering/quality": (
        *_same("attribute", "doc_id", _REDACTED, "document"),
        *_made("attribute", "*", _REDACTED, _TEXT),
    ),
    "filtering/contamination": (
        *_same("contamination", "doc_id", _REDACTED, "document"),
        *_made("contamination", "evaluation overlaps", _REDACTED, _TEXT),
    ),
    "filtering/signatures": (
        *_same("signature", "doc_id donation_id n_char", _REDACTED, "document"),
        *_made("signature", "text_sha256 bands shingles lines", _REDACTED, _TEXT),
    ),
    "filtering/duplicates": (
        *_same("duplicate", "doc_id", "filtering/signatures", "signature"),
        *_made("duplicate", "cluster_id survivor_id kind similarity", "filtering/signatures",
               "signature.bands"),
        *_made("duplicate", "cluster_id survivor_id kind similarity", "filtering/signatures",
               "signature.text_sha256"),
        *_same("cut", "doc_id", "filtering/signatures", "signature"),
        *_made("cut", "start end survivor_id", "filtering/signatures", "signature.lines"),
    ),
    "filtering/decisions": (
        *_same("decision", "doc_id donation_id n_char", _DOCUMENTS, "document"),
        *_same("decision", "survivor_id", "filtering/duplicates", "duplicate"),
        *_made("decision", "n_cut", "filtering/duplicates", "cut.start"),
        *_made("decision", "n_cut", "filtering/duplicates", "cut.end"),
        *_same("cut", "doc_id start end survivor_id", "filtering/duplicates", "cut"),
    ),
    "corpus/shards": (
        *_same("shard_span", "doc_id donation_id", _REDACTED, "document"),
        *_made("shard_span", "start end", _REDACTED, _TEXT),
    ),
    "corpus/release": (
        *_same("release_shard", "shard sha256 tokens documents", "corpus/shards", "shard"),
        Column("release_shard.donation", "corpus/shards", "shard.donation_id", "IDENTITY"),
    ),
}  # fmt: skip
"""For each asset, where its columns come from; ``*`` are the table's columns not named else."""


def columns(asset: str, fields: Sequence[str]) -> list[Column]:
    """The known origins of *asset*'s columns that are among *fields* (``table.column``)."""
    known = COLUMNS.get(asset, ())
    named = {column.column for column in known}
    found = []
    for column in known:
        if column.column.endswith(".*"):
            table = column.column.removesuffix("*")
            rest = [f for f in fields if f.startswith(table) and f not in named]
            found += [
                Column(f, column.asset, column.source, column.kind, column.masking) for f in rest
            ]
        elif column.column in fields:
            found.append(column)
    return found
