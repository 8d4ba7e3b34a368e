"""Every error that this library raises on purpose.

AnalyticsError            the work failed; the message says what, where and what to do next (exit status 1)
├── UsageError            what was asked for makes no sense, whatever the data (exit status 2)
│   ├── PeriodError       a date that is none, an end before its start
│   ├── ParameterError    an unknown, mistyped or negative report parameter
│   └── StatementError    ad-hoc SQL that is not one reading statement
├── SettingsError         analytics.toml or an ANALYTICS_* variable cannot be used
├── LakeError             the data folder is missing or is no lake
├── SqlFileError          a file under sql/ and the parameters given to it do not fit together
├── AwsError              an AWS service refused or cannot be reached
├── CostError             a query would cost more than --max-usd
├── QueryError            an engine refused or failed a query
├── OutputError           a result cannot be written where it should go
└── NotebookError         a notebook did not run to its end
"""


class AnalyticsError(Exception):
    """The work failed; the message is complete and meant for a person."""

    exit_status = 1


class UsageError(AnalyticsError, ValueError):
    """What was asked for makes no sense, whatever the data."""

    exit_status = 2


class PeriodError(UsageError):
    """A date that is none, or an end before its start."""


class ParameterError(UsageError):
    """An unknown, mistyped or negative report parameter."""


class StatementError(UsageError):
    """Ad-hoc SQL that is not one reading statement."""


class SettingsError(AnalyticsError):
    """analytics.toml or an ANALYTICS_* variable cannot be used."""


class LakeError(AnalyticsError):
    """The data folder is missing or is no lake."""


class SqlFileError(AnalyticsError):
    """A file under sql/ and the parameters given to it do not fit together."""


class AwsError(AnalyticsError):
    """An AWS service refused or cannot be reached; `code` is the service's word for it, e.g. AccessDenied."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class CostError(AnalyticsError):
    """A query would cost more than --max-usd."""


class QueryError(AnalyticsError):
    """An engine refused or failed a query."""


class OutputError(AnalyticsError):
    """A result cannot be written where it should go."""


class NotebookError(AnalyticsError):
    """A notebook did not run to its end."""
