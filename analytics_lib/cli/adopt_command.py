"""`analytics-lib adopt`: session files of any layout, written where readers look for them."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analytics_lib import phrases
from analytics_lib.cli import options
from analytics_lib.cli.progress import Progress

if TYPE_CHECKING:
    from analytics_lib.delivery.adopting import Taken
    from analytics_lib.upkeep.adopt import Adopted, Problem


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("root")
@click.option("--map", "map_", type=_FILE, help="TOML: where your records keep the contract's fields.")
@click.option("--timezone", default="UTC", show_default=True, help="Of times that name no zone, e.g. Europe/Berlin.")
@click.option("--drop", multiple=True, metavar="PATH", help="Leave this field out, e.g. transcript. Repeatable.")
@click.option("--report", type=_NEW_FILE, help="List all that is left out here, as CSV.")
@click.option("--max-left-out", type=click.IntRange(0), help="Exit with status 3 only where more than so many are.")
@options.dry_run
def adopt(
    source: str,
    root: str,
    map_: Path | None,
    timezone: str,
    drop: tuple[str, ...],
    report: Path | None,
    max_left_out: int | None,
    dry_run: bool,
) -> int:
    r"""Write session files of any layout into the lake at ROOT, or mend a lake in place: SRC and ROOT the same.

    SRC and ROOT are folders or s3:// prefixes. Nothing is changed or removed at SRC; in place, a mended file's original
    moves to adopted/originals/. What was adopted before is not opened again. Exits with 1 where something is left out.

    \b
    Example:  analytics-lib adopt s3://old-bucket s3://bucket/prefix --dry-run
              analytics-lib adopt old lake --map map.toml --timezone Europe/Berlin --drop transcript
    """
    from analytics_lib import location
    from analytics_lib.delivery.mapping import Map
    from analytics_lib.remote.stores import store_at
    from analytics_lib.upkeep.adopt import adopt as run

    old, new = store_at(location.parse(source)), store_at(location.parse(root))
    by = Map.of(map_.read_text("utf-8") if map_ else "", zone=timezone, drop=drop)
    for sentence in by.shared:
        click.echo(f"note: {sentence}", err=True)
    with Progress("files read") as progress, _listing(report) as name:
        done = run(
            old, new, by,
            dry_run=dry_run, name=name, show=_show, progress=progress.counted,
        )  # fmt: skip
    _say(done, report, dry_run=dry_run)
    if not done.left_out:
        return 0
    if max_left_out is None:
        return 1
    return 3 if done.left_out > max_left_out else 0


@contextmanager
def _listing(report: Path | None) -> "Iterator[Callable[[Problem], None]]":
    """Whoever is told what is left out, and lists it in that file: complete or not at all."""
    from analytics_lib.cli.output import whole

    if not report:
        yield lambda problem: None
        return
    with whole(report) as unfinished, unfinished.open("w", encoding="utf-8", errors="replace", newline="") as file:
        listed = csv.writer(file, lineterminator="\n")
        listed.writerow(("file", "line", "reason"))
        yield listed.writerow


def _show(path: str, taken: "Taken") -> None:
    """Say, for one record of a dry run, what came from where."""
    from analytics_lib.cli.output import printable

    click.echo(printable(f"{path} line {taken.line} -> {taken.key}"))
    if not taken.origins:
        click.echo("    as it is")
    for field, origin in taken.origins.items():
        click.echo(printable(f"    {field} <- {origin}"))


def _say(done: "Adopted", report: Path | None, *, dry_run: bool) -> None:
    from analytics_lib.cli.output import printable

    for layout, files in done.layouts.most_common():
        click.echo(f"taken for the layout {layout}: {phrases.many(files, 'file')}")
    for times, (path, line, reason) in sorted(done.reasons.values(), key=lambda told: (-told[0], told[1])):
        first = f"{times:,} times, first in " if times > 1 else ""
        click.echo(printable(f"not adopted: {first}{path}{f' line {line}' if line else ''}: {reason}"))
    if len(done.reasons) < done.left_out and not report:
        click.echo("--report FILE lists every one")
    click.echo(done.text(dry_run=dry_run))
