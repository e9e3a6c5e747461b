"""The rows of tables that SQL reads but no asset writes: what manifests, gates and releases say."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from dsk_assets.evidence import admission
from dsk_assets.evidence.catalog import Catalog, Snapshot, asset_partitions
from dsk_assets.evidence.withdrawals import Withdrawal
from dsk_assets.records.sources import Sources

Row = dict[str, Any]


def donations(
    landings: Iterable[Snapshot],
    current: frozenset[str],
    withdrawn: Mapping[str, Withdrawal],
) -> Iterator[Row]:
    """``donation``: one row for each landed donation version, from its manifest.

    *withdrawn* is what donors have withdrawn since.
    """
    for landing in landings:
        manifest = landing.json("manifest.json")
        key = f"{manifest['donation_id']}@{manifest['version']}"
        yield {
            "donation": key,
            "donation_id": manifest["donation_id"],
            "version": manifest["version"],
            "supersedes": manifest.get("supersedes"),
            "received": manifest.get("received"),
            **_donor(manifest["donor"]),
            **_rights(manifest["rights"]),
            **_dataset(manifest["dataset"]),
            **_care(manifest),
            "withdrawn_on": _withdrawn_on(manifest, withdrawn.get(key)),
            "files": len(manifest["files"]),
            "bytes": sum(file["bytes"] for file in manifest["files"]),
            "is_current": key in current,
        }


def _donor(donor: Mapping[str, Any]) -> Row:
    return {
        "donor": donor["legal_name"],
        "donor_cvr": donor["cvr"],
        "donor_sector": donor["sector"],
    }


def _rights(rights: Mapping[str, Any]) -> Row:
    approval = rights["approval"]
    return {
        "rights_holder": rights["holder"]["name"],
        "rights_relation": rights["holder"]["relation"],
        "licence": rights.get("licence_spdx"),
        "agreement": rights.get("agreement_ref"),
        "open_source_wish": rights["open_source_wish"],
        "attribution": rights.get("attribution"),
        "approved_on": approval["approved_on"],
        "expires_on": approval.get("expires_on"),
        "approved_scope": approval["scope"],
    }


def _dataset(dataset: Mapping[str, Any]) -> Row:
    provenance = dataset["provenance"]
    synthetic = provenance.get("synthetic") or {}
    return {
        "title_da": dataset["title"]["da"],
        "title_en": dataset["title"]["en"],
        "description_da": dataset["description"]["da"],
        "description_en": dataset["description"]["en"],
        "languages": dataset["languages"],
        "modality": dataset["modality"],
        "content_types": dataset["content_types"],
        "domain": dataset.get("domain") or [],
        "geography": dataset.get("geography") or [],
        **{name: dataset["period"][name] for name in _PERIOD},
        "generation_method": provenance["generation_method"],
        "origin": provenance["origin"],
        "source_urls": provenance.get("source_urls") or [],
        "synthetic": bool(synthetic.get("used", False)),
        "synthetic_models": synthetic.get("models") or [],
        "known_limitations": dataset.get("known_limitations"),
    }


_PERIOD = ("content_start", "content_end", "collected_start", "collected_end")


def _care(manifest: Mapping[str, Any]) -> Row:
    """How personal data, storage and opt-outs are handled."""
    personal, opt_out = manifest["personal_data"], manifest["opt_out"]
    return {
        "personal_data_expected": personal["expected"],
        "personal_data_categories": personal["categories"],
        "retention_raw_until": personal.get("retention_raw_until"),
        "retention_raw_event": personal.get("retention_raw_event"),
        "confidentiality": manifest["storage"].get("confidentiality"),
        "opt_out_status": opt_out["status"],
        "opt_out_protocols": opt_out.get("protocols") or [],
        "opt_out_checked_on": opt_out["checked_on"],
    }


def _withdrawn_on(manifest: Mapping[str, Any], stated: Withdrawal | None) -> str | None:
    days = (
        manifest["withdrawal"].get("withdrawn_on"),
        stated.withdrawn_on.isoformat() if stated else None,
    )
    return min((day for day in days if day is not None), default=None)


def gate_results(verdicts: Iterable[Snapshot]) -> Iterator[Row]:
    """``gate_result``: one row for each finding of each gate's newest decision."""
    for verdict in verdicts:
        decision = admission.decision(verdict)
        for finding in decision.findings:
            yield {
                "gate": decision.gate,
                "principle": decision.principle,
                "judged_asset": decision.judged.partition("[")[0],
                "partition": verdict.partition,
                "admitted": decision.admitted,
                "valid_until": decision.valid_until.isoformat() if decision.valid_until else None,
                **vars(finding),
            }


