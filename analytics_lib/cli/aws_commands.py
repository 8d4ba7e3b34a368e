"""The commands for a lake on S3: Athena's catalogue, compaction, copies for offline work."""

from typing import TYPE_CHECKING, Any

import click

from analytics_lib import period
from analytics_lib.cli import options
from analytics_lib.cli.progress import Progress
from analytics_lib.errors import UsageError

if TYPE_CHECKING:
    from analytics_lib.cli.options import Place
    from analytics_lib.upkeep.changes import Outcome


@click.group()
def athena() -> None:
    """What Athena needs for a lake on S3: database, tables, views, workgroup.

    \b
    Example:  analytics-lib athena setup --data s3://bucket/prefix --dry-run
    """


@athena.command()
@options.database
@options.dry_run
def setup(place: "Place", dry_run: bool) -> None:
    """Make what is missing and change what differs. It may be run again at any time; no query runs, no data change."""
    from analytics_lib.upkeep import setup

    _say(setup.setup(place.location, place.settings.athena, dry_run=dry_run), entries=dry_run)


@athena.command()
@options.database
def status(place: "Place") -> None:
    """Compare what is there with what this version would make."""
    from analytics_lib.upkeep import setup

    _say(setup.status(place.location, place.settings.athena))


@athena.command()
@options.database
@options.dry_run
def teardown(place: "Place", dry_run: bool) -> None:
    """Remove what `setup` made, and never data."""
    from analytics_lib.upkeep import setup

    _say(setup.teardown(place.location, place.settings.athena, dry_run=dry_run))


@click.command()
@click.argument("source", metavar="S3")
@options.athena
@click.option("--until", metavar="DATE", help="The last day, UTC.  [default: yesterday]")
@click.option("--clean", is_flag=True, help="Instead, remove the Parquet that nothing has named for a day.")
@options.dry_run
def compact(source: str, place: "Place", until: str | None, clean: bool, dry_run: bool) -> None:
    """Have Athena turn finished days into Parquet, from which reports are read at a fraction of the cost.

    Nothing of the lake is changed or removed. Days to which records came late are compacted again: run it every day.

    \b
    Example:  analytics-lib compact s3://bucket/prefix
    """
    from analytics_lib.engines.athena import AthenaEngine
    from analytics_lib.upkeep import compaction, generations

    location, athena = place.location, place.settings.athena
    if clean and until:
        raise UsageError("--clean looks at all of the Parquet; leave --until out")
    if clean:
        removed = generations.clean(location, athena, dry_run=dry_run)
        click.echo("\n".join(removed) or "nothing to remove: Parquet stays for a day after it was replaced")
        return
    last = period.parse_date(until) if until else None
    with Progress("days compacted") as progress:
        engine = AthenaEngine(location, athena)
        done = compaction.compact(location, athena, engine.execute, until=last, dry_run=dry_run, progress=progress)
    click.echo(done.text())


@click.command()
@click.argument("source", metavar="S3")
@click.argument("root")
@options.period
@click.option("--fraction", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True,
              help="Only this part of the sessions, the same ones each time.")  # fmt: skip
@options.dry_run
def sync(source: str, root: str, days: dict[str, Any], fraction: float, dry_run: bool) -> None:
    """Copy the days of a lake on S3 into a folder, for work offline. What is there already is not fetched again.

    \b
    Example:  analytics-lib sync s3://bucket/prefix lake --last 30 --fraction 0.05
              analytics-lib report lead_funnel --data lake
    """
    from analytics_lib.location import Location, folder
    from analytics_lib.remote import s3
    from analytics_lib.remote.sync import sync as copy

    location, target = Location.parse(source), folder(root)
    newest = s3.newest_day(location) if all(day is None for day in days.values()) else None
    asked = period.choose(**days, newest=newest)
    with Progress("objects copied") as progress:
        done = copy(location, target, asked, fraction=fraction, dry_run=dry_run, progress=progress.amounts)
    click.echo(f"{'would copy' if dry_run else 'copied'} {done.text()}, {asked}")


def _say(outcome: "Outcome", *, entries: bool = False) -> None:
    from analytics_lib.cli.output import printable

    for change in outcome.changes:
        detail = f"  ({change.detail})" if change.detail else ""
        click.echo(printable(f"{change.action:<8} {change.kind} {change.name}{detail}"))
        if entries and change.entry:
            click.echo(printable(change.entry, keep="\n") + "\n")
    for note in outcome.notes:
        click.echo(printable(note), err=True)
