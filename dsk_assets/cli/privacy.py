"""``dsk privacy …``: find and remove personal data in JSON lines, without Dagster or a lake."""

import json
import sys
from pathlib import Path
from typing import TextIO

import click


@click.group()
def privacy() -> None:
    """Find and remove personal data in Danish text."""


@privacy.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
def scan(file: TextIO) -> None:
    """Find spans: read {"id", "text"} lines from FILE (- for standard input), write findings."""
    from dsk_assets.privacy.scan import scan_lines

    for found in scan_lines(file):
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")


@privacy.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
def redact(file: TextIO) -> None:
    """Read {"id", "text"} lines from FILE (- for standard input), write them redacted."""
    from dsk_assets.privacy.scan import redact_lines

    for document in redact_lines(file):
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


@privacy.command()
@click.argument("labelled", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def evaluate(labelled: Path) -> None:
    """Score recall and leak by type on a LABELLED set of JSON lines (see docs/privacy.md)."""
    from dsk_assets.privacy.evaluate import evaluate as score

    click.echo(score(labelled))
