"""``dsk donations …``: what a donor may ask for after delivery."""

import datetime as dt

import click

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings


@click.group()
def donations() -> None:
    """Landed donations."""


@donations.command()
@click.argument("donation")
@click.option(
    "--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="First day without it; default today."
)
@click.option("--reason", required=True, help="Why; kept apart, so that it can be erased.")
def withdraw(donation: str, day: dt.datetime | None, reason: str) -> None:
    """Withdraw DONATION: a version (dsk-2026-0001@1.0.0), or all its versions (dsk-2026-0001).

    From that day on the gates refuse it: it is in no later release, not exported, and trained on no
    more. What has been released stays recorded. The withdrawal is a signed statement in the log and
    cannot be taken back; the donor may deliver a new version.
    """
    from dsk_assets.gates.withdrawal import withdraw as record

    catalog = Catalog(load_settings(), run_id="dsk")
    for one in record(catalog, donation, day.date() if day else catalog.settings.date, reason):
        click.echo(f"{one.donation} is withdrawn from {one.withdrawn_on} on")
