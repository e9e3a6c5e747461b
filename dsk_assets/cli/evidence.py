"""``dsk evidence …``: signed statements, the log that holds them, and the keys."""

from pathlib import Path

import click

from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings


@click.group()
def evidence() -> None:
    """Signed statements, the log that nobody can quietly change, and its proofs."""


def _catalog() -> Catalog:
    return Catalog(load_settings(), run_id="dsk")


@evidence.command()
def status() -> None:
    """Say how far the log has come, who has witnessed it, and what is not proven."""
    from dsk_assets.evidence.standing import standing

    click.echo(standing(_catalog()).as_text())


@evidence.command()
def append() -> None:
    """Take up into the log what is not in it yet; the nightly run does this by itself."""
    from dsk_assets.evidence import sequencer

    appended = sequencer.append_new(_catalog())
    click.echo(f"{appended.added} statements taken up; the log has {appended.size} entries")


@evidence.command()
@click.argument("asset")
@click.argument("partition", required=False)
@click.option("--number", type=click.IntRange(min=1), help="Which statement; default the newest.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write to, by custom NAME.tlog-proof; default standard output.",
)
def proof(asset: str, partition: str | None, number: int | None, out: Path | None) -> None:
    """Write the proof that the statement of ASSET [PARTITION] is in the log.

    The file follows c2sp.org/tlog-proof. What was logged is the entry that is printed to standard
    error; its field `envelope` is the SHA-256 of the statement's file.
    """
    from dsk_assets.evidence.proofs import prove

    found = prove(_catalog(), asset, partition, number)
    click.echo(found.entry.as_bytes().decode(), err=True)
    if out is None:
        click.echo(found.text, nl=False)
    else:
        out.write_text(found.text, encoding="utf-8")


@evidence.group()
def keys() -> None:
    """Keys that sign statements and the log."""


@keys.command("list")
def list_keys() -> None:
    """List the keys that the log knows and those on this machine."""
    from dsk_assets.evidence import keys as private
    from dsk_assets.evidence import sequencer

    catalog = _catalog()
    ring, size = sequencer.keyring(catalog)
    own = {
        private.signer(catalog.settings, role).public_key.keyid: role
        for role in private.own_roles(catalog.settings)
    }
    for keyid, key in ring.known.items():
        state = "in force" if key.in_force(size) else "revoked" if key.revoked else "replaced"
        notes = ["development"] * key.development + ["here"] * (own.pop(keyid, None) is not None)
        span = f"entries {key.since}–{'' if key.until is None else key.until - 1}"
        click.echo(f"{key.role:<11} {keyid}  {state}, {span}  {' '.join(notes)}".rstrip())
    for keyid, role in own.items():
        click.echo(f"{role:<11} {keyid}  not in the log yet  here")
