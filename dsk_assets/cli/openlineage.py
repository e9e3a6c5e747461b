"""``dsk openlineage …``: deliver, replay and check events of lineage."""

import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from dsk_assets.counted import counted
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.settings import load_settings

if TYPE_CHECKING:
    from dsk_assets.evidence.openlineage.delivery import Report

SHOWN = 20
"""How many problems are listed before the rest are only counted."""

DIGITS = 18
"""A number of more digits counts no events."""


@click.group()
def openlineage() -> None:
    """Tell a catalogue of lineage (Marquez, DataHub) what was made from what.

    Every materialisation becomes one OpenLineage event, made from its statement. Events go to the
    file DSK_HOME/openlineage/events.ndjson and, where DSK_OPENLINEAGE_URL is set, to that address
    (with the bearer token DSK_OPENLINEAGE_TOKEN). The nightly run delivers by itself.
    """


def _catalog() -> Catalog:
    return Catalog(load_settings(), run_id="dsk")


def _tell(report: "Report", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=1))
    else:
        click.echo(f"{counted(report.events, 'event')}, one for each materialisation")
        for one in report.receivers:
            name = str(report.file) if one.receiver == "file" else one.receiver
            click.echo(f"  {name}: {one.delivered} delivered now, {one.waiting} waiting")
            if one.problem:
                click.echo(f"    ended early: {one.problem}")
            for key, reason in one.refused[:SHOWN]:
                click.echo(f"    {key} was not taken: {reason}")
            if len(one.refused) > SHOWN:
                click.echo(f"    … and {len(one.refused) - SHOWN} more")
        for key in report.unreadable:
            click.echo(f"  a statement of {key} cannot be read — restore it from a copy")
    if report.unreadable or any(one.problem or one.refused for one in report.receivers):
        raise SystemExit(1)


_as_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


def _finite(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value) or value <= 0:
        raise click.BadParameter("give a number of seconds above 0")
    return value


@openlineage.command()
@click.option(
    "--seconds", default=600.0, show_default=True, callback=_finite, help="End after this time."
)
@_as_json
def deliver(seconds: float, as_json: bool) -> None:
    """Send every receiver the events it has not received. Exit code 1 when some could not be."""
    from dsk_assets.evidence.openlineage.delivery import Patience
    from dsk_assets.evidence.openlineage.delivery import deliver as send
    from dsk_assets.lake.progress import shown

    with shown():
        report = send(_catalog(), Patience(total=seconds))
    _tell(report, as_json)


class _Point(click.ParamType):  # type: ignore[type-arg]
    """A position in the order of events, or a moment."""

    name = "DATE|NUMBER"

    def convert(self, value: Any, param: Any, context: Any) -> int | dt.datetime:
        """*value* as a number, or as ISO 8601 in UTC where it names no offset."""
        if isinstance(value, int):
            return value
        if value.isdecimal() and len(value) <= DIGITS:
            return int(value)
        try:
            moment = dt.datetime.fromisoformat(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            return moment.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither a number nor a date such as 2026-11-25", param, context
            )


@openlineage.command()
@click.option(
    "--from",
    "since",
    type=_Point(),
    default=1,
    help="Begin with this event, or at this time (UTC).",
)
@_as_json
def replay(since: int | dt.datetime, as_json: bool) -> None:
    """Send events once more, all or from a point on; receivers know them by their run ids.

    The file is written anew from that point, so that it never holds an event twice.
    """
    from dsk_assets.evidence.openlineage.delivery import replay as send_again
    from dsk_assets.lake.progress import shown

    with shown():
        report = send_again(_catalog(), since)
    _tell(report, as_json)


@openlineage.command()
@_as_json
def status(as_json: bool) -> None:
    """Say how many events each receiver still waits for; sends nothing."""
    from dsk_assets.evidence.openlineage.delivery import report

    _tell(report(_catalog()), as_json)


@openlineage.command()
@click.argument("file", type=click.File("rb"))
def check(file: BinaryIO) -> None:
    """Check FILE of events, one a line, against the schemas they name; needs no network.

    The event is checked against its schemaURL and each facet against its _schemaURL. Exit code 1
    when something is wrong.
    """
    from dsk_assets.evidence.openlineage.check import problems

    events = wrong = unreadable = 0
    shown: list[str] = []
    for number, text in enumerate(file, start=1):
        events += 1
        try:
            found = problems(json.loads(text))
        except (ValueError, RecursionError):
            found = ["is not JSON"]
            unreadable += 1
        for problem in found:
            wrong += 1
            if wrong <= SHOWN:
                shown.append(f"line {number}: {problem}")
    if unreadable == events:
        raise click.ClickException(f"{file.name} holds no events: one JSON object is a line")
    for line in shown:
        click.echo(line)
    if wrong > SHOWN:
        click.echo(f"… and {wrong - SHOWN} more")
    if wrong:
        raise click.ClickException(f"{counted(wrong, 'problem')} in {counted(events, 'event')}")
    click.echo(f"as their schemas say: {counted(events, 'event')}")
