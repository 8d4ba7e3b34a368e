"""Compaction on SQL: what readers of the views see before, while and after days become Parquet."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analytics_lib import aws
from analytics_lib.engines import catalog
from analytics_lib.engines.athena import AthenaEngine
from analytics_lib.engines.engine import Result
from analytics_lib.errors import AnalyticsError
from analytics_lib.location import Location
from analytics_lib.period import Period, parse_date
from analytics_lib.settings import Athena
from analytics_lib.upkeep import setup
from analytics_lib.upkeep.compaction import Compaction, compact
from tests.support import reference, wild
from tests.support.local_athena.fixtures import Server
from tests.support.wild import call, session

pytestmark = [pytest.mark.slow, pytest.mark.athena]
START, END = "2026-01-31", "2026-02-04"
PERIOD = Period(parse_date(START), parse_date(END))
NEEDS = ["salesforce", 'it\'s, "quoted"']
RECORDS = [
    session(_timestamp=wild.at("2026-01-31T23:59:59.999"), integration_needs=NEEDS, team_size=None),
    session(
        _timestamp=wild.at("2026-02-01T00:00:00.0005"), tool_calls=[None, call("search"), {"no": "tool"}, call("b")]
    ),
    session(_session_id="b", duration_seconds=..., discovered_signals=..., tool_calls=..., agent_name=" "),
    session(_session_id="c", tool_calls=[call(error="it's"), call(cancelled=True), call(results_found=False)]),
    session(_timestamp=253402300798.5, _session_id="far", tool_calls=[]),
    session(_timestamp=wild.at("2026-02-03T10:00:00")),
]
ROWS = {
    "sessions": f"SELECT {', '.join(reference.SESSION_COLUMNS)} FROM sessions ORDER BY dt, session_id, ended_at",
    "tool_calls": f"SELECT {', '.join(reference.CALL_COLUMNS)} FROM tool_calls"
    " ORDER BY dt, session_id, ended_at, call_index",
}
SEEN = f"""
SELECT dt, COUNT(*) AS sessions, COUNT(DISTINCT session_id) AS ids, MAX(calls.n) AS calls
FROM sessions
JOIN (SELECT dt AS day, COUNT(*) AS n FROM tool_calls WHERE dt BETWEEN '{START}' AND '{END}' GROUP BY dt) AS calls
    ON day = dt
