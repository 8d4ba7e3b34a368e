"""What a report is: its parameters, its tables, the sentence that answers its question, and its figures."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias

from analytics_lib.errors import ParameterError, UsageError
from analytics_lib.period import Period
from analytics_lib.record import Mistyped, read_number

if TYPE_CHECKING:
    import pandas as pd

    from analytics_lib.reports.figures import Chart

Frames: TypeAlias = "Mapping[str, pd.DataFrame]"


class Type(Enum):
    """What a table's column holds, as (pandas dtype, unit). The names say how people read it."""

    COUNT = ("Int64", "")
    RATE = ("float64", "0 to 1")
    SECONDS = ("float64", "s")
    MILLISECONDS = ("float64", "ms")
    NUMBER = ("float64", "")
    USD = ("float64", "USD")
    DAY = ("datetime64[us]", "UTC")
    INSTANT = ("datetime64[us, UTC]", "UTC")
    TEXT = ("str", "")
    TEXTS = ("object", "")  # lists of strings
    FLAG = ("boolean", "")

    def __init__(self, dtype: str, _unit: str) -> None:  # the unit keeps members of one dtype apart
        self.dtype = dtype


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number, 0 or more, that a report can be asked with."""

    name: str
    default: float
    meaning: str

    def parse(self, value: object) -> int | float:
        """The value as a number. Raises ParameterError for anything else, below 0 and beyond 10^15."""
        try:
            number = read_number(float(value) if isinstance(value, Real) and not isinstance(value, bool) else value)
        except Mistyped:
            number = None
        if number is None or number < 0:
            raise ParameterError(f"{self.name} is a number from 0 to 10^15, e.g. {self.default:g}; {value!r} is none")
        return int(number) if number.is_integer() else number


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: the days, and the value of every parameter."""

    period: Period
    parameters: Mapping[str, int | float]


def untouched(counted: "pd.DataFrame", request: Request) -> "pd.DataFrame":
    """The rows as SQL gave them."""
    return counted


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a report: its columns in order, as `name TYPE, name TYPE, ...`.

    SQL at `sql/<report>/<name>.sql` counts, or that of the table `counted_in`, whose finer rows add up to this one's:
    a query less is a bill less. `finish` adds what follows from the counts.
    """

    name: str
    title: str
    declared: str
    finish: Callable[["pd.DataFrame", Request], "pd.DataFrame"] = untouched
    counted_in: str = ""

    @property
    def columns(self) -> dict[str, Type]:
        """Name and type of each column, in order."""
        return {name: Type[kind] for name, kind in (column.split() for column in self.declared.split(","))}

    def conform(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """The frame with exactly this table's columns, in order and typed; arrays arrive as JSON."""
        typed = {
            name: frame[name].astype(object).map(json.loads) if kind is Type.TEXTS else frame[name].astype(kind.dtype)
            for name, kind in self.columns.items()
        }
        return type(frame)(typed).reset_index(drop=True)


@dataclass(frozen=True, slots=True)
class Report:
    """One question about the sessions of a period.

    `answer` gives one sentence from the finished tables, `figures` draw them, and `lookback_days` says how many days
    before the period its SQL reads as well.
    """

    name: str
    title: str
    question: str
    tables: tuple[Table, ...]
    answer: Callable[["Frames", Request], str]
    figures: Mapping[str, Callable[["Frames", Request], "Chart"]]
    parameters: tuple[Parameter, ...] = ()
    lookback_days: int = 0

    def table(self, name: str) -> Table:
        """The table of that name. Raises UsageError that lists the others."""
        for table in self.tables:
            if table.name == name:
                return table
        known = ", ".join(table.name for table in self.tables)
        raise UsageError(f"{self.name} has no table {name!r}; it has {known}")

    def sql_file(self, table: Table) -> str:
        """Where the SQL lies that counts for a table."""
        return f"sql/{self.name}/{table.counted_in or table.name}.sql"

    def sql_files(self) -> list[str]:
        """Every SQL file of the report, once."""
        return list(dict.fromkeys(map(self.sql_file, self.tables)))

    def request(self, period: Period, given: Mapping[str, object]) -> Request:
        """The request with every parameter's value. Raises ParameterError for an unknown one or a bad value."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise ParameterError(f"{self.name} has no parameter {name!r}; it has {', '.join(known) or 'none'}")
        values = {name: parameter.parse(given.get(name, parameter.default)) for name, parameter in known.items()}
        return Request(period, values)
