"""The catalogue: what is made, kept, compared and removed on AWS, as the services tell it afterwards."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from analytics_lib import aws, period
from analytics_lib.engines import catalog, glue_tables
from analytics_lib.engines.catalog import State
from analytics_lib.engines.glue_tables import Compacted
from analytics_lib.errors import LakeError
from analytics_lib.location import Location
from analytics_lib.settings import Athena
from analytics_lib.upkeep import setup
from analytics_lib.upkeep.changes import Outcome

TABLES = ["lines", "records_parquet", "records_raw", "records", "sessions", "tool_calls"]
KINDS = ["database", "table", "table", "view", "view", "view", "view", "workgroup", "lifecycle rule"]


@pytest.fixture
def location(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Location:
    """A lake with one day, the second of January; today is the tenth."""
    monkeypatch.setattr(period, "today", lambda: date(2026, 1, 10))
    lake = Location(bucket, "team/lake")
    put(lake, "sessions/dt=2026-01-02/room-1.json")
    return lake


@pytest.fixture
def athena(location: Location) -> Athena:
    """Settings with names of this test's own: one server serves many tests."""
    return Athena(database=f"db_{location.bucket[-8:]}", workgroup=f"group-{location.bucket[-8:]}")


def put(lake: Location, name: str) -> None:
    aws.client("s3").put_object(Bucket=lake.bucket, Key=lake.key(name), Body=b"{}")


def table(athena: Athena, name: str) -> dict[str, Any]:
    """The entry without what the service adds by itself."""
    found: dict[str, Any] = aws.client("glue").get_table(DatabaseName=athena.database, Name=name)["Table"]
    added = {"CatalogId", "CreateTime", "DatabaseName", "UpdateTime", "VersionId"}
    return {key: value for key, value in found.items() if key not in added}


def table_names(athena: Athena) -> list[str]:
    return [each["Name"] for each in aws.client("glue").get_tables(DatabaseName=athena.database)["TableList"]]


def database_names() -> set[str]:
    return {each["Name"] for each in aws.client("glue").get_databases()["DatabaseList"]}


def workgroups() -> dict[str, dict[str, Any]]:
    client = aws.client("athena")
    names = [each["Name"] for each in client.list_work_groups()["WorkGroups"]]
    return {name: client.get_work_group(WorkGroup=name)["WorkGroup"] for name in names}


def rules(lake: Location) -> list[dict[str, Any]]:
    answer = aws.client("s3").get_bucket_lifecycle_configuration(Bucket=lake.bucket)
    return list(answer["Rules"])


def decoded(view: Mapping[str, Any]) -> dict[str, Any]:
    text = view["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    found: dict[str, Any] = json.loads(base64.b64decode(text))
    return found


def actions(outcome: Outcome) -> dict[str, str]:
    return {change.name: change.action for change in outcome.changes if change.action not in ("keep", "current")}


def compacted(day: str, **changed: Any) -> Compacted:
    told = Compacted(
        day, f"s3://bucket/parquet/g/dt={day}/", "d1", 3, 2, 1, 900, 4, 90, 1, glue_tables.schema_version()
    )
    return replace(told, **changed)


def register(athena: Athena, *days: Compacted, watermark: str = "", late: tuple[str, ...] = ()) -> None:
    glue, where = aws.client("glue"), {"DatabaseName": athena.database}
    entries = [day.partition() for day in days]
    glue.batch_create_partition(**where, TableName="records_parquet", PartitionInputList=entries)
    glue.update_table(**where, TableInput=glue_tables.records_view(athena.database, watermark, late))


def test_setup_makes_everything_in_order(location: Location, athena: Athena) -> None:
    made = setup.setup(location, athena)
    assert [change.kind for change in made.changes] == KINDS
    assert [change.name for change in made.changes[1:7]] == TABLES
    assert {change.action for change in made.changes} == {"create"}
    assert made.notes == ()
    assert table_names(athena) == TABLES
    database = aws.client("glue").get_database(Name=athena.database)["Database"]
    assert database["Parameters"] == {"analytics_lib.made": "true", "analytics_lib.root": str(location)}


def test_the_table_of_lines_holds_whole_lines_and_finds_days_by_their_folder(
    location: Location, athena: Athena
) -> None:
    setup.setup(location, athena)
    root = f"s3://{location.bucket}/team/lake"
    assert table(athena, "lines") == {
        "Name": "lines",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": "dt", "Type": "string"}],
        "StorageDescriptor": {
            "Columns": [{"Name": "line", "Type": "string"}],
            "Location": f"{root}/sessions/",
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                "Parameters": {"field.delim": "\n", "serialization.format": "\n"},
            },
            "NumberOfBuckets": -1,
        },
        "Parameters": {
            "analytics_lib.made": "true",
            "EXTERNAL": "TRUE",
            "projection.enabled": "true",
            "projection.dt.type": "date",
            "projection.dt.format": "yyyy-MM-dd",
            "projection.dt.range": "2026-01-02,NOW+1DAYS",
            "projection.dt.interval": "1",
            "projection.dt.interval.unit": "DAYS",
            "storage.location.template": root + "/sessions/dt=${dt}/",
        },
    }


