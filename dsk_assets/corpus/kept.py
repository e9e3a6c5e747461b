"""The documents of a donation that decisions kept, in the order of their ids.

A ``doc_id`` is a hash, so this order is the same wherever documents were delivered, and its
beginning is a random sample of the donation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from dsk_assets.errors import MissingInputError
from dsk_assets.evidence.catalog import Catalog, Snapshot

ROWS = 256
"""Documents fetched at once; few, because one document may have millions of characters."""

_KEPT = """
    create temp table kept as
    select decision.doc_id, document.n_char, document.doc_id is not null as found
    from (select doc_id from read_parquet($decisions) where kept) as decision
    left join (select doc_id, n_char from read_parquet($documents)) as document using (doc_id)
"""
_TEXTS = """
    select doc_id, text
    from read_parquet($documents)
    semi join (
        select doc_id
        from (select doc_id, n_char, sum(n_char) over (order by doc_id) as upto from kept)
        where $characters is null or upto - n_char < $characters
    ) using (doc_id)
    order by doc_id
"""


@dataclass(frozen=True)
class KeptDocuments:
    """Where a donation's kept documents are read from."""

    decisions: Snapshot
    documents: Snapshot
    scratch: Path

    @property
    def inputs(self) -> list[Snapshot]:
        """What reading them reads."""
        return [self.decisions, self.documents]

    def texts(self, characters: int | None = None) -> Iterator[tuple[str, str]]:
        """``(doc_id, text)`` in the order of ``doc_id``; sorting spills to the scratch folder.

        With *characters*, only as many documents as it takes to reach that many. Raises
        :class:`MissingInputError` when decisions keep a document that is not there.
        """
        decisions = [str(path) for path in self.decisions.paths("decision")]
        documents = [str(path) for path in self.documents.paths("document")]
        with _database(self.scratch).cursor() as connection:
            connection.execute(_KEPT, {"decisions": decisions, "documents": documents})
            [(absent,)] = connection.execute("select count(*) from kept where not found").fetchall()
            if absent:
                raise MissingInputError(
                    f"{self.decisions.key} keeps documents that are not in {self.documents.key}: "
                    f"{absent} of them — materialise filtering/decisions again"
                )
            reader = connection.sql(
                _TEXTS, params={"documents": documents, "characters": characters}
            ).to_arrow_reader(ROWS)
            for batch in reader:
                yield from zip(
                    batch.column("doc_id").to_pylist(),
                    batch.column("text").to_pylist(),
                    strict=True,
                )


def kept_documents(catalog: Catalog, donation: str) -> KeptDocuments:
    """The donation's kept documents; :class:`MissingInputError` before decisions were taken."""
    return KeptDocuments(
        decisions=catalog.require("filtering/decisions", donation).only("decision/"),
        documents=catalog.require("filtering/personal_data", donation).only("document/"),
        scratch=catalog.settings.home.resolve() / "tmp",
    )


@cache
def _database(scratch: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory, one a process: opening it costs more than reading a small donation."""
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    return duckdb.connect(config={"temp_directory": str(scratch)})
