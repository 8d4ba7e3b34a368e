"""One declaration of the record: the columns of the views follow from it."""

from dataclasses import replace

from analytics_lib.schema import (
    INTEGER,
    NUMBER,
    RECORD,
    SIGNALS,
    Column,
    Field,
    Group,
    call_columns,
    record_columns,
    session_columns,
)
from tests.support import reference
from tests.support.compare import ADDED, declared

FIELDS = {
    "": [
        "_event_type", "_timestamp", "_session_id", "duration_seconds", "discovered_signals", "tool_calls",
        "metrics_summary", "agent_name", "agent_version", "room_id", "close_reason", "caller_key",
    ],
    "discovered_signals.": ["team_size", "monthly_volume", "integration_needs", "urgency"],
    "tool_calls.": ["tool", "query", "results_found", "error", "cancelled", "duration_ms", "offset_seconds"],
    "metrics_summary.": ["llm_tokens", "avg_latency_ms"],
}  # fmt: skip

SESSIONS = {
    "dt": "VARCHAR", "session_id": "VARCHAR", "started_at": "TIMESTAMP", "ended_at": "TIMESTAMP",
    "duration_seconds": "DOUBLE", "team_size": "BIGINT", "monthly_volume": "DOUBLE", "integration_needs": "VARCHAR[]",
    "urgency": "VARCHAR", "tool_call_count": "BIGINT", "failed_tool_call_count": "BIGINT", "llm_tokens": "BIGINT",
    "avg_latency_ms": "DOUBLE", "agent_name": "VARCHAR", "agent_version": "VARCHAR", "room_id": "VARCHAR",
    "close_reason": "VARCHAR", "caller_key": "VARCHAR",
}  # fmt: skip
TOOL_CALLS = {
    "dt": "VARCHAR", "session_id": "VARCHAR", "ended_at": "TIMESTAMP", "call_index": "BIGINT", "tool": "VARCHAR",
    "query": "VARCHAR", "results_found": "BOOLEAN", "error": "VARCHAR", "cancelled": "BOOLEAN",
    "duration_ms": "DOUBLE", "offset_seconds": "DOUBLE", "outcome": "VARCHAR",
}  # fmt: skip


def of_the_contract(columns: tuple[Column, ...]) -> list[tuple[str, str]]:
    """Names and types of the columns, without those of fields that were added to the schema."""
    return [(column.name, column.kind.sql_type) for column in columns if ".".join(column.path) not in ADDED]


def test_the_views_have_the_contract_s_columns_in_its_order() -> None:
    assert of_the_contract(session_columns()) == list(SESSIONS.items())
    assert of_the_contract(call_columns()) == list(TOOL_CALLS.items())


def test_a_record_on_athena_has_the_session_s_own_columns_then_its_calls_and_last_its_day() -> None:
    computed = ("dt", "tool_call_count", "failed_tool_call_count")
    own = [column.name for column in session_columns() if column.name not in computed]
    assert [column.name for column in record_columns()] == [*own, "tool_calls", "dt"]
    types = {column.name: (column.trino_type, column.glue_type) for column in record_columns()}
    assert {
        name: types[name] for name in ("started_at", "duration_seconds", "team_size", "integration_needs", "dt")
    } == {
        "started_at": ("timestamp(3)", "timestamp"),
        "duration_seconds": ("double", "double"),
        "team_size": ("bigint", "bigint"),
        "integration_needs": ("array(varchar)", "array<string>"),
        "dt": ("varchar", "string"),
    }
    calls = next(part for part in RECORD if isinstance(part, Group) and part.repeated)
    shorter = replace(calls, fields=calls.fields[:3])
    assert (shorter.trino_type, shorter.glue_type) == (
        "array(row(tool varchar, query varchar, results_found boolean))",
        "array<struct<tool:string,query:string,results_found:boolean>>",
    )


def test_the_record_declares_the_contract_s_fields_in_order() -> None:
    found = {prefix: [name for name in names if prefix + name not in ADDED] for prefix, names in declared().items()}
    assert {prefix: found[prefix] for prefix in FIELDS} == FIELDS
    assert {prefix: set(names) for prefix, names in FIELDS.items()} == reference.KNOWN_FIELDS


def test_every_field_says_what_it_means_and_what_it_looks_like() -> None:
    fields = [each for part in RECORD for each in (part.fields if isinstance(part, Group) else (part,))]
    assert [each.name for each in fields if not (each.meaning and each.examples)] == []


def test_a_field_added_to_the_record_is_a_column_at_its_place() -> None:
    added = Field("zz_added", NUMBER, "what the lead could spend", "EUR")
    signals = replace(SIGNALS, fields=(*SIGNALS.fields, added))
    last = Field("zz_last", INTEGER, "languages spoken", "languages")
    record = (*(signals if part is SIGNALS else part for part in RECORD), last)
    names = [column.name for column in session_columns(record)]
    expected = [column.name for column in session_columns()]
    expected.insert(expected.index(SIGNALS.fields[-1].name) + 1, "zz_added")
    assert names == [*expected, "zz_last"]
    assert [column.path for column in session_columns(record) if column.name in ("zz_added", "zz_last")] == [
        ("discovered_signals", "zz_added"),
        ("zz_last",),
    ]
