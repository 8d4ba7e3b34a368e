"""What works here and what does not: each finding with the next step."""

import importlib.metadata
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from analytics_lib.cli.options import Place
from analytics_lib.errors import AnalyticsError
from analytics_lib.location import Location

_PACKAGES = ("pandas", "pyarrow", "duckdb", "msgspec", "matplotlib", "papermill", "nbconvert", "ipykernel")

_ON_AWS = ("boto3", "pyathena", "awswrangler")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried."""

    subject: str
    works: bool
    text: str


def examine(place: Place) -> Iterator[Finding]:
    """Try what the commands need, cheapest first."""
    yield Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} at {sys.executable}")
    yield from map(_package, _PACKAGES)
    yield _kernel()
    if isinstance(place.settings.data, Location):
        yield from (_package(name, "athena") for name in _ON_AWS)
    yield _lake(place)
    if place.settings.engine == "athena":
        yield _catalogue(place)


def _package(name: str, extra: str = "analytics") -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, f"not installed; run: pip install 'analytics_lib[{extra}]'")


def _kernel() -> Finding:
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        return Finding("kernel", False, "jupyter_client is not installed; run: pip install 'analytics_lib[analytics]'")
    try:
        return Finding("kernel", True, f"python3 from {KernelSpecManager().get_kernel_spec('python3').resource_dir}")
    except NoSuchKernel:
        return Finding("kernel", False, "no kernel `python3`; run: python -m ipykernel install --sys-prefix")


def _lake(place: Place) -> Finding:
    try:
        lake = place.open()
        newest = lake.newest_day
    except (AnalyticsError, ImportError) as error:
        return Finding("data", False, str(error))
    return Finding("data", True, f"{lake.root}, newest day {newest or 'none: it is empty'}, read by {lake.engine.name}")


def _catalogue(place: Place) -> Finding:
    try:
        from analytics_lib.upkeep import setup

        location, athena = place.location, place.settings.athena
        outcome = setup.status(location, athena)
    except (AnalyticsError, ImportError) as error:
        return Finding("athena", False, str(error))
    wrong = [f"{change.kind} {change.name} {change.action}" for change in outcome.changes if change.action != "current"]
    if wrong:
        there = f"--data {location} --database {athena.database} --workgroup {athena.workgroup}"
        return Finding("athena", False, f"{', '.join(wrong)}; run: analytics-lib athena setup {there}")
    return Finding("athena", True, f"database {athena.database}, {len(outcome.changes)} entries current")
