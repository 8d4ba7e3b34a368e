"""The local Athena itself: what other tests build on."""

import io
import json
import time
from base64 import b64encode
from typing import Any

import pyarrow.parquet as pq
import pyathena
import pytest

from analytics_lib import aws
from tests.support.local_athena.fixtures import Server

pytestmark = [pytest.mark.slow, pytest.mark.athena]
DAYS = ["2026-01-01", "2026-01-02"]
LINES = "SELECT dt, line FROM lines WHERE dt BETWEEN '2026-01-01' AND '2026-01-02'"


@pytest.fixture
def database(local_athena: Server, bucket: str) -> str:
    """A database over two days of two text lines each, in the fresh bucket."""
    for day in DAYS:
        aws.client("s3").put_object(Bucket=bucket, Key=f"sessions/dt={day}/a.json", Body=f'"{day}"\n2'.encode())
    name = f"db_{bucket[-8:]}"
    aws.client("glue").create_database(DatabaseInput={"Name": name})
    aws.client("glue").create_table(DatabaseName=name, TableInput=lines_table(bucket))
    return name


def lines_table(bucket: str) -> dict[str, Any]:
    projection = {"enabled": "true", "dt.type": "date", "dt.format": "yyyy-MM-dd", "dt.range": "2025-12-01,NOW"}
    return {
        "Name": "lines",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": "dt", "Type": "string"}],
        "Parameters": {
            **{f"projection.{name}": value for name, value in projection.items()},
            "storage.location.template": f"s3://{bucket}/sessions/dt=${{dt}}/",
        },
        "StorageDescriptor": {
            "Columns": [{"Name": "line", "Type": "string"}],
            "Location": f"s3://{bucket}/sessions/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"},
        },
    }


def view_table(name: str, sql: str, database: str, columns: dict[str, str]) -> dict[str, Any]:
    typed = [{"name": column, "type": kind} for column, kind in columns.items()]
    told = {"originalSql": sql, "catalog": "awsdatacatalog", "schema": database, "columns": typed}
    return {
        "Name": name,
        "Owner": "someone",
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "ViewOriginalText": f"/* Presto View: {b64encode(json.dumps(told).encode()).decode()} */",
        "ViewExpandedText": "/* Presto View */",
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": "string"} for column in columns],
            "SerdeInfo": {"Name": "-", "SerializationLibrary": "-"},
        },
    }


def ask(sql: str, database: str, bucket: str, **more: Any) -> dict[str, Any]:
    """The query's execution once it has ended."""
    started = aws.client("athena").start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": database, "Catalog": "AwsDataCatalog"},
        ResultConfiguration={"OutputLocation": f"s3://{bucket}/out/"},
        **more,
    )
    return ended(started["QueryExecutionId"])


