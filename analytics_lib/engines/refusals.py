"""What Athena says when a query failed, as a sentence with the place to look and the next step."""

_HINTS = (
    ("limit was exceeded", "the workgroup's ceiling on bytes was hit: ask for fewer days, compact the lake "
     "(analytics-lib compact), or raise the workgroup's limit"),
    ("SCHEMA_NOT_FOUND", "make the database with: analytics-lib athena setup --data s3://BUCKET/PREFIX"),
    ("TABLE_NOT_FOUND", "make the tables and views with: analytics-lib athena setup --data s3://BUCKET/PREFIX"),
    ("VIEW_IS_STALE", "make the views anew with: analytics-lib athena setup --data s3://BUCKET/PREFIX"),
    (".gz", "Athena cannot read past a damaged file: set that object aside by renaming it so that it begins with `_`, "
     "outside of sessions/"),
    ("Access Denied", "ask for the permission to read that place; docs/athena.md lists what each command needs"),
    ("AccessDenied", "ask for the permission to read that place; docs/athena.md lists what each command needs"),
)  # fmt: skip


def refusal(origin: str, reason: str, query_id: str | None, region: str | None) -> str:
    """The message for a query that Athena took and did not finish."""
    hint = next((hint for sign, hint in _HINTS if sign in reason), "")
    console = f"https://{region}.console.aws.amazon.com/athena/home?region={region}#/query-editor/history/{query_id}"
    said = f"{origin} failed on Athena: {reason}{'' if reason.endswith('.') else '.'} (query {query_id}, {console})"
    return f"{said}\n{hint[0].upper()}{hint[1:]}." if hint else said