def test_the_parquet_table_has_the_columns_of_a_record_and_the_day_as_partition(
    location: Location, athena: Athena
) -> None:
    setup.setup(location, athena)
    found = table(athena, "records_parquet")
    columns = {column["Name"]: column["Type"] for column in found["StorageDescriptor"].pop("Columns")}
    assert found == {
        "Name": "records_parquet",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": "dt", "Type": "string"}],
        "StorageDescriptor": {
            "Location": f"s3://{location.bucket}/team/lake/parquet/",
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "Parameters": {"serialization.format": "1"},
            },
            "NumberOfBuckets": -1,
        },
        "Parameters": {"analytics_lib.made": "true", "EXTERNAL": "TRUE", "classification": "parquet"},
    }
    assert list(columns)[:3] == ["session_id", "started_at", "ended_at"]
    assert (columns["ended_at"], columns["integration_needs"]) == ("timestamp", "array<string>")
    assert list(columns)[-1] == "tool_calls"
    assert columns["tool_calls"].startswith("array<struct<tool:string,query:string,results_found:boolean,")


def test_a_view_is_as_athena_keeps_it(location: Location, athena: Athena) -> None:
    setup.setup(location, athena)
    found = table(athena, "records")
    columns = found["StorageDescriptor"].pop("Columns")
    definition = decoded({"ViewOriginalText": found.pop("ViewOriginalText")})
    assert found == {
        "Name": "records",
        "Owner": "analytics-lib",
        "TableType": "VIRTUAL_VIEW",
        "PartitionKeys": [],
        "StorageDescriptor": {"Location": "", "SerdeInfo": {}, "NumberOfBuckets": -1},
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {
            "analytics_lib.made": "true",
            "presto_view": "true",
            "comment": "Presto View",
            "analytics_lib.watermark": "",
            "analytics_lib.late": "",
        },
    }
    assert (definition["catalog"], definition["schema"]) == ("awsdatacatalog", athena.database)
    assert [column["name"] for column in definition["columns"]] == [column["Name"] for column in columns]
    assert definition["columns"][2] == {"name": "ended_at", "type": "timestamp(3)"}
    assert columns[-1] == {"Name": "dt", "Type": "string"}
    assert definition["originalSql"].startswith("SELECT\n    session_id,")
    assert not definition["originalSql"].endswith(";")


@pytest.mark.parametrize("name", ["records_raw", "sessions", "tool_calls"])
def test_the_views_text_is_the_file_s_query(name: str) -> None:
    definition = decoded(glue_tables.view("analytics", name))
    assert glue_tables.view_sql(name).endswith(f"CREATE OR REPLACE VIEW {name} AS\n{definition['originalSql']};\n")


