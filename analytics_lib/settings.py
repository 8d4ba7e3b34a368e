"""Where data comes from and what runs the queries: a flag wins over the environment, that over analytics.toml."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from analytics_lib import location, resources
from analytics_lib.errors import SettingsError, UsageError
from analytics_lib.location import Root

FILE = "analytics.toml"
ENGINES = ("duckdb", "athena")


@dataclass(frozen=True, slots=True)
class Athena:
    """Where Athena works: Glue `catalog` and `database`, `workgroup`, and `output`, an s3:// place for results.

    `output` is needed only where the workgroup names no place. A query that would cost more than `max_usd` is not
    run; `fresh` asks for no result of an earlier, equal query.
    """

    database: str = "analytics"
    workgroup: str = "analytics"
    catalog: str = "AwsDataCatalog"
    output: str = ""
    max_usd: float = 0.5
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """`data`: the place that holds `sessions/`. `engine`: what runs the queries."""

    data: Root
    engine: str
    athena: Athena

    def environment(self) -> dict[str, str]:
        """These settings as variables, for a process that is to have the same."""
        values = {field.name: getattr(self.athena, field.name) for field in fields(Athena)}
        return {_variable(name): str(value) for name, value in values.items() if value != "" and value is not False}


_KNOWN = ("data", "engine", *(field.name for field in fields(Athena)))


def samples() -> Path:
    """The lake of made-up sessions that ships with the project."""
    return resources.path("data", "samples")


def load(
    data: str | Path | None = None,
    engine: str | None = None,
    athena: Mapping[str, object] | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> Settings:
    """The settings in force. Raises SettingsError for a file or value that cannot be used, UsageError for no place.

    These arguments (`athena`: fields of Athena, None where not given), else the variables ANALYTICS_DATA, _ENGINE,
    _DATABASE, _WORKGROUP, _CATALOG, _OUTPUT, _MAX_USD and _FRESH, else analytics.toml in `folder` (the working
    folder), else the shipped samples, DuckDB, and the defaults of Athena.
    """
    written = _from_file((folder or Path.cwd()) / FILE)
    given = {"data": data, "engine": engine, **(athena or {})}
    for name, value in given.items():
        if name not in _KNOWN:
            raise UsageError(f"there is no setting {name!r}; there are {', '.join(_KNOWN)}")
        if value == "":
            raise UsageError(f"an empty --{name.replace('_', '-')} names nothing; leave the option out")
    chosen = {name: _first(given.get(name), environment.get(_variable(name)), written.get(name)) for name in _KNOWN}
    if (chosen["engine"] or ENGINES[0]) not in ENGINES:
        raise SettingsError(f"there is no engine {chosen['engine']!r}; there are {', '.join(ENGINES)}")
    root = location.parse(str(chosen["data"] or samples()))
    typed: dict[str, Any] = {
        field.name: _typed(field.name, chosen[field.name], field.default) for field in fields(Athena)
    }
    return Settings(root, str(chosen["engine"] or ENGINES[0]), Athena(**typed))


def _variable(name: str) -> str:
    return f"ANALYTICS_{name.upper()}"


def _first(*values: object) -> object:
    return next((value for value in values if value not in (None, "")), None)


def _typed(name: str, value: object, default: object) -> object:
    """The value with the type of the default: variables hold texts."""
    if value is None:
        return default
    if isinstance(default, bool):
        if str(value).lower() not in ("true", "false", "1", "0"):
            raise SettingsError(f"{name} is true or false; {value!r} is neither")
        return str(value).lower() in ("true", "1")
    if isinstance(default, float):
        try:
            number = float(str(value))
        except ValueError:
            number = -1.0
        if not 0 <= number < float("inf"):
            raise SettingsError(f"{name} is a number from 0, e.g. {default:g}; {value!r} is none")
        return number
    return str(value).lower() if name == "database" else str(value)  # Glue keeps names in lower case


def _from_file(path: Path) -> dict[str, object]:
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    for name, value in written.items():
        if name not in _KNOWN:
            raise SettingsError(f"{path} has an unknown setting {name!r}; known are {', '.join(_KNOWN)}")
        if name in ("max_usd", "fresh"):
            continue
        if not isinstance(value, str):
            raise SettingsError(f"{path}: {name} is a text in quotes; {value!r} is none")
    return written
