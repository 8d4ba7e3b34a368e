"""What Athena says when it refused or failed a query, as a sentence with the place to look and the next step."""

_SET_UP = "analytics-lib athena setup --data {lake}"
_ASK = "ask for the permission to read that place; docs/athena.md lists what each command needs"
_HINTS = (
    ("limit was exceeded", "the workgroup's ceiling on bytes was hit: ask for fewer days, compact the lake "
     "(analytics-lib compact {lake}), or raise the workgroup's limit"),
    ("SCHEMA_NOT_FOUND", f"make the database with: {_SET_UP}"),
    ("TABLE_NOT_FOUND", f"make the tables and views with: {_SET_UP}"),
    ("VIEW_IS_STALE", f"make the views anew with: {_SET_UP}"),
    ("Column name", "in a Parquet file every column needs a name of its own: write SELECT ... AS name"),
    ("Access Denied", _ASK),
    ("AccessDenied", _ASK),
    (".gz", "Athena cannot read past a damaged file: move that object out of sessions/"),
    ("WorkGroup ", f"make the workgroup with: {_SET_UP}, or name another with --workgroup"),
    ("No output location", "name one with --athena-output s3://BUCKET/PREFIX"),
)  # fmt: skip


def hint(reason: str, lake: object) -> str:
    """The next step, where the reason is a known one; it begins like the middle of a sentence."""
    return next((hint.format(lake=lake) for sign, hint in _HINTS if sign in reason), "")


def refusal(origin: str, reason: str, query_id: str | None, region: str | None, lake: object) -> str:
    """The message for a query that Athena took and did not finish."""
    console = f"https://{region}.console.aws.amazon.com/athena/home?region={region}#/query-editor/history/{query_id}"
    said = f"{origin} failed on Athena: {reason}{'' if reason.endswith('.') else '.'} (query {query_id}, {console})"
    next_step = hint(reason, lake)
    return f"{said}\n{next_step[0].upper()}{next_step[1:]}." if next_step else said
