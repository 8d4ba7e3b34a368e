"""Which reports there are: every module beside this one that has a folder of its name under sql/."""

import importlib
import pkgutil
from functools import cache

from analytics_lib import reports, resources
from analytics_lib.errors import UsageError
from analytics_lib.reports.report import Report


def names() -> list[str]:
    """The names of all reports, sorted."""
    sql = resources.path("sql")
    return sorted(module.name for module in pkgutil.iter_modules(reports.__path__) if (sql / module.name).is_dir())


@cache
def get(name: str) -> Report:
    """The report of that name. Raises UsageError that lists the others."""
    if name not in names():
        raise UsageError(f"there is no report {name!r}; there are {', '.join(names())}")
    report: Report = importlib.import_module(f"analytics_lib.reports.{name}").REPORT
    return report
