"""The documents of a donation that decisions kept, in the order of their ids, without the lines
that are cut out of them.

A ``doc_id`` is a hash, so this order is the same wherever documents were delivered, and its
beginning is a random sample of the donation.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from dsk_assets.errors import MissingInputError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.filters.lines import without
from dsk_assets.lake.database import quiet

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
_CUT = """
    insert into cut
    select doc_id, "start", "end" from read_parquet(?) order by doc_id, "start"
"""

Spans = defaultdict[str, list[tuple[int, int]]]


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
        database = _database(self.scratch)
        with database.cursor() as connection, database.cursor() as another:
            quiet(connection).execute(_KEPT, {"decisions": decisions, "documents": documents})
            [(absent,)] = connection.execute("select count(*) from kept where not found").fetchall()
            if absent:
                raise MissingInputError(
                    f"{self.decisions.key} keeps documents that are not in {self.documents.key}: "
                    f"{absent} of them — materialise filtering/decisions again"
                )
            reader = connection.sql(
                _TEXTS, params={"documents": documents, "characters": characters}
            ).to_arrow_reader(ROWS)
            cuts = cuts_in(self.decisions, quiet(another))
            for batch in reader:
                rows = batch.to_pylist()
                cut = cuts(rows[0]["doc_id"], rows[-1]["doc_id"])
                for row in rows:
                    yield row["doc_id"], without(row["text"], cut[row["doc_id"]])


def cuts_in(
    decisions: Snapshot, connection: duckdb.DuckDBPyConnection
) -> Callable[[str, str], Spans]:
    """What gives the spans that are cut out of the documents from one id to another."""
    connection.execute('create temp table cut (doc_id varchar, "start" bigint, "end" bigint)')
    if paths := [str(path) for path in decisions.paths("cut")]:
        connection.execute(_CUT, [paths])

    def between(first: str, last: str) -> Spans:
        spans: Spans = defaultdict(list)
        for doc_id, *span in connection.execute(
            'from cut where doc_id between ? and ? order by doc_id, "start"', [first, last]
        ).fetchall():
            spans[doc_id].append(tuple(span))
        return spans

    return between


def kept_documents(catalog: Catalog, donation: str) -> KeptDocuments:
    """The donation's kept documents; :class:`MissingInputError` before decisions were taken."""
    return KeptDocuments(
        decisions=catalog.require("filtering/decisions", donation).only("decision/", "cut/"),
        documents=catalog.require("filtering/personal_data", donation).only("document/"),
        scratch=catalog.settings.home.resolve() / "tmp",
    )


@cache
def _database(scratch: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory, one a process: opening it costs more than reading a small donation."""
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    return duckdb.connect(config={"temp_directory": str(scratch)})
