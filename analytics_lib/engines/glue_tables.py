"""The entries of the Glue catalogue that `athena setup` makes, all in one place; they follow from schema and sql/."""

import base64
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from analytics_lib import schema, sqlfile
from analytics_lib.location import Location

Entry = dict[str, Any]

LINES, PARQUET, RECORDS = "lines", "records_parquet", "records"
VIEWS = ("records_raw", RECORDS, "sessions", "tool_calls")
MADE = {"analytics_lib.made": "true"}  # marks what analytics_lib made, and only that is changed or removed
ROOT, WATERMARK, LATE = "analytics_lib.root", "analytics_lib.watermark", "analytics_lib.late"
SESSIONS_FOLDER, PARQUET_FOLDER, RESULTS_FOLDER = "sessions/", "parquet/", "athena-results/"

_HEAD = re.compile(r"\A.*?^CREATE OR REPLACE VIEW \w+ AS\n", re.DOTALL | re.MULTILINE)
_NO_DAY = re.compile(r"(/\*:late\*/\s*)''")


def database(name: str, location: Location) -> Entry:
    """The database; it remembers which lake it shows."""
    return {
        "Name": name,
        "Description": f"Sessions of the voice agent in {location}, made by analytics-lib",
        "Parameters": {**MADE, ROOT: str(location)},
    }


def lines(location: Location, first_day: str) -> Entry:
    """The raw lines, one a row, unparsed; a day is found by its folder's name, from `first_day` to tomorrow.

    A newline as separator of fields leaves every line whole, whatever bytes it holds.
    """
    place = location.url(SESSIONS_FOLDER)
    projection = {
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": f"{first_day},NOW+1DAYS",
        "projection.dt.interval": "1",
        "projection.dt.interval.unit": "DAYS",
        "storage.location.template": place + "dt=${dt}/",
    }
    storage = {
        "Columns": [{"Name": "line", "Type": "string"}],
        "Location": place,
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
            "Parameters": {"field.delim": "\n", "serialization.format": "\n"},
        },
        "NumberOfBuckets": -1,
    }
    return _table(LINES, storage, projection)


def parquet(location: Location) -> Entry:
    """The compacted records; each day is registered as a partition with a place of its own."""
    return _table(PARQUET, _parquet_storage(location.url(PARQUET_FOLDER)), {"classification": "parquet"})


def _table(name: str, storage: Entry, parameters: Mapping[str, str]) -> Entry:
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": "dt", "Type": "string"}],
        "StorageDescriptor": storage,
        "Parameters": {**MADE, "EXTERNAL": "TRUE", **parameters},
    }


def _parquet_storage(place: str) -> Entry:
    return {
        "Columns": _glue_columns(RECORDS)[:-1],  # the last is dt, the partition
        "Location": place,
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "Parameters": {"serialization.format": "1"},
        },
        "NumberOfBuckets": -1,
    }


def view_sql(name: str, watermark: str = "", late: Iterable[str] = ()) -> str:
    """The statement that makes the view, as it can be pasted into the console."""
    path = f"views/athena/{name}.sql"
    sql = sqlfile.bind(sqlfile.read(path), {"watermark": watermark, "late": ""}, path)
    listed = ", ".join(f"'{day}'" for day in sorted(late)) or "''"
    return _NO_DAY.sub(lambda sample: sample[1] + listed, sql)


def view(database: str, name: str) -> Entry:
    """A view with a fixed text."""
    return _view(database, name, view_sql(name))


def records_view(database: str, watermark: str, late: Iterable[str]) -> Entry:
    """The view `records`: up to `watermark` without the `late` days from Parquet, the rest from raw lines.

    It carries both, so that they change together with what readers see.
    """
    late = sorted(late)
    state = {WATERMARK: watermark, LATE: ",".join(late)}
    return _view(database, RECORDS, view_sql(RECORDS, watermark, late), state)


def _view(database: str, name: str, statement: str, parameters: Mapping[str, str] | None = None) -> Entry:
    """A view as Athena keeps it. Trino wants an owner; on Athena views run with the rights of whoever asks."""
    columns = [{"name": column.name, "type": column.trino_type} for column in _columns(name)]
    query = _HEAD.sub("", statement).rstrip().removesuffix(";")
    described = {"originalSql": query, "catalog": "awsdatacatalog", "schema": database, "columns": columns}
    encoded = base64.b64encode(json.dumps(described).encode()).decode()
    return {
        "Name": name,
        "Owner": "analytics-lib",
        "TableType": "VIRTUAL_VIEW",
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": _glue_columns(name), "Location": "", "SerdeInfo": {}, "NumberOfBuckets": -1},
        "ViewOriginalText": f"/* Presto View: {encoded} */",
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {**MADE, "presto_view": "true", "comment": "Presto View", **(parameters or {})},
    }


def _columns(view: str) -> tuple[schema.Column | schema.Group, ...]:
    if view == "sessions":
        return schema.session_columns()
    return schema.call_columns() if view == "tool_calls" else schema.record_columns()


def _glue_columns(view: str) -> list[dict[str, str]]:
    return [{"Name": column.name, "Type": column.glue_type} for column in _columns(view)]


@functools.cache
def schema_version() -> str:
    """A short name for the columns of a record and how they are read: Parquet of another version is written anew."""
    query = re.sub(r"--[^\n]*", "", _HEAD.sub("", view_sql("records_raw")))
    told = json.dumps(_glue_columns(RECORDS)) + " ".join(query.split())
    return hashlib.sha256(told.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Compacted:
    """A compacted day, as its partition tells it: the place of its Parquet, and what was read to make it.

    `digest` names the raw objects that were read, `raw_bytes` and `raw_objects` sum them up; `records`, `rejected`
    and `duplicates` count their lines; `bytes` and `objects` sum up the Parquet; `schema` is its schema_version().
    """

    day: str
    location: str
    digest: str
    records: int
    rejected: int
    duplicates: int
    raw_bytes: int
    raw_objects: int
    bytes: int
    objects: int
    schema: str

    def partition(self) -> Entry:
        """The PartitionInput that says all of this."""
        told = {f"analytics_lib.{name}": str(getattr(self, name)) for name in _TOLD}
        return {"Values": [self.day], "StorageDescriptor": _parquet_storage(self.location), "Parameters": told}

    @classmethod
    def told_by(cls, partition: Mapping[str, Any]) -> "Compacted | None":
        """What a partition of Glue says; None where somebody else registered it."""
        parameters = partition.get("Parameters", {})
        try:
            told = {name: kind(parameters[f"analytics_lib.{name}"]) for name, kind in _TOLD.items()}
        except (KeyError, ValueError):
            return None
        return cls(partition["Values"][0], partition["StorageDescriptor"]["Location"], **told)


_TOLD: dict[str, Any] = {each.name: each.type for each in fields(Compacted) if each.name not in ("day", "location")}
