"""Hostile deliveries: afterwards the lake holds each valid record once, the rest is under rejected/, none is lost."""

import gzip
import json
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_lib.delivery import handler
from analytics_lib.errors import AwsError
from analytics_lib.lake import reading
from analytics_lib.lake.quality import check
from analytics_lib.period import Period
from tests.support.arrivals import Bucket, Event, cloudwatch, enveloped, kinesis, payload
from tests.support.wild import at, key, session

IDS = [
    "room-1", "a/b", "../up", "_hidden", ".dot", 'quo"te', "it's", "é", "e\u0301", "😀", "a b", "%2F", "x\\y", "a\nb",
    "\u2028", "z" * 2000, "😀" * 300, "ü" * 2000, "room-1-1769940120", "null", "\x00", "a?b#c&d=e*[f]",
]  # fmt: skip
TIMES = [at("2026-01-31T23:59:59") + 0.9994, at("2026-01-31T23:59:59") + 0.9996, 1769940120, 1769940120.123]
CLAIMS = ("_event_type", "analytics_data", '"analytics"', r"\"analytics\"")
DAYS = ("2026-01-31", "2026-02-01")
TEXT = st.text(st.characters(exclude_categories=["Cs"]))

OTHERS = [
    "", "Starting agent", "{}", "null", '{"level": "INFO", "message": "the key _event_type"}', "{" * 100_000,
    json.dumps(session(_event_type="metrics")), enveloped(session(_event_type="metrics"), agent_name="x"),
]  # fmt: skip
POISON = [
    "[" * 100_000 + '"_event_type"', '{"_event_type": "\ud800"}', '{"analytics": {"a": 1e' + "9" * 5000 + "}}",
    enveloped({"_session_id": {"a": "b"}}), enveloped([]) + '"_event_type"', "\udcff_event_type\x00",
    json.dumps(session(_timestamp="yesterday")), json.dumps(session(_timestamp=1e300)),
    json.dumps(session(_session_id=7)), json.dumps(session(_session_id="")), json.dumps(session(_event_type=[])),
    '{"analytics": ' * 600 + "{}" + "}" * 600, "_event_type" * 1000,
]  # fmt: skip

SHAPES = [
    json.dumps,
    lambda record: json.dumps(record, ensure_ascii=False, indent=1),
    enveloped,
    lambda record: enveloped({**record, "_event_type": None}, "analytics_data", room_id="other"),
    lambda record: json.dumps({"message": json.dumps(record), "agent_name": "other"}),
    lambda record: json.dumps({"message": enveloped(record)}),
]


@st.composite
def good_lines(draw: st.DrawFn) -> tuple[str, Any]:
    """A line with a record, and that record: a function of its identity, so that any copy is as good as another."""
    name = draw(st.sampled_from(IDS) | TEXT.map(str.strip).filter(bool))
    time = draw(st.sampled_from(TIMES))
    record = session(_session_id=name, _timestamp=time, llm_tokens=len(name), duration_seconds=time % 100)
    return draw(st.sampled_from(SHAPES))(record), record


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[list[str]], list[Any], set[str]]:
    """Batches of lines, with copies in any order; the records in them, and the lines that are to be rejected."""
    good = draw(st.lists(good_lines(), max_size=12))
    torn = [line[: draw(st.integers(1, len(line) - 1))] for line, _ in good if draw(st.booleans())]
    broken = torn + draw(st.lists(st.sampled_from(POISON), max_size=5))
    lines = [line for line, _ in good] + broken + draw(st.lists(st.sampled_from(OTHERS), max_size=5))
    copies = draw(st.lists(st.sampled_from(lines), max_size=10)) if lines else []
    order = draw(st.permutations(lines + copies))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    batches = [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    rejected = {line for line in broken if any(claim in line for claim in CLAIMS)}
    return batches, [record for _, record in good], rejected


def assert_lake(bucket: Bucket, records: list[Any], rejected: set[str]) -> None:
    """The bucket holds these records, each once, and these rejected lines; the library's readers say so, too."""
    assert bucket.records() == {key(record): record for record in records}
    legible = {line.encode("utf-8", "backslashreplace").decode() for line in rejected}
    assert {kept["line"] for kept in bucket.rejected()} == legible
    with tempfile.TemporaryDirectory() as folder:
        root = bucket.download(Path(folder))
        batches = list(reading.read(root, DAYS))
        quality = check(root, Period(*map(date.fromisoformat, DAYS)))
    rows = pa.concat_tables(batch.sessions for batch in batches).to_pylist()
    read = {(row["session_id"], row["llm_tokens"], row["duration_seconds"]) for row in rows}
    expected = {(record["_session_id"], record["_timestamp"]): record for record in records}.values()
    assert len(rows) == quality.records == len(expected)
    assert read == {
        (record["_session_id"], record["metrics_summary"]["llm_tokens"], record["duration_seconds"])
        for record in expected
    }
    assert (quality.duplicates, quality.rejected, quality.misplaced) == (0, [], [])
    assert not quality.mistyped and not quality.unknown_fields


def delivering(bucket: Bucket) -> Callable[[Event], dict[str, Any] | None]:
    """The handler with that bucket; None where it raises because a write failed."""

    def deliver(event: Event) -> dict[str, Any] | None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(handler, "_client", lambda service: bucket)
            patch.setenv("ANALYTICS_LAKE", "s3://lake")
            try:
                return handler.handle(event)
            except AwsError:
                return None

    return deliver


def test_every_poisonous_line_claims_to_be_a_record() -> None:
    assert [line for line in POISON if not any(claim in line for claim in CLAIMS)] == []


@pytest.mark.slow
@given(deliveries(), st.integers(2, 7))
def test_from_cloudwatch_each_record_lands_once_and_none_is_lost(
    delivered: tuple[list[list[str]], list[Any], set[str]], fails_every: int
) -> None:
    batches, records, rejected = delivered
    bucket = Bucket(fails_every)
    deliver = delivering(bucket)
    deliver(cloudwatch(*POISON, kind="CONTROL_MESSAGE"))
    for lines in batches:
        while not deliver(cloudwatch(*lines)):  # so Lambda calls again
            pass
    assert_lake(bucket, records, rejected)


@pytest.mark.slow
@given(deliveries(), st.integers(2, 7), st.sampled_from([bytes, gzip.compress]), st.integers(1, 3))
def test_from_kinesis_each_record_lands_once_and_none_is_lost(
    delivered: tuple[list[list[str]], list[Any], set[str]],
    fails_every: int,
    packing: Callable[[bytes], bytes],
    joined: int,
) -> None:
    batches, records, rejected = delivered
    bucket = Bucket(fails_every)
    deliver = delivering(bucket)
    packed = [packing(payload(*lines)) for lines in batches]
    packed = [b"".join(packed[at : at + joined]) for at in range(0, len(packed), joined)]
    first = 1
    while first:  # AWS sends everything again from the first record that failed
        answer = deliver(kinesis(*packed[first - 1 :], first=first))
        assert answer is not None
        first = next((int(each["itemIdentifier"]) for each in answer["batchItemFailures"]), 0)
    assert_lake(bucket, records, rejected)
