"""The session record, declared once.

`RECORD` below is the one place to edit when a team adds a field. Everything that repeats the record is derived from it
by walking it: the readers' types and columns, the two views, the sample generator, the quality check and the field
table in the docs. After an edit, `make generate` rewrites the generated files and the samples.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

LEAD_TEAM_SIZE, LEAD_MONTHLY_VOLUME = 5, 100  # from either on a lead qualifies, where no one asks for another


class Kind(enum.Enum):
    """What a field or column holds, as (JSON type, type on DuckDB, on Athena, in Glue's catalogue)."""

    TEXT = ("string", "VARCHAR", "varchar", "string")
    INTEGER = ("integer", "BIGINT", "bigint", "bigint")
    NUMBER = ("number", "DOUBLE", "double", "double")
    FLAG = ("boolean", "BOOLEAN", "boolean", "boolean")
    TEXTS = ("array of strings", "VARCHAR[]", "array(varchar)", "array<string>")
    INSTANT = ("-", "TIMESTAMP", "timestamp(3)", "timestamp")

    def __init__(self, json_type: str, sql_type: str, trino_type: str, glue_type: str) -> None:
        self.json_type, self.sql_type, self.trino_type, self.glue_type = json_type, sql_type, trino_type, glue_type


TEXT, INTEGER, NUMBER, FLAG, TEXTS, INSTANT = Kind


@dataclass(frozen=True, slots=True)
class Field:
    """One value of the record. `examples` show what it looks like, and the sample generator draws from them.

    `zero_is_unknown`: agents log a 0 before they learn anything. `always_told`: a text that matters even where it is
    mistyped; it reads as the `message` of an object, or as `(no text)`.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    examples: tuple[object, ...] = ()
    required: bool = False
    not_negative: bool = False
    lower_case: bool = False
    zero_is_unknown: bool = False
    always_told: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """An object inside the record, or (`repeated`) an array of such objects."""

    name: str
    meaning: str
    fields: tuple[Field, ...]
    repeated: bool = False

    @property
    def trino_type(self) -> str:
        """The type of the array on Athena, of a repeated group."""
        return f"array(row({', '.join(f'{field.name} {field.kind.trino_type}' for field in self.fields)}))"

    @property
    def glue_type(self) -> str:
        """The type of the array in Glue's catalogue, of a repeated group."""
        return f"array<struct<{','.join(f'{field.name}:{field.kind.glue_type}' for field in self.fields)}>>"


IDENTITY = (
    Field("_event_type", TEXT, "`analytics` (also `session_analytics`); any other value is no session record",
          examples=("analytics",), required=True),
    Field("_timestamp", NUMBER, "when the session ended and was logged", "seconds since the Unix epoch, UTC",
          examples=(1738000000.123,), required=True),
    Field("_session_id", TEXT, "the agent's id for the session, e.g. the room name", examples=("room_abc123",),
          required=True),
)  # fmt: skip

SIGNALS = Group("discovered_signals", "what the agent learned about the lead", (
    Field("team_size", INTEGER, "people in the lead's team", examples=(3, 8, 25), zero_is_unknown=True),
    Field("monthly_volume", NUMBER, "documents (or whatever the product counts) a month",
          examples=(40, 200, 1500), zero_is_unknown=True),
    Field("integration_needs", TEXTS, "products the lead wants connected",
          examples=("salesforce", "hubspot", "slack")),
    Field("urgency", TEXT, "how soon the lead wants it: `low`, `medium`, `high`", examples=("low", "medium", "high"),
          lower_case=True),
))  # fmt: skip

TOOL_CALLS = Group("tool_calls", "every tool call of the session, in order", repeated=True, fields=(
    Field("tool", TEXT, "the tool's name", examples=("search_knowledge",), required=True),
    Field("query", TEXT, "what was asked of it", examples=("how to create templates",)),
    Field("results_found", FLAG, "false: the tool answered, with nothing", examples=(True, True, False)),
    Field("error", TEXT, "the tool raised or reported this error", examples=("upstream timed out",),
          always_told=True),
    Field("cancelled", FLAG, "the call was interrupted before it ended", examples=(False, True)),
    Field("duration_ms", NUMBER, "how long the call took", "milliseconds", examples=(180.5, 420.0, 960.25),
          not_negative=True),
    Field("offset_seconds", NUMBER, "when the call began, from the session's start", "seconds",
          examples=(12.5, 48.0, 110.2), not_negative=True),
))  # fmt: skip

METRICS = Group("metrics_summary", "what the session cost and how fast it answered", (
    Field("llm_tokens", INTEGER, "tokens used by the session", "tokens", examples=(900, 2500, 6100)),
    Field("avg_latency_ms", NUMBER, "mean response latency", "milliseconds", examples=(380.5, 450.0, 720.0)),
))  # fmt: skip

# The order of the record is the order of the views' columns.
RECORD: tuple[Field | Group, ...] = (
    *IDENTITY,
    Field("duration_seconds", NUMBER, "length of the session", "seconds", examples=(45.0, 180.5, 640.0),
          not_negative=True),
    SIGNALS,
    TOOL_CALLS,
    METRICS,
    Field("agent_name", TEXT, "which agent ran the session", examples=("lead-qualifier",)),
    Field("agent_version", TEXT, "which version of it", examples=("1.4.0",)),
    Field("room_id", TEXT, "LiveKit's id of the room: the way back to transcript and recording",
          examples=("RM_8fKq2pXvT3",)),
    Field("close_reason", TEXT, "why the session ended, in LiveKit's words",
          examples=("participant_disconnected",)),
    Field("caller_key", TEXT, "salted hash that recognises a returning caller and names nobody",
          examples=("c_5f2b90",)),
)  # fmt: skip

# What the recorder notes about the record itself: known to the quality check, and no column of a view.
MARKS = (
    Field("_truncated", FLAG, "texts, or the last calls, were cut so that the record fits a log line",
          examples=(True,)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a view; `path` leads to the record's field that it shows, and is empty where it is computed."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    path: tuple[str, ...] = ()
    lower_case: bool = False
    zero_is_unknown: bool = False

    @property
    def trino_type(self) -> str:
        """The column's type on Athena."""
        return self.kind.trino_type

    @property
    def glue_type(self) -> str:
        """The column's type in Glue's catalogue."""
        return self.kind.glue_type


_SHARED = (
    Column("dt", TEXT, "the UTC date of the folder that holds the record, `YYYY-MM-DD`"),
    Column("session_id", TEXT, IDENTITY[2].meaning),
)
_ENDED = Column("ended_at", INSTANT, IDENTITY[1].meaning, "UTC, to the millisecond")
_STARTED = Column("started_at", INSTANT, "when the session began; null without a duration", "UTC, to the millisecond")
_CALL_COUNTS = (
    Column("tool_call_count", INTEGER, "tool calls of the session", "calls"),
    Column("failed_tool_call_count", INTEGER, "calls among them whose outcome is `error` or `empty`", "calls"),
)
_CALL_INDEX = Column("call_index", INTEGER, "position in the session's array of calls, from 1")
_OUTCOME = Column("outcome", TEXT, "`error`, `cancelled`, `empty` or `ok`; `error` and `empty` are failures")


def _column(field: Field, *parents: str) -> Column:
    path = (*parents, field.name)
    return Column(field.name, field.kind, field.meaning, field.unit, path, field.lower_case, field.zero_is_unknown)


def session_columns(record: tuple[Field | Group, ...] = RECORD) -> tuple[Column, ...]:
    """The columns of the view `sessions`: one row a record."""
    return (*_SHARED, _STARTED, _ENDED, *_session_details(record))


def _session_details(record: tuple[Field | Group, ...]) -> Iterator[Column]:
    for part in record:
        if isinstance(part, Group) and part.repeated:
            yield from _CALL_COUNTS
        elif isinstance(part, Group):
            yield from (_column(field, part.name) for field in part.fields)
        elif part not in IDENTITY:
            yield _column(part)


def call_columns() -> tuple[Column, ...]:
    """The columns of the view `tool_calls`: one row a call."""
    details = (_column(field, TOOL_CALLS.name) for field in TOOL_CALLS.fields)
    return (*_SHARED, _ENDED, _CALL_INDEX, *details, _OUTCOME)


def record_columns() -> tuple[Column | Group, ...]:
    """The columns of `records`, one row a record with its calls in one array; the last is `dt`, the partition."""
    details = (column for column in _session_details(RECORD) if column not in _CALL_COUNTS)
    dt, session_id = _SHARED
    return (session_id, _STARTED, _ENDED, *details, TOOL_CALLS, dt)
