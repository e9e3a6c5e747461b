"""``dsk filter …``: filter files of documents without Dagster or a lake."""

import dataclasses
import json
from pathlib import Path

import click

from dsk_assets.errors import SettingsError
from dsk_assets.settings import load_settings


@click.group("filter")
def filter_group() -> None:
    """Filter files of documents: language, quality, duplicates."""


@filter_group.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the results: new, empty, or one that an earlier run wrote.",
)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="How documents are judged (YAML, as in examples/consortium/policies).  "
    "[default: Danish prose]",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "dask"]),
    help="Processes of this machine, or a Dask cluster.  [default: what DSK_ENGINE says]",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes, or Slurm jobs.")
@click.option(
    "--address",
    help="The Dask cluster: tcp://HOST:8786, a scheduler file, or slurm to start jobs.",
)
@click.option(
    "--compression",
    type=click.Choice(["zst", "gz"]),
    default="zst",
    show_default=True,
    help="How kept documents are packed; gz takes four times the CPU.",
)
@click.option(
    "--evaluations",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of evaluation sets (JSON lines, text, Parquet): documents that share 13 words in "
    "a row with one are dropped.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary for programs.")
def run(
    files: tuple[Path, ...],
    out: Path,
    policy: Path | None,
    engine: str | None,
    workers: int | None,
    address: str | None,
    compression: str,
    evaluations: Path | None,
    as_json: bool,
) -> None:
    """Filter the documents in FILES: JSON lines (also .gz, .zst) or Parquet with id and text.

    Personal data is not searched for: what is kept holds what was there (see dsk privacy redact).

    Writes to the folder OUT: attributes.parquet (language and each measure of quality),
    duplicates.parquet, decisions.parquet (one row a document: kept, or which rule dropped it),
    cuts.parquet (lines that were cut out because another document has them too, where the policy
    says duplicates: {cut_repeated_lines: true}), and the kept documents with their attributes in
    the layout of the Dolma toolkit.

    `dsk why ID --in OUT` says in words why a document was kept, cut or dropped.

    A run that was ended goes on where it was when it is started again. A part of the input is
    worked again only when its bytes, the code or the policy have changed.
    """
    from dsk_assets.consortium.policy import read_policy
    from dsk_assets.filters.run.run import DEFAULT_POLICY, filter_files
    from dsk_assets.lake.engine import LOCAL, Engine
    from dsk_assets.lake.progress import shown

    settings = load_settings()
    place = LOCAL if engine == "local" else address or settings.engine
    if engine == "dask" and place == LOCAL:
        raise SettingsError(
            "--engine dask needs --address: tcp://HOST:8786, a scheduler file, or slurm"
        )
    chosen = Engine(workers or settings.workers, place)
    with shown():
        report = filter_files(
            files,
            out,
            read_policy(policy) if policy else DEFAULT_POLICY,
            chosen,
            "gz" if compression == "gz" else "zst",
            evaluations,
        )
    click.echo(json.dumps(dataclasses.asdict(report)) if as_json else report.as_text())