def test_the_view_of_records_holds_watermark_and_late_days_as_literals() -> None:
    entry = glue_tables.records_view("analytics", "2026-01-31", ["2026-01-09", "2026-01-03"])
    sql = decoded(entry)["originalSql"]
    assert "dt <= /*:watermark*/ '2026-01-31' AND dt NOT IN (/*:late*/ '2026-01-03', '2026-01-09')" in sql
    assert "dt > /*:watermark*/ '2026-01-31' OR dt IN (/*:late*/ '2026-01-03', '2026-01-09')" in sql
    assert entry["Parameters"]["analytics_lib.watermark"] == "2026-01-31"
    assert entry["Parameters"]["analytics_lib.late"] == "2026-01-03,2026-01-09"


def test_the_workgroup_has_a_ceiling_and_its_results_are_encrypted_and_expire(
    location: Location, athena: Athena
) -> None:
    setup.setup(location, replace(athena, max_usd=2.0))
    made = workgroups()[athena.workgroup]
    assert made["Description"] == f"Made by analytics-lib for {location}"
    chosen = ("ResultConfiguration", "EnforceWorkGroupConfiguration", "BytesScannedCutoffPerQuery")
    assert {name: made["Configuration"][name] for name in chosen} == {
        "ResultConfiguration": {
            "OutputLocation": f"s3://{location.bucket}/team/lake/athena-results/",
            "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
        },
        "EnforceWorkGroupConfiguration": True,
        "BytesScannedCutoffPerQuery": 400_000_000_000,
    }
    assert rules(location) == [
        {
            "ID": "analytics-lib: team/lake/athena-results/ expires",
            "Filter": {"Prefix": "team/lake/athena-results/"},
            "Status": "Enabled",
            "Expiration": {"Days": 7},
        }
    ]


def test_a_dry_run_changes_nothing_and_shows_every_entry(location: Location, athena: Athena) -> None:
    outcome = setup.setup(location, athena, dry_run=True)
    assert [change.kind for change in outcome.changes] == KINDS
    entries = {change.name: change.entry for change in outcome.changes}
    assert json.loads(entries["lines"]) == glue_tables.lines(location, "2026-01-02")
    assert "CREATE OR REPLACE VIEW sessions AS\nSELECT" in entries["sessions"]
    assert all(entries.values())
    assert athena.database not in database_names()
    assert athena.workgroup not in workgroups()
    with pytest.raises(aws.client("s3").exceptions.ClientError, match="NoSuchLifecycleConfiguration"):
        rules(location)


def test_a_second_setup_keeps_everything(location: Location, athena: Athena) -> None:
    setup.setup(location, athena)
    before = [table(athena, name) for name in TABLES]
    assert actions(setup.setup(location, athena)) == {}
    assert [table(athena, name) for name in TABLES] == before
    assert len(rules(location)) == 1


def test_an_older_day_moves_the_beginning_of_the_range(location: Location, athena: Athena) -> None:
    setup.setup(location, athena)
    put(location, "sessions/dt=2025-12-30/late.json")
    assert catalog.days_outside(["2025-12-30", "2026-01-02"], athena.database) == ["2025-12-30"]
    again = setup.setup(location, athena)
    (changed,) = [change for change in again.changes if change.action != "keep"]
    assert (changed.name, changed.action) == ("lines", "update")
    assert changed.detail == "Parameters.projection.dt.range: 2026-01-02,NOW+1DAYS -> 2025-12-30,NOW+1DAYS"
    assert catalog.days_outside(["2025-12-30", "2026-01-02"], athena.database) == []


