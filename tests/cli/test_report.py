"""`analytics-lib report`: the contract's JSON, CSV, tables, where they go, and what is refused."""

import csv
import io
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from analytics_lib.reports import catalogue
from tests.support import reference
from tests.support.wild import at, call, lake_of, session

DAYS = ("--start", "2026-01-31", "--end", "2026-02-01")
KEYS = ["report", "engine", "start", "end", "parameters", "newest_day", "records", "rejected", "duplicates",
        "bytes_scanned", "tables"]  # fmt: skip


def one_object(text: str) -> dict[str, Any]:
    """The one JSON object that the text is; NaN and the like are none."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    found, end = json.JSONDecoder(parse_constant=refuse).raw_decode(text)
    assert text[end:] == "\n"
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", ["lead_funnel", "duration_trends", "tool_failures"])
def test_json_is_one_object_with_the_contract_s_keys_in_order(cli: Any, lake: Path, name: str) -> None:
    done = cli("report", name, "--data", lake, *DAYS, "--format", "json", "--param", "min_team_size=7.5")
    assert done.status == 0
    found = one_object(done.out)
    assert list(found) == KEYS
    assert list(found["tables"]) == list(reference.COLUMNS[name])
    assert {key: found[key] for key in KEYS[:-2]} == {
        "report": name,
        "engine": "duckdb",
        "start": "2026-01-31",
        "end": "2026-02-01",
        "parameters": {"min_team_size": 7.5, "min_monthly_volume": 100},
        "newest_day": "2026-02-01",
        "records": 3,
        "rejected": 1,
        "duplicates": 1,
    }
    assert found["bytes_scanned"] > 0


def test_days_are_dates_and_instants_end_in_z(cli: Any, lake: Path) -> None:
    found = one_object(cli("report", "lead_funnel", "--data", lake, *DAYS, "--format", "json").out)["tables"]
    assert [row["dt"] for row in found["daily"]] == ["2026-01-31", "2026-02-01"]
    assert [row["ended_at"] for row in found["leads"]] == ["2026-02-01T10:02:00.000Z"]
    assert found["daily"][0]["qualified_rate"] == 0.0


def test_nothing_is_null_and_never_nan(cli: Any, lake: Path) -> None:
    done = cli(
        "report", "duration_trends", "--data", lake, "--start", "2026-01-31", "--end", "2026-01-31", "--format", "json"
    )
    (summary,) = one_object(done.out)["tables"]["summary"]
    assert (summary["sessions"], summary["avg_duration"], summary["total_duration"]) == (1, None, None)
    assert not re.search(r"NaN|Infinity|NaT|<NA>", done.out)


def test_the_facts_go_to_standard_error(cli: Any, lake: Path) -> None:
    done = cli(
        "report", "lead_funnel", "--data", lake, "--start", "2026-01-31", "--end", "2026-02-03", "--format", "json"
    )
    assert done.err == (
        f"Lead funnel, 2026-01-31 to 2026-02-03: 3 records from {lake}, 1 duplicate folded, 1 line rejected\n"
        "  rejected: sessions/dt=2026-02-01/broken.json line 1: not JSON: Expecting value at character 1\n"
        "  all of them: analytics-lib check with the same --data and dates\n"
        "  The newest day with data is 2026-02-01, 2 days before the period's end.\n"
    )


def test_one_table_of_json_and_of_a_terminal_is_that_table(cli: Any, lake: Path) -> None:
    chosen = ("report", "lead_funnel", "--data", lake, *DAYS, "--table", "coverage")
    found = one_object(cli(*chosen, "--format", "json").out)
    assert (list(found), list(found["tables"])) == (KEYS, ["coverage"])
    assert cli(*chosen).out == (
        f"coverage: {catalogue.get('lead_funnel').table('coverage').title}\n"
        "signal             known  share\n"
        "-----------------  -----  -----\n"
        "team_size              3      1\n"
        "monthly_volume         3      1\n"
        "urgency                3      1\n"
        "integration_needs      0      0\n"
    )


def test_all_tables_are_shown_below_the_answer(cli: Any, lake: Path) -> None:
    lines = cli("report", "lead_funnel", "--data", lake, *DAYS).out.splitlines()
    assert lines[0].startswith("1 of 3 sessions qualified as leads")
    assert [
        line.partition(":")[0]
        for line in lines
        if line.startswith(tuple(f"{t}:" for t in reference.COLUMNS["lead_funnel"]))
    ] == list(reference.COLUMNS["lead_funnel"])


def test_csv_of_one_table_goes_to_standard_output(cli: Any, lake: Path) -> None:
    done = cli("report", "tool_failures", "--data", lake, *DAYS, "--format", "csv", "--table", "recovery")
    assert (done.status, done.out) == (0, "tool,failures,retried,recovered,last_calls\nsearch,1,0,0,1\n")


def test_csv_of_all_tables_goes_to_a_folder_and_again(cli: Any, lake: Path) -> None:
    for _ in range(2):
        done = cli("report", "lead_funnel", "--data", lake, *DAYS, "--format", "csv", "--output", "made/here")
        assert (done.status, done.out) == (0, "")
    folder = Path("made/here")
    names = {path.name for path in folder.iterdir()}
    assert names == {"facts.json", *(f"{table}.csv" for table in reference.COLUMNS["lead_funnel"])}
    header, *rows = csv.reader(io.StringIO((folder / "stages.csv").read_text(encoding="utf-8"), newline=""))
    assert (header, [row[0] for row in rows]) == (
        list(reference.COLUMNS["lead_funnel"]["stages"]),
        ["session", "signals", "qualified", "hot"],
    )
    assert list(json.loads((folder / "facts.json").read_text())) == [*KEYS[:-1], "data"]


def test_the_output_file_holds_what_standard_output_would(cli: Any, lake: Path) -> None:
    words = ("report", "lead_funnel", "--data", lake, *DAYS, "--format", "json")
    printed = cli(*words).out
    Path("old.json").write_text("old")
    os.chmod("old.json", 0o600)
    Path("link.json").symlink_to("old.json")
    for name in ("new.json", "link.json"):
        done = cli(*words, "--output", name)
        assert (done.status, done.out) == (0, "")
        assert Path(name).read_text(encoding="utf-8") == printed
    assert Path("link.json").is_symlink()
    assert sorted(os.listdir()) == ["link.json", "new.json", "old.json"]


RECOVERY_TABLE = (
    "recovery: Failed calls and what followed them\n"
    "tool    failures  retried  recovered  last_calls\n"
    "------  --------  -------  ---------  ----------\n"
    "search         1        0          0           1\n"
)
RECOVERY_CSV = "tool,failures,retried,recovered,last_calls\nsearch,1,0,0,1\n"


@pytest.mark.parametrize(
    ("name", "format_", "written"),
    [
        ("x.csv", (), RECOVERY_CSV),
        ("x.txt", (), RECOVERY_TABLE),
        ("csv", (), RECOVERY_TABLE),
        ("x.csv", ("--format", "table"), RECOVERY_TABLE),
        ("x.json", ("--format", "csv"), RECOVERY_CSV),
    ],
)
def test_the_suffix_of_the_output_decides_its_format_unless_one_is_named(
    cli: Any, lake: Path, name: str, format_: tuple[str, ...], written: str
) -> None:
    words = ("report", "tool_failures", "--data", lake, *DAYS, "--table", "recovery", "--output", name)
    done = cli(*words, *format_)
    assert (done.status, done.out, Path(name).read_text(encoding="utf-8")) == (0, "", written)


@pytest.mark.parametrize("format_", [(), ("--format", "json")])
def test_a_parquet_file_is_refused_before_the_lake_is_looked_at(cli: Any, format_: tuple[str, ...]) -> None:
    done = cli("report", "lead_funnel", "--data", "missing", "--output", "r.parquet", *format_)
    assert (done.status, done.out, os.listdir()) == (2, "", [])
    assert done.err == ("analytics-lib: report writes table, json or csv, not Parquet: give r.parquet another suffix\n")


def test_the_suffix_json_gives_the_whole_document(cli: Any, lake: Path) -> None:
    words = ("report", "lead_funnel", "--data", lake, *DAYS)
    assert cli(*words, "--output", "x.json").status == 0
    assert Path("x.json").read_text(encoding="utf-8") == cli(*words, "--format", "json").out


@pytest.mark.parametrize("format_", [(), ("--format", "csv")])
def test_all_tables_do_not_fit_a_csv_file_and_that_is_told_before_the_lake_is_looked_at(
    cli: Any, format_: tuple[str, ...]
) -> None:
    done = cli("report", "lead_funnel", "--data", "missing", "--output", "x.csv", *format_)
    assert (done.status, done.out, os.listdir()) == (2, "", [])
    assert done.err == (
        "analytics-lib: csv is one table: add --table with one of stages, daily, coverage, integrations, leads, "
        "or --output with a folder\n"
    )


def test_a_pipe_or_device_is_written_to_and_not_replaced(cli: Any, lake: Path) -> None:
    os.mkfifo("pipe")
    reading = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    words = ("report", "lead_funnel", "--data", lake, *DAYS, "--table", "coverage", "--output", "pipe")
    try:
        assert cli(*words).status == 0
        assert os.read(reading, 100).startswith(b"coverage: ")
    finally:
        os.close(reading)
    assert Path("pipe").is_fifo()


def test_the_last_days_end_yesterday_and_a_stale_lake_passes_the_limit(cli: Any, lake: Path) -> None:
    done = cli("report", "lead_funnel", "--data", lake, "--last", "7", "--max-age", "2", "--table", "coverage")
    assert done.status == 3
    assert done.out.startswith("coverage: ")
    assert "The newest day with data is 2026-02-01, " in done.err
    assert re.search(r"analytics-lib: that is more than --max-age 2 allows\n\Z", done.err)


@pytest.mark.parametrize(("age", "status"), [(0, 3), (1, 3), (2, 0), (3, 0)])
def test_the_limit_is_passed_when_the_newest_day_is_more_days_back(cli: Any, lake: Path, age: int, status: int) -> None:
    words = ("report", "lead_funnel", "--data", lake, "--start", "2026-02-01", "--end", "2026-02-03", "--max-age", age)
    assert cli(*words, "--table", "coverage").status == status


def test_an_empty_lake_is_older_than_any_limit(cli: Any) -> None:
    Path("lake/sessions").mkdir(parents=True)
    done = cli("report", "lead_funnel", "--data", "lake", "--max-age", "99999", "--table", "stages")
    assert (done.status, "The lake holds no data." in done.err) == (3, True)


def test_the_default_period_is_the_30_days_that_end_with_the_newest_day(cli: Any, lake: Path) -> None:
    found = one_object(cli("report", "lead_funnel", "--data", lake, "--format", "json", "--table", "stages").out)
    assert (found["start"], found["end"]) == ("2026-01-03", "2026-02-01")


# Wrong usage ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nonsense",), "there is no report 'nonsense'; there are duration_trends,"),
        (("lead_funnel", "--table", "daly"), "lead_funnel has no table 'daly'; it has stages, daily, coverage"),
        (("lead_funnel", "--param", "min_size=5"), "lead_funnel has no parameter 'min_size'; it has min_team"),
        (("lead_funnel", "--param", "min_team_size=many"), "min_team_size is a number from 0 to 10^15, e.g. 5; 'many'"),
        (("lead_funnel", "--param", "min_team_size=-1"), "min_team_size is a number from 0 to 10^15, e.g. 5; '-1'"),
        (("lead_funnel", "--param", "min_team_size=nan"), "min_team_size is a number from 0"),
        (("lead_funnel", "--param", "min_team_size="), "min_team_size is a number from 0"),
        (("lead_funnel", "--param", "min_team_size"), "Invalid value for '--param'"),
        (("lead_funnel", "--param", "min_team_size=1", "--param", "min_team_size=2"), "Invalid value for '--param'"),
        (("lead_funnel", "--start", "2026-02-30"), "'2026-02-30' is not a date; write it as YYYY-MM-DD"),
        (("lead_funnel", "--end", "today"), "'today' is not a date"),
        (("lead_funnel", "--start", "2026-02-02", "--end", "2026-02-01"), "the period ends (2026-02-01) before"),
        (("lead_funnel", "--last", "7", "--start", "2026-02-01"), "--last counts back from yesterday"),
        (("lead_funnel", "--last", "0"), "--last 0 covers no day"),
        (("lead_funnel", "--last", "week"), "Invalid value for '--last'"),
        (("lead_funnel", "--max-age", "-1"), "Invalid value for '--max-age'"),
        (("lead_funnel", "--format", "csv"), "csv is one table: add --table with one of stages, daily,"),
        (("lead_funnel", "--format", "xml"), "Invalid value for '--format'"),
        (("lead_funnel", "--engine", "presto"), "Invalid value for '--engine'"),
        (("lead_funnel", "--nonsense"), "No such option"),
        ((), "Missing argument 'NAME'"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_with_status_2(cli: Any, lake: Path, words: tuple[str, ...], message: str) -> None:
    done = cli("report", "--data", lake, *words)
    assert (done.status, done.out) == (2, "")
    assert re.match(f"(analytics-lib|Error): {re.escape(message)}", done.err.splitlines()[-1])
    assert "Traceback" not in done.err


def test_wrong_usage_is_told_before_the_lake_is_looked_at(cli: Any) -> None:
    done = cli("report", "lead_funnel", "--data", "missing", "--param", "min_team_size=x")
    assert done.status == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("missing", "analytics-lib: there is no data folder missing; make sample data with: analytics-lib samples"),
        (".", "analytics-lib: . is no lake: it holds no folder sessions/"),
        ("file", "analytics-lib: file is no lake"),
    ],
)
def test_a_folder_that_is_no_lake_is_told_with_status_1(cli: Any, data: str, message: str) -> None:
    Path("file").touch()
    done = cli("report", "lead_funnel", "--data", data)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(message)


def test_a_bad_settings_file_is_told_with_status_1(cli: Any) -> None:
    Path("analytics.toml").write_text("data = ")
    done = cli("report", "lead_funnel")
    assert (done.status, done.out) == (1, "")
    assert re.match(r"analytics-lib: .*analytics\.toml cannot be read", done.err)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--output", "folder"), "folder is a folder; give the name of a file in it, e.g. --output folder/result.json"),
        (("--output", "missing/x.json"), "missing/x.json cannot be written: No such file or directory"),
        (("--output", "file/x.json"), "file/x.json cannot be written: Not a directory"),
        (("--output", "file", "--format", "csv"), "file is a file; all tables as CSV need a folder"),
        (("--output", "file/x", "--format", "csv"), "file/x cannot be written: Not a directory"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_with_status_1(
    cli: Any, lake: Path, extra: tuple[str, ...], message: str
) -> None:
    Path("folder").mkdir()
    Path("file").write_text("precious")
    done = cli("report", "lead_funnel", "--data", lake, *DAYS, *extra)
    assert (done.status, done.out) == (1, "")
    assert f"analytics-lib: {message}\n" in done.err
    assert (os.listdir("folder"), Path("file").read_text()) == ([], "precious")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_without_permission_is_told_with_status_1(cli: Any, lake: Path) -> None:
    Path("folder").mkdir(mode=0o500)
    done = cli("report", "lead_funnel", "--data", lake, *DAYS, "--output", "folder/x.txt")
    assert (done.status, "folder/x.txt cannot be written: Permission denied" in done.err) == (1, True)


def test_a_full_disk_is_told_with_status_1(cli: Any, lake: Path) -> None:
    try:  # a device of the test's own: the machine's /dev/full must survive a mistake
        os.mknod("full", stat.S_IFCHR | 0o666, os.makedev(1, 7))
        os.close(os.open("full", os.O_WRONLY))
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    done = cli("report", "lead_funnel", "--data", lake, *DAYS, "--output", "full")
    assert done.status == 1
    assert done.err == "analytics-lib: full cannot be written: No space left on device\n"


# What a caller said --------------------------------------------------------------------------------------

ESCAPES = "a\x1b[31mb\x07\x9b2Jc\u202ed\x7f"


def test_an_escape_sequence_does_not_reach_the_terminal_raw(cli: Any, tmp_path: Path) -> None:
    lake_of(tmp_path / "lake", session(tool_calls=[call(ESCAPES, error=ESCAPES)], team_size=9, _session_id=ESCAPES))
    there = ("--data", tmp_path / "lake")
    (tmp_path / "lake" / "sessions" / "dt=2026-02-01" / "x\x1b[2J.json").write_text("broken")
    shown = [
        *(cli("report", name, *there) for name in ("tool_failures", "lead_funnel")),
        cli("sql", "SELECT tool FROM tool_calls", *there),
        cli("sql", "SELECT CAST(tool AS INTEGER) FROM tool_calls", *there),
        cli("check", *there),
    ]
    assert [done.status for done in shown] == [0, 0, 0, 1, 0]
    for done in shown:
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.out + done.err)
    assert "a\ufffd[31mb" in shown[0].out
    assert "a\ufffd[31mb" in shown[3].err


def test_an_escape_sequence_stays_what_it_was_in_json_and_csv_for_programs(cli: Any, tmp_path: Path) -> None:
    lake_of(tmp_path / "lake", session(tool_calls=[call(ESCAPES)]))
    words = ("sql", "SELECT tool FROM tool_calls", "--data", tmp_path / "lake", "--format")
    assert json.loads(cli(*words, "json").out) == [{"tool": ESCAPES}]
    assert cli(*words, "csv").out == f"tool\n{ESCAPES}\n"


def test_a_folder_of_the_future_does_not_hide_a_stale_lake(cli: Any, tmp_path: Path) -> None:
    root = lake_of(tmp_path, session(), session(_timestamp=at("2199-01-01T10:00:00")))
    done = cli("report", "lead_funnel", "--data", root, "--last", 7, "--max-age", 2, "--table", "stages")
    assert (done.status, "The newest day with data is 2026-02-01" in done.err) == (3, True)


@pytest.mark.parametrize("words", [("report", "lead_funnel"), ("check",), ("erase", "room-1"), ("athena", "setup")])
def test_a_misspelt_place_on_s3_is_not_taken_for_a_folder(cli: Any, words: tuple[str, ...]) -> None:
    done = cli(*words, "--data", "S3://bucket/a")
    assert (done.status, done.out, done.err) == (
        2,
        "",
        "analytics-lib: 'S3://bucket/a' is no data folder; a place on S3 is written as s3://BUCKET/PREFIX\n",
    )


def test_an_empty_data_option_is_not_taken_for_the_samples(cli: Any) -> None:
    done = cli("report", "lead_funnel", "--data", "")
    assert (done.status, "an empty --data" in done.err) == (2, True)


def test_the_samples_are_called_made_up(cli: Any) -> None:
    assert "(made-up samples)" in cli("report", "lead_funnel", "--table", "stages").err


def test_home_is_understood_in_a_setting(cli: Any, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(lake.parent))
    monkeypatch.setenv("ANALYTICS_DATA", f"~/{lake.name}")
    assert cli("check").status == cli("report", "lead_funnel", "--table", "stages").status == 0
