"""The commands that ask a lake, and the group of all. Options and output lie beside; heavy imports happen inside."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analytics_lib import period, phrases
from analytics_lib.cli import adopt_command, aws_commands, lake_commands, logs_commands, options
from analytics_lib.cli.progress import Progress
from analytics_lib.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from analytics_lib.cli.options import Place
    from analytics_lib.period import Period

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

    Without --data, commands that only read take the samples that ship with the project.
    Add --debug to any command to see where an error comes from.
    """


for _command in (
    aws_commands.athena, aws_commands.compact, aws_commands.sync,
    lake_commands.samples, lake_commands.check, adopt_command.adopt, lake_commands.erase,
    logs_commands.insights, logs_commands.backfill, logs_commands.cost, logs_commands.livekit,
):  # fmt: skip
    group.add_command(_command)


@group.command()
@click.argument("name")
@options.place
@options.period
@options.max_age
@options.estimate
@options.parameters
@options.format_or_suffix
@click.option("--table", help="Only this table of the report.")
@click.option("--output", type=click.Path(path_type=Path), help="A file; for csv without --table, a folder.")
def report(
    name: str,
    place: "Place",
    days: dict[str, Any],
    max_age: int | None,
    estimate: bool,
    param: dict[str, Any],
    format_: str | None,
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
    if output and output.suffix == ".parquet":
        raise UsageError(f"report writes table, json or csv, not Parquet: give {output} another suffix")
    form = format_ or out.by_suffix(output, "csv", "json")
    every = form == "csv" and not table
    if every and (output is None or (output.suffix == ".csv" and not output.is_dir())):
        raise UsageError(f"csv is one table: add --table with one of {', '.join(chosen)}, or --output with a folder")
    with Progress(_WORK) as progress:
        lake = place.open(progress)
        if estimate:
            return _say(lake.estimate(name, **days).text())
        found = lake.report(name, **days, **param)
    if every and output:
        out.write_folder(found, output)
    else:
        out.write(out.report_text(found, chosen, form), output)
    return _finish(found.facts, found.request.period, max_age, f"{found.report.title}, {found.request.period}")


@group.command()
@click.argument("query", required=False)
@click.option("--file", type=click.Path(path_type=Path), help="Read the query from a file, `-` for standard input.")
@options.place
@options.period
@options.max_age
@options.estimate
@options.parameters
@options.format_or_suffix
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file; x.parquet makes it Parquet.")
def sql(
    query: str | None,
    file: Path | None,
    place: "Place",
    days: dict[str, Any],
    max_age: int | None,
    estimate: bool,
    param: dict[str, Any],
    format_: str | None,
    output: Path | None,
) -> int:
    """Ad-hoc SQL over the views `sessions` and `tool_calls`, which show only the days of the period. It only reads.

    \b
    Example:  analytics-lib sql "SELECT tool, COUNT(*) AS calls FROM tool_calls GROUP BY tool" --last 30
              analytics-lib sql --file sql/tool_failures/errors.sql --start 2026-01-21 --end 2026-01-22
    """
    from analytics_lib.cli import output as out

    text, origin = _query(query, file)
    if format_ and output and output.suffix == ".parquet":
        raise UsageError(f"a .parquet file holds Parquet: leave out --format, or give {output} another suffix")
    form = format_ or out.by_suffix(output, "csv", "json", "parquet")
    with Progress(_WORK) as progress:
        lake = place.open(progress)
        if estimate:
            from analytics_lib.engines.trino import Statement

            return _say(lake.estimate(scans=Statement(text, origin).scans, **days).text())
        asked = lake.period(**days)
        between: dict[str, Any] = {"start": asked.start, "end": asked.end, "origin": origin}
        if output is not None and form == "parquet":
            with out.whole(output) as made:
                facts = lake.save(text, made, **between, **param)
            return _finish(facts, asked, max_age, f"{output}, {asked}")
        frame = lake.sql(text, **between, **param)
    out.write(out.frame_text(frame, form), output)
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

    chosen = list(dict.fromkeys(names)) or catalogue.names()
    anytime = period.choose(**days, newest=None)
    requests = [catalogue.get(name).request(anytime, param) for name in chosen]
    typed = {key: requests[0].parameters[key] for key in param}
    lake = place.open()
    asked = lake.period(**days)
    if estimate:
        bills = ((name, lake.estimate(name, start=asked.start, end=asked.end)) for name in chosen)
        return _say("\n".join(f"{name}:\n{bill.text()}" for name, bill in bills))
    folder = Path(_with_days(output, asked))
    given = {"data": str(place.settings.data.resolve()), "engine": lake.engine.name,
             "start": asked.start.isoformat(), "end": asked.end.isoformat(), **typed}  # fmt: skip
    os.environ.update(place.settings.environment())  # the kernels read the rest of the settings there
    with Progress("cells") as progress:
        made = render.run(chosen, folder, given, notebooks=resources.path("notebooks"), progress=progress.named)
    for each in made:
        click.echo(str(each.page))
    facts = _together([each.facts for each in made])
    return _finish(facts, asked, max_age, f"{phrases.many(len(made), 'report')}, {asked}")


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

        findings = doctor_aws.examine(log_group, place.location)
    healthy = True
    for finding in findings:
        click.echo(f"{'ok  ' if finding.works else 'FAIL'}  {finding.subject}: {out.printable(finding.text)}")
        healthy = healthy and finding.works
    return 0 if healthy else 1


def _say(text: str) -> int:
    click.echo(text)
    return 0


def _with_days(name: str, days: "Period") -> str:
    for placeholder in re.findall(r"\{.*?\}", name):
        if placeholder not in ("{start}", "{end}"):
            raise UsageError(f"--output knows {{start}} and {{end}}, not {placeholder}")
    return name.replace("{start}", days.start.isoformat()).replace("{end}", days.end.isoformat())


def _together(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a run of several reports rests on, from their facts.json: the lake's facts are equal, the bills add up."""
    newest = reports[0]["newest_day"]
    return {
        **reports[0],
        "queries": [query for each in reports for query in each.get("queries", ())],
        **{name: sum(each.get(name, 0.0) for each in reports) for name in ("cost_usd", "predicted_usd")},
        "newest_day": newest and period.parse_date(newest),
        "rejected_examples": [],
    }


def _query(query: str | None, file: Path | None) -> tuple[str, str]:
    """The text of the query, and what messages call it. Raises UsageError where there is none."""
    if (query is None) == (file is None):
        raise UsageError('give a query or --file, e.g.: analytics-lib sql "SELECT COUNT(*) AS n FROM sessions"')
    try:
        if query is not None:
            text, origin = query, "the query"
        elif str(file) == "-":
            text, origin = sys.stdin.read() if sys.stdin else "", "standard input"
        else:
            text, origin = Path(str(file)).read_text(encoding="utf-8"), str(file)
        text.encode()  # bytes of an argument or of standard input that are no UTF-8 have come as surrogates
    except UnicodeError as error:
        raise UsageError("the query is no text in UTF-8; write it in that encoding") from error
    except OSError as error:
        raise UsageError(f"the query file {file} cannot be read: {error.strerror}") from error
    return text, origin


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
