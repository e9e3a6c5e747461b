"""``dsk evidence verify`` and ``dsk evidence pack``: proofs that need no trust in the platform."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dsk_assets.errors import safe_message
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings

if TYPE_CHECKING:
    from dsk_assets.evidence.verify.lake import Report, Told


UNCHECKED = {"en": "COULD NOT CHECK", "da": "KUNNE IKKE KONTROLLERE"}
"""Begins what is said where there is no report: no fault was found, and nothing is proven."""


def _catalog() -> Catalog:
    return Catalog(load_settings(), run_id="dsk")


@click.command()
@click.option("--new", is_flag=True, help="Only what is new since the last full verification.")
@click.option(
    "--earlier",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A checkpoint of the log that you kept: finds a log rewritten since. Repeatable.",
)
@click.option("--trust", metavar="KEY_ID", help="The id of the log's first key, as made public.")
@click.option(
    "--without-dagster",
    is_flag=True,
    help="Do not compare with Dagster's own records: for a copy of a lake without them.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--lang", type=click.Choice(["en", "da"]), default="en", help="Language of the text.")
def verify(
    new: bool,
    earlier: tuple[Path, ...],
    trust: str | None,
    without_dagster: bool,
    as_json: bool,
    lang: str,
) -> None:
    """Recompute everything from artefacts up and name each fault, its place and what it affects.

    Files against digests; statements against schemas, signatures and the log; the log's tree
    against its checkpoints, witnesses and what was seen of it before; lineage, order, gates and
    withdrawals; and what Dagster shows, where its runs have made anything.

    Ends with 0 when all is proven, with 1 when nothing is wrong but the proof has limits, which
    are named, and with 2 when something is wrong. It writes nothing into the lake. What it cannot
    look at, such as a file that it may not read, ends it with 2 and COULD NOT CHECK, which is
    said on standard error and with --json in the field `unchecked`.
    """
    try:
        report = _verified(new, earlier, trust, without_dagster)
    except Exception as error:
        reason = safe_message(error)
        click.echo(f"{UNCHECKED[lang]}  {reason}", err=True)
        if as_json:
            click.echo(json.dumps({"exitCode": 2, "unchecked": reason, "faults": []}, indent=1))
        sys.exit(2)
    click.echo(
        json.dumps(report.as_json(), indent=1, ensure_ascii=False)
        if as_json
        else report.as_text(lang)
    )
    sys.exit(report.exit_code)


def _verified(
    new: bool, earlier: tuple[Path, ...], trust: str | None, without_dagster: bool
) -> "Report":
    from dsk_assets.evidence.verify import lake
    from dsk_assets.lake.progress import shown

    catalog = _catalog()
    kept = {str(path): path.read_bytes() for path in earlier}
    with shown():
        told = _told(catalog, without_dagster)
        return lake.verify(catalog, full=not new, earlier=kept, told=told, trust=trust)


def _told(catalog: Catalog, without_dagster: bool) -> "Told":
    """The comparison with Dagster; what is said where there is nothing to compare with."""
    from dsk_assets.evidence.verify.lake import not_told

    home = Path(os.environ.get("DAGSTER_HOME") or catalog.settings.dagster_home)
    if without_dagster or not (home / "dagster.yaml").is_file():
        return not_told(str(home), wanted=not without_dagster)
    from dsk_assets.defs.told import told_at_home

    os.environ["DAGSTER_HOME"] = str(home)
    return told_at_home(catalog) or not_told(str(home), wanted=True)


@click.command()
@click.argument("release")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The zip to write; default evidence-RELEASE.zip.",
)
def pack(release: str, out: Path | None) -> None:
    """Write one zip with which anybody can verify the corpus release RELEASE on a laptop.

    It holds the statements behind the release, the models trained on it and its records, with
    proofs, keys, policy, and a verifier in a single file that needs Python and `cryptography`.
    """
    from dsk_assets.evidence.verify.pack import pack as write

    target = out or Path(f"evidence-{release}.zip")
    statements = write(_catalog(), release, target)
    click.echo(f"{target}: {statements} statements — unzip it and run `python verify.py`")