def test_what_is_compacted_stays_so_even_where_the_view_is_made_anew(location: Location, athena: Athena) -> None:
    setup.setup(location, athena)
    register(athena, compacted("2026-01-02"), compacted("2026-01-03"), watermark="2026-01-03", late=("2026-01-03",))
    assert actions(setup.setup(location, athena)) == {}
    glue = aws.client("glue")
    changed = {**table(athena, "records"), "ViewOriginalText": "/* Presto View: e30= */"}
    glue.update_table(DatabaseName=athena.database, TableInput=changed)
    assert actions(setup.setup(location, athena)) == {"records": "update"}
    assert table(athena, "records") == glue_tables.records_view(athena.database, "2026-01-03", ["2026-01-03"])


def test_days_whose_parquet_lacks_a_column_are_read_as_json(location: Location, athena: Athena) -> None:
    setup.setup(location, athena)
    register(athena, compacted("2026-01-02", schema="older"), compacted("2026-01-03"), watermark="2026-01-03")
    again = setup.setup(location, athena)
    assert actions(again) == {"records": "update"}
    assert again.notes == ("days read as JSON until compacted again, as their Parquet has other columns: 1",)
    state = catalog.read_state(athena.database)
    assert (state.watermark, state.late) == ("2026-01-03", frozenset({"2026-01-02"}))


def test_without_the_parquet_table_all_days_are_read_as_json_again(location: Location, athena: Athena) -> None:
    setup.setup(location, athena)
    register(athena, compacted("2026-01-02"), watermark="2026-01-02")
    aws.client("glue").delete_table(DatabaseName=athena.database, Name="records_parquet")
    assert actions(setup.setup(location, athena)) == {"records_parquet": "create", "records": "update"}
    assert catalog.read_state(athena.database).watermark == ""


def test_a_database_of_somebody_else_is_not_touched(location: Location, athena: Athena) -> None:
    aws.client("glue").create_database(DatabaseInput={"Name": athena.database})
    for command in (setup.setup, setup.status, setup.teardown):
        with pytest.raises(LakeError, match=f"{athena.database} that analytics-lib did not make.*choose.*--database"):
            command(location, athena)
    assert table_names(athena) == []
    assert athena.workgroup not in workgroups()


def test_a_table_of_somebody_else_is_not_touched(location: Location, athena: Athena) -> None:
    glue = aws.client("glue")
    glue.create_database(DatabaseInput=glue_tables.database(athena.database, location))
    glue.create_table(DatabaseName=athena.database, TableInput={"Name": "sessions"})
    with pytest.raises(LakeError, match=r"did not make sessions in .*--database"):
        setup.setup(location, athena)
    assert table_names(athena) == ["sessions"]


def test_tables_of_somebody_else_tell_nothing(location: Location, athena: Athena) -> None:
    glue = aws.client("glue")
    glue.create_database(DatabaseInput={"Name": athena.database})
    for name in ("lines", "records", "records_parquet"):
        glue.create_table(DatabaseName=athena.database, TableInput={"Name": name})
    with pytest.raises(LakeError, match="lacks lines, records, records_parquet"):
        catalog.read_state(athena.database, location)
    assert catalog.days_outside(["2020-01-01"], athena.database) == []


def test_a_database_shows_one_lake(location: Location, athena: Athena) -> None:
    setup.setup(location, athena)
    other = Location(location.bucket, "other")
    put(other, "sessions/dt=2026-01-02/room-1.json")
    for command in (setup.setup, setup.teardown):
        with pytest.raises(LakeError, match=f"shows {location}, not {other}"):
            command(other, athena)
    with pytest.raises(LakeError, match=f"shows {location}; name another for {other} with --database"):
        catalog.read_state(athena.database, other)


def test_a_workgroup_of_somebody_else_is_kept_with_its_place_for_results(location: Location, athena: Athena) -> None:
    aws.client("athena").create_work_group(Name=athena.workgroup, Configuration={}, Description="The team's")
    outcome = setup.setup(location, athena)
    assert [change.action for change in outcome.changes if change.name == athena.workgroup] == ["keep"]
    assert outcome.notes == (
        f"the workgroup {athena.workgroup} names no place for results: name one with --athena-output",
    )
    assert [change.kind for change in outcome.changes][-1] == "workgroup"
    setup.teardown(location, athena)
    assert workgroups()[athena.workgroup]["Description"] == "The team's"


