"""Where data comes from and what runs the queries: a flag wins over the environment, that over analytics.toml."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analytics_lib import resources
from analytics_lib.errors import SettingsError, UsageError

FILE = "analytics.toml"
ENGINES = ("duckdb", "athena")
_KNOWN = ("data", "engine", "database", "workgroup", "output")  # the last three are Athena's


@dataclass(frozen=True, slots=True)
class Settings:
    """`data`: a folder or an s3:// prefix that holds `sessions/`. `engine`: what runs the queries."""

    data: str
    engine: str


def samples() -> Path:
    """The lake of made-up sessions that ships with the project."""
    return resources.path("data", "samples")


def load(
    data: str | Path | None = None,
    engine: str | None = None,
    environment: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> Settings:
    """The settings in force. Raises SettingsError for a file or value that cannot be used.

    These arguments, else ANALYTICS_DATA and ANALYTICS_ENGINE, else analytics.toml in `folder` (the working folder),
    else the shipped samples and DuckDB.
    """
    written = _from_file((folder or Path.cwd()) / FILE)
    if data == "" or engine == "":
        raise UsageError("an empty --data or --engine names nothing; give a folder, or leave the option out")
    data = data or environment.get("ANALYTICS_DATA") or written.get("data") or samples()
    engine = engine or environment.get("ANALYTICS_ENGINE") or written.get("engine") or ENGINES[0]
    if engine not in ENGINES:
        raise SettingsError(f"there is no engine {engine!r}; there are {', '.join(ENGINES)}")
    return Settings(str(data), engine)


def _from_file(path: Path) -> dict[str, str]:
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    for name, value in written.items():
        if name not in _KNOWN:
            raise SettingsError(f"{path} has an unknown setting {name!r}; known are {', '.join(_KNOWN)}")
        if not isinstance(value, str):
            raise SettingsError(f"{path}: {name} is a text in quotes; {value!r} is none")
    return written
