"""A statement as an OpenLineage 2-0-2 run event: one run, one COMPLETE event, for each.

The run id is made from the statement's end and digest, so projecting twice gives the same event.
A dataset is an asset; which partition of it, and which bytes, say the facets ``subset`` and
``version`` of every input and output. What describes the dataset itself (schema, storage,
ownership, documentation) stands once for each dataset in an event: a release may read thousands of
partitions of one asset. Spec: https://openlineage.io/docs/spec/object-model
"""

import contextlib
import datetime as dt
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from openlineage.client import constants, event_v2
from openlineage.client.generated import (
    base,
    base_subset_dataset,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    dataset_type_dataset,
    dataset_version_dataset,
    datasource_dataset,
    documentation_dataset,
    documentation_job,
    job_type_job,
    output_statistics_output_dataset,
    ownership_dataset,
    ownership_job,
    parent_run,
    processing_engine_run,
    schema_dataset,
    source_code_location_job,
    storage_dataset,
    tags_dataset,
)
from openlineage.client.serde import Serde
from openlineage.client.uuid import generate_static_uuid

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.openlineage import assets, facets
from dsk_assets.lake.digests import sha256_json

PRODUCER = "urn:dsk:platform"
SOURCES = "dsk-source"
"""Namespace of inputs from outside the lake: deliveries, registers, base models."""
OWNER = "team:data-engineering"
_RUNS = uuid.UUID("0b9b9b60-5a0f-5d4c-9a51-6b0f4a3f6d5e")
_URI = re.compile(r"(?P<asset>[^\[]+)(\[(?P<partition>.+)\])?")

event_v2.set_producer(PRODUCER)


def run_id(snapshot: Snapshot) -> str:
    """The run id of a materialisation: a UUID in the shape of version 7, the same for ever."""
    finished = snapshot.statement["predicate"]["runDetails"]["metadata"]["finishedOn"]
    return str(generate_static_uuid(_moment(finished), snapshot.statement_digest.encode()))