WHERE dt BETWEEN '{START}' AND '{END}'
GROUP BY dt
ORDER BY dt
"""


class Lake:
    """The records above in a folder and on S3, with a database of its own."""

    def __init__(self, bucket: str, root: Path) -> None:
        self.root = root
        self.location = Location(bucket, "a lake")
        self.athena = Athena(f"db_{bucket[-8:]}", f"wg_{bucket[-8:]}", fresh=True)
        wild.lake_of(root, *RECORDS[:4], *RECORDS[5:])
        self.put("sessions/dt=2026-02-01/far.json", wild.encode(RECORDS[4]).encode())
        self.put("sessions/dt=2026-02-02/copies.jsonl.gz", wild.PACKINGS["good"](b"broken\n"))
        for path in sorted(root.rglob("*.json")):
            self.put(path.relative_to(root).as_posix(), path.read_bytes())
        setup.setup(self.location, self.athena)
        self.engine = AthenaEngine(self.location, self.athena)

    def put(self, path: str, content: bytes) -> None:
        wild.write(self.root, {path: content})
        aws.client("s3").put_object(Bucket=self.location.bucket, Key=self.location.key(path), Body=content)

    def compact(self) -> Compaction:
        return compact(self.location, self.athena, self.engine.execute)

    def assert_as_read_in_plain_python(self) -> None:
        found = self.engine.queries(ROWS, PERIOD)
        read = reference.read(self.root, START, END)
        order = ("dt", "session_id", "ended_at")
        assert plain(found["sessions"].frame) == sorted(map(plain_row, read.sessions), key=by(*order))
        assert plain(found["tool_calls"].frame) == sorted(map(plain_row, read.calls), key=by(*order, "call_index"))
        counts = self.engine.counts(PERIOD)
        expected = (read.records, read.duplicates, len(read.rejected))
        assert (counts.records, counts.duplicates, counts.rejected) == expected

    def seen(self) -> list[tuple[Any, ...]]:
        frame = self.engine.execute(SEEN, "what a reader sees").frame
        return [tuple(row.values()) for row in plain(frame)]


def by(*names: str) -> Any:
    return lambda row: [row[name] for name in names]


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records") if len(frame) else []
    return [plain_row(row) for row in rows]


def plain_row(row: dict[Any, Any]) -> dict[str, Any]:
    return {name: value_of(value) for name, value in row.items()}


def value_of(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return value.item() if hasattr(value, "item") else value


@pytest.fixture
def lake(local_athena: Server, bucket: str, tmp_path: Path) -> Lake:
    return Lake(bucket, tmp_path / "lake")


def test_every_row_is_the_same_before_and_after(lake: Lake) -> None:
    lake.assert_as_read_in_plain_python()
    done = lake.compact()
    assert done.days == ["2026-01-31", "2026-02-01", "2026-02-02", "2026-02-03"]
    assert done.records == len(RECORDS)
    lake.assert_as_read_in_plain_python()  # the third day's place holds no object
    aws.client("s3").delete_object(
        Bucket=lake.location.bucket, Key=lake.location.key("sessions/dt=2026-02-01/far.json")
    )
    (lake.root / "sessions/dt=2026-02-01/far.json").unlink()
    lake.put("sessions/dt=2026-01-31/late.json", wild.encode(session(_session_id="late")).encode())
    assert lake.compact().days == ["2026-01-31", "2026-02-01"]
    lake.assert_as_read_in_plain_python()


def test_a_compacted_day_costs_one_get_a_query_and_no_raw_object_is_read(lake: Lake, local_athena: Server) -> None:
    lake.compact()
    local_athena.requests(lake.location.bucket, forget=True)
    lake.engine.execute("SELECT COUNT(*) AS n FROM sessions WHERE dt = '2026-02-01'", "a count")
    folder = f"{lake.location.bucket}/{lake.location.key('')}"
    assert local_athena.requests(f"{folder}sessions/") == {}
    assert local_athena.requests(f"{folder}parquet/") == {"LIST": 1, "GET": 1}


@pytest.mark.parametrize("queries", [1, 2])
def test_a_run_stopped_after_a_query_changes_nothing_and_the_next_completes_it(lake: Lake, queries: int) -> None:
    def execute(sql: str, origin: str) -> Result:
        ran.append(origin)
        result = lake.engine.execute(sql, origin)
        if len(ran) == queries:
            raise KeyboardInterrupt
        return result

    ran: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        compact(lake.location, lake.athena, execute)
    lake.assert_as_read_in_plain_python()
    assert len(lake.compact().days) == 4
    lake.assert_as_read_in_plain_python()


@contextmanager
def reading(lake: Lake) -> Iterator[list[list[tuple[Any, ...]]]]:
    """Within it two readers ask again and again; what they saw."""
    seen: list[list[tuple[Any, ...]]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(lake.seen())

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            yield seen
        finally:
            done.set()
        for reader in readers:
            reader.result()


def test_readers_see_each_day_whole_and_once_while_two_runs_compact_at_the_same_time(lake: Lake) -> None:
    before = lake.seen()
    with reading(lake) as seen, ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(lake.compact), pool.submit(lake.compact)]
        assert max(len(run.result().days) for run in runs) == 4
    assert seen
    assert all(look == before for look in seen), seen
    lake.assert_as_read_in_plain_python()


def test_readers_see_late_records_all_at_once(lake: Lake) -> None:
    lake.compact()
    states = [lake.seen()]
    with reading(lake) as seen:
        for number in range(3):
            late = session(_session_id=f"late-{number}", tool_calls=[call(), call()])
            lake.put(f"sessions/dt=2026-01-31/late-{number}.json", wild.encode(late).encode())
            assert lake.compact().days == ["2026-01-31"]
            states.append(lake.seen())
    assert [state[0][1:] for state in states] == [(1, 1, 1), (2, 2, 3), (3, 3, 5), (4, 4, 7)]
    assert seen
    assert all(look in states for look in seen), seen


def test_a_damaged_gz_is_named_and_stops_no_other_day(lake: Lake) -> None:
    lake.put("sessions/dt=2026-02-02/bad.json.gz", wild.PACKINGS["truncated"](b"{}\n" * 100))
    with pytest.raises(
        AnalyticsError, match=r"(?s)sessions/dt=2026-02-02/bad\.json\.gz.*move that object out of sessions"
    ):
        lake.compact()
    state = catalog.read_state(lake.athena.database)
    assert (len(state.days), "2026-02-02" in state.days, state.is_compacted("2026-02-02")) == (3, False, False)
