"""Writes every generated file of the checkout: `python -m tools.generate [--check]`.

What is generated follows from `analytics_lib/schema.py`: the views under sql/views/, the tables of docs/,
the samples, and what infra/template.yaml repeats. `--check` writes nothing, names what is out of date and exits 1.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from analytics_lib.reports import catalogue
from analytics_lib.samples.generator import write_samples
from analytics_lib.schema import MARKS, RECORD, Column, Field, Group, call_columns, session_columns
from tools import athena_views, infra
from tools.athena_raw_lines import line_counts, records_raw
from tools.athena_views import NOTICE, described, head

CHECKOUT = Path(__file__).resolve().parent.parent
SAMPLES = "data/samples"
ON_ATHENA = (records_raw, line_counts, athena_views.records, athena_views.sessions, athena_views.tool_calls)


def view_sql(name: str, grain: str, columns: Sequence[Column]) -> str:
    """The statement that makes a view on DuckDB over the rows that the engine has read."""
    listed = ",\n".join(f"    {column.name}" for column in columns)
    top = head(
        f"{name}: {grain}, for the days that are asked for.",
        [(column.name, column.kind.sql_type, described(column)) for column in columns],
    )
    return f"""{top}\
CREATE OR REPLACE VIEW {name} AS
SELECT
{listed}
FROM stored.{name}
WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-30';
"""


def record_table() -> str:
    """The field table of docs/record.md."""
    rows = "\n".join(_field_rows((*RECORD, *MARKS)))
    return f"| field | JSON type | unit, meaning | required | e.g. |\n| --- | --- | --- | --- | --- |\n{rows}\n"


def _field_rows(parts: Sequence[Field | Group], prefix: str = "") -> Iterator[str]:
    for part in parts:
        if isinstance(part, Group):
            kind = "array of objects" if part.repeated else "object"
            yield f"| `{part.name}` | {kind} | {part.meaning} | no | |"
            yield from _field_rows(part.fields, "[]." if part.repeated else ".")
        else:
            kind = part.kind.json_type + (" >= 0" if part.not_negative else "")
            meaning = f"{part.meaning}, {part.unit}" if part.unit else part.meaning
            meaning += "; 0 is unknown" if part.zero_is_unknown else ""
            example = f"`{part.examples[0]}`" if part.examples else ""
            yield f"| `{prefix}{part.name}` | {kind} | {meaning} | {'yes' if part.required else 'no'} | {example} |"


def report_pages() -> str:
    """docs/reports.md: every report's tables and columns."""
    parts = [f"# The reports\n\n{NOTICE.replace('schema.py', 'reports/')}"]
    for report in map(catalogue.get, catalogue.names()):
        parameters = [f"`{each.name}` = {each.default:g}: {each.meaning}" for each in report.parameters]
        parts.append(f"## {report.title} (`{report.name}`)\n\n{report.question} Parameters: {'; '.join(parameters)}.")
        for table in report.tables:
            columns = ", ".join(f"`{name}` {kind.name.lower()}" for name, kind in table.columns.items())
            parts.append(f"- [`{table.name}`](../{report.sql_file(table)}) – {table.title}: {columns}")
    return "\n\n".join(parts) + "\n"


def texts() -> dict[str, str]:
    """Path in the checkout -> text of every generated text file."""
    page = CHECKOUT / "docs" / "record.md"
    before, _, rest = page.read_text(encoding="utf-8").partition("<!-- fields -->\n")
    _, _, after = rest.partition("<!-- end of fields -->\n")
    return {
        "sql/views/duckdb/sessions.sql": view_sql("sessions", "one row a record", session_columns()),
        "sql/views/duckdb/tool_calls.sql": view_sql("tool_calls", "one row a tool call", call_columns()),
        **{f"sql/views/athena/{file.__name__}.sql": file() for file in ON_ATHENA},
        **infra.texts(CHECKOUT),
        "docs/record.md": f"{before}<!-- fields -->\n{record_table()}<!-- end of fields -->\n{after}",
        "docs/reports.md": report_pages(),
    }


def contents(folder: Path) -> dict[str, bytes]:
    """Path below the folder -> bytes of every file in it."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def main(arguments: Sequence[str]) -> int:
    """Write what is out of date, or with `--check` only name it and return 1."""
    stale = [path for path, text in texts().items() if not _holds(CHECKOUT / path, text)]
    with tempfile.TemporaryDirectory(dir=CHECKOUT / "data", prefix=".samples-") as folder:
        write_samples(Path(folder))
        samples = CHECKOUT / SAMPLES
        if contents(Path(folder)) != (contents(samples) if samples.is_dir() else {}):
            stale.append(SAMPLES)
            if "--check" not in arguments:
                shutil.rmtree(samples, ignore_errors=True)
                shutil.copytree(folder, samples)
    if "--check" in arguments:
        for path in stale:
            print(f"{path} is out of date; run: make generate", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        if path != SAMPLES:
            (CHECKOUT / path).parent.mkdir(parents=True, exist_ok=True)
            (CHECKOUT / path).write_text(texts()[path], encoding="utf-8")
        print(f"wrote {path}")
    return 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
