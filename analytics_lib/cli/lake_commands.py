"""The commands for what lies in a lake: making samples, checking, adopting another layout, erasing."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analytics_lib import period, phrases
from analytics_lib.cli import options
from analytics_lib.cli.progress import Progress
from analytics_lib.errors import AwsError, LakeError, UsageError

if TYPE_CHECKING:
    from analytics_lib.lake.files import Ignored
    from analytics_lib.location import Location
    from analytics_lib.period import Period
    from analytics_lib.remote.stores import Bucket, Folder
    from analytics_lib.settings import Athena


@click.command()
@click.option("--output", required=True, type=click.Path(), help="The lake's root, a new folder.")
@click.option("--days", default=30, show_default=True, help="How many days.")
@click.option("--sessions-per-day", default=20, show_default=True, help="Sessions a day on average.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same bytes.")
@click.option("--end", default="2026-01-30", show_default=True, help="The last day, UTC.")
@click.option("--bytes-per-session", type=int, help="Pad each record with a transcript to about this size.")
def samples(output: str, days: int, sessions_per_day: int, seed: int, end: str, bytes_per_session: int | None) -> None:
    """Write a lake of made-up sessions: the same command writes the same bytes, and continues where it was stopped.

    \b
    Example:  analytics-lib samples --output lake --days 365 --sessions-per-day 1000 --bytes-per-session 5000
    """
    from analytics_lib import location
    from analytics_lib.samples.generator import write_samples

    root = location.folder(output)
    with Progress("days written") as progress:
        written = write_samples(
            root,
            days=days,
            sessions_per_day=sessions_per_day,
            seed=seed,
            end=period.parse_date(end),
            bytes_per_session=bytes_per_session,
            progress=progress,
        )
    click.echo(f"{written:,} sessions written to {root}", err=True)


@click.command()
@options.data
@options.period
@options.format_of("table", "json")
@click.option("--strict", is_flag=True, help="Exit with status 1 when a line was rejected.")
def check(data: str | None, days: dict[str, Any], format_: str, strict: bool) -> int:
    """The data quality of a lake: what was rejected, mistyped, misplaced, unknown or ignored, and where.

    \b
    Example:  analytics-lib check --data lake --start 2026-01-01 --end 2026-01-31 --format json
    """
    from analytics_lib import settings
    from analytics_lib.cli import output as out
    from analytics_lib.lake.quality import check as check_lake
    from analytics_lib.remote.stores import store_at

    chosen = settings.load(data)
    store = store_at(chosen.data)
    asked = period.choose(**days, newest=store.newest_day())
    root, ignored = (chosen.data, []) if isinstance(chosen.data, Path) else _copied(chosen.data, asked, chosen.athena)
    with Progress("days checked") as progress:
        quality = check_lake(root, asked, progress)
    quality.ignored += ignored
    click.echo(out.quality_text(quality, asked, format_), nl=False)
    _say_set_aside(store, asked)
    if strict and quality.rejected:
        click.echo(f"analytics-lib: {phrases.many(len(quality.rejected), 'line')} rejected", err=True)
        return 1
    return 0


@click.command()
@click.argument("session_id", required=False)
@click.option("--caller", metavar="KEY", help="Instead, all records with this caller_key.")
@click.option("--thorough", is_flag=True, help="On S3, also open the objects at the keys of other sessions.")
@options.needed_data
@options.dry_run
def erase(session_id: str | None, caller: str | None, thorough: bool, data: str | None, dry_run: bool) -> None:
    """Remove one session's, or one caller's, records from a lake, its rejected lines and its Parquet, for good.

    Look first, with --dry-run: there is no way back. On a bucket that keeps old versions, those go too.

    \b
    Example:  analytics-lib erase room_abc123 --data s3://bucket/prefix --dry-run
              analytics-lib erase --caller c_5f2b90 --data lake
    """
    from analytics_lib import settings
    from analytics_lib.cli.output import printable
    from analytics_lib.remote.stores import store_at
    from analytics_lib.upkeep.erase import erase as run
    from analytics_lib.upkeep.subject import Subject

    subject = Subject.of(session_id, caller)
    if not data:
        raise UsageError("say where to erase: --data ROOT, a folder or s3:// prefix that holds sessions/")
    store = store_at(settings.load(data).data)
    with Progress("files read") as progress:
        done = run(store, subject, thorough=thorough, dry_run=dry_run, progress=progress)
    for what, path, count in done.places:
        click.echo(printable(f"{what:<8} {path}  ({phrases.many(count, 'line')})"))
    lines = f"{'would remove' if dry_run else 'removed'} {phrases.many(done.lines, 'line')}"
    click.echo(f"{lines}; files concerned: {len(done.places):,}" if done.places else "nothing was found")
    for note in done.notes:
        click.echo(printable(note), err=True)
    if done.unread:
        named = "\n".join(f"{path}: {reason}" for path, reason in done.unread)
        raise LakeError(printable(f"{len(done.unread)} files could not be looked into:\n{named}", keep="\n"))


def _say_set_aside(store: "Folder | Bucket", days: "Period") -> None:
    """Say on standard error how many lines delivery rejected on those days, and where: each is a file of its own."""
    from analytics_lib.cli.output import printable

    try:
        folders = [path.rpartition("/")[0] for path, _ in store.found("rejected/")]
    except (AwsError, LakeError) as error:
        click.echo(printable(f"what delivery set aside is not counted: {error}"), err=True)
        return
    if found := sorted(folder for folder in folders if folder.removeprefix("rejected/dt=") in days):
        where = f"{store}/{found[0]}/" + (f" to {found[-1]}/" if found[-1] != found[0] else "")
        lines = phrases.many(len(found), "line")
        click.echo(f"set aside by delivery, with the reason: {lines} in {printable(where)}", err=True)


def _copied(location: "Location", days: "Period", athena: "Athena") -> "tuple[Path, list[Ignored]]":
    """A copy of those days of a lake on S3, and what lies there that no reader opens."""
    from analytics_lib.engines import catalog
    from analytics_lib.engines.s3duckdb import cache_folder
    from analytics_lib.remote import s3
    from analytics_lib.remote.sync import sync

    with Progress("objects copied") as progress:
        synced = sync(location, root := cache_folder(location), days, in_cache=True, progress=progress.amounts)
    with suppress(AwsError):  # whoever may not look at the catalogue does not ask with Athena
        for day in catalog.days_outside(s3.days(location)[0], athena.database):
            click.echo(f"Athena does not see sessions/dt={day}/: run analytics-lib athena setup again", err=True)
    return root, list(synced.ignored)
