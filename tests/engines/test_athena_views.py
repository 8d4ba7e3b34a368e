"""The views on Athena, run by Trino, against a plain-Python reading of the contract."""

import json
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from analytics_lib import aws, frames, sqlfile
from analytics_lib.engines.athena import AthenaEngine
from analytics_lib.location import Location
from analytics_lib.period import Period, parse_date
from analytics_lib.settings import Athena
from analytics_lib.upkeep import setup
from tests.support import reference, wild
from tests.support.compare import assert_same_rows
from tests.support.local_athena.fixtures import Server
from tests.support.wild import Raw, call, encode, session

pytestmark = [pytest.mark.slow, pytest.mark.athena]

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
NEEDS = "integration_needs"
AS_JSON = f"json_format(CAST({NEEDS} AS JSON)) AS {NEEDS}"  # as Athena writes nested values they cannot be read back
COLUMNS = {"sessions": reference.SESSION_COLUMNS, "tool_calls": reference.CALL_COLUMNS}
BOM = b"\xef\xbb\xbf"
GOOD = encode(session()).encode()


@dataclass(frozen=True)
class Lake:
    """A lake on S3 that was set up."""

    location: Location
    engine: AthenaEngine

    def rows(self, sql: str) -> list[dict[str, Any]]:
        rows = frames.rows(self.engine.execute(sql, "a test").frame)
        return [{**row, NEEDS: json.loads(row[NEEDS])} if NEEDS in row else row for row in rows]

    def counts(self, period: Period) -> dict[str, tuple[int, int, int, list[str]]]:
        """(records, duplicates, rejected, examples) of each day that has lines."""
        path = "views/athena/line_counts.sql"
        sql = sqlfile.bind(sqlfile.read(path), {"start": period.start, "end": period.end}, path)
        rows = self.rows(sql.rstrip().removesuffix(";"))
        return {
            row["dt"]: (row["records"], row["duplicates"], row["rejected"], json.loads(row["examples"])) for row in rows
        }


def made(bucket: str, files: dict[str, bytes]) -> Lake:
    """The lake with these files."""
    location, put = Location(bucket, "lake"), aws.client("s3").put_object
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: put(Bucket=bucket, Key=location.key(path), Body=files[path]), files))
    athena = Athena(f"db_{bucket[-8:]}", f"wg_{bucket[-8:]}", fresh=True)
    setup.setup(location, athena)
    return Lake(location, AthenaEngine(location, athena))


def period(start: str, end: str) -> Period:
    return Period(parse_date(start), parse_date(end))


def assert_same_as_reference(lake: Lake, root: Path, days: Period) -> None:
    read = reference.read(root, str(days.start), str(days.end))
    for view, expected in (("sessions", read.sessions), ("tool_calls", read.calls)):
        shown = ", ".join(COLUMNS[view]).replace(NEEDS, AS_JSON)
        order = "dt, session_id, ended_at" + (", call_index" if view == "tool_calls" else "")
        sql = f"SELECT {shown} FROM {view} WHERE dt BETWEEN '{days.start}' AND '{days.end}' ORDER BY {order}"
        assert_same_rows(view, lake.rows(sql), expected, COLUMNS[view])
    counts = lake.counts(days).values()
    assert [sum(day[place] for day in counts) for place in range(3)] == [
        read.records,
        read.duplicates,
        len(read.rejected),
    ]
    examples = defaultdict(set)
    for rejected in read.rejected:
        examples[rejected["file"].split("/")[1]].add(rejected["file"])
    assert [day[3] for day in counts if day[3]] == [sorted(examples[day])[:3] for day in sorted(examples)]


def test_the_samples_give_the_rows_of_the_plain_reading(local_athena: Server, bucket: str) -> None:
    files = {file.relative_to(SAMPLES).as_posix(): file.read_bytes() for file in SAMPLES.glob("sessions/*/*")}
    assert_same_as_reference(made(bucket, files), SAMPLES, period("2026-01-01", "2026-02-02"))


