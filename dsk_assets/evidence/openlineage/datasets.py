"""What the dataset behind a materialisation is: schema, storage, owner, documentation, columns.

The same for all partitions that the same code wrote with the same configuration, so it is made
once for these and told as plain JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from openlineage.client.generated import (
    base,
    column_lineage_dataset,
    dataset_type_dataset,
    datasource_dataset,
    documentation_dataset,
    ownership_dataset,
    schema_dataset,
    storage_dataset,
    tags_dataset,
)
from openlineage.client.serde import Serde

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.openlineage import assets

OWNER = "team:data-engineering"


@dataclass(frozen=True)
class Description:
    """Facets of a dataset as JSON, and its columns as ``table.column``."""

    facets: Mapping[str, Any]
    columns: tuple[str, ...] = ()


class Descriptions:
    """Describes the datasets of one catalog; remembers what it has described."""

    def __init__(self, catalog: Catalog):
        self._catalog = catalog
        self._of_statement: dict[str, Description] = {}
        self._of_kind: dict[tuple[object, ...], Description] = {}

    def of(self, snapshot: Snapshot) -> Description:
        """The description of *snapshot*'s dataset as it was then.

        Without a schema where there are no tables, or where their files are gone by now.
        """
        known = self._of_statement.get(snapshot.statement_digest)
        if known is None:
            known = self._of_statement[snapshot.statement_digest] = self._describe(snapshot)
        return known

    def of_input(self, asset: str, partition: str | None, statement: str) -> Description:
        """The description behind an input; empty where its statement is gone."""
        if statement not in self._of_statement:
            for snapshot in reversed(self._catalog.history(asset, partition)):
                if snapshot.statement_digest == statement:
                    return self.of(snapshot)
        return self._of_statement.get(statement, Description({}))

    def _describe(self, snapshot: Snapshot) -> Description:
        predicate = snapshot.statement["predicate"]
        tables = _tables(snapshot)
        kind = (
            snapshot.asset,
            _zone(snapshot),
            _format(snapshot),
            predicate["buildDefinition"]["internalParameters"]["codeVersion"],
            tuple(tables),
            predicate["dsk"]["configDigest"] if tables else None,
        )
        if kind not in self._of_kind:
            facets = self._facets(snapshot)
            try:
                fields = _fields(snapshot, tables)
            except (CorruptedError, MissingInputError):
                return Description(_plain(facets))
            if fields:
                facets["schema"] = schema_dataset.SchemaDatasetFacet(fields)
            self._of_kind[kind] = Description(_plain(facets), tuple(field.name for field in fields))
        return self._of_kind[kind]

    def _facets(self, snapshot: Snapshot) -> dict[str, base.DatasetFacet]:
        zone, lake = _zone(snapshot), self._catalog.lake
        found: dict[str, base.DatasetFacet] = {
            "dataSource": datasource_dataset.DatasourceDatasetFacet(
                zone, f"urn:dsk:lake:{zone}" if lake.is_local else lake.url(zone)
            ),
            "storage": storage_dataset.StorageDatasetFacet(
                "file" if lake.is_local else "s3", _format(snapshot)
            ),
            "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(_type(snapshot)),
            "ownership": owned_by(OWNER),
            "tags": tags_dataset.TagsDatasetFacet(
                [tags_dataset.TagsDatasetFacetFields("zone", zone, "DSK")]
            ),
        }
        text = assets.documentation(snapshot.asset)
        if text:
            found["documentation"] = documentation_dataset.DocumentationDatasetFacet(
                text, "text/plain"
            )
        return found


def owned_by(maintainer: str, donor: str | None = None) -> ownership_dataset.OwnershipDatasetFacet:
    """Who keeps a dataset, and who gave it."""
    owners = [ownership_dataset.Owner(maintainer, "MAINTAINER")]
    if donor:
        owners.append(ownership_dataset.Owner(donor, "DONOR"))
    return ownership_dataset.OwnershipDatasetFacet(owners)


def column_lineage(
    namespace: str, asset: str, columns: tuple[str, ...], read: set[str]
) -> column_lineage_dataset.ColumnLineageDatasetFacet | None:
    """Where the *columns* of *asset* come from among the assets that were *read*, where known."""
    lineage: dict[str, column_lineage_dataset.Fields] = {}
    for column in assets.columns(asset, columns):
        if column.asset in read:
            fields = lineage.setdefault(column.column, column_lineage_dataset.Fields([]))
            change = column_lineage_dataset.Transformation(
                "DIRECT", column.kind, masking=column.masking
            )
            fields.inputFields.append(
                column_lineage_dataset.InputField(namespace, column.asset, column.source, [change])
            )
    return column_lineage_dataset.ColumnLineageDatasetFacet(lineage) if lineage else None


def _plain(facets: Mapping[str, base.DatasetFacet]) -> dict[str, Any]:
    return {name: Serde.to_dict(facet) for name, facet in facets.items()}


def _zone(snapshot: Snapshot) -> str:
    return snapshot.folder.split("/")[0]


def _type(snapshot: Snapshot) -> str:
    if snapshot.asset == "training/checkpoint":
        return "MODEL"
    return "TABLE" if _tables(snapshot) else "FILE"


def _tables(snapshot: Snapshot) -> dict[str, str]:
    """The first part of each table."""
    found: dict[str, str] = {}
    for file in snapshot.files:
        table, _, part = file.name.partition("/")
        if part.endswith(".parquet"):
            found.setdefault(table, file.name)
    return found


def _fields(
    snapshot: Snapshot, tables: Mapping[str, str]
) -> list[schema_dataset.SchemaDatasetFacetFields]:
    return [
        schema_dataset.SchemaDatasetFacetFields(f"{table}.{field.name}", str(field.type))
        for table, name in tables.items()
        for field in pq.read_schema(snapshot.path(name))
    ]


def _format(snapshot: Snapshot) -> str:
    endings = {Path(file.name).suffix.removeprefix(".") or "mixed" for file in snapshot.files}
    if _tables(snapshot):
        return "parquet"
    return endings.pop() if len(endings) == 1 else "mixed"
