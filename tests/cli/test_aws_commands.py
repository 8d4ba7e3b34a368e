"""The commands for a lake on S3, on a server without SQL: set-up, copies, estimates, and what is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from analytics_lib import aws
from tests.cli.conftest import Command, Done

PLACE = ("--database", "db", "--workgroup", "group")
MADE = ["database db", "table lines", "table records_parquet", "view records_raw", "view records", "view sessions",
        "view tool_calls", "workgroup group", "lifecycle rule analytics-lib: team/athena-results/ expires"]  # fmt: skip


@pytest.fixture
def s3(bucket: str) -> str:
    """The lake of `lake` on S3, and no database."""
    glue, athena = aws.client("glue"), aws.client("athena")
    if any(each["Name"] == "db" for each in glue.get_databases()["DatabaseList"]):  # of an earlier test
        glue.delete_database(Name="db")
    if any(each["Name"] == "group" for each in athena.list_work_groups()["WorkGroups"]):
        athena.delete_work_group(WorkGroup="group", RecursiveDeleteOption=True)
    return f"s3://{bucket}/team"


@pytest.fixture
def on_s3(s3: str, lake: Path) -> str:
    bucket = s3.split("/")[2]
    for file in sorted(lake.glob("sessions/*/*")):
        aws.client("s3").put_object(Bucket=bucket, Key=f"team/{file.relative_to(lake)}", Body=file.read_bytes())
    return s3


@pytest.fixture
def athena(cli: Command) -> Callable[..., Done]:
    return lambda *words: cli("athena", *words, *PLACE)


def listed(done: Done, action: str) -> list[str]:
    """The things that the command lists under that action."""
    return [line[9:] for line in done.out.splitlines() if line.startswith(f"{action:<8} ")]


def made() -> bool:
    return any(each["Name"] == "db" for each in aws.client("glue").get_databases()["DatabaseList"])


def test_setup_lists_what_it_made_and_a_second_one_keeps_it(athena: Callable[..., Done], on_s3: str) -> None:
    first = athena("setup", "--data", on_s3)
    assert (first.status, listed(first, "create"), first.err) == (0, MADE, "")
    second = athena("setup", "--data", on_s3)
    assert (second.status, listed(second, "keep"), listed(second, "create")) == (0, MADE, [])


def test_the_doctor_names_the_command_that_sets_this_very_place_up(cli: Command, on_s3: str) -> None:
    done = cli("doctor", "--engine", "athena", "--data", on_s3, *PLACE)
    assert done.status == 1
    assert done.out.endswith(f"; run: analytics-lib athena setup --data {on_s3} --database db --workgroup group\n")


def test_a_dry_run_shows_every_entry_and_makes_nothing(athena: Callable[..., Done], on_s3: str) -> None:
    done = athena("setup", "--data", on_s3, "--dry-run")
    assert (done.status, listed(done, "create")) == (0, MADE)
    assert "CREATE OR REPLACE VIEW sessions AS\n" in done.out
    assert '"projection.dt.range": "2026-01-31,NOW+1DAYS"' in done.out
    assert not made()


def test_status_compares_and_teardown_removes_all_but_data(athena: Callable[..., Done], on_s3: str) -> None:
    assert listed(athena("status", "--data", on_s3), "missing") == MADE
    athena("setup", "--data", on_s3)
    status = athena("status", "--data", on_s3)
    assert (listed(status, "current"), status.err) == (MADE, "no day is compacted\n")
    dry = athena("teardown", "--data", on_s3, "--dry-run")
    assert (sorted(listed(dry, "delete")), made()) == (sorted(MADE), True)
    done = athena("teardown", "--data", on_s3)
    assert (sorted(listed(done, "delete")), made()) == (sorted(MADE), False)
    stays = "".join(f"{on_s3}/{folder}/ stays\n" for folder in ("sessions", "parquet", "athena-results"))
    assert (done.status, done.err) == (0, stays)
    again = athena("teardown", "--data", on_s3)
    assert (again.status, again.out, again.err) == (0, "", stays)
    assert len(aws.client("s3").list_objects_v2(Bucket=on_s3.split("/")[2])["Contents"]) == 5


def test_an_estimate_says_what_a_report_would_cost(cli: Command, athena: Callable[..., Done], on_s3: str) -> None:
    athena("setup", "--data", on_s3)
    done = cli("sql", "SELECT 1", "--estimate", "--engine", "athena", "--data", on_s3, *PLACE,
               "--start", "2026-01-31", "--end", "2026-02-01")  # fmt: skip
    lines = done.out.splitlines()
    assert (done.status, done.err) == (0, "")
    assert lines[0].startswith(
        "2 queries over 2026-01-31 to 2026-02-01 (days: 2, compacted: 0), at most, at the prices"
    )
    assert lines[1].startswith("  expected ")
    assert lines[1].endswith(" 10 GET and 4 LIST requests, 0.0001 USD")


def test_sync_copies_what_is_new_and_says_so(cli: Command, on_s3: str, lake: Path) -> None:
    dry = cli("sync", on_s3, "copy", "--dry-run")
    assert (dry.status, Path("copy").exists()) == (0, False)
    assert dry.out.startswith("would copy ")
    first, second = cli("sync", on_s3, "copy"), cli("sync", on_s3, "copy")
    assert (first.status, second.status, first.err) == (0, 0, "")
    assert first.out.startswith("copied 5 ")
    assert second.out.startswith("copied 0 ")
    files = sorted(file.relative_to(lake) for file in lake.glob("sessions/*/*"))
    assert sorted(file.relative_to("copy") for file in Path("copy").glob("sessions/*/*")) == files


# What is refused


LAKE = "s3://{bucket}/team"
ANY = (
    ("athena", "setup", "--data", "{lake}"),
    ("athena", "status", "--data", "{lake}"),
    ("compact", "{lake}"),
    ("sync", "{lake}", "copy"),
    ("check", "--data", "{lake}"),
    ("report", "lead_funnel", "--data", "{lake}"),
    ("sql", "SELECT 1", "--engine", "athena", "--data", "{lake}"),
)


@pytest.fixture
def refused(cli: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """The message of a command on that lake, which fails."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(words: tuple[str, ...], lake: str, status: int = 1) -> str:
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps what the environment was
        aws.client.cache_clear()
        done = cli(*(word.format(lake=lake) for word in words))
        assert (done.status, done.out, list(Path().iterdir())) == (status, "", [])
        return done.err

    return run


