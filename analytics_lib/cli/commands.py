"""The commands. What they share, options and output, lies beside them; heavy imports happen inside."""

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analytics_lib import period
from analytics_lib.cli import options
from analytics_lib.cli.progress import Progress
from analytics_lib.errors import AwsError, UsageError
from analytics_lib.reports import phrases

if TYPE_CHECKING:
    from datetime import date

    from analytics_lib.cli.options import Place
    from analytics_lib.engines.cost import Estimate
    from analytics_lib.lake.files import Ignored
    from analytics_lib.period import Period
    from analytics_lib.settings import Settings

_LIMIT_PASSED = 3
_WORK = "done"  # days that are read, or queries that have ended


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="analytics_lib")
def group() -> None:
    """Which sessions of a LiveKit voice agent were leads, how long sessions run, which tools fail.

    \b
    Try:  analytics-lib report lead_funnel
          analytics-lib run --output reports
          analytics-lib sql "SELECT urgency, COUNT(*) AS n FROM sessions GROUP BY urgency"

    Without --data every command reads the samples that ship with the project.
    Add --debug to any command to see where an error comes from.
    """


@group.command()
@click.argument("name")
@options.place
@options.period
@options.max_age
@options.estimate
@options.parameters
@options.format_of("table", "json", "csv")
@click.option("--table", help="Only this table of the report.")
@click.option("--output", type=click.Path(path_type=Path), help="A file; with --format csv, a folder for all tables.")
def report(
    name: str,
    place: "Place",
    days: dict[str, Any],
    max_age: int | None,
    estimate: bool,
    param: dict[str, Any],
    format_: str,
    table: str | None,
    output: Path | None,
) -> int:
    """The tables of a report: lead_funnel, duration_trends or tool_failures.

    \b
    Example:  analytics-lib report lead_funnel --last 7 --param min_team_size=10
              analytics-lib report tool_failures --format csv --table by_tool
    """
    from analytics_lib.cli import output as out
    from analytics_lib.reports import catalogue

    definition = catalogue.get(name)
    definition.request(period.choose(**days, newest=None), param)
    chosen = [definition.table(table).name] if table else [each.name for each in definition.tables]
    if format_ == "csv" and not table and not output:
        raise UsageError(f"csv is one table: add --table with one of {', '.join(chosen)}, or --output with a folder")
    with Progress(_WORK) as progress:
        lake = place.open(progress)
        if estimate:
            return _say_estimate(lake.estimate(name, **days))
        found = lake.report(name, **days, **param)
    if format_ == "csv" and not table:
        out.write_folder(found, output)
    else:
        out.write(out.report_text(found, chosen, format_), output)
    return _finish(found.facts, found.request.period, max_age, f"{found.report.title}, {found.request.period}")


@group.command()
@click.argument("query", required=False)
@click.option("--file", type=click.Path(path_type=Path), help="Read the query from a file, `-` for standard input.")
@options.place
@options.period
@options.max_age
@options.estimate
@options.parameters
@options.format_of("table", "json", "csv")
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file; x.parquet makes it Parquet.")
def sql(
    query: str | None,
    file: Path | None,
    place: "Place",
    days: dict[str, Any],
    max_age: int | None,
    estimate: bool,
    param: dict[str, Any],
    format_: str,
    output: Path | None,
) -> int:
    """Ad-hoc SQL over the views `sessions` and `tool_calls`, which show only the days of the period. It only reads.

    \b
    Example:  analytics-lib sql "SELECT tool, COUNT(*) AS calls FROM tool_calls GROUP BY tool" --last 30
              analytics-lib sql --file sql/tool_failures/errors.sql --start 2026-01-21 --end 2026-01-22
    """
    from analytics_lib.cli import output as out

    if (query is None) == (file is None):
        raise UsageError('give a query or --file, e.g.: analytics-lib sql "SELECT COUNT(*) AS n FROM sessions"')
    text, origin = (query, "the query") if query is not None else (_read(file), str(file))
    with Progress(_WORK) as progress:
        lake = place.open(progress)
        if estimate:
            from analytics_lib.engines.trino import Statement

            return _say_estimate(lake.estimate(scans=Statement(text, origin).scans, **days))
        asked = lake.period(**days)
        between: dict[str, Any] = {"start": asked.start, "end": asked.end, "origin": origin}
        if output is not None and output.suffix == ".parquet":
            with out.whole(output) as file:
                facts = lake.save(text, file, **between, **param)
            return _finish(facts, asked, max_age, f"{output}, {asked}")
        frame = lake.sql(text, **between, **param)
    out.write(out.frame_text(frame, format_), output)
    return _finish(frame.attrs, asked, max_age, f"{phrases.many(len(frame), 'row')}, {asked}")