def test_the_primary_workgroup_is_never_touched(location: Location, athena: Athena) -> None:
    primary = replace(athena, workgroup="primary", output=f"s3://{location.bucket}/results/")
    before = workgroups()["primary"]
    assert "primary" not in actions(setup.setup(location, primary))
    setup.teardown(location, primary)
    assert {**workgroups()["primary"], "CreationTime": None} == {**before, "CreationTime": None}


def test_its_own_workgroup_follows_the_ceiling_which_athena_wants_at_ten_million_bytes(
    location: Location, athena: Athena
) -> None:
    setup.setup(location, athena)
    again = setup.setup(location, replace(athena, max_usd=0.0))
    (changed,) = [change for change in again.changes if change.action != "keep"]
    assert changed.detail == "Configuration.BytesScannedCutoffPerQuery: 100000000000 -> 10000000"
    assert workgroups()[athena.workgroup]["Configuration"]["BytesScannedCutoffPerQuery"] == 10_000_000
    assert actions(setup.setup(location, replace(athena, max_usd=0.0))) == {}


def test_results_in_a_place_of_the_user_s_own_do_not_expire(location: Location, athena: Athena) -> None:
    place = f"s3://{location.bucket}/elsewhere/"
    outcome = setup.setup(location, replace(athena, output=place))
    assert [change.kind for change in outcome.changes] == KINDS[:-1]
    assert workgroups()[athena.workgroup]["Configuration"]["ResultConfiguration"]["OutputLocation"] == place


def test_the_bucket_s_other_rules_stay(location: Location, athena: Athena) -> None:
    theirs = {"ID": "theirs", "Filter": {"Prefix": "logs/"}, "Status": "Enabled", "Expiration": {"Days": 30}}
    aws.client("s3").put_bucket_lifecycle_configuration(
        Bucket=location.bucket, LifecycleConfiguration={"Rules": [theirs]}
    )
    setup.setup(location, athena)
    assert [rule["ID"] for rule in rules(location)] == ["theirs", "analytics-lib: team/lake/athena-results/ expires"]
    setup.teardown(location, athena)
    assert rules(location) == [theirs]


def test_a_lake_without_a_day_begins_today(bucket: str, athena: Athena) -> None:
    lake = Location(bucket, "new")
    put(lake, "sessions/notes.txt")
    outcome = setup.setup(lake, athena)
    assert table(athena, "lines")["Parameters"]["projection.dt.range"] == "2026-01-10,NOW+1DAYS"
    assert outcome.notes[-1] == f"no day lies in {lake} yet: queries will see the days from today on"


def test_folders_that_no_query_sees_are_named(location: Location, athena: Athena) -> None:
    for name in ("dt=2026-01-11/a.json", "dt=2026-01-12/a.json", "dt=someday/a.json"):
        put(location, f"sessions/{name}")
    ignored, future = setup.setup(location, athena).notes
    assert ignored == "sessions/dt=someday is ignored: its name holds no date"
    assert future == "sessions/dt=2026-01-12/ lies in the future: queries see no day after tomorrow"
    days = ["2026-01-02", "2026-01-11", "2026-01-12"]
    assert catalog.days_outside(days, athena.database) == ["2026-01-12"]


