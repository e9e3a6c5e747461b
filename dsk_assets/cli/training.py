"""``dsk training …``: training at a site that the platform cannot reach."""

from pathlib import Path

import click

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings


@click.group()
def training() -> None:
    """Training elsewhere: carry a job folder there, and its checkpoints back.

    Where the site has a Slurm that this host can reach, name it in site.yaml instead, and the
    nightly job trains there. With `transfer: by hand` in site.yaml it trains nowhere, and waits.
    """


@training.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--release", help="Version of the corpus release; default the newest.")
def send(folder: Path, release: str | None) -> None:
    """Write all that is to be trained to the new folder FOLDER: tokens, order, code, no text.

    It goes on from the newest checkpoint there is. At the site, the payload trains from it alone:

    \b
    PYTHONPATH=FOLDER/code python -m dsk_assets.training.payload FOLDER --country FI
    """
    from dsk_assets.corpus.release import newest_version
    from dsk_assets.training import outside

    catalog = Catalog(load_settings(), run_id="dsk")
    version = release or newest_version(catalog)
    if version is None:
        raise click.ClickException("there is no corpus release yet — run `dsk nightly` first")
    job = outside.send(catalog, version, folder)
    size = sum(file["bytes"] for file in job.content["files"])
    click.echo(f"{folder}: {job.run}, {size:,} bytes, job sha256:{job.digest}")


@training.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def receive(folder: Path) -> None:
    """Take the checkpoints that were trained in FOLDER, a job folder that was sent.

    Each is compared with its receipt, digest by digest, and the receipt with the job, the metrics
    and the weights; it must have been trained in the EU, on the release and with the settings that
    are to be trained now, from the weights before it. Then it is an asset like any other. What is
    received already is left alone, and what is refused can be given again once it is mended.
    """
    from dsk_assets.evidence import sequencer
    from dsk_assets.lake.progress import shown
    from dsk_assets.training import outside

    catalog = Catalog(load_settings(), run_id="dsk")
    try:
        with shown():
            for made in outside.receive(catalog, folder):
                click.echo(f"{made.key} sha256:{made.digest}")
        click.echo("its gates are due: `dsk nightly` judges and evaluates what was received")
    finally:
        if catalog.made:
            sequencer.append_new(catalog)