def drawn_lakes(number: int) -> list[dict[str, bytes]]:
    """That many wild lakes, the same ones every time."""
    lakes: list[dict[str, bytes]] = []

    @settings(
        max_examples=number,
        database=None,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(wild.lakes())
    def draw(files: dict[str, bytes]) -> None:
        lakes.append(files)

    draw()
    return lakes


def side_by_side(lakes: list[dict[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The files of all lakes in one, each lake in folders of days of its own: one set-up, one query a view."""
    days = sorted({*wild.DAYS, *wild.EARLIER_DAYS, wild.LATER_DAY})
    for number, files in enumerate(lakes):
        first = date(2024, 1, 1) + timedelta(days=number * len(days))
        moved = {f"sessions/dt={day}/": f"sessions/dt={first + timedelta(days=at)}/" for at, day in enumerate(days)}
        for path, content in files.items():
            folder = next((folder for folder in moved if path.startswith(folder)), "")
            if can_be_read_alike(path, content):
                yield moved.get(folder, folder) + path.removeprefix(folder), content


def can_be_read_alike(path: str, content: bytes) -> bool:
    """False for what Athena opens, whatever the views want of it, and cannot unpack: that ends the query.

    And for a file with two byte order marks at its very start: the reader drops one before the view does.
    """
    name = path.rpartition("/")[2]
    if name.startswith(("_", ".")):
        return True
    if name.endswith(".gz"):
        try:
            content = reference.gunzip(content)
        except Exception:
            return False
    return not name.endswith(".zst") and not content.startswith(BOM + BOM)


def test_wild_lakes_give_the_rows_of_the_plain_reading(local_athena: Server, bucket: str, tmp_path: Path) -> None:
    files = dict(side_by_side(drawn_lakes(40)))
    days = sorted(path[12:22] for path in files if path.startswith("sessions/dt=2024-"))
    root = wild.write(tmp_path, {"sessions/.keep": b"", **files})
    assert_same_as_reference(made(bucket, files), root, period(days[0], days[-1]))


# What a file holds, and the records, duplicates and rejected lines in it.
CONTENTS: dict[str, tuple[bytes, tuple[int, int, int]]] = {
    "line ends LF, CRLF and CR": (b"x\n" + GOOD + b"\r\ny\r" + GOOD + b"\r", (1, 1, 2)),
    "no line end": (GOOD, (1, 0, 0)),
    "blank lines": (b"\n \t\r\n\r\r" + GOOD + b"\n\n" + BOM + b" \n", (1, 0, 0)),
    "no line": (b"", (0, 0, 0)),
    "a byte order mark at the start of lines": (BOM + GOOD + b"\n" + BOM + GOOD, (1, 1, 0)),
    "two byte order marks": (b"\n" + BOM + BOM + GOOD, (0, 0, 1)),
    "a line that is the table's word for null": (b"\\N\n" + GOOD, (1, 0, 1)),
    "the byte that separates fields elsewhere": (encode(session(x=Raw('"\x01"'))).encode() + b"\n\x01", (0, 0, 2)),
    "a tab, a comma, a bar": (b"\t" + GOOD + b"\t\n,\n|", (1, 0, 2)),
    "a line of 2 MB": (encode(session(transcript="y" * 2_000_000)).encode(), (1, 0, 0)),
    "300 arrays in arrays": (encode(session(transcript=wild.deep(300))).encode(), (1, 0, 0)),
    "invalid UTF-8": (GOOD[:-1] + b', "x": "\xff"}\n' + GOOD[:-1] + b', "x": "\xed\xa0\x80"}\n\xff', (0, 0, 3)),
    "an unpaired surrogate": (
        b"\n".join(GOOD[:-1] + b', "x": "' + text + b'"}' for text in (
            rb"\ud800", rb"\uDC00 low", rb"\ud83d\\\ude00", rb"\ud83d\ud83d\ude00", rb"\ude00\ud83d",
        )),
        (0, 0, 5),
    ),
    "no unpaired surrogate": (GOOD[:-1] + rb', "\\ud800": "\\\ud83d\uDE00 \\udc00"}', (1, 0, 0)),
    "other events": (b'{"_event_type": " metrics "}\n{"_event_type": "m", "x": NaN}\n{"_event_type": 7}', (0, 0, 2)),
    "no object": (b"[" + GOOD + b"]\nnull\n7\n\"analytics\"\n{}", (0, 0, 5)),
    "a number beyond any double as id": (encode(session(_session_id=Raw("1e400"))).encode(), (0, 0, 1)),
    "the word Infinity as id": (encode(session(_session_id="Infinity", x=Raw("-1e400"))).encode(), (1, 0, 0)),
    "a time in milliseconds": (encode(session(_timestamp=1769904000500)).encode(), (0, 0, 1)),
    "the last time of all": (encode(session(_timestamp=253402300798.9999)).encode(), (1, 0, 0)),
    "the same instant by other words": (
        b"\n".join(encode(session(_timestamp=Raw(each))).encode() for each in ("1769904000.5", '" 17699040005e-1 "')),
        (1, 1, 0),
    ),
}  # fmt: skip


@pytest.fixture
def days_of_contents(local_athena: Server, bucket: str) -> tuple[Lake, dict[str, str]]:
    days = {name: str(date(2026, 2, 1) + timedelta(days=number)) for number, name in enumerate(CONTENTS)}
    files = {f"sessions/dt={days[name]}/a.jsonl": content for name, (content, _) in CONTENTS.items()}
    return made(bucket, files), days


def test_lines_are_counted_as_the_contract_says(days_of_contents: tuple[Lake, dict[str, str]]) -> None:
    lake, days = days_of_contents
    counts = lake.counts(period("2026-02-01", "2026-03-31"))
    found = {name: counts.get(day, (0, 0, 0, []))[:3] for name, day in days.items()}
    assert found == {name: expected for name, (_, expected) in CONTENTS.items()}
    examples = {name: counts[day][3] for name, day in days.items() if day in counts}
    assert examples == {
        name: [f"sessions/dt={days[name]}/a.jsonl"] if CONTENTS[name][1][2] else [] for name in examples
    }


def test_of_copies_that_differ_the_line_that_sorts_first_counts(local_athena: Server, bucket: str) -> None:
    lines = [encode(session(room_id=room), ascii_only=False) for room in ("B", "é", "a", "A")]
    files = {f"sessions/dt=2026-02-01/{name}.json": line.encode() for name, line in enumerate(lines)}
    files["sessions/dt=2026-02-02/x.json"] = files["sessions/dt=2026-02-01/0.json"]  # another day's: another record
    lake, days = made(bucket, files), period("2026-02-01", "2026-02-02")
    assert lake.rows("SELECT dt, room_id FROM sessions ORDER BY dt") == [
        {"dt": "2026-02-01", "room_id": "A"},
        {"dt": "2026-02-02", "room_id": "B"},
    ]
    assert lake.counts(days) == {"2026-02-01": (1, 3, 0, []), "2026-02-02": (1, 0, 0, [])}


def test_a_number_beyond_any_double_is_mistyped_and_the_word_infinity_is_a_text(
    local_athena: Server, bucket: str
) -> None:
    line = encode(
        session(
            agent_name=Raw("1e400"),
            room_id="Infinity",
            caller_key='-Infinity" 1e999',
            team_size=Raw("-1e999"),
            integration_needs=[Raw("1e400"), "-Infinity"],
            tool_calls=[call(Raw("1e400")), call("Infinity", error=Raw("1e400"), query="Infinity")],
        )
    )
    lake = made(bucket, {"sessions/dt=2026-02-01/a.json": line.encode()})
    shown = f"agent_name, room_id, caller_key, team_size, tool_call_count, {AS_JSON}"
    assert lake.rows(f"SELECT {shown} FROM sessions") == [
        {
            "agent_name": None,
            "room_id": "Infinity",
            "caller_key": '-Infinity" 1e999',
            "team_size": None,
            "tool_call_count": 1,
            "integration_needs": ["-Infinity"],
        }
    ]
    assert lake.rows("SELECT call_index, tool, query, error FROM tool_calls") == [
        {"call_index": 2, "tool": "Infinity", "query": "Infinity", "error": "(no text)"}
    ]


def test_a_mistyped_error_is_told_and_a_0_unknown(local_athena: Server, bucket: str, tmp_path: Path) -> None:
    calls = [call(error=error) for error in wild.ERRORS]
    zeros = [0, 0.0, Raw("-0"), "0", " -0e5 ", Raw("1e-400"), 1e-9, 1]
    records = [session(tool_calls=calls), *(session(_session_id=str(n), team_size=z) for n, z in enumerate(zeros))]
    volumes = [session(_session_id=f"v{n}", monthly_volume=z) for n, z in enumerate(zeros)]
    lines = [encode(record).encode() for record in (*records, *volumes, session(_event_type="session_analytics"))]
    files = {"sessions/dt=2026-02-01/a.json": b"\n".join(lines)}
    root = wild.write(tmp_path, files)
    assert_same_as_reference(made(bucket, files), root, period("2026-02-01", "2026-02-01"))


def test_only_files_that_lie_in_a_day_s_folder_and_have_a_reader_s_name_are_read(
    local_athena: Server, bucket: str
) -> None:
    names = [
        "a.json", "b.jsonl", "c.ndjson", "d.json.gz", "sp ace%20#?+'é😀.json", "x.json.gz.json",
        "_a.json", ".a.json", "a.txt", "json", "a.JSON", "a.json.bak", "x.json/a.json", "_x/a.json",
        "dt=2026-02-01/a.json", "sessions/dt=2026-02-01/a.json",
    ]  # fmt: skip
    packed = {True: wild.PACKINGS["good"], False: lambda plain: plain}
    files = {
        f"sessions/dt=2026-02-01/{name}": packed[name.endswith(".gz")](encode(session(_session_id=name)).encode())
        for name in names
    }
    found = made(bucket, files).rows("SELECT session_id FROM sessions")
    assert sorted(row["session_id"] for row in found) == sorted(names[:6])


def test_a_query_reads_only_the_days_it_asks_for(local_athena: Server, bucket: str) -> None:
    days = [f"2026-02-{day:02}" for day in range(1, 21)]
    lake = made(bucket, {f"sessions/dt={day}/a.json": GOOD for day in days})
    for view in COLUMNS:
        local_athena.requests(bucket, forget=True)
        asked = f"SELECT COUNT(*) AS n FROM {view} WHERE dt BETWEEN '2026-02-05' AND '2026-02-07'"
        result = lake.engine.execute(asked, view)
        assert (frames.rows(result.frame), result.bytes_scanned) == ([{"n": 3}], 3 * len(GOOD))
        opened = [day for day in days if local_athena.requests(f"{bucket}/lake/sessions/dt={day}/").get("GET")]
        assert opened == days[4:7]
