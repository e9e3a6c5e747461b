"""``dsk privacy …``: find and remove personal data in JSON lines, without Dagster or a lake."""

import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import click

from dsk_assets.cli.review import review


@click.group()
def privacy() -> None:
    """Find and remove personal data in Danish text."""


privacy.add_command(review)


UNSEARCHED = 3
"""Exit status where all lines were read and some texts could not be searched."""


@privacy.command()
@click.argument("file", type=click.File("rb"))
def scan(file: BinaryIO) -> None:
    """Find spans: read {"id", "text"} lines from FILE (- for standard input), write findings.

    FILE may be packed (.gz, .zst). Each line of output is {"id", "spans": [{"start", "end",
    "label", "score"}], "flags"}; offsets count Unicode code points, and end is the place after the
    last. Progress goes to standard error.

    A text on which the search failed, hung or crashed has no spans and the flag recogniser-error
    or recogniser-stopped; the others go on, and the exit status is 3. Lines that are no documents
    are named at the end, with exit status 1; all other lines are written.
    """
    from dsk_assets.privacy.scan import scan_lines, text_lines

    _require_other_output(file)
    _write(scan_lines(text_lines(file)))


@privacy.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What happens with findings (YAML, as in examples/consortium/policies).  "
    "[default: placeholders]",
)
def redact(file: BinaryIO, policy: Path | None) -> None:
    """Read {"id", "text"} lines from FILE (- for standard input), write them redacted.

    FILE may be packed (.gz, .zst). The id comes back as it is, so it must not say who somebody is:
    a line whose id holds a CPR number is left out. Other fields are not written.

    Each line of output is {"id", "text", "withheld", "spans", "flags"}. A document that is
    withheld has no text and the reason: density, or recogniser-error or recogniser-stopped where
    the search failed, hung or crashed. In the latter cases the exit status is 3. Lines that are
    no documents are named at the end, with exit status 1; all other lines are written.
    """
    from dsk_assets.consortium.policy import read_policy
    from dsk_assets.privacy.scan import redact_lines, text_lines

    _require_other_output(file)
    _write(redact_lines(text_lines(file), read_policy(policy).personal_data if policy else None))


def _require_other_output(file: BinaryIO) -> None:
    """Refuse to write into *file*, which a shell has then emptied or which would never end."""
    try:
        read, written = os.fstat(file.fileno()), os.fstat(sys.stdout.fileno())
    except OSError:
        return
    if stat.S_ISREG(read.st_mode) and os.path.samestat(read, written):
        raise click.ClickException(
            f"{file.name} is also where the output goes — write to another file"
        )


def _write(found: Iterable[dict[str, Any]]) -> None:
    """Write *found* as JSON lines, and say at the end how many texts could not be searched."""
    from dsk_assets.lake.progress import shown
    from dsk_assets.privacy.redact import ERROR, STOPPED

    out = sys.stdout.buffer
    done = 0
    unsearched: Counter[str] = Counter()
    try:
        with shown():
            for document in found:
                written = json.dumps(document, ensure_ascii=False) + "\n"
                out.write(written.encode("utf-8", "backslashreplace"))
                done += 1
                said = {*document["flags"], document.get("withheld")}
                unsearched.update({ERROR, STOPPED} & said)
    finally:
        out.flush()
        if unsearched:
            counts = ", ".join(
                f"{reason} {number}" for reason, number in sorted(unsearched.items())
            )
            click.echo(
                f"{unsearched.total()} of {done} documents could not be searched ({counts}); "
                "their text must not be used.\n"
                f"{unsearched.total()} af {done} dokumenter kunne ikke gennemsøges; "
                "deres tekst må ikke bruges.",
                err=True,
            )
    if unsearched:
        raise click.exceptions.Exit(UNSEARCHED)


@privacy.command()
@click.argument(
    "labelled", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Counts as JSON instead of tables.")
def evaluate(labelled: Path | None, as_json: bool) -> None:
    """Score recall and leak by type and by group on a LABELLED set of JSON lines.

    Each line is {"text", "spans": [{"start", "end", "label", "group"?}], "decoys"?}; decoys are
    look-alikes that are no personal data, [{"start", "end", "kind"}]. See docs/privacy.md, which
    also names scripts that make such sets. Where lines are none they are
    named, and nothing is searched. A text on which the search fails, hangs or crashes is counted by
    itself; the exit status is then 3. Without LABELLED, show the scores that were measured when
    this version was made, on the sets it carries and generates.
    """
    from dsk_assets.lake.progress import shown
    from dsk_assets.privacy import scores
    from dsk_assets.privacy.evaluate import Score
    from dsk_assets.privacy.evaluate import evaluate as score

    if labelled is None:
        found = scores.stored()
        named = {name: Score.of_counts(counts).markdown() for name, counts in found["sets"].items()}
        tables = "\n\n".join(f"{name}\n\n{table}" for name, table in named.items())
        click.echo(json.dumps(found, indent=2) if as_json else tables)
        return
    with shown():
        outcome = score(labelled)
    click.echo(json.dumps(outcome.counts(), indent=2) if as_json else outcome.markdown())
    if outcome.unsearched:
        raise click.exceptions.Exit(UNSEARCHED)