def ended(query: str) -> dict[str, Any]:
    while True:
        told: dict[str, Any] = aws.client("athena").get_query_execution(QueryExecutionId=query)["QueryExecution"]
        if told["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return told
        time.sleep(0.02)


def read(url: str) -> bytes:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    body: bytes = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def test_pyathena_reads_rows_of_a_projected_table(database: str, bucket: str) -> None:
    with pyathena.connect(schema_name=database, s3_staging_dir=f"s3://{bucket}/out/") as connection:
        cursor = connection.cursor().execute(f"{LINES} ORDER BY 1, 2 DESC")
        rows = cursor.fetchall()
    assert rows == [(day, line) for day in DAYS for line in ("2", f'"{day}"')]
    assert cursor.data_scanned_in_bytes == 2 * len('"2026-01-01"\n2')


def test_a_result_file_quotes_every_value_but_null(database: str, bucket: str) -> None:
    told = ask(
        """SELECT 1E10 AS d, CAST(NULL AS VARCHAR) AS n, 'a"b' AS q, TIMESTAMP '2026-01-01 10:00:00' AS t,
        ARRAY[CAST(ROW(TRUE, NULL) AS ROW(x BOOLEAN, y BIGINT))] AS a""",
        database,
        bucket,
    )
    assert read(told["ResultConfiguration"]["OutputLocation"]).decode() == (
        '"d","n","q","t","a"\n"1.0E10",,"a""b","2026-01-01 10:00:00.000","[{x=true, y=null}]"\n'
    )


def test_results_come_in_pages_of_a_thousand_rows(database: str, bucket: str) -> None:
    query = ask("SELECT x FROM UNNEST(sequence(1, 1500)) AS t(x) ORDER BY 1", database, bucket)["QueryExecutionId"]
    first = aws.client("athena").get_query_results(QueryExecutionId=query)
    second = aws.client("athena").get_query_results(QueryExecutionId=query, NextToken=first["NextToken"])
    got = [row["Data"][0]["VarCharValue"] for page in (first, second) for row in page["ResultSet"]["Rows"]]
    assert (got, len(first["ResultSet"]["Rows"])) == (["x", *map(str, range(1, 1501))], 1000)


def test_unload_writes_parquet_by_day_and_names_the_files(database: str, bucket: str) -> None:
    select = "SELECT line, TIMESTAMP '2026-01-01 10:00:00.123' AS t, dt FROM lines WHERE dt <= '2026-01-01'"
    options = "format = 'PARQUET', compression = 'ZSTD', partitioned_by = ARRAY['dt']"
    told = ask(f"UNLOAD ({select}) TO 's3://{bucket}/new/' WITH ({options})", database, bucket)
    assert told["Status"]["State"] == "SUCCEEDED", told
    (file,) = read(told["Statistics"]["DataManifestLocation"]).decode().split()
    assert file.startswith(f"s3://{bucket}/new/dt=2026-01-01/")
    parquet = pq.ParquetFile(io.BytesIO(read(file)))
    rows = [(row["line"], str(row["t"])) for row in parquet.read().to_pylist()]
    assert rows == [('"2026-01-01"', "2026-01-01 10:00:00.123000"), ("2", "2026-01-01 10:00:00.123000")]
    assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_view_made_through_glue_is_read(database: str, bucket: str) -> None:
    view = view_table(
        "days", "SELECT dt, COUNT(*) AS n FROM lines GROUP BY 1", database, {"dt": "varchar", "n": "bigint"}
    )
    aws.client("glue").create_table(DatabaseName=database, TableInput=view)
    told = ask("SELECT n FROM days WHERE dt = '2026-01-02'", database, bucket)
    assert read(told["ResultConfiguration"]["OutputLocation"]) == b'"n"\n"2"\n'


def test_a_stopped_query_ends_on_trino_too(local_athena: Server, database: str, bucket: str) -> None:
    endless = (
        "SELECT COUNT(*) FROM UNNEST(sequence(1, 10000)) AS a(x), UNNEST(sequence(1, 10000)) AS b(y), "
        "UNNEST(sequence(1, 10000)) AS c(z) WHERE x * y % 7 = z"
    )
    query = aws.client("athena").start_query_execution(
        QueryString=endless, ResultConfiguration={"OutputLocation": f"s3://{bucket}/"}
    )["QueryExecutionId"]
    aws.client("athena").stop_query_execution(QueryExecutionId=query)
    assert ended(query)["Status"]["State"] == "CANCELLED"
    running = f"SELECT COUNT(*) AS n FROM system.runtime.queries WHERE state = 'RUNNING' AND query = '{endless}'"
    until = time.monotonic() + 10
    while read(ask(running, database, bucket)["ResultConfiguration"]["OutputLocation"]) != b'"n"\n"0"\n':
        assert time.monotonic() < until


def test_a_query_over_the_cutoff_of_its_workgroup_is_cancelled(database: str, bucket: str) -> None:
    large = (b"x" * 999 + b"\n") * 11_000
    aws.client("s3").put_object(Bucket=bucket, Key="sessions/dt=2026-01-02/b.json", Body=large)
    configuration = {"BytesScannedCutoffPerQuery": 10_000_000, "EnforceWorkGroupConfiguration": False}
    aws.client("athena").create_work_group(Name=database, Configuration=configuration)
    told = ask(LINES.replace("dt, line", "COUNT(*)"), database, bucket, WorkGroup=database)
    assert told["Status"]["State"] == "CANCELLED"
    assert "Bytes scanned limit was exceeded" in told["Status"]["StateChangeReason"]


def test_a_recent_result_is_reused_when_asked_for(database: str, bucket: str) -> None:
    recent = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 60}}
    first, second = (ask(LINES, database, bucket, ResultReuseConfiguration=recent)["Statistics"] for _ in range(2))
    got = [
        (one["ResultReuseInformation"]["ReusedPreviousResult"], one["DataScannedInBytes"]) for one in (first, second)
    ]
    assert got == [(False, 28), (True, 0)]


@pytest.mark.parametrize(
    "sql, reason",
    [
        ("SELECT nope", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        ("SELECT 1;", "SYNTAX_ERROR: line 1:9: mismatched input ';'"),
    ],
)
def test_a_failed_query_tells_why(sql: str, reason: str, database: str, bucket: str) -> None:
    status = ask(sql, database, bucket)["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith(reason)
    assert status["AthenaError"]["ErrorCategory"] == 2


@pytest.mark.parametrize(
    "more, reason",
    [
        ({"WorkGroup": "nope"}, "WorkGroup nope is not found."),
        ({}, "No output location provided."),
        ({"ResultConfiguration": {"OutputLocation": "s3://nope/"}}, "Unable to verify/create output bucket nope"),
    ],
)
@pytest.mark.usefixtures("local_athena")
def test_a_query_that_cannot_start_is_refused(more: dict[str, Any], reason: str) -> None:
    with pytest.raises(aws.client("athena").exceptions.InvalidRequestException, match=reason):
        aws.client("athena").start_query_execution(QueryString="SELECT 1", **more)


def test_the_requests_of_a_query_are_counted(local_athena: Server, database: str, bucket: str) -> None:
    local_athena.requests(bucket, forget=True)
    ask(LINES, database, bucket)
    assert local_athena.requests(f"{bucket}/sessions/dt=2026-01-01/") == {"LIST": 1, "GET": 1}
    assert local_athena.requests(f"{bucket}/sessions/dt=2026-01-01/a.json", forget=True) == {"GET": 1}
    assert local_athena.requests(f"{bucket}/sessions/dt=2026-01-01/a.json") == {}
