"""``dsk evidence prov``: the provenance of a release, checkpoint or donation for other tools."""

from typing import TextIO

import click

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.evidence.prov import Format
from dsk_assets.settings import load_settings


@click.command()
@click.argument("key")
@click.option(
    "--format", "form", type=click.Choice(["json", "ttl"]), default="json", show_default=True,
    help="PROV-JSON, or PROV-O in Turtle.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.File("w", encoding="utf-8", lazy=True), default="-",
    help="Write to this file.",
)  # fmt: skip
def prov(key: str, form: Format, output: TextIO) -> None:
    """Write the provenance of KEY as a W3C PROV document, from the statements.

    KEY is a corpus release (1.0.0), a checkpoint, a donation (dsk-2026-0001, of its
    newest version, or dsk-2026-0001@1.0.0) or any
    asset[partition]. Of a donation: all that was made of it. Of anything else: all it was made
    from. Times that are out of order are named on standard error.
    """
    from dsk_assets.evidence.prov import closure, document, render
    from dsk_assets.lake.progress import shown

    with shown():
        closed = closure(Catalog(load_settings(), run_id="dsk"), key)
    output.write(render(document(closed), form))
    for line in closed.disorder():
        click.echo(f"out of order: {line}", err=True)
