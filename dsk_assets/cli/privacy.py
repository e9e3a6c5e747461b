"""``dsk privacy …``: find and remove personal data in JSON lines, without Dagster or a lake."""

import json
import sys
from pathlib import Path
from typing import TextIO

import click

from dsk_assets.cli.review import review


@click.group()
def privacy() -> None:
    """Find and remove personal data in Danish text."""


privacy.add_command(review)


@privacy.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
def scan(file: TextIO) -> None:
    """Find spans: read {"id", "text"} lines from FILE (- for standard input), write findings.

    Each line of output is {"id", "spans": [{"start", "end", "label", "score"}], "flags"}; offsets
    count Unicode code points, and end is the place after the last. Progress goes to standard error.
    """
    from dsk_assets.lake.progress import shown
    from dsk_assets.privacy.scan import scan_lines

    with shown():
        for found in scan_lines(file):
            sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")


@privacy.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
def redact(file: TextIO) -> None:
    """Read {"id", "text"} lines from FILE (- for standard input), write them redacted."""
    from dsk_assets.lake.progress import shown
    from dsk_assets.privacy.scan import redact_lines

    with shown():
        for document in redact_lines(file):
            sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


@privacy.command()
@click.argument("labelled", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Counts as JSON instead of tables.")
def evaluate(labelled: Path, as_json: bool) -> None:
    """Score recall and leak by type and by group on a LABELLED set of JSON lines.

    Each line is {"id", "text", "spans": [{"start", "end", "label", "group"?}], "decoys"?}: see
    docs/privacy.md, which also names scripts that make such sets.
    """
    from dsk_assets.lake.progress import shown
    from dsk_assets.privacy.evaluate import evaluate as score

    with shown():
        outcome = score(labelled)
    click.echo(json.dumps(outcome.counts(), indent=2) if as_json else outcome.markdown())