@pytest.mark.parametrize("words", ANY)
def test_a_bucket_that_is_not_there_is_named(refused: Callable[..., str], s3: str, words: tuple[str, ...]) -> None:
    told = refused(words, "s3://no-such-bucket-anywhere/team")
    if words[0] == "compact":  # it looks for the database first
        assert told.startswith("analytics-lib: the Glue database analytics lacks ")
    else:
        assert told == "analytics-lib: there is no bucket no-such-bucket-anywhere; check its name and the account\n"


@pytest.mark.parametrize("words", ANY)
def test_a_prefix_without_sessions_is_no_lake(refused: Callable[..., str], s3: str, words: tuple[str, ...]) -> None:
    told = refused(words, s3)
    if words[0] == "compact":
        assert told.startswith("analytics-lib: the Glue database analytics lacks ")
    else:
        assert told == f"analytics-lib: {s3} is no lake: nothing lies under {s3}/sessions/dt=YYYY-MM-DD/\n"


@pytest.mark.parametrize("words", ANY)
def test_a_place_that_is_none_is_wrong_usage(refused: Callable[..., str], words: tuple[str, ...]) -> None:
    told = refused(words, "s3://NO", 2)
    assert re.fullmatch(r"analytics-lib: 's3://NO' is no place .*; write it as s3://BUCKET/PREFIX, .*\n", told)


@pytest.mark.parametrize("words", ANY)
def test_without_credentials_every_command_says_how_to_sign_in(
    refused: Callable[..., str], s3: str, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    told = refused(words, s3)
    assert told.startswith("analytics-lib: ")
    assert told.endswith(" failed: no AWS credentials were found; sign in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID\n")


@pytest.mark.parametrize("words", [ANY[0], ANY[2], ANY[-1]])
def test_without_a_region_the_variable_is_named(
    refused: Callable[..., str], on_s3: str, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    told = refused(words, on_s3)
    assert told.endswith(
        " failed: no AWS region is set; set AWS_DEFAULT_REGION, e.g. AWS_DEFAULT_REGION=eu-central-1\n"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("athena", "setup"), "--data is missing: name the lake on S3, .*"),
        (("sql", "SELECT 1", "--engine", "athena", "--data", "."),
         "Athena reads a lake on S3: add --data s3://BUCKET/PREFIX; . is a local folder"),
        (("report", "lead_funnel", "--estimate"), "an estimate is about Athena, .*: add --engine athena and .*"),
        (("compact", "{lake}", "--until", "2999-01-01"), "2999-01-01 is not over; days up to yesterday .*"),
        (("compact", "{lake}", "--until", "soon"), "'soon' is not a date.*"),
    ],
)  # fmt: skip
def test_what_athena_cannot_be_asked_is_wrong_usage(
    refused: Callable[..., str], on_s3: str, words: tuple[str, ...], told: str
) -> None:
    assert re.fullmatch(f"analytics-lib: {told}\n", refused(words, on_s3, 2), re.DOTALL)


def test_nothing_is_asked_where_nothing_was_set_up(refused: Callable[..., str], on_s3: str) -> None:
    for words in (("sql", "SELECT 1", "--engine", "athena", "--data", "{lake}"), ("compact", "{lake}"),
                  ("report", "lead_funnel", "--engine", "athena", "--data", "{lake}")):  # fmt: skip
        assert refused((*words, "--database", "nobody_s"), on_s3).startswith(
            "analytics-lib: the Glue database nobody_s lacks lines, records, records_parquet; set it up with: "
            f"analytics-lib athena setup --data {on_s3}"
        )


def test_an_expired_token_is_told_with_the_next_step(cli: Command, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def expired(**_: Any) -> None:
        answer: Any = {"Error": {"Code": "ExpiredToken", "Message": "The provided token has expired."}}
        raise ClientError(answer, "ListObjectsV2")

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session())
    aws.client.cache_clear()
    aws.session().events.register("before-call.s3.ListObjectsV2", expired)
    done = cli("sync", s3, "copy")
    assert (done.status, done.out, Path("copy").exists()) == (1, "", False)
    assert done.err == (
        f"analytics-lib: listing {s3}/sessions/ failed: ExpiredToken: The provided token has expired. (action "
        "s3:ListBucket); the credentials have expired: sign in again, e.g. with `aws sso login`, and repeat the "
        "command\n"
    )