@group.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.place
@options.period
@options.max_age
@options.estimate
@options.parameters
@click.option("--output", default="reports", show_default=True,
              help="Folder for the reports; {start} and {end} in it become the period's days.")  # fmt: skip
def run(
    names: tuple[str, ...],
    place: "Place",
    days: dict[str, Any],
    max_age: int | None,
    estimate: bool,
    param: dict[str, Any],
    output: str,
) -> int:
    """Execute the notebooks and write a folder a report: HTML page, executed notebook, PNG figures, CSV tables.

    All reports are put into place together. When a notebook fails, the last good reports stay untouched, and what
    ran of it lies under failed/.

    \b
    Example:  analytics-lib run                                     # all reports on the samples, into reports/
              analytics-lib run lead_funnel --data lake --last 7 --max-age 2 --output "weekly/{start}_{end}"
    """
    from analytics_lib import render, resources
    from analytics_lib.reports import catalogue

    chosen = list(names) or catalogue.names()
    anytime = period.choose(**days, newest=None)
    requests = [catalogue.get(name).request(anytime, param) for name in chosen]
    typed = {key: requests[0].parameters[key] for key in param}
    lake = place.open()
    asked = lake.period(**days)
    if estimate:
        for name in chosen:
            click.echo(f"{name}:")
            _say_estimate(lake.estimate(name, start=asked.start, end=asked.end))
        return 0
    folder = Path(_with_days(output, asked))
    given = {"data": lake.root if "://" in lake.root else str(Path(lake.root).resolve()), "engine": lake.engine.name,
             "start": asked.start.isoformat(), "end": asked.end.isoformat(), **typed}  # fmt: skip
    os.environ.update(place.settings.environment())  # the kernels read the rest of the settings there
    with Progress("cells") as progress:
        made = render.run(chosen, folder, given, notebooks=resources.path("notebooks"), progress=progress.named)
    for each in made:
        click.echo(str(each.page))
    newest = made[0].facts["newest_day"]
    bill = {
        "queries": [query for each in made for query in each.facts.get("queries", ())],
        **{name: sum(each.facts.get(name, 0.0) for each in made) for name in ("cost_usd", "predicted_usd")},
    }
    newest = newest and period.parse_date(newest)
    facts = {**made[0].facts, **bill, "newest_day": newest, "rejected_examples": []}
    return _finish(facts, asked, max_age, f"{phrases.many(len(made), 'report')}, {asked}")


@group.command()
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The lake's root, a new folder.")
@click.option("--days", default=30, show_default=True, help="How many days.")
@click.option("--sessions-per-day", default=20, show_default=True, help="Sessions a day on average.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same bytes.")
@click.option("--end", default="2026-01-30", show_default=True, help="The last day, UTC.")
@click.option("--bytes-per-session", type=int, help="Pad each record with a transcript to about this size.")
def samples(output: Path, days: int, sessions_per_day: int, seed: int, end: str, bytes_per_session: int | None) -> None:
    """Write a lake of made-up sessions: the same command writes the same bytes, and continues where it was stopped.

    \b
    Example:  analytics-lib samples --output lake --days 365 --sessions-per-day 1000 --bytes-per-session 5000
    """
    from analytics_lib.lake.samples import write_samples

    with Progress("days written") as progress:
        written = write_samples(
            output,
            days=days,
            sessions_per_day=sessions_per_day,
            seed=seed,
            end=period.parse_date(end),
            bytes_per_session=bytes_per_session,
            progress=progress,
        )
    click.echo(f"{written:,} sessions written to {output}", err=True)


