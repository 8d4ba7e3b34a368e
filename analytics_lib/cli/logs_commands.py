"""The commands for the way from the agent to the lake: log forwarding, Insights, backfill, cost."""

import json
import math
import os
from typing import Any

import click

from analytics_lib import period
from analytics_lib.cli import options
from analytics_lib.cli.progress import Progress
from analytics_lib.errors import UsageError

_SECRETS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_REGION": "AWS_DEFAULT_REGION"}


@click.group()
def livekit() -> None:
    """What LiveKit Cloud needs to forward an agent's logs to CloudWatch.

    \b
    Example:  analytics-lib livekit secrets
    """


@livekit.command()
def secrets() -> None:
    """Print the command that lets LiveKit Cloud forward logs; the shell puts the values in, they are not printed."""
    words = []
    for secret, stand_in in _SECRETS.items():
        variable = next((name for name in (secret, stand_in) if name and os.environ.get(name)), secret)
        words.append(f'--secrets "{secret}=${variable}"')
        state = (
            "is set" if os.environ.get(variable) else f"is not set: export {variable}=... before you run the command"
        )
        click.echo(f"{variable} {state}", err=True)
    if os.environ.get("AWS_SESSION_TOKEN"):
        click.echo("AWS_SESSION_TOKEN is set: these keys expire, and LiveKit Cloud takes lasting ones only", err=True)
    click.echo(
        "let it be a key of the user that infra/template.yaml makes for this, and no other: the agent can read it",
        err=True,
    )
    click.echo(" \\\n  ".join(["lk agent update-secrets", *words]))


def log_group(command: options.Command) -> options.Command:
    """--log-group: where LiveKit Cloud forwards to."""
    return click.option("--log-group", "group", required=True, metavar="NAME", help="The CloudWatch log group.")(
        command
    )


@click.command()
@click.argument("name")
@log_group
@options.period_to_today
@click.option("--timeout", type=click.FloatRange(min=1), default=900, show_default=True, help="Seconds to wait.")
@options.format_of("table", "json", "csv")
def insights(name: str, group: str, days: dict[str, Any], timeout: float, format_: str) -> None:
    """Ask a log group with one of the queries of sql/insights; an unknown name lists them.

    Without dates, over the 30 days that end today (UTC).

    \b
    Example:  analytics-lib insights failed_tool_calls --log-group /livekit/agents --last 7
    """
    from analytics_lib.logs import insights as asked

    asked.text(name)  # a wrong name is told before pandas is loaded
    over = period.choose(**days, newest=period.today())
    with Progress("records matched") as progress:
        answer = asked.run(name, group, over, timeout_seconds=timeout, progress=progress)
    import pandas as pd

    from analytics_lib.cli import output as out

    out.write(out.frame_text(pd.DataFrame(answer.rows, columns=list(answer.columns), dtype=object), format_), None)
    click.echo(f"{name} over {group}, {over}: {answer.bytes_scanned / 1e6:,.1f} MB scanned", err=True)
    if not answer.complete:
        click.echo(f"Insights gives {asked.MOST_ROWS:,} rows at most: ask for fewer days to see the others", err=True)


@click.command()
@log_group
@options.period_to_today
@options.needed_data
@options.dry_run
def backfill(group: str, days: dict[str, Any], data: str | None, dry_run: bool) -> None:
    """Deliver what a log group holds and the lake lacks: from before delivery began, or after an outage.

    Nothing is written twice, and a run that was stopped continues when it is repeated. The days are those of the log
    events; without dates, the 30 that end today (UTC).

    \b
    Example:  analytics-lib backfill --log-group /livekit/agents --last 7 --data s3://bucket/prefix --dry-run
    """
    from analytics_lib.cli import output as out
    from analytics_lib.logs.backfill import backfill as fill

    location = options.Place(data, None, {}).location
    over = period.choose(**days, newest=period.today())
    with Progress("hours of log events read") as progress:
        done = fill(group, over, location, dry_run=dry_run, progress=progress)
    for day, found in done.days.items():
        click.echo(f"{day}  records {found.records:>9,}  missing {found.missing:>9,}  rejected {found.rejected:>6,}")
    total = done.total()
    did = "would deliver" if dry_run else "delivered"
    click.echo(out.printable(
        f"{did} {total.missing:,} of {total.records:,} records and {total.rejected:,} rejected lines to {location}: "
        f"{done.events:,} log events of {group}, {over}"
    ))  # fmt: skip


@click.command()
@click.option("--sessions-per-day", type=click.FloatRange(0, 1e9), default=1000, show_default=True, help="On average.")
@click.option("--bytes-per-session", type=click.FloatRange(1, 1e9), default=5000, show_default=True,
              help="Of its record's line.")  # fmt: skip
@click.option("--other-bytes-per-session", type=click.FloatRange(0, 1e9), default=0, show_default=True,
              help="Of the other lines that the agent logs meanwhile: LiveKit Cloud forwards all.")  # fmt: skip
@click.option("--retention-days", type=click.IntRange(min=1), default=30, show_default=True, help="In CloudWatch.")
@click.option("--queries-per-day", type=click.FloatRange(0, 1e6), default=16, show_default=True,
              help="Of Athena, over 30 days each; the three reports together are 16.")  # fmt: skip
@options.format_of("table", "json")
def cost(format_: str, **words: Any) -> None:
    """What a month costs, from log line to query, each item with its formula, in us-east-1 without the free tier.

    \b
    Example:  analytics-lib cost --sessions-per-day 1000 --bytes-per-session 5000
    """
    from dataclasses import asdict

    from analytics_lib import monthly_cost, prices

    if nameless := [name for name, value in words.items() if math.isnan(value)]:
        raise UsageError(f"--{nameless[0].replace('_', '-')} is no number")
    load = monthly_cost.Load(**words)
    items, price = monthly_cost.items(load), prices.load_delivery()
    totals = monthly_cost.totals(items)
    if format_ == "json":
        facts = {"region": "us-east-1", "prices_date": price.date, "prices_source": price.source}
        found = {
            "load": asdict(load),
            **facts,
            "items": [asdict(each) for each in items],
            "total_usd_per_month": totals,
        }
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"USD a month in us-east-1, prices of {price.date}, without the free tier")
    for each in items:
        click.echo(f"{each.usd_per_month:>10.4f}  {each.item}: {each.formula}")
    for choice, name in (("json", "JSON"), ("parquet", "Parquet, after compaction")):
        click.echo(f"{totals[choice]:>10.4f}  in all, with queries on {name}; without archive")
