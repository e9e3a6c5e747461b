"""The consortium's registers as assets: members, agreements and use cases, one table each."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from dsk_assets.consortium import agreements as agreement_register
from dsk_assets.consortium import members as member_register
from dsk_assets.consortium import use_cases as use_case_register
from dsk_assets.consortium.reading import Entry
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.evidence.statements import Source
from dsk_assets.lake.digests import sha256_file
from dsk_assets.lake.store import Zone

CODE_VERSION = "1"


def members(catalog: Catalog) -> Snapshot:
    """The organisations of the consortium, with their public page and their declaration.

    Writes table `member`: `member_id`, `legal_name`, `cvr`, `sector`, `joined_on`, `page_url`,
    `principles_version`, `declared_on`. Read from `members.yaml`.
    """
    consortium = catalog.settings.consortium
    entries = member_register.load_members(consortium)
    files = [consortium / member_register.FILE]
    return _write(catalog, "consortium/members", "member", member_register.SCHEMA, entries, files)


def agreements(catalog: Catalog) -> Snapshot:
    """What each rights holder allowed: terms, purposes, permissions and period.

    Writes table `agreement`: the fields of :class:`~dsk_assets.consortium.agreements.Agreement`;
    `valid_to` and `supersedes` may be null. Read from `agreements.yaml` and checked against the
    evidence files and the members.
    """
    consortium = catalog.settings.consortium
    entries = agreement_register.load_agreements(consortium)
    evidence = dict.fromkeys(consortium / entry.evidence_file for entry in entries)
    files = [consortium / agreement_register.FILE, consortium / member_register.FILE, *evidence]
    return _write(
        catalog, "consortium/agreements", "agreement", agreement_register.SCHEMA, entries, files
    )


def use_cases(catalog: Catalog) -> Snapshot:
    """What the members use Danish language models for.

    Writes table `use_case`: `use_case_id`, `member_id`, `title_da`, `title_en`, `description`,
    `date`, `url`. Read from `use_cases.yaml` and checked against the members.
    """
    consortium = catalog.settings.consortium
    entries = use_case_register.load_use_cases(consortium)
    files = [consortium / use_case_register.FILE, consortium / member_register.FILE]
    return _write(
        catalog, "consortium/use_cases", "use_case", use_case_register.SCHEMA, entries, files
    )


def _write(
    catalog: Catalog,
    asset: str,
    table: str,
    schema: pa.Schema,
    entries: Sequence[Entry],
    files: Sequence[Path],
) -> Snapshot:
    """Materialise *entries*, one row each, with dates as ISO 8601 text; *files* are the inputs."""
    consortium = catalog.settings.consortium

    def produce(out: Output) -> None:
        rows = [entry.model_dump(mode="json") for entry in entries]
        out.table(table, [pa.Table.from_pylist(rows, schema)], schema)
        out.count(entries=len(rows))

    return catalog.materialise(
        asset,
        zone=Zone.EVIDENCE,
        inputs=[
            Source(f"consortium/{file.relative_to(consortium).as_posix()}", sha256_file(file))
            for file in files
        ],
        config={},
        code_version=CODE_VERSION,
        produce=produce,
    )
