"""``dsk release``: a trained model as a folder to publish, and its verification."""

import sys
from pathlib import Path

import click

from dsk_assets.errors import RecordError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings


@click.command()
@click.argument("checkpoint", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="A new folder; default CHECKPOINT.")
@click.option(
    "--verify",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Verify a released folder instead; needs no lake.",
)
@click.option("--trust", metavar="KEY_ID", help="Id of the first key, from another source.")
def release(
    checkpoint: str | None, out: Path | None, folder: Path | None, trust: str | None
) -> None:
    """Write the model of CHECKPOINT, its card, records and evidence to a folder to publish.

    transformers loads the folder, and `hf upload` takes it as it is. It is refused where the
    licence of weights, code or base model is not open for commercial use, where a gate refuses or
    a donation in it was withdrawn, and where the evidence does not verify. The folder is signed.

    --verify FOLDER checks one: every file, the signatures, and the evidence pack. It ends with 0
    when all is proven, 1 when nothing is wrong but the proof has limits, and 2 when something is.
    """
    from dsk_assets.lake.progress import shown
    from dsk_assets.records import bundle

    if (checkpoint is None) == (folder is None):
        raise click.UsageError("name a CHECKPOINT, or a folder with --verify")
    if folder is not None:
        try:
            found = bundle.verify(folder, trust)
        except RecordError as error:
            click.echo(f"WRONG  {error}")
            sys.exit(2)
        for limit in found.limits:
            click.echo(f"limit  {limit}")
        for wrong in found.wrong:
            click.echo(f"WRONG  {wrong}")
        click.echo("Something is wrong." if found.wrong else "Nothing is wrong.")
        sys.exit(2 if found.wrong else 1 if found.limits else 0)
    target = out or Path(str(checkpoint))
    with shown():
        names = bundle.release(Catalog(load_settings(), run_id="dsk"), str(checkpoint), target)
    for name in names:
        click.echo(target / name)
