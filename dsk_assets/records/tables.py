"""What of the lake SQL may see: each table's columns, named one by one.

Naming the columns keeps text out: a column that is not listed here, such as ``text`` of
``document``, ``rel_path`` of ``source_file`` or the hashes in ``signature``, cannot be reached
through the views of :mod:`dsk_assets.records.views`, whatever the files hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ParquetTable:
    """A table that *asset* writes as Parquet.

    *columns* are its visible columns with their types in DuckDB. *partition* names a further
    column that shows the partition (donation key, release, run), where the asset has partitions.
    With *measures*, all floating-point columns of the files are visible as well.
    """

    asset: str
    columns: Mapping[str, str]
    partition: str | None = None
    measures: bool = False


@dataclass(frozen=True)
class FactTable:
    """A table made of one JSON file of each partition of *asset* (see ``records/rows.py``)."""

    asset: str
    file: str
    columns: Mapping[str, str]


def _columns(names: str, kind: str = "varchar") -> dict[str, str]:
    return dict.fromkeys(names.split(), kind)


PARQUET: dict[str, ParquetTable] = {
    "member": ParquetTable(
        "consortium/members",
        _columns("member_id legal_name cvr sector joined_on page_url principles_version")
        | _columns("declared_on"),
    ),
    "agreement": ParquetTable(
        "consortium/agreements",
        _columns("agreement_id party member_cvr licence_code evidence_kind evidence_sha256")
        | _columns("may_train may_release_model may_publish_data", "boolean")
        | _columns("purposes", "varchar[]")
        | _columns("valid_from valid_to approved_by_role approved_on supersedes"),
    ),
    "use_case": ParquetTable(
        "consortium/use_cases",
        _columns("use_case_id member_id title_da title_en description date url"),
    ),
    "source_file": ParquetTable(
        "donations/documents",
        _columns("file_id donation_id media_type")
        | _columns("bytes", "bigint")
        | _columns("encoding reader outcome")
        | _columns("documents", "bigint"),
        partition="donation",
    ),
    "language": ParquetTable(
        "filtering/language",
        _columns("doc_id language")
        | _columns("confidence accepted_share", "double")
        | _columns("n_char", "bigint"),
        partition="donation",
    ),
    "document": ParquetTable(
        "filtering/personal_data",
        _columns("doc_id donation_id")
        | _columns("ordinal", "integer")
        | _columns("n_char n_word", "bigint")
        | _columns("added created"),
        partition="donation",
    ),
    "pii_span": ParquetTable(
        "filtering/personal_data",
        _columns("doc_id entity_type")
        | _columns("start end", "bigint")
        | _columns("recogniser")
        | _columns("score", "double")
        | _columns("action"),
        partition="donation",
    ),
    "pii_outcome": ParquetTable(
        "filtering/personal_data",
        _columns("doc_id outcome reason") | _columns("findings residual", "bigint"),
        partition="donation",
    ),
    "canary": ParquetTable(
        "filtering/personal_data",
        _columns("entity_type form") | _columns("planted missed", "bigint"),
        partition="donation",
    ),
    "attribute": ParquetTable(
        "filtering/quality", _columns("doc_id"), partition="donation", measures=True
    ),
    "contamination": ParquetTable(
        "filtering/contamination",
        _columns("doc_id evaluation") | _columns("overlaps", "bigint"),
        partition="donation",
    ),
    "signature": ParquetTable(
        "filtering/signatures",
        _columns("doc_id donation_id") | _columns("n_char", "bigint"),
        partition="donation",
    ),
    "duplicate": ParquetTable(
        "filtering/duplicates",
        _columns("doc_id cluster_id survivor_id kind") | _columns("similarity", "double"),
        partition="donation",
    ),
    "decision": ParquetTable(
        "filtering/decisions",
        _columns("doc_id donation_id")
        | _columns("kept", "boolean")
        | _columns("stage rule")
        | _columns("value threshold", "double")
        | _columns("survivor_id")
        | _columns("n_char", "bigint"),
        partition="donation",
    ),
    "shard": ParquetTable(
        "corpus/shards",
        _columns("shard", "integer")
        | _columns("donation_id")
        | _columns("tokens documents", "bigint")
        | _columns("sha256 dtype"),
        partition="donation",
    ),
    "shard_span": ParquetTable(
        "corpus/shards",
        _columns("shard", "integer")
        | _columns("seq start end", "bigint")
        | _columns("doc_id donation_id"),
        partition="donation",
    ),
    "release_shard": ParquetTable(
        "corpus/release",
        _columns("donation")
        | _columns("shard", "integer")
        | _columns("sha256")
        | _columns("tokens documents", "bigint")
        | _columns("weight", "double"),
        partition="release",
    ),
    "loss": ParquetTable(
        "training/run",
        _columns("step", "bigint")
        | _columns("loss learning_rate", "double")
        | _columns("tokens", "bigint"),
        partition="run",
    ),
    "exposure": ParquetTable(
        "training/checkpoint",
        _columns("donation") | _columns("tokens tokens_read first_step", "bigint"),
        partition="checkpoint",
    ),
}
"""Tables of Parquet files by name. Those of donations hold the current donations only."""

FACTS: dict[str, FactTable] = {
    "donation": FactTable(
        "donations/landing",
        "manifest.json",
        _columns("donation donation_id version supersedes received donor donor_cvr donor_sector")
        | _columns("rights_holder rights_relation licence agreement open_source_wish attribution")
        | _columns("approved_on expires_on")
        | _columns("approved_scope", "varchar[]")
        | _columns("title_da title_en description_da description_en")
        | _columns("languages modality content_types domain geography", "varchar[]")
        | _columns("content_start content_end collected_start collected_end")
        | _columns("generation_method", "varchar[]")
        | _columns("origin")
        | _columns("source_urls", "varchar[]")
        | _columns("synthetic", "boolean")
        | _columns("synthetic_models", "varchar[]")
        | _columns("known_limitations")
        | _columns("personal_data_expected", "boolean")
        | _columns("personal_data_categories", "varchar[]")
        | _columns("retention_raw_until retention_raw_event confidentiality")
        | _columns("opt_out_status")
        | _columns("opt_out_protocols", "varchar[]")
        | _columns("opt_out_checked_on withdrawn_on")
        | _columns("files bytes", "bigint")
        | _columns("is_current", "boolean"),
    ),
    "gate_result": FactTable(
        "gate",
        "result.json",
        _columns("gate principle judged_asset partition")
        | _columns("admitted", "boolean")
        | _columns("valid_until measure expected")
        | _columns("actual", "double")
        | _columns("passed", "boolean")
        | _columns("severity reason reason_da"),
    ),
    "recall": FactTable(
        "filtering/recall",
        "scores.json",
        _columns("data_set kind name") | _columns("spans found", "bigint"),
    ),
    "release": FactTable(
        "corpus/release",
        "release.json",
        _columns("release name previous tokenizer")
        | _columns("donations shards documents tokens characters", "bigint"),
    ),
    "training_run": FactTable(
        "training/run",
        "run.json",
        _columns("run release base_model base_model_licence tokenizer data_order")
        | _columns("seed sequence_length batch_size steps tokens parameters", "bigint")
        | _columns("passes flop first_loss last_loss", "double")
        | _columns("checkpoints", "bigint"),
    ),
    "checkpoint": FactTable(
        "training/checkpoint",
        "checkpoint.json",
        _columns("checkpoint run release base_model tokenizer")
        | _columns("step sequence_length batch_size tokens parameters", "bigint")
        | _columns("loss", "double"),
    ),
}
"""Tables made of JSON files by name. They hold all partitions: every landed version of a donation,
the newest decision of every gate on everything it judged, every release, run and checkpoint."""

STATEMENT: dict[str, str] = _columns(
    "asset partition statement digest started finished code_version"
) | _columns("files bytes rows inputs", "bigint")
"""Columns of ``statement``: one row for each materialisation of any asset."""

PART: dict[str, str] = _columns("path partition")
"""Columns of ``part``: the local path of each Parquet file, and the partition it belongs to."""
