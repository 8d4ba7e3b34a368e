"""The statement that counts the raw lines of days: for what reports rest on, and for comparing Parquet with them."""

from collections.abc import Sequence

from analytics_lib import sqlfile

_PATH = "views/athena/line_counts.sql"


def sql(days: Sequence[str]) -> str:
    """The count on these days, which are in order: days between them are not read."""
    bound = sqlfile.bind(sqlfile.read(_PATH), {"start": days[0], "end": days[-1]}, _PATH)
    listed = ", ".join(f"'{day}'" for day in days)
    return f"SELECT * FROM (\n{bound.rstrip().removesuffix(';')}\n) AS counted WHERE dt IN ({listed})"
