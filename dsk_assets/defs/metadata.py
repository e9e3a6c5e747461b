"""What Dagster's UI shows of a materialisation: counts, digests, schema, preview; never text."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from dsk_assets.defs.filtering.shown import of_gate, of_recall, of_search
from dsk_assets.evidence.admission import Decision
from dsk_assets.evidence.catalog import Snapshot
from dsk_assets.lake.store import Zone
from dsk_assets.training.plot import loss_curve
from dsk_assets.training.run import RUN

PREVIEW_ROWS = 5
HIDDEN_COLUMNS = frozenset({"text", "rel_path", "bands", "shingles", "lines"})
"""Columns that a preview leaves out: donated text, names of donors' files, bytes."""


def of_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    """Metadata of one materialisation, in the order shown; restricted ones get no preview."""
    first = _plots(snapshot) | of_search(snapshot) | of_recall(snapshot)
    return first | recorded(snapshot) | _tables(snapshot) | _published(snapshot)


def recorded(snapshot: Snapshot) -> dict[str, Any]:
    """The part of the metadata that the materialisation's statement alone decides."""
    runs = snapshot.statement["predicate"]["runDetails"]["metadata"]
    inputs = snapshot.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    rows = [file.rows for file in snapshot.files if file.rows is not None]
    metadata: dict[str, Any] = {
        "dagster/uri": snapshot.lake.url(snapshot.folder),
        "digest": f"sha256:{snapshot.digest}",
        "statement": f"sha256:{snapshot.statement_digest}",
        "inputs": len(inputs),
        "files": len(snapshot.files),
        "bytes": sum(file.bytes for file in snapshot.files),
        "started": runs["startedOn"],
        "finished": runs["finishedOn"],
    }
    if rows:
        name = "dagster/partition_row_count" if snapshot.partition else "dagster/row_count"
        metadata[name] = sum(rows)
    return metadata | {name: _value(value) for name, value in snapshot.counts.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        lines = [f"| {name} | {number} |" for name, number in sorted(value.items())]
        return dg.MetadataValue.md("\n".join(["| | number |", "|---|---:|", *lines]))
    return value if isinstance(value, (int, float, str)) else dg.MetadataValue.json(value)


def _published(snapshot: Snapshot) -> dict[str, Any]:
    """The text of what is public anyway, and where the other public files lie."""
    metadata: dict[str, Any] = {}
    if snapshot.folder.startswith(f"{Zone.PUBLIC}/"):
        for file in snapshot.files:
            if file.name.endswith(".md"):
                text = snapshot.path(file.name).read_text("utf-8")
                metadata[file.name] = dg.MetadataValue.md(text)
            else:
                metadata[file.name] = dg.MetadataValue.path(
                    snapshot.lake.url(f"{snapshot.folder}/{file.name}")
                )
    return metadata


def _plots(snapshot: Snapshot) -> dict[str, Any]:
    """The loss curve of a training run, drawn into the page."""
    if snapshot.asset != RUN:
        return {}
    names = ("loss", "held_out")
    drawn = loss_curve(*(snapshot.table(name).to_pylist() for name in names))
    data = base64.b64encode(drawn.encode()).decode()
    return {"loss curve": dg.MetadataValue.md(f"![loss](data:image/svg+xml;base64,{data})")}


def _tables(snapshot: Snapshot) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    first = {file.name.split("/part-")[0]: file for file in reversed(snapshot.files) if file.rows}
    own = snapshot.asset.rpartition("/")[2]
    for table, file in sorted(first.items(), key=lambda item: _rank(own, item[0])):
        with pq.ParquetFile(snapshot.path(file.name)) as parquet:
            schema = parquet.schema_arrow
            metadata.setdefault("dagster/column_schema", _schema(schema))
            if not snapshot.folder.startswith(f"{Zone.RESTRICTED}/"):
                shown = [name for name in schema.names if name not in HIDDEN_COLUMNS]
                rows = next(parquet.iter_batches(batch_size=PREVIEW_ROWS, columns=shown))
                metadata[f"preview {table.split('/')[0]}"] = _preview(rows)
    return metadata


def _rank(asset: str, table: str) -> tuple[bool, bool, str]:
    """Tables in the order shown: first the one that is called as the asset is, or ``document``."""
    return not asset.startswith(table.split("/")[0]), table != "document", table


def _schema(schema: pa.Schema) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(field.name, str(field.type)) for field in schema])


def _preview(rows: pa.RecordBatch) -> dg.MarkdownMetadataValue:
    def cell(value: object) -> str:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        return text.replace("|", "\\|")

    lines = ["| " + " | ".join(rows.schema.names) + " |", "|" + "---|" * rows.num_columns]
    lines += ["| " + " | ".join(map(cell, row.values())) + " |" for row in rows.to_pylist()]
    return dg.MetadataValue.md("\n".join(lines))


def of_decisions(decisions: Sequence[tuple[str, Decision]]) -> dict[str, Any]:
    """Metadata of a gate's check: expected and actual values, a row for each expectation."""
    lines = [
        "| judged | expectation on | expected | actual | verdict | reason |",
        "|---|---|---|---:|---|---|",
    ]
    for partition, decision in sorted(decisions, key=lambda item: (item[1].admitted, item[0])):
        for finding in decision.findings:
            verdict = "passed" if finding.passed else finding.severity
            reason = "" if finding.passed else finding.reason
            lines.append(
                f"| {partition} | {finding.measure} | {finding.expected} "
                f"| {finding.actual} | {verdict} | {reason} |"
            )
    refused = {key: decision.refusals for key, decision in decisions if not decision.admitted}
    return {
        "admitted": sum(decision.admitted for _, decision in decisions),
        "refused": len(refused),
        "reasons": " · ".join(f"{key}: {'; '.join(why)}" for key, why in sorted(refused.items()))
        or "none was refused",
        "expectations": dg.MetadataValue.md("\n".join(lines)),
    } | of_gate(decisions[0][1].gate if decisions else "")
