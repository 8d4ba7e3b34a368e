"""The commands that change what lies in a lake: adopting another layout, erasing a session or a caller."""

import click

from analytics_lib.cli import options
from analytics_lib.cli.progress import Progress
from analytics_lib.errors import LakeError, UsageError


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("root")
@options.dry_run
def adopt(source: str, root: str, dry_run: bool) -> None:
    """Write records of the layout sessions/SESSION_ID/TIMESTAMP.json, or pretty-printed ones, into the lake at ROOT.

    SRC and ROOT are folders or s3:// prefixes, also the same. Nothing is changed or removed at SRC; what is there
    already is not written again. What cannot be adopted is listed with the reason.

    \b
    Example:  analytics-lib adopt s3://old-bucket s3://bucket/prefix --dry-run
    """
    from analytics_lib.cli.output import printable
    from analytics_lib.lake.adopt import adopt as run
    from analytics_lib.lake.stores import store_at

    with Progress("files adopted") as progress:
        done = run(store_at(source), store_at(root), dry_run=dry_run, progress=progress)
    for path, line, reason in done.problems:
        click.echo(printable(f"{path}{f' line {line}' if line else ''}: {reason}"))
    click.echo(done.text(dry_run=dry_run))
    if done.problems and not done.written and not done.there:
        raise LakeError("nothing could be adopted")


@click.command()
@click.argument("session_id", required=False)
@click.option("--caller", metavar="KEY", help="Instead, all records with this caller_key.")
@click.option("--thorough", is_flag=True, help="On S3, also open the objects at the keys of other sessions.")
@options.data
@options.dry_run
def erase(session_id: str | None, caller: str | None, thorough: bool, data: str | None, dry_run: bool) -> None:
    """Remove one session's, or one caller's, records from a lake, its rejected lines and its Parquet, for good.

    Look first, with --dry-run: there is no way back. On a bucket that keeps old versions, those go too.

    \b
    Example:  analytics-lib erase room_abc123 --data s3://bucket/prefix --dry-run
              analytics-lib erase --caller c_5f2b90 --data lake
    """
    from analytics_lib.cli.output import printable
    from analytics_lib.engines import erasure
    from analytics_lib.lake.erase import Subject
    from analytics_lib.lake.stores import store_at

    subject = Subject.of(session_id, caller)
    if not data:
        raise UsageError("say where to erase: --data ROOT, a folder or s3:// prefix that holds sessions/")
    with Progress("files read") as progress:
        done = erasure.erase(store_at(data), subject, thorough=thorough, dry_run=dry_run, progress=progress)
    for what, path, lines in done.places:
        click.echo(printable(f"{what:<8} {path}  ({lines} line{'s' if lines != 1 else ''})"))
    removed = f"{'would remove' if dry_run else 'removed'} {done.lines:,} lines; files concerned: {len(done.places):,}"
    click.echo(removed if done.places else "nothing was found")
    for note in done.notes:
        click.echo(printable(note), err=True)
    if done.unread:
        named = "\n".join(f"{path}: {reason}" for path, reason in done.unread)
        raise LakeError(printable(f"{len(done.unread)} files could not be looked into:\n{named}", keep="\n"))