class Projector:
    """Turns statements of one catalog into events; remembers what datasets look like."""

    def __init__(self, catalog: Catalog):
        self.catalog = catalog
        self.namespace = catalog.settings.openlineage_namespace
        self._described: dict[str, dict[str, base.DatasetFacet]] = {}
        self._schemas: dict[str, schema_dataset.SchemaDatasetFacet | None] = {}

    def event(self, snapshot: Snapshot) -> dict[str, Any]:
        """The COMPLETE event of the run that made *snapshot*."""
        details = snapshot.statement["predicate"]["runDetails"]
        event = event_v2.RunEvent(
            eventTime=details["metadata"]["finishedOn"],
            eventType=event_v2.RunState.COMPLETE,
            producer=PRODUCER,
            run=event_v2.Run(run_id(snapshot), self._run_facets(snapshot)),
            job=event_v2.Job(self.namespace, snapshot.asset, _job_facets(snapshot)),
            inputs=self._inputs(snapshot),
            outputs=[self._output(snapshot)],
        )
        return Serde.to_dict(event)

    def _run_facets(self, snapshot: Snapshot) -> dict[str, base.RunFacet]:
        details = snapshot.statement["predicate"]["runDetails"]
        name, identifier = _parent(details["metadata"])
        return {
            "parent": parent_run.ParentRunFacet(
                run=parent_run.Run(identifier),
                job=parent_run.Job(self.namespace, name),
                root=parent_run.Root(
                    run=parent_run.RootRun(identifier),
                    job=parent_run.RootJob(self.namespace, name),
                ),
            ),
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                version=details["builder"]["version"]["dsk-assets"],
                name="dsk-assets",
                openlineageAdapterVersion=constants.__version__,
            ),
            "dsk_evidence": facets.of_evidence(snapshot),
        }

    def _output(self, snapshot: Snapshot) -> event_v2.OutputDataset:
        rows = [file.rows for file in snapshot.files if file.rows is not None]
        output: dict[str, base.OutputDatasetFacet] = {
            "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=sum(rows) if rows else None,
                size=sum(file.bytes for file in snapshot.files),
                fileCount=len(snapshot.files),
            )
        }
        if snapshot.partition:
            output["subset"] = base_subset_dataset.OutputSubsetOutputDatasetFacet(
                _partition(snapshot.asset, snapshot.partition)
            )
        known = self._describe(snapshot) | {"version": _version(snapshot.digest)}
        known |= self._columns(snapshot) | _own(snapshot)
        return event_v2.OutputDataset(
            self.namespace, snapshot.asset, output, facets=known | self._owners(snapshot)
        )

    def _inputs(self, snapshot: Snapshot) -> list[event_v2.InputDataset]:
        found = []
        described: set[str] = set()
        judged = _decision(snapshot)
        for dependency in _dependencies(snapshot):
            scheme, _, rest = dependency["uri"].partition(":")
            known: dict[str, base.DatasetFacet] = {
                "version": _version(dependency["digest"]["sha256"])
            }
            if scheme == SOURCES:
                found.append(event_v2.InputDataset(SOURCES, rest, facets=known))
                continue
            asset, partition = split_key(rest)
            if asset not in described:
                described.add(asset)
                known |= self._describe_input(asset, partition, dependency)
            of_input: dict[str, base.InputDatasetFacet] = {}
            if partition:
                of_input["subset"] = base_subset_dataset.InputSubsetInputDatasetFacet(
                    _partition(asset, partition)
                )
            if judged and judged.judged == rest:
                of_input["dataQualityAssertions"] = _assertions(judged)
            found.append(event_v2.InputDataset(self.namespace, asset, of_input, facets=known))
        return found

    def _describe_input(
        self, asset: str, partition: str | None, dependency: Mapping[str, Any]
    ) -> dict[str, base.DatasetFacet]:
        statement = dependency["annotations"]["statement"]
        if statement not in self._described:
            for snapshot in reversed(self.catalog.history(asset, partition)):
                if snapshot.statement_digest == statement:
                    self._describe(snapshot)
                    break
        return self._described.get(statement, {})

    def _describe(self, snapshot: Snapshot) -> dict[str, base.DatasetFacet]:
        """What the dataset is, whichever partition: the same objects for equal code."""
        known = self._described.get(snapshot.statement_digest)
        if known is None:
            known = self._described[snapshot.statement_digest] = self._facets(snapshot)
        return known

    def _facets(self, snapshot: Snapshot) -> dict[str, base.DatasetFacet]:
        zone = snapshot.folder.split("/")[0]
        tables = _tables(snapshot)
        lake = self.catalog.lake
        found: dict[str, base.DatasetFacet] = {
            "dataSource": datasource_dataset.DatasourceDatasetFacet(
                zone, f"urn:dsk:lake:{zone}" if lake.is_local else lake.url(zone)
            ),
            "storage": storage_dataset.StorageDatasetFacet(
                "file" if lake.is_local else "s3", "parquet" if tables else _format(snapshot)
            ),
            "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(
                "MODEL"
                if snapshot.asset == "training/checkpoint"
                else "TABLE"
                if tables
                else "FILE"
            ),
            "ownership": ownership_dataset.OwnershipDatasetFacet(
                [ownership_dataset.Owner(OWNER, "MAINTAINER")]
            ),
            "tags": tags_dataset.TagsDatasetFacet(
                [tags_dataset.TagsDatasetFacetFields("zone", zone, "DSK")]
            ),
        }
        text = assets.documentation(snapshot.asset)
        if text:
            found["documentation"] = documentation_dataset.DocumentationDatasetFacet(
                text, "text/plain"
            )
        schema = self._schema(snapshot, tables)
        if schema is not None:
            found["schema"] = schema
        return found

    def _schema(
        self, snapshot: Snapshot, tables: Mapping[str, str]
    ) -> schema_dataset.SchemaDatasetFacet | None:
        """The columns of all tables as ``table.column``; read once for each code and configuration.

        None where there are none, or where the files are gone by now.
        """
        internal = snapshot.statement["predicate"]["buildDefinition"]["internalParameters"]
        key = sha256_json(
            [snapshot.asset, internal["codeVersion"], internal["config"], sorted(tables)]
        )
        if key not in self._schemas:
            try:
                fields = [
                    schema_dataset.SchemaDatasetFacetFields(
                        f"{table}.{field.name}", str(field.type)
                    )
                    for table, name in tables.items()
                    for field in pq.read_schema(snapshot.path(name))
                ]
            except (CorruptedError, MissingInputError):
                return None
            facet = schema_dataset.SchemaDatasetFacet(fields) if fields else None
            self._schemas[key] = facet
        return self._schemas[key]

    def _columns(self, snapshot: Snapshot) -> dict[str, base.DatasetFacet]:
        schema = self._describe(snapshot).get("schema")
        if not isinstance(schema, schema_dataset.SchemaDatasetFacet):
            return {}
        read = {dependency["uri"].removeprefix("dsk:").split("[")[0]
                for dependency in _dependencies(snapshot)}  # fmt: skip
        lineage: dict[str, column_lineage_dataset.Fields] = {}
        for column in assets.columns(snapshot.asset, [field.name for field in schema.fields or ()]):
            if column.asset in read:
                fields = lineage.setdefault(column.column, column_lineage_dataset.Fields([]))
                fields.inputFields.append(
                    column_lineage_dataset.InputField(
                        self.namespace, column.asset, column.source,
                        [column_lineage_dataset.Transformation(
                            "DIRECT", column.kind, masking=column.masking)],
                    )
                )  # fmt: skip
        return (
            {"columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(lineage)}
            if lineage
            else {}
        )

    def _owners(self, snapshot: Snapshot) -> dict[str, base.DatasetFacet]:
        """A landed donation is also the donor's, who is named by company number."""
        manifest = _manifest(snapshot)
        if manifest is None:
            return {}
        owners = [
            ownership_dataset.Owner(OWNER, "MAINTAINER"),
            ownership_dataset.Owner(f"cvr:{manifest['donor']['cvr']}", "DONOR"),
        ]
        return {"ownership": ownership_dataset.OwnershipDatasetFacet(owners)}


LANDING = "donations/landing"
MANIFEST = "manifest.json"


def split_key(key: str) -> tuple[str, str | None]:
    """Asset and partition of ``asset[partition]``."""
    match = _URI.fullmatch(key)
    if match is None:
        raise CorruptedError(f"{key!r} does not name an asset — restore the statement from a copy")
    return match["asset"], match["partition"]


def _dependencies(snapshot: Snapshot) -> list[dict[str, Any]]:
    dependencies: list[dict[str, Any]] = snapshot.statement["predicate"]["buildDefinition"][
        "resolvedDependencies"
    ]
    return dependencies


def _moment(timestamp: str) -> dt.datetime:
    return dt.datetime.fromisoformat(timestamp)


def _parent(metadata: Mapping[str, str]) -> tuple[str, str]:
    """Name and run id of what the materialisation was made in.

    That is Dagster's run; a command's or schedule's work of one day counts as one run.
    """
    invocation = metadata["invocationId"]
    try:
        return "dagster", str(uuid.UUID(invocation))
    except ValueError:
        day = metadata["startedOn"][:10]
        return invocation, str(uuid.uuid5(_RUNS, f"{invocation}/{day}"))


def _job_facets(snapshot: Snapshot) -> dict[str, base.JobFacet]:
    found: dict[str, base.JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet(
            "BATCH", "DSK", "GATE" if snapshot.asset.startswith("gate/") else "ASSET"
        ),
        "ownership": ownership_job.OwnershipJobFacet([ownership_job.Owner(OWNER, "MAINTAINER")]),
    }
    text = assets.documentation(snapshot.asset)
    if text:
        found["documentation"] = documentation_job.DocumentationJobFacet(text, "text/plain")
    commit = snapshot.statement["predicate"]["dsk"]["code"].get("commit")
    if commit:
        found["sourceCodeLocation"] = source_code_location_job.SourceCodeLocationJobFacet(
            "git", f"urn:dsk:commit:{commit}", path="dsk_assets", version=commit
        )
    return found


def _version(digest: str) -> dataset_version_dataset.DatasetVersionDatasetFacet:
    return dataset_version_dataset.DatasetVersionDatasetFacet(f"sha256:{digest}")


_DIMENSIONS = {"corpus/release": "release", "transparency/records": "release",
               "gate/composition": "release", "training/run": "run",
               "training/checkpoint": "checkpoint", "gate/checkpoint": "checkpoint"}  # fmt: skip


def _partition(asset: str, partition: str) -> base_subset_dataset.PartitionSubsetCondition:
    dimension = _DIMENSIONS.get(asset, "donation")
    return base_subset_dataset.PartitionSubsetCondition(
        [base_subset_dataset.Partition({dimension: partition}, partition)]
    )


def _tables(snapshot: Snapshot) -> dict[str, str]:
    """The first part of each table."""
    found: dict[str, str] = {}
    for file in snapshot.files:
        table, _, part = file.name.partition("/")
        if part.endswith(".parquet"):
            found.setdefault(table, file.name)
    return found


def _format(snapshot: Snapshot) -> str:
    endings = {Path(file.name).suffix.removeprefix(".") or "mixed" for file in snapshot.files}
    return endings.pop() if len(endings) == 1 else "mixed"


def _manifest(snapshot: Snapshot) -> dict[str, Any] | None:
    """The manifest of a landed donation, unless it has been erased."""
    if snapshot.asset != LANDING:
        return None
    with contextlib.suppress(MissingInputError):
        manifest: dict[str, Any] = snapshot.json(MANIFEST)
        return manifest
    return None


def _decision(snapshot: Snapshot) -> admission.Decision | None:
    """The decision that a gate's materialisation holds, unless it has been erased."""
    if snapshot.asset.startswith("gate/"):
        with contextlib.suppress(MissingInputError):
            return admission.decision(snapshot)
    return None


def _own(snapshot: Snapshot) -> dict[str, base.DatasetFacet]:
    manifest, decision = _manifest(snapshot), _decision(snapshot)
    if manifest is not None:
        return facets.of_manifest(manifest)
    if decision is not None:
        return {"dsk_gate": facets.of_decision(decision)}
    if snapshot.asset == "filtering/personal_data":
        counts = dict(snapshot.counts)
        return {"dsk_personalData": facets.DskPersonalDataDatasetFacet(counts)}
    return {}


def _assertions(
    decision: admission.Decision,
) -> data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet:
    """Every finding of the gate; the reason is given where it failed."""
    return data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
        [
            data_quality_assertions_dataset.Assertion(
                assertion=finding.measure,
                name=f"{decision.gate}.{finding.measure}",
                success=finding.passed,
                severity="error" if finding.severity == "critical" else "warn",
                expected=finding.expected,
                actual=None if finding.actual is None else str(finding.actual),
                description=None if finding.passed else finding.reason,
                params=None,
            )
            for finding in decision.findings
        ]
    )