def recall(snapshots: Iterable[Snapshot]) -> Iterator[Row]:
    """``recall``: for each labelled set one row for each type and each name group."""
    for snapshot in snapshots:
        for data_set, counts in snapshot.json("scores.json")["sets"].items():
            for kind in ("types", "groups"):
                for name, one in counts[kind].items():
                    if one["spans"]:
                        yield {
                            "data_set": data_set,
                            "kind": kind.removesuffix("s"),
                            "name": name,
                            "spans": one["spans"],
                            "found": one["found"],
                        }


def releases(snapshots: Iterable[Snapshot]) -> Iterator[Row]:
    """``release``: one row for each corpus release."""
    for snapshot in snapshots:
        release = snapshot.json("release.json")
        yield {
            "release": release["version"],
            "name": release["name"],
            "previous": release["previous"],
            "tokenizer": release["tokenizer"],
            "donations": len(release["donations"]),
            **{name: release[name] for name in ("shards", "documents", "tokens", "characters")},
        }


def training_runs(snapshots: Iterable[Snapshot]) -> Iterator[Row]:
    """``training_run``: one row for each training run."""
    for snapshot in snapshots:
        run = snapshot.json("run.json")
        yield {
            **_origin(run),
            "base_model_licence": run["baseModel"]["licence"],
            "data_order": run["order"]["name"],
            "seed": run["order"]["seed"],
            "first_loss": run["firstLoss"],
            "last_loss": run["lastLoss"],
            "checkpoints": len(run["checkpoints"]),
            **{name: run[name] for name in ("steps", "tokens", "passes", "parameters", "flop")},
        }


def checkpoints(snapshots: Iterable[Snapshot]) -> Iterator[Row]:
    """``checkpoint``: one row for each checkpoint."""
    for snapshot in snapshots:
        checkpoint = snapshot.json("checkpoint.json")
        yield {
            "checkpoint": snapshot.partition,
            **_origin(checkpoint),
            **{name: checkpoint[name] for name in ("step", "tokens", "parameters", "loss")},
        }


def _origin(content: Mapping[str, Any]) -> Row:
    """What was trained from what, as runs and checkpoints both say it."""
    return {
        "run": content["run"],
        "release": content["release"],
        "base_model": content["baseModel"]["name"],
        "tokenizer": content["tokenizer"],
        "sequence_length": content["order"]["sequenceLength"],
        "batch_size": content["order"]["batchSize"],
    }


def statements(catalog: Catalog) -> Iterator[Row]:
    """``statement``: one row for each materialisation there has been, of any asset."""
    for asset, partition in asset_partitions(catalog):
        for snapshot in catalog.history(asset, partition):
            predicate = snapshot.statement["predicate"]
            build = predicate["buildDefinition"]
            yield {
                "asset": asset,
                "partition": partition,
                "statement": snapshot.statement_digest,
                "digest": snapshot.digest,
                "started": predicate["runDetails"]["metadata"]["startedOn"],
                "finished": predicate["runDetails"]["metadata"]["finishedOn"],
                "code_version": build["internalParameters"]["codeVersion"],
                "files": len(snapshot.files),
                "bytes": sum(file.bytes for file in snapshot.files),
                "rows": sum(file.rows or 0 for file in snapshot.files),
                "inputs": len(build["resolvedDependencies"]),
            }


def rows(table: str, sources: Sources) -> list[Row]:
    """The rows of the fact table *table*."""
    snapshots = sources.tables[table]
    if table == "donation":
        return list(donations(snapshots, sources.current, sources.withdrawn))
    return list(_ROWS[table](snapshots))


_ROWS: dict[str, Callable[[Iterable[Snapshot]], Iterator[Row]]] = {
    "gate_result": gate_results,
    "recall": recall,
    "release": releases,
    "training_run": training_runs,
    "checkpoint": checkpoints,
}
