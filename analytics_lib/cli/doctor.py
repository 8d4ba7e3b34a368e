"""What works here and what does not: each finding with the next step."""

import importlib.metadata
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from analytics_lib.errors import AnalyticsError

_PACKAGES = ("pandas", "pyarrow", "duckdb", "msgspec", "matplotlib", "papermill", "nbconvert", "ipykernel")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried."""

    subject: str
    works: bool
    text: str


def examine(data: str | None, engine: str | None) -> Iterator[Finding]:
    """Try what the commands need, cheapest first."""
    yield Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} at {sys.executable}")
    yield from map(_package, _PACKAGES)
    yield _kernel()
    yield _lake(data, engine)


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed; run: pip install 'analytics_lib[analytics]'")


def _kernel() -> Finding:
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        return Finding("kernel", False, "jupyter_client is not installed; run: pip install 'analytics_lib[analytics]'")
    try:
        return Finding("kernel", True, f"python3 from {KernelSpecManager().get_kernel_spec('python3').resource_dir}")
    except NoSuchKernel:
        return Finding("kernel", False, "no kernel `python3`; run: python -m ipykernel install --sys-prefix")


def _lake(data: str | None, engine: str | None) -> Finding:
    try:
        from analytics_lib.workspace import open_lake

        lake = open_lake(data, engine)
        newest = lake.newest_day
    except (AnalyticsError, ImportError) as error:
        return Finding("data", False, str(error))
    return Finding("data", True, f"{lake.root}, newest day {newest or 'none: it is empty'}, read by {lake.engine.name}")
