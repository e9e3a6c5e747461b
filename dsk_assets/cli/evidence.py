"""``dsk evidence …``: signed statements, the log that holds them, and the keys."""

import click

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings


@click.group()
def evidence() -> None:
    """Signed statements, the log that nobody can quietly change, and its proofs."""


def _catalog() -> Catalog:
    return Catalog(load_settings(), run_id="dsk")


@evidence.group()
def keys() -> None:
    """Keys that sign statements and the log."""


@keys.command("list")
def list_keys() -> None:
    """List the keys on this machine: role, key id, and whether it is a development key."""
    from dsk_assets.evidence import keys as private

    settings = _catalog().settings
    for role in (private.STATEMENTS, private.LOG, private.CONSORTIUM, private.DONOR):
        if not private.holds(settings, role):
            click.echo(f"{role:<12} none on this machine")
            continue
        kind = "development" if private.is_development(settings, role) else "given"
        click.echo(f"{role:<12} {private.signer(settings, role).public_key.keyid}  {kind}")
