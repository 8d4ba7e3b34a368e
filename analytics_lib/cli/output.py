"""Results as text: tables for a terminal, JSON, CSV; written to standard output or whole to a file."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics_lib import phrases
from analytics_lib.errors import OutputError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from analytics_lib.lake.quality import Quality
    from analytics_lib.period import Period
    from analytics_lib.reports.found import Found

_ROWS_ON_A_TERMINAL = 40
_WIDEST_CELL = 100


def by_suffix(output: Path | None, *formats: str) -> str:
    """The one of the formats that the file's name ends in, else a table. Raises UsageError for x.html and the like."""
    suffix = output.suffix.removeprefix(".") if output else ""
    if suffix not in ("", "txt", *formats):
        raise UsageError(
            f"{output} does not say what to write: end it in .{', .'.join(formats)} or .txt, or add --format; "
            "pages and figures come from: analytics-lib run"
        )
    return suffix if suffix in formats else "table"


def report_text(found: "Found", tables: Sequence[str], format_: str) -> str:
    """The chosen tables of a report in that format."""
    from analytics_lib.frames import csv_text

    if format_ == "csv":
        return csv_text(found.tables[tables[0]])
    document = found.document()
    document["tables"] = {name: document["tables"][name] for name in tables}
    if format_ == "json":
        return json_text(document)
    parts: list[str] = [found.answer] if len(tables) > 1 else []
    for name in tables:
        parts.append(
            f"{name}: {found.report.table(name).title}\n{_table(list(found.tables[name]), document['tables'][name])}"
        )
    return printable("\n\n".join(parts), keep="\n") + "\n"


def frame_text(frame: "pd.DataFrame", format_: str) -> str:
    """A query's rows in that format; JSON is an array of rows."""
    from analytics_lib.frames import csv_text, rows

    if format_ == "csv":
        return csv_text(frame)
    if format_ == "json":
        return json_text(rows(frame))
    return printable(_table(list(frame.columns), rows(frame)), keep="\n") + "\n"


def json_text(document: Any) -> str:
    """The document as JSON, with a line end."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _table(names: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Columns side by side, numbers on the right."""
    heads = [str(name) for name in names]
    shown = [[_cell(row[name]) for name in heads] for row in rows[:_ROWS_ON_A_TERMINAL]]
    widths = [max(map(len, column)) for column in zip(heads, *shown, strict=True)]
    numeric = [any(isinstance(row[name], int | float) for row in rows[:_ROWS_ON_A_TERMINAL]) for name in heads]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip()

    lines = [line(heads), line(["-" * width for width in widths]), *map(line, shown)]
    if len(rows) > _ROWS_ON_A_TERMINAL:
        lines.append(f"… {len(rows) - _ROWS_ON_A_TERMINAL:,} more rows; --format json gives all")
    return "\n".join(lines if rows else [*lines, "(no rows)"])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    text = printable(", ".join(map(str, value)) if isinstance(value, list) else str(value))
    return text if len(text) <= _WIDEST_CELL else f"{text[: _WIDEST_CELL - 1]}…"


def printable(text: str, keep: str = "") -> str:
    """The text without control characters: what a caller said must not steer a terminal."""
    return "".join(letter if letter.isprintable() or letter in keep else "\N{REPLACEMENT CHARACTER}" for letter in text)


def write(text: str, output: Path | None) -> None:
    """Print the text, or put it whole at `output`: complete or not at all. Raises OutputError."""
    if output is None:
        sys.stdout.write(printable(text, keep="\n\r\t") if sys.stdout.isatty() else text)
        return
    with whole(output) as file:
        file.write_text(text, encoding="utf-8", newline="")


@contextmanager
def whole(output: Path) -> Iterator[Path]:
    """A file to write to that is put at `output` at the end: complete or not at all. Raises OutputError."""
    if output.is_dir():
        raise OutputError(
            f"{output} is a folder; give the name of a file in it, e.g. --output {output / 'result.json'}"
        )
    try:
        if output.exists() and not output.is_file():  # a device or a pipe cannot be replaced
            yield output
            return
        target = os.path.realpath(output)
        descriptor, name = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".analytics-lib-")
        os.close(descriptor)
        try:
            yield Path(name)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_folder(found: "Found", folder: Path) -> None:
    """Put one CSV a table and facts.json into `folder`, all complete. Raises OutputError."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; all tables as CSV need a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".analytics-lib-") as made:
            found.save(made)
            for file in sorted(Path(made).iterdir()):
                os.replace(file, folder / file.name)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from error


def facts_lines(facts: Mapping[str, Any], days: "Period", subject: str) -> Iterator[str]:
    """What the result rests on, for standard error."""
    counted = [f"{phrases.many(facts['records'], 'record')} from {facts['data']}"]
    if facts["duplicates"]:
        counted.append(f"{phrases.many(facts['duplicates'], 'duplicate')} folded")
    counted.append(f"{phrases.many(facts['rejected'], 'line')} rejected")
    yield printable(f"{subject}: {', '.join(counted)}")
    if facts["queries"]:
        yield f"  {phrases.bill(facts)}"
    for example in facts["rejected_examples"]:
        yield f"  rejected: {printable(example)}"
    if facts["rejected"]:
        yield "  all of them: analytics-lib check with the same --data and dates"
    if stale := phrases.stale(facts["newest_day"], days):
        yield f"  {stale}"


def quality_text(quality: "Quality", days: "Period", format_: str) -> str:
    """The data-quality check in that format."""
    document = quality.document(days)
    if format_ == "json":
        return json_text(document)
    lines = [
        f"{days}: {phrases.many(quality.files, 'file')}, {phrases.many(quality.records, 'record')}, "
        f"{phrases.many(quality.duplicates, 'duplicate')} folded"
    ]
    titles = {
        "rejected": "rejected lines (line 0: the whole file)",
        "mistyped": "mistyped values, read as unknown",
        "misplaced": "records in another day's folder",
        "unknown_fields": "fields that the schema does not declare",
        "ignored": "files that are not read",
    }
    for name, title in titles.items():
        found = document[name]
        rows = [{"field": key, "count": count} for key, count in found.items()] if isinstance(found, dict) else found
        lines.append(f"\n{title}: {len(rows) or 'none'}")
        if rows:
            lines.append(_table(list(rows[0]), rows))
    return printable("\n".join(lines), keep="\n") + "\n"
