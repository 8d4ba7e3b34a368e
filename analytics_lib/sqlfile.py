"""Two-way SQL: a parameter is a comment before a sample literal, so that every file runs as it stands.

    WHERE dt BETWEEN /*:start*/ '2026-01-01' AND /*:end*/ '2026-01-31'

The literal gives the parameter its type; binding swaps it for a literal of the same type, escaped.
"""

import math
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from analytics_lib import resources
from analytics_lib.errors import SqlFileError

Value = str | int | float | date

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_TOKEN = re.compile(
    r"""(?P<marker>/\*:(?P<name>.*?)\*/\s*)(?P<literal>'(?:[^']|'')*'|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)?
      | --[^\n]* | /\*.*?\*/ | '(?:[^']|'')*' | "(?:[^"]|"")*" | (?P<dollar>\$\w*\$).*?(?P=dollar)""",
    re.DOTALL | re.VERBOSE,
)


def read(path: str) -> str:
    """The text of a file below sql/, e.g. `lead_funnel/daily.sql`. Raises SqlFileError where there is none."""
    file = resources.path("sql", path)
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise SqlFileError(f"the SQL file {file} cannot be read: {error.strerror}") from error


def parameters(sql: str) -> set[str]:
    """The names of the parameters that the SQL uses."""
    return {token["name"] for token in _TOKEN.finditer(sql) if token["marker"]}


def bind(sql: str, values: Mapping[str, Value | None], origin: str | Path) -> str:
    """The SQL with each sample literal replaced by its parameter's value, typed and escaped.

    Raises SqlFileError, naming `origin` and the parameter, where a parameter has no value, no sample literal, or a
    sample literal of another type than its value.
    """

    def replace(token: re.Match[str]) -> str:
        if not token["marker"]:
            return token[0]
        name, sample = token["name"], token["literal"]
        if values.get(name) is None:
            raise SqlFileError(f"{origin}: no value was given for the parameter {name}; given are: {_names(values)}")
        if sample is None:
            raise SqlFileError(f"{origin}: the parameter {name} has no type; write a sample literal after /*:{name}*/")
        return token["marker"] + _literal(values[name], sample, f"{origin}: the parameter {name}")

    return _TOKEN.sub(replace, sql)


def _names(values: Mapping[str, Value | None]) -> str:
    return ", ".join(sorted(name for name, value in values.items() if value is not None)) or "none"


def _literal(value: Value | None, sample: str, subject: str) -> str:
    if sample.startswith("'"):
        if isinstance(value, date):
            value = value.isoformat()
        if not isinstance(value, str):
            raise SqlFileError(f"{subject} is a text such as {sample}; {value!r} is none")
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, str) and _NUMBER.fullmatch(value):  # as the command line gives it
        value = float(value) if re.search("[.eE]", value) else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SqlFileError(f"{subject} is a number such as {sample}; {value!r} is none")
    if isinstance(value, int):
        return str(value)
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa}E{int(exponent or 0)}"  # the form that both engines read as a double
