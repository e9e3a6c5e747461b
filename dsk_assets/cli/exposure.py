"""``dsk exposure``: what the checkpoints have read."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings

if TYPE_CHECKING:
    from dsk_assets.training.answers import Exposure


@click.command()
@click.option("--document", metavar="ID", help="The document with this doc_id.")
@click.option("--donation", metavar="ID", help="A donation: its key, or its id for all versions.")
@click.option("--checkpoint", metavar="ID", help="Every donation that this checkpoint has read.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def exposure(
    document: str | None, donation: str | None, checkpoint: str | None, as_json: bool
) -> None:
    """Say what checkpoints have read of a document or donation, and when first.

    The answer is computed from the data order of the training run, exact to the token. Tokens are
    those that are trained on; what is held out is never read, only measured on, and stands in a
    column of its own. Times read counts repetition: 2.00 means that each token was read twice on
    average.
    """
    from dsk_assets.training import answers

    asked = [value for value in (document, donation, checkpoint) if value is not None]
    if len(asked) != 1:
        raise click.UsageError("give one of --document, --donation and --checkpoint")
    catalog = Catalog(load_settings(), run_id="dsk")
    if checkpoint is not None:
        found = answers.of_checkpoint(catalog, checkpoint)
    elif donation is not None:
        found = answers.of_donation(catalog, donation)
    else:
        found = answers.of_document(catalog, asked[0])
    unread = None if checkpoint else answers.newest_unread(catalog, found)
    if as_json:
        rows = [one.as_json() for one in found]
        click.echo(json.dumps({"exposure": rows, "newest_unread": unread}, indent=1))
        return
    _print_table(found)
    if checkpoint is None:
        click.echo(f"newest checkpoint that has read nothing of it: {unread or 'none'}")


def _print_table(found: Sequence["Exposure"]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("checkpoint", "donation"):
        table.add_column(name, no_wrap=True)
    for name in ("tokens", "held out", "tokens read", "times read", "first step"):
        table.add_column(name, justify="right")
    for one in found:
        first = "never" if one.first_step is None else f"{one.first_step:,}"
        table.add_row(
            one.checkpoint, one.donation, f"{one.tokens:,}", f"{one.held_out:,}",
            f"{one.tokens_read:,}", f"{one.times_read:.2f}", first,
        )  # fmt: skip
    Console(width=120).print(table)
