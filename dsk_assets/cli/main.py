"""Entry point of ``dsk``: the group, the errors, and the everyday commands."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import click

from dsk_assets import __version__
from dsk_assets.cli.donations import donations
from dsk_assets.cli.evidence import evidence
from dsk_assets.cli.exposure import exposure
from dsk_assets.cli.filter import filter_group
from dsk_assets.cli.openlineage import openlineage
from dsk_assets.cli.privacy import privacy
from dsk_assets.cli.prov import prov
from dsk_assets.cli.release import release
from dsk_assets.cli.training import training
from dsk_assets.counted import counted
from dsk_assets.errors import DskError, MissingInputError
from dsk_assets.evidence import failures
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.gates.missing import explained
from dsk_assets.settings import load_settings

EXPORTS = ("megatron", "dolma", "mds", "dynaword")


class Group(click.Group):
    """A group whose commands end with one line instead of a traceback on errors of ours."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a :class:`DskError` becomes ``Error: …`` and exit code 1.

        So do a full disk, a folder that is not there, and files that may not be read or written.
        """
        try:
            return super().invoke(ctx)
        except MissingInputError as error:
            if error.asset is None:
                raise click.ClickException(str(error)) from None
            message = explained(_catalog(), error.asset, error.partition)
            raise click.ClickException(message) from None
        except DskError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            if error.errno is None or isinstance(error, BrokenPipeError):
                raise
            place = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{place}{os.strerror(error.errno)}") from None
        except UnicodeEncodeError:
            raise click.ClickException("what was given is no text in UTF-8") from None
        except sqlite3.OperationalError as error:
            raise click.ClickException(
                f"a database below DSK_HOME cannot be used ({error}) — see whether the disk is "
                "full, or the folder belongs to somebody else"
            ) from None


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dsk")
def main() -> None:
    """Donations of Danish text, from delivery to published records.

    All that a run makes lies below DSK_HOME (default .dsk in the current folder). The consortium's
    members, agreements, policies and inbox of donations lie in DSK_CONSORTIUM.
    """


evidence.add_command(prov)
main.add_command(evidence)
main.add_command(donations)
main.add_command(exposure)
main.add_command(openlineage)
main.add_command(privacy)
main.add_command(release)
main.add_command(training)
main.add_command(filter_group)


def _catalog() -> Catalog:
    return Catalog(load_settings(), run_id="dsk")


@main.command()
@click.argument("path", nargs=-1, required=True)
def donate(path: tuple[str, ...]) -> None:
    """Check the donation in the folder PATH (or s3://bucket/prefix) and land it.

    The folder holds a manifest donation.yaml and the files it lists. Landed files are immutable:
    a changed donation is delivered as a new version. The nightly run takes it from there.
    """
    from dsk_assets.evidence import sequencer
    from dsk_assets.intake import landing

    catalog = _catalog()
    try:
        for one in path:
            landed = len(catalog.made)
            snapshot = landing.land(catalog, one)
            files = counted(len(snapshot.files) - 1, "file")
            done = "landed" if len(catalog.made) > landed else "had been landed already:"
            click.echo(f"{done} {snapshot.partition}: {files}, digest sha256:{snapshot.digest}")
            for remark in landing.remarks(catalog, snapshot):
                click.echo(f"  {remark}")
    finally:
        if catalog.made:
            sequencer.append_new(catalog)


@main.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
def manifest(path: Path) -> None:
    """Fill in the files section of PATH/donation.yaml: path, SHA-256, bytes, media type."""
    from dsk_assets.intake.manifest_file import write_files_section

    count = len(write_files_section(path))
    click.echo(f"{path / 'donation.yaml'} now lists {counted(count, 'file')}")


@main.command()
@click.option("--dry-run", is_flag=True, help="Only say what is stale.")
def nightly(dry_run: bool) -> None:
    """Evaluate the nightly schedule now and run what is stale, in this process."""
    from dsk_assets.lake.progress import shown

    if dry_run:
        _tell_due(_catalog())
        return
    from dsk_assets.defs.local import local_instance, run_nightly

    with local_instance(load_settings()) as instance, shown():
        result = run_nightly(instance)
    for message, group in failures.grouped(failures.failures(_catalog())):
        click.echo(f"{failures.named(group)} failed: {message}", err=True)
    _tell_awaited(_catalog())
    if result.skipped is not None:
        click.echo(f"No run: {result.skipped}.")
    elif not result.success:
        raise click.ClickException(
            f"run {result.run_id} did not end well — `dsk status` names what failed, "
            "`make ui` shows the log"
        )


def _tell_due(catalog: Catalog) -> None:
    """Say what a night would make and what it waits for; raise what it would fail of."""
    from dsk_assets.defs.flow import broken_policies, stale

    due = stale(catalog)
    for name in dict.fromkeys(one.name for one in due if not one.why):
        click.echo(name)
    _tell_awaited(catalog)
    held: dict[str, list[str]] = {why: [] for why in broken_policies(catalog.settings.consortium)}
    for one in due:
        if one.why:
            held.setdefault(one.why, []).append(one.name)
    if held:
        raise DskError(
            "\n".join(
                f"{why} (holds up: {', '.join(names) or 'nothing yet'})"
                for why, names in held.items()
            )
        )
    if not due:
        click.echo("nothing is stale")


def _tell_awaited(catalog: Catalog) -> None:
    from dsk_assets.training.awaited import awaited_run, told

    if run := awaited_run(catalog):
        click.echo(told(run))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Summarise the lake: donations, decisions, findings, shards, checkpoints, gates, records."""
    from dsk_assets.records.summary import summary
    from dsk_assets.records.terminal import text

    found = summary(_catalog())
    click.echo(
        json.dumps(found.as_json(), indent=1, ensure_ascii=False) if as_json else text(found)
    )


@main.command()
@click.argument("doc_id", required=False)
@click.option(
    "--in",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Look in the folder that dsk filter run wrote to, not in the lake.",
)
def why(doc_id: str | None, folder: Path | None) -> None:
    """Say what became of the document DOC_ID, and by which rule, in English and Danish.

    Without DOC_ID, name one dropped document for each rule, to begin with.
    """
    from dsk_assets.filters import why as explained

    if doc_id is not None:
        told = explained.why_in(folder, doc_id) if folder else explained.why(_catalog(), doc_id)
        click.echo(told)
        return
    for rule, example in (
        explained.examples_in(folder) if folder else explained.examples(_catalog())
    ):
        click.echo(f"{example}  {rule}")


@main.group()
def corpus() -> None:
    """Corpus releases."""


@corpus.command()
@click.argument("a")
@click.argument("b")
def diff(a: str, b: str) -> None:
    """List donations and documents that release B has and A has not, and the other way round."""
    from dsk_assets.corpus.release import diff as compare

    click.echo(json.dumps(compare(_catalog(), a, b).as_json(), indent=1))


@corpus.command()
@click.argument("version")
@click.option("--format", "format_name", required=True, type=click.Choice(EXPORTS))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
def export(version: str, format_name: str, out: Path) -> None:
    """Write the release VERSION to a folder, as training or publication elsewhere expects it.

    megatron: <donation>.bin and .idx with blend.txt. dolma: tokens as .npy with .csv.gz. mds: a
    folder of MosaicML's shards for each donation, a sample for each document, with streams.yaml.
    dynaword: Parquet with id, text, source, added, created and token_count, of the donations whose
    text may be published. export.json lists every file with its SHA-256 and Merkle leaf. Tell its
    own SHA-256, which is printed last, to whoever gets the folder.
    """
    from dsk_assets.corpus.export import export as write
    from dsk_assets.lake.digests import sha256_file

    *names, listing = write(_catalog(), version, format_name, out)
    for name in names:
        click.echo(out / name)
    click.echo(f"{out / listing} sha256:{sha256_file(out / listing)}")


@corpus.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--sha256", help="Of export.json, as told by whoever wrote the export.")
def check(folder: Path, sha256: str | None) -> None:
    """Compare the copy of an export in FOLDER with its export.json, and name what differs.

    Needs no lake. Without --sha256, what was changed together with export.json is not noticed.
    """
    from dsk_assets.corpus.export.checking import check as compare

    click.echo(f"{folder} is whole; export.json sha256:{compare(folder, sha256)}")