def test_status_compares_what_is_there_with_what_is_wanted(location: Location, athena: Athena) -> None:
    before = setup.status(location, athena)
    assert {change.action for change in before.changes} == {"missing"}
    assert before.notes == ("no day is compacted",)
    assert athena.database not in database_names()
    setup.setup(location, athena)
    register(athena, compacted("2026-01-02"), compacted("2026-01-03"), watermark="2026-01-03", late=("2026-01-03",))
    broken = {**table(athena, "sessions"), "ViewOriginalText": "/* Presto View: e30= */"}
    aws.client("glue").update_table(DatabaseName=athena.database, TableInput=broken)
    after = setup.status(location, athena)
    assert actions(after) == {"sessions": "differs"}
    assert [change.detail for change in after.changes if change.name == "sessions"] == ["ViewOriginalText"]
    assert after.notes == (
        "days read from Parquet: 1, none after 2026-01-03",
        "sessions/dt=2026-01-03/ is read as JSON until it is compacted again",
    )


def test_teardown_removes_what_was_made_and_never_data(location: Location, athena: Athena) -> None:
    setup.setup(location, athena)
    planned = setup.teardown(location, athena, dry_run=True)
    assert table_names(athena) == TABLES
    assert [(change.kind, change.action) for change in planned.changes] == [
        *[("view", "delete")] * 4, *[("table", "delete")] * 2,
        ("database", "delete"), ("workgroup", "delete"), ("lifecycle rule", "delete"),
    ]  # fmt: skip
    assert planned.notes == tuple(
        f"s3://{location.bucket}/team/lake/{folder}/ stays" for folder in ("sessions", "parquet", "athena-results")
    )
    assert setup.teardown(location, athena) == planned
    assert athena.database not in database_names()
    assert athena.workgroup not in workgroups()
    stored = aws.client("s3").list_objects_v2(Bucket=location.bucket)["Contents"]
    assert [each["Key"] for each in stored] == ["team/lake/sessions/dt=2026-01-02/room-1.json"]
    assert setup.teardown(location, athena).changes == ()


def test_teardown_leaves_the_tables_of_others_and_their_database(location: Location, athena: Athena) -> None:
    setup.setup(location, athena)
    aws.client("glue").create_table(DatabaseName=athena.database, TableInput={"Name": "invoices"})
    outcome = setup.teardown(location, athena)
    assert table_names(athena) == ["invoices"]
    assert f"the Glue database {athena.database} stays: analytics-lib did not make invoices in it" in outcome.notes


def test_the_state_is_read_from_the_view_and_the_partitions(location: Location, athena: Athena) -> None:
    setup.setup(location, athena)
    kept, late = compacted("2026-01-02"), compacted("2026-01-03", digest="d2")
    register(athena, kept, late, compacted("2026-01-04"), watermark="2026-01-03", late=("2026-01-03",))
    strange = {"Values": ["2026-01-01"], "StorageDescriptor": {"Columns": [], "Location": "s3://bucket/x/"}}
    aws.client("glue").create_partition(
        DatabaseName=athena.database, TableName="records_parquet", PartitionInput=strange
    )
    state = catalog.read_state(athena.database, location)
    days = {"2026-01-02": kept, "2026-01-03": late, "2026-01-04": compacted("2026-01-04")}
    version = aws.client("glue").get_table(DatabaseName=athena.database, Name="records")["Table"]["VersionId"]
    places = frozenset({"s3://bucket/x/", *(each.location for each in days.values())})
    assert state == State(
        "2026-01-03", frozenset({"2026-01-03"}), days, str(location), version, first_day="2026-01-02", places=places
    )
    asked = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
    assert [day for day in asked if state.is_compacted(day)] == ["2026-01-01", "2026-01-02"]  # as the view has it


def test_where_nothing_is_set_up_the_next_step_is_told(location: Location, athena: Athena) -> None:
    with pytest.raises(LakeError, match=f"lacks lines, records, .*analytics-lib athena setup --data {location}"):
        catalog.read_state(athena.database, location)
    with pytest.raises(LakeError, match=r"setup --data s3://BUCKET/PREFIX"):
        catalog.read_state(athena.database)
    assert catalog.days_outside(["2026-01-02"], athena.database) == []
