"""The options that commands share."""

from collections.abc import Callable
from typing import Any

import click

from analytics_lib.settings import ENGINES

Command = Callable[..., Any]


def lake(command: Command) -> Command:
    """--data and --engine: where the records are and what runs the queries."""
    engine = click.option("--engine", type=click.Choice(ENGINES), help="What runs the queries.  [default: duckdb]")
    return data(engine(command))


def data(command: Command) -> Command:
    """--data: where the records are."""
    return click.option("--data", help="A folder that holds sessions/dt=YYYY-MM-DD/.  [default: the samples]")(command)


def period(command: Command) -> Command:
    """--start, --end and --last: the days."""
    start = click.option("--start", metavar="DATE", help="The first day, UTC.  [default: 30 days in all]")
    end = click.option("--end", metavar="DATE", help="The last day, UTC, inclusive.  [default: the newest with data]")
    last = click.option("--last", type=int, metavar="N", help="The N days that end yesterday (UTC).")
    return start(end(last(command)))


def max_age(command: Command) -> Command:
    """--max-age: a limit on how stale a lake may be."""
    return click.option(
        "--max-age",
        type=click.IntRange(min=0),
        metavar="N",
        help="Exit with status 3 when the newest day with data is more than N days before the period's end.",
    )(command)


def parameters(command: Command) -> Command:
    """--param KEY=VALUE, as often as wanted."""
    return click.option(
        "--param",
        multiple=True,
        metavar="KEY=VALUE",
        callback=_pairs,
        help="A parameter, e.g. min_team_size=10.",
    )(command)


def _pairs(context: click.Context, option: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{word!r} is not KEY=VALUE, e.g. min_team_size=10")
        if name in found:
            raise click.BadParameter(f"{name} is given twice")
        found[name] = value
    return found


def format_of(*formats: str) -> Callable[[Command], Command]:
    """--format, one of these; the first is the default."""
    return click.option("--format", "format_", type=click.Choice(formats), default=formats[0], show_default=True)
