"""Danish Dynaword's table: ``<donation>/<donation>.parquet`` with its six columns.

``id, text, source, added, created, token_count``, as Hugging Face ``datasets`` reads it (Enevoldsen
et al. 2025, https://arxiv.org/abs/2508.02271). It holds text, so only donations are written whose
agreement lets it be published and whose donor asked for that; ``left-out.txt`` names the others.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from dsk_assets.consortium.agreements import load_agreements
from dsk_assets.corpus.kept import ROWS, Spans, cuts_in
from dsk_assets.corpus.release import Member, OpenedRelease
from dsk_assets.errors import MissingInputError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.filters.lines import without


def write(catalog: Catalog, release: OpenedRelease, folder: Path) -> None:
    """Write the donations of *release* that may be published."""
    left_out = []
    for member in release.members:
        if not may_be_published(catalog, member.donation):
            left_out.append(f"{member.donation}\n")
            continue
        name = member.donation.partition("@")[0]
        (folder / name).mkdir()
        _write(catalog, member, name, folder / name / f"{name}.parquet")
    (folder / "left-out.txt").write_text("".join(left_out))


def may_be_published(catalog: Catalog, donation: str) -> bool:
    """Whether its agreement lets the text be published and its donor wants it open-sourced."""
    rights = catalog.require("donations/landing", donation).json("manifest.json")["rights"]
    agreements = {one.agreement_id: one for one in load_agreements(catalog.settings.consortium)}
    agreement = agreements.get(rights.get("agreement_ref"))
    return bool(
        agreement and agreement.may_publish_data and rights["open_source_wish"] == "open-source"
    )


def _write(catalog: Catalog, member: Member, name: str, path: Path) -> None:
    documents = _made_from(catalog, member, "filtering/personal_data", "document/")
    decisions = _made_from(catalog, member, "filtering/decisions", "decision/", "cut/")
    with duckdb.connect() as connection, connection.cursor() as another:
        cuts = cuts_in(decisions, another)
        connection.register("span", member.shards.table("shard_span"))
        rows = connection.sql(
            """
            select document.doc_id as id, text, $name as source, added, created,
                "end" - start as token_count
            from read_parquet($documents) as document
            inner join span using (doc_id)
            order by id
            """,
            params={"documents": [str(one) for one in documents.paths("document")], "name": name},
        ).to_arrow_reader(ROWS)
        with pq.ParquetWriter(path, rows.schema, compression="zstd") as writer:
            for batch in rows:
                writer.write_table(_without(pa.Table.from_batches([batch]), cuts))


def _without(rows: pa.Table, cuts: Callable[[str, str], Spans]) -> pa.Table:
    """*rows* with the lines cut out of their texts that were cut out for training."""
    ids, texts = map(str, rows["id"].to_pylist()), map(str, rows["text"].to_pylist())
    named = list(zip(ids, texts, strict=True))
    cut = cuts(named[0][0], named[-1][0])
    shorter = [without(text, cut[doc_id]) for doc_id, text in named]
    place = rows.schema.get_field_index("text")
    return rows.set_column(place, rows.schema.field(place), pa.array(shorter, pa.string()))


def _made_from(catalog: Catalog, member: Member, asset: str, *files: str) -> Snapshot:
    """The materialisation of *asset* that the member's shards were made from, its *files*."""
    inputs = member.shards.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    [digest] = [
        one["digest"]["sha256"] for one in inputs if one["uri"] == f"dsk:{asset}[{member.donation}]"
    ]
    for snapshot in reversed(catalog.history(asset, member.donation)):
        if snapshot.only(*files).digest == digest:
            return snapshot.only(*files)
    raise MissingInputError(
        f"the {asset} that {member.shards.key} was made from is no longer in the catalog — "
        "restore its statements from a copy of the evidence zone"
    )
