"""A statement as an OpenLineage 2-0-2 run event: one run, one COMPLETE event, for each.

The run id is made from the statement's end and digest, so projecting twice gives the same event.
A dataset is an asset; which partition of it, and which bytes, say the facets ``subset`` and
``version`` of every input and output. What describes the dataset itself (schema, storage,
ownership, documentation) stands once for each dataset in an event: a release may read thousands of
partitions of one asset. Spec: https://openlineage.io/docs/spec/object-model
"""

import contextlib
import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from openlineage.client import constants, event_v2
from openlineage.client.generated import (
    base,
    base_subset_dataset,
    data_quality_assertions_dataset,
    dataset_version_dataset,
    documentation_job,
    job_type_job,
    output_statistics_output_dataset,
    ownership_job,
    parent_run,
    processing_engine_run,
    source_code_location_job,
)
from openlineage.client.serde import Serde
from openlineage.client.uuid import generate_static_uuid

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.evidence.openlineage import assets, datasets, facets
from dsk_assets.evidence.openlineage.datasets import OWNER, Descriptions, owned_by

PRODUCER = "urn:dsk:platform"
SOURCES = "dsk-source"
"""Namespace of inputs from outside the lake: deliveries, registers, base models."""
_RUNS = uuid.UUID("0b9b9b60-5a0f-5d4c-9a51-6b0f4a3f6d5e")

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
        self._datasets = Descriptions(catalog)

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
        told = Serde.to_dict(event)
        self._describe(told, snapshot)
        return told

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
        known = {"version": _version(snapshot.digest)} | _own(self.catalog, snapshot)
        read = {asset for asset, _, _ in map(_materialised, _dependencies(snapshot)) if asset}
        columns = self._datasets.of(snapshot).columns
        lineage = datasets.column_lineage(self.namespace, snapshot.asset, columns, read)
        if lineage is not None:
            known["columnLineage"] = lineage
        return event_v2.OutputDataset(self.namespace, snapshot.asset, output, facets=known)

    def _inputs(self, snapshot: Snapshot) -> list[event_v2.InputDataset]:
        found = []
        judged = _decision(snapshot)
        for dependency in _dependencies(snapshot):
            _, _, name = dependency["uri"].partition(":")
            known: dict[str, base.DatasetFacet] = {
                "version": _version(dependency["digest"]["sha256"])
            }
            asset, partition, _ = _materialised(dependency)
            if asset is None:
                found.append(event_v2.InputDataset(SOURCES, name, facets=known))
                continue
            of_input: dict[str, base.InputDatasetFacet] = {}
            if partition:
                of_input["subset"] = base_subset_dataset.InputSubsetInputDatasetFacet(
                    _partition(asset, partition)
                )
            if judged and judged.judged == name:
                of_input["dataQualityAssertions"] = _assertions(judged)
            found.append(event_v2.InputDataset(self.namespace, asset, of_input, facets=known))
        return found

    def _describe(self, event: dict[str, Any], snapshot: Snapshot) -> None:
        """Add what datasets are: to the output, and to each dataset once among the inputs."""
        (output,) = event["outputs"]
        output["facets"] = {**self._datasets.of(snapshot).facets, **output["facets"]}
        described = set()
        for told, dependency in zip(event["inputs"], _dependencies(snapshot), strict=True):
            asset, partition, statement = _materialised(dependency)
            if asset is not None and asset not in described:
                described.add(asset)
                told["facets"] |= self._datasets.of_input(asset, partition, statement).facets


LANDING = "donations/landing"
MANIFEST = "manifest.json"


def _dependencies(snapshot: Snapshot) -> list[dict[str, Any]]:
    dependencies: list[dict[str, Any]] = snapshot.statement["predicate"]["buildDefinition"][
        "resolvedDependencies"
    ]
    return dependencies


def _materialised(dependency: Mapping[str, Any]) -> tuple[str | None, str | None, str]:
    """Asset, partition and statement of an input; the asset is None for one from outside."""
    scheme, _, key = dependency["uri"].partition(":")
    if scheme != "dsk":
        return None, None, ""
    asset, _, partition = key.rstrip("]").partition("[")
    return asset, partition or None, dependency["annotations"]["statement"]


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


def _manifest(snapshot: Snapshot) -> dict[str, Any] | None:
    """The manifest of a landed donation, unless it is gone or damaged."""
    if snapshot.asset != LANDING:
        return None
    with contextlib.suppress(CorruptedError, MissingInputError):
        manifest: dict[str, Any] = snapshot.json(MANIFEST)
        return manifest
    return None


def _decision(snapshot: Snapshot) -> admission.Decision | None:
    """The decision that a gate's materialisation holds, unless it is gone or damaged."""
    if snapshot.asset.startswith("gate/"):
        with contextlib.suppress(CorruptedError, MissingInputError):
            return admission.decision(snapshot)
    return None


def _own(catalog: Catalog, snapshot: Snapshot) -> dict[str, base.DatasetFacet]:
    manifest, decision = _manifest(snapshot), _decision(snapshot)
    if manifest is not None:
        donor = f"cvr:{manifest['donor']['cvr']}"
        return {"ownership": owned_by(OWNER, donor), **facets.of_manifest(manifest)}
    if decision is not None:
        withdrawal = facets.of_withdrawal(catalog, snapshot)
        return {"dsk_gate": facets.of_decision(decision)} | (
            {"dsk_withdrawal": withdrawal} if withdrawal else {}
        )
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
