"""Which documents duplicate which: exact by digest, near by MinHash with banding.

Banding (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3) proposes pairs
that agree in all six hashes of one of 21 bands: 99.8 % of the pairs at Jaccard 0.8. A pair counts
when its sketches have 0.8 or more in common. Every document that is dropped resembles its survivor
itself: chains of ever less similar texts do not form.

Texts from one template may agree in a band and resemble one another too little, in any number. So
a document is compared with no more than the first :data:`SURVIVORS` survivors of each of its bands;
two texts at Jaccard 0.8 share five or six bands, so it would have to miss its survivor in all.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from dsk_assets.filters.signatures import BANDS
from dsk_assets.filters.sketches import Sketches, sketches_in
from dsk_assets.lake.database import insert, quiet

THRESHOLD = 0.8
SURVIVORS = 64
"""Survivors of one band with which a document is compared, the preferred ones first."""

_PAIRS = 65_536
"""Pairs compared at once."""

_ALIKE = ["place", "survivor", "similarity"]

_EXACT = """
CREATE TABLE first_of AS
SELECT place, if(drop_exact, first, place) AS first
FROM ranked JOIN (
    SELECT text_sha256, min(place) AS first FROM ranked GROUP BY text_sha256
) USING (text_sha256)
"""
_COMPARED = """
CREATE TABLE compared AS
SELECT place, drop_near, COLUMNS('band\\d+')
FROM document JOIN ranked USING (number) JOIN first_of USING (place)
WHERE place = first AND band0 IS NOT NULL
"""
_BAND = """
INSERT INTO band SELECT {band}, place, drop_near, 0
FROM compared SEMI JOIN (
    SELECT {band} FROM compared GROUP BY {band} HAVING count(*) > 1
) USING ({band})
"""
_ROUND = (
    "CREATE OR REPLACE TABLE best AS SELECT band, min(place) AS best FROM band GROUP BY band",
    """
    CREATE OR REPLACE TABLE ready AS FROM best ANTI JOIN (
        SELECT DISTINCT place FROM band JOIN best USING (band) WHERE place <> best
    ) AS waiting ON best.best = waiting.place
    """,
    """
    CREATE OR REPLACE TABLE pair AS SELECT DISTINCT place, best AS survivor
    FROM band JOIN ready USING (band) WHERE place <> best AND droppable
    """,
)
_SETTLE = (
    """
    INSERT INTO taken SELECT place, min(survivor), arg_min(similarity, survivor)
    FROM alike GROUP BY place
    """,
    """
    CREATE OR REPLACE TABLE rest AS
    SELECT band, place, droppable, compared + (best IS NOT NULL)::INTEGER AS compared
    FROM band LEFT JOIN ready USING (band)
    ANTI JOIN (SELECT place FROM alike UNION SELECT best FROM ready) AS settled USING (place)
    WHERE compared + (best IS NOT NULL)::INTEGER < {survivors}
    """,
    """
    CREATE OR REPLACE TABLE band AS FROM rest
    SEMI JOIN (SELECT band FROM rest GROUP BY band HAVING count(*) > 1) USING (band)
    """,
)


def find(
    database: duckdb.DuckDBPyConnection, parts: Sequence[tuple[Path, int]], scratch: Path
) -> None:
    """Make table ``found`` of ``document`` and ``ranked`` (:mod:`dsk_assets.filters.join`)."""
    database.execute(_EXACT)
    database.execute(_COMPARED)
    database.execute(
        "CREATE TABLE band (band UBIGINT, place BIGINT, droppable BOOLEAN, compared INTEGER)"
    )
    for number in range(BANDS):
        database.execute(_BAND.format(band=f"band{number}"))
    database.execute("DROP TABLE compared")
    with sketches_in(database, parts, scratch) as sketches:
        _near(database, sketches)
    database.execute(
        """
        CREATE TABLE chosen AS
        SELECT
            one.doc_id, one.source, best.doc_id AS survivor_id,
            if(one.text_sha256 = best.text_sha256, 'exact', 'near') AS kind,
            coalesce(similarity, 1.0) AS similarity
        FROM first_of
        JOIN ranked AS one USING (place)
        LEFT JOIN taken ON taken.place = first
        JOIN ranked AS best ON best.place = coalesce(survivor, first)
        """
    )
    database.execute(
        """
        CREATE TABLE found AS
        SELECT source, doc_id, cluster_id, survivor_id, kind, similarity
        FROM chosen JOIN (
            SELECT survivor_id, min(doc_id) AS cluster_id
            FROM chosen GROUP BY survivor_id HAVING count(*) > 1
        ) USING (survivor_id)
        ORDER BY source, doc_id
        """
    )


def _near(database: duckdb.DuckDBPyConnection, sketches: Sketches) -> None:
    """Table ``taken``: ``place`` of the documents that a better one, the ``survivor``, stands for.

    A document that comes first in each of its bands survives and takes those that resemble it;
    then the next ones do. The survivors are those that taking the documents one by one in the
    order of preference would leave, unless a band has more than :data:`SURVIVORS`.
    """
    for name in ("taken", "alike"):
        database.execute(f"CREATE TABLE {name} (place BIGINT, survivor BIGINT, similarity DOUBLE)")
    while database.execute("SELECT count(*) FROM band").fetchall()[0][0]:
        for statement in _ROUND:
            database.execute(statement)
        database.execute("DELETE FROM alike")
        _compare(database, sketches)
        for statement in _SETTLE:
            database.execute(statement.format(survivors=SURVIVORS))


def _compare(database: duckdb.DuckDBPyConnection, sketches: Sketches) -> None:
    """Fill table ``alike`` with the rows of table ``pair`` that resemble each other."""
    with database.cursor() as reading:
        pairs = (
            quiet(reading)
            .sql(
                "SELECT place, survivor, one.start, one.size, other.start, other.size FROM pair "
                "JOIN sketch AS one USING (place) JOIN sketch AS other ON other.place = survivor"
            )
            .to_arrow_reader(_PAIRS)
        )
        for batch in pairs:
            place, survivor, *sketched = batch.columns
            share = sketches.similarity(*(column.to_numpy() for column in sketched))
            found = pa.table([place, survivor, pa.array(share)], names=_ALIKE)
            insert(database, "alike", found.filter(pc.field("similarity") >= THRESHOLD))