@group.command()
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
    from analytics_lib.lake import files
    from analytics_lib.lake.quality import check as check_lake

    chosen = settings.load(data)
    ignored: list[Ignored] = []
    if chosen.data.startswith("s3://"):
        root, asked, ignored = _copied(chosen, days)
    else:
        root = Path(chosen.data).expanduser()
        files.sessions_folder(root)
        asked = period.choose(**days, newest=files.newest_day(root))
    with Progress("days checked") as progress:
        quality = check_lake(root, asked, progress)
    quality.ignored += ignored
    click.echo(out.quality_text(quality, asked, format_), nl=False)
    if strict and quality.rejected:
        click.echo(f"analytics-lib: {phrases.many(len(quality.rejected), 'line')} rejected", err=True)
        return 1
    return 0


@group.command()
@options.place
@click.option("--aws", is_flag=True, help="Look at the way from the agent to the lake instead; needs --log-group.")
@click.option("--log-group", metavar="NAME", help="The log group of CloudWatch that holds the agent's output.")
def doctor(place: "Place", aws: bool, log_group: str | None) -> int:
    """What works here, what does not, and what to do about it.

    \b
    Example:  analytics-lib doctor --data lake
              analytics-lib doctor --aws --log-group /livekit/agent --data s3://bucket/prefix
    """
    from analytics_lib.cli import output as out
    from analytics_lib.cli.doctor import examine

    if aws != bool(log_group):
        raise UsageError(
            "--aws and --log-group go together, e.g. doctor --aws --log-group NAME --data s3://BUCKET/PREFIX"
        )
    findings = examine(place)
    if log_group:
        from analytics_lib.cli import doctor_aws

        findings = doctor_aws.examine(log_group, str(place.location))
    healthy = True
    for finding in findings:
        click.echo(f"{'ok  ' if finding.works else 'FAIL'}  {finding.subject}: {out.printable(finding.text)}")
        healthy = healthy and finding.works
    return 0 if healthy else 1


def _copied(chosen: "Settings", days: dict[str, Any]) -> "tuple[Path, Period, list[Ignored]]":
    """A copy of those days of a lake on S3, the days, and what lies there that no reader opens."""
    from analytics_lib.engines import catalog
    from analytics_lib.engines.s3duckdb import cache_folder
    from analytics_lib.lake import s3
    from analytics_lib.lake.sync import sync

    location = s3.Location.parse(chosen.data)
    asked = period.choose(**days, newest=s3.newest_day(location))
    with Progress("objects copied") as progress:
        synced = sync(location, root := cache_folder(location), asked, progress=progress.amounts)
    with suppress(AwsError):  # whoever may not look at the catalogue does not ask with Athena
        for day in catalog.days_outside(s3.days(location)[0], chosen.athena.database):
            click.echo(f"Athena does not see sessions/dt={day}/: run analytics-lib athena setup again", err=True)
    return root, asked, list(synced.ignored)


def _say_estimate(estimate: "Estimate") -> int:
    click.echo(estimate.text())
    return 0


def _with_days(name: str, days: "Period") -> str:
    for placeholder in re.findall(r"\{.*?\}", name):
        if placeholder not in ("{start}", "{end}"):
            raise UsageError(f"--output knows {{start}} and {{end}}, not {placeholder}")
    return name.replace("{start}", days.start.isoformat()).replace("{end}", days.end.isoformat())


def _read(file: Path | None) -> str:
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return Path(str(file)).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"the query file {file} cannot be read: {error}") from error


def _finish(facts: Mapping[str, Any], days: "Period", max_age: int | None, subject: str) -> int:
    """Say on standard error what the result rests on; the exit status."""
    from analytics_lib.cli import output as out

    for line in out.facts_lines(facts, days, subject):
        click.echo(line, err=True)
    if max_age is None:
        return 0
    newest: date | None = facts["newest_day"]
    if newest is not None and (days.end - newest).days <= max_age:
        return 0
    click.echo(f"analytics-lib: that is more than --max-age {max_age} allows", err=True)
    return _LIMIT_PASSED
