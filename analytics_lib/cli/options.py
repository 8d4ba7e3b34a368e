"""The options that commands share."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import click

from analytics_lib.errors import UsageError
from analytics_lib.settings import ENGINES, Athena

if TYPE_CHECKING:
    from analytics_lib.location import Location
    from analytics_lib.settings import Settings
    from analytics_lib.workspace import Lake

Command = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the records are and what runs the queries, as far as options say; the settings say the rest."""

    data: str | None
    engine: str | None
    athena: Mapping[str, object]

    @property
    def settings(self) -> "Settings":
        """These options completed by the environment and analytics.toml."""
        from analytics_lib import settings

        return settings.load(self.data, self.engine, self.athena)

    @property
    def location(self) -> "Location":
        """The lake on S3 there. Raises UsageError where it is none."""
        from analytics_lib import settings
        from analytics_lib.location import Location

        data = self.settings.data
        if data == settings.samples():
            raise UsageError("--data is missing: name the lake on S3, e.g. --data s3://BUCKET/PREFIX")
        return data if isinstance(data, Location) else Location.parse(str(data))

    def open(self, progress: "Callable[[int, int], None] | None" = None) -> "Lake":
        """The lake there."""
        from analytics_lib.workspace import open_lake

        return open_lake(self.data, self.engine, self.athena, progress)


def _data(default: str) -> Callable[[Command], Command]:
    return click.option("--data", help=f"A folder or s3:// prefix that holds sessions/dt=YYYY-MM-DD/.{default}")


_PLACE = (
    _data("  [default: the samples]"),
    click.option("--engine", type=click.Choice(ENGINES), help="What runs the queries.  [default: duckdb]"),
)
_ATHENA = (
    click.option("--database", help="Athena: the Glue database.  [default: analytics]"),
    click.option("--workgroup", help="Athena: the workgroup.  [default: analytics]"),
    click.option("--catalog", help="Athena: the data catalogue.  [default: AwsDataCatalog]"),
    click.option("--athena-output", metavar="S3", help="Athena: where results go, if the workgroup does not say."),
    click.option("--max-usd", type=click.FloatRange(min=0), help="Athena: refuse to spend more.  [default: 0.50]"),
    click.option("--fresh", is_flag=True, default=None, help="Athena: take no result of an earlier, equal query."),
)  # fmt: skip


def place(command: Command) -> Command:
    """--data, --engine and Athena's settings, which the command gets as one `place`."""
    return _with(_PLACE + _ATHENA, _gathering(command))


def database(command: Command) -> Command:
    """--data and those of Athena's settings that say where it works, as one `place`."""
    return _with((needed_data, *_ATHENA[:-1]), _gathering(command))


def athena(command: Command) -> Command:
    """Those of Athena's settings that say where it works, as one `place`; its data are the argument `source`."""
    return _with(_ATHENA[:-1], _gathering(command))


def _gathering(command: Command) -> Command:
    names = {"athena_output" if field.name == "output" else field.name: field.name for field in fields(Athena)}

    @functools.wraps(command)
    def gathered(data: str | None = None, engine: str | None = None, **words: Any) -> Any:
        settings = {name: words.pop(option, None) for option, name in names.items()}
        return command(place=Place(words.get("source", data), engine, settings), **words)

    return gathered


def _with(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def data(command: Command) -> Command:
    """--data: where the records are."""
    return _PLACE[0](command)


def needed_data(command: Command) -> Command:
    """--data of a command that changes what lies there: the samples do not stand in for it."""
    return _data("")(command)


def period(command: Command) -> Command:
    """--start, --end and --last: the days, which the command gets as one `days`."""
    return _days(command, "the newest with data")


def period_to_today(command: Command) -> Command:
    """As `period`, where today is a day with data."""
    return _days(command, "today")


def _days(command: Command, newest: str) -> Command:
    start = click.option("--start", metavar="DATE", help="The first day, UTC.  [default: 30 days in all]")
    end = click.option("--end", metavar="DATE", help=f"The last day, UTC, inclusive.  [default: {newest}]")
    last = click.option("--last", type=int, metavar="N", help="The N days that end yesterday (UTC).")

    @functools.wraps(command)
    def gathered(*, start: str | None, end: str | None, last: int | None, **words: Any) -> Any:
        return command(days={"start": start, "end": end, "last": last}, **words)

    return start(end(last(gathered)))


def max_age(command: Command) -> Command:
    """--max-age: a limit on how stale a lake may be."""
    return click.option(
        "--max-age",
        type=click.IntRange(min=0),
        metavar="N",
        help="Exit with status 3 when the newest day with data is more than N days before the period's end.",
    )(command)


def estimate(command: Command) -> Command:
    """--estimate: say what it would cost instead of asking."""
    return click.option("--estimate", is_flag=True, help="Athena: say what this would cost, and run nothing.")(command)


def dry_run(command: Command) -> Command:
    """--dry-run: say what would be done instead of doing it."""
    return click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")(command)


def parameters(command: Command) -> Command:
    """--param KEY=VALUE, as often as wanted."""
    return click.option(
        "--param",
        multiple=True,
        metavar="KEY=VALUE",
        callback=_pairs,
        help="A parameter, e.g. min_team_size=10; may be repeated.",
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


def format_or_suffix(command: Command) -> Command:
    """--format of a result that --output may put into a file; None where the file's suffix is to decide."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(("table", "json", "csv")),
        help="[default: the suffix of --output, if .json or .csv, else table]",
    )(command)
