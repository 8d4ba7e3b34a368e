"""What all commands share: help, errors with and without --debug, pipes that close, Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest

from analytics_lib.cli import aws_commands
from analytics_lib.cli.commands import group
from tests.support.wild import write

COMMAND = (sys.executable, "-m", "analytics_lib")
DAY = ("--start", "2026-02-01", "--end", "2026-02-01")


@pytest.mark.parametrize("command", sorted(group.commands))
def test_the_help_of_each_command_has_an_example(cli: Any, command: str) -> None:
    done = cli(command, "--help")
    assert (done.status, done.err) == (0, "")
    assert f"Example:  analytics-lib {command} " in done.out
    assert cli(command, "-h") == done


def test_the_commands_of_this_part_are_listed(cli: Any) -> None:
    done = cli("--help")
    assert done.status == 0
    listed = done.out.partition("Commands:\n")[2].split("\n")
    assert {"check", "doctor", "report", "run", "samples", "sql"} <= {line.split()[0] for line in listed if line}
    assert "--debug" in done.out


def test_every_option_says_what_it_is_for() -> None:
    options = [
        (name, option)
        for name, command in group.commands.items()
        for option in command.params
        if isinstance(option, click.Option) and option.name != "format_"
    ]
    assert [(name, option.name) for name, option in options if not option.help] == []


def test_the_samples_stand_in_for_data_only_where_nothing_is_changed() -> None:
    commands = group.commands | aws_commands.athena.commands
    options = [(name, option) for name, command in commands.items() for option in command.params]
    assert {name for name, option in options if option.name == "data" and "the samples" in (option.help or "")} == {
        "report", "sql", "run", "check", "doctor"
    }  # fmt: skip


@pytest.mark.parametrize(("command", "newest"), [("report", "the newest with data"), ("insights", "today"),
                                                 ("backfill", "today")])  # fmt: skip
def test_the_last_day_that_the_help_names_is_that_of_the_command(cli: Any, command: str, newest: str) -> None:
    assert f"The last day, UTC, inclusive. [default: {newest}]" in " ".join(cli(command, "--help").out.split())


def test_no_command_and_an_unknown_one_are_wrong_usage(cli: Any) -> None:
    assert (cli().status, cli("nonsense").status) == (2, 2)
    assert "No such command 'nonsense'" in cli("nonsense").err


def test_the_version_is_told(cli: Any) -> None:
    assert cli("--version").out.startswith("analytics-lib, version ")


@pytest.mark.parametrize("words", [("report", "lead_funnel"), ("check",), ("sql", "SELECT 1")])
def test_debug_shows_where_an_error_comes_from_and_without_it_there_is_one_line(
    cli: Any, words: tuple[str, ...]
) -> None:
    plain = cli(*words, "--data", "missing")
    assert (plain.status, plain.err.count("\n"), "Traceback" in plain.err) == (1, 1, False)
    for debugged in (cli(*words, "--data", "missing", "--debug"), cli("--debug", *words, "--data", "missing")):
        assert debugged.status == 1
        assert debugged.err.startswith(plain.err)
        assert "Traceback (most recent call last):" in debugged.err
        assert "LakeError" in debugged.err


def test_a_reader_that_leaves_early_is_no_error(lake: Path) -> None:
    query = "SELECT repeat('x', 1000) AS x FROM range(9000)"  # more than any pipe holds
    process = start("sql", query, "--data", lake, "--format", "csv")
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        assert process.stdout.readline() == "x\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.wait() == 0


def test_a_full_disk_behind_standard_output_is_told(lake: Path) -> None:
    with open("/dev/full", "w") as full:
        words = [*COMMAND, "report", "lead_funnel", "--data", str(lake)]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "analytics-lib: writing the output: No space left on device\n" in done.stderr
    assert "Traceback" not in done.stderr


def interrupted(process: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, out, err


def start(*words: str | Path) -> "subprocess.Popen[str]":
    """The command in a process of its own, whose output is buffered as in a user's shell."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    pipe = subprocess.PIPE
    return subprocess.Popen([*COMMAND, *map(str, words)], stdout=pipe, stderr=pipe, text=True, env=environment)


def wait_until_open(process: "subprocess.Popen[str]", file: Path) -> None:
    """Wait until the process has the file open."""
    folder = Path(f"/proc/{process.pid}/fd")
    if not folder.is_dir():
        pytest.skip("which files a process has open cannot be seen here")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        for link in folder.iterdir():
            try:
                if os.readlink(link) == str(file):
                    return
            except OSError:
                continue
        time.sleep(0.01)
    raise AssertionError(f"the process never opened {file}: {process.communicate()}")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_while_a_lake_is_read_leaves_nothing_at_the_output_path(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    slow = tmp_path.resolve() / "lake" / "sessions" / "dt=2026-02-01" / "slow.json"
    write(tmp_path / "lake", {"sessions/dt=2026-02-01/slow.json": b"{\n" * 3_500_000})
    output = tmp_path / "output"
    output.mkdir()
    process = start(
        "report", "lead_funnel", "--data", tmp_path / "lake", "--output", output / "found.json", "--format", "json"
    )
    wait_until_open(process, slow)
    found, out, err = interrupted(process, number)
    assert (found, out, err.lstrip("\n")) == (status, "", "analytics-lib: interrupted\n")
    assert list(output.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_stops_a_running_query(lake: Path) -> None:
    endless = "SELECT SUM(a.i + b.i * c.i) AS n FROM range(1000000) AS a(i), range(1000000) AS b(i), range(9) AS c(i)"
    process = start("sql", endless, "--data", lake)
    time.sleep(4)
    status, out, err = interrupted(process, signal.SIGINT)
    assert (status, out) == (130, "")
    assert err.endswith("analytics-lib: interrupted\n")
    assert "bug" not in err


def test_a_missing_package_is_told_with_what_to_install(lake: Path) -> None:
    program = "import sys; sys.modules['duckdb'] = None; from analytics_lib.cli import main; main()"
    words = [sys.executable, "-c", program, "report", "lead_funnel", "--data", str(lake)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "duckdb is missing; install it with: pip install 'analytics_lib[analytics]'" in done.stderr
