"""One query of the local Athena: what was asked, how it stands, what it gave."""

import re
import time
import uuid
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tests.support.local_athena import values
from tests.support.local_athena.trino import Answer, Trino, TrinoError

_UNLOAD = re.compile(r"\s*UNLOAD\s*\((.*)\)\s*TO\s*'(s3://[^']+)'\s*(?:WITH\s*\((.*)\))?\s*", re.DOTALL | re.IGNORECASE)
_PROPERTY = re.compile(r"(\w+)\s*=\s*('[^']*'|ARRAY\s*\[[^\]]*\]|\w+)", re.IGNORECASE)
_COMMENTS = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*", re.DOTALL)
_TYPES = {"SELECT": "DML", "WITH": "DML", "VALUES": "DML", "UNLOAD": "DML", "INSERT": "DML", "TABLE": "DML"}
_TYPES |= {"SHOW": "UTILITY", "DESCRIBE": "UTILITY", "EXPLAIN": "UTILITY"}


class RefusedError(Exception):
    """A call that Athena answers with InvalidRequestException."""


class _StoppedError(Exception):
    pass


class Query:
    """What `GetQueryExecution` and `GetQueryResults` tell about."""

    def __init__(self, asked: dict[str, Any], workgroup: str, output: str, cutoff: int | None) -> None:
        self.id = str(uuid.uuid4())
        self.sql: str = asked["QueryString"]
        self.context: dict[str, Any] = asked.get("QueryExecutionContext", {})
        self.parameters: list[str] = asked.get("ExecutionParameters", [])
        self.workgroup, self.cutoff = workgroup, cutoff
        reuse = asked.get("ResultReuseConfiguration", {}).get("ResultReuseByAgeConfiguration", {})
        self.reuse = {"Enabled": False, **reuse}
        self.reuse_minutes = reuse.get("MaxAgeInMinutes", 60) if reuse.get("Enabled") else -1
        self.reuses = (self.sql, self.parameters, self.context, workgroup)
        self.word = self.sql[_COMMENTS.match(self.sql).end() :].split("(")[0].split(maxsplit=1)[0].upper()
        self.type = _TYPES.get(self.word, "DDL")
        self.output = f"{output}/{self.id}" + {"UNLOAD": ""}.get(self.word, ".csv" if self.type == "DML" else ".txt")
        self.state, self.reason, self.by_user = "QUEUED", "", True
        self.submitted = self.completed = time.time()
        self.stopped = self.reused = False
        self.scanned = self.engine_ms = 0
        self.manifest: str | None = None
        self.columns: list[dict[str, Any]] = []
        self.rows: list[list[str | None]] = []

    def cancel(self) -> dict[str, Any]:
        self.stopped = True
        if self.state in ("QUEUED", "RUNNING"):
            self._end("CANCELLED", "Query cancelled by user")
        return {}

    def run(self, trino: Trino, earlier: "Query | None") -> None:
        """Run on Trino, or take what an earlier query gave."""
        try:
            if earlier:
                self.columns, self.rows, self.reused = earlier.columns, earlier.rows, True
            elif unload := _UNLOAD.fullmatch(self.sql, _COMMENTS.match(self.sql).end()):
                self._unload(trino, *unload.groups())
            else:
                self._keep(self._ask(trino, self.sql))
            if self.rows and not self.stopped:
                _put(self.output, "".join(map(values.csv_line, self.rows)))
            self._end("SUCCEEDED")
        except _StoppedError as stopped:
            self._end("CANCELLED", str(stopped))
        except TrinoError as error:
            self.by_user = error.by_user
            self._end("FAILED", str(error))
        except Exception as error:
            self.by_user = False
            self._end("FAILED", f"GENERIC_INTERNAL_ERROR: {error!r}")
            raise

    def _end(self, state: str, reason: str = "") -> None:
        if self.state in ("QUEUED", "RUNNING"):
            self.reason, self.completed = reason, time.time()
            self.state = state

    def _ask(self, trino: Trino, sql: str, session: str = "") -> Answer:
        if self.parameters:
            quoted = sql.replace("'", "''")
            sql = f"EXECUTE IMMEDIATE '{quoted}' USING {', '.join(self.parameters)}"
        return trino.run(
            sql,
            catalog=self.context.get("Catalog", "awsdatacatalog").lower(),
            schema=self.context.get("Database", "default").lower(),
            session=session,
            watch=self._watch,
        )

    def _watch(self, answer: Answer) -> None:
        self.scanned = answer.stats.get("physicalInputBytes", 0) if self.type == "DML" else 0
        self.engine_ms = answer.stats.get("elapsedTimeMillis", 0)
        if self.stopped:
            raise _StoppedError("Query cancelled by user")
        if self.cutoff and self.scanned > self.cutoff:
            raise _StoppedError("Query cancelled! : Bytes scanned limit was exceeded")
        if self.state == "QUEUED" and answer.stats["state"] != "QUEUED":
            self.state = "RUNNING"

    def _keep(self, answer: Answer) -> None:
        types = [column["typeSignature"] for column in answer.columns]
        self.columns = [
            _column_info(column["name"], signature) for column, signature in zip(answer.columns, types, strict=True)
        ]
        self.rows = [[values.text(*one) for one in zip(row, types, strict=True)] for row in answer.rows]
        if self.type == "DML":
            self.rows.insert(0, [column["name"] for column in answer.columns])

    def _unload(self, trino: Trino, select: str, location: str, options: str | None) -> None:
        """Trino has no UNLOAD: create a table over the place in a catalogue of its own, and forget the table."""
        given = {name.lower(): value for name, value in _PROPERTY.findall(options or "")}
        compression = given.pop("compression", "'GZIP'").strip("'").upper()
        given = {"format": "'PARQUET'", **given, "external_location": f"'{location}'"}
        table = f"unload.work.u{self.id.replace('-', '')}"
        properties = ", ".join(f"{name} = {value}" for name, value in given.items())
        sql = f"CREATE TABLE {table} WITH ({properties}) AS\n{select}"
        written = self._ask(trino, sql, f"unload.compression_codec={compression}")
        trino.run(f"DROP TABLE {table}")
        bucket, _, folder = location.removeprefix("s3://").partition("/")
        keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys
        files = sorted(key for key in keys if key.startswith(folder) and f"/{written.id}_" in key)
        self.manifest = f"{self.output}-manifest.csv"
        _put(self.manifest, "".join(f"s3://{bucket}/{key}\n" for key in files))

    def described(self) -> dict[str, Any]:
        """The QueryExecution of Athena's answers."""
        ended = self.state not in ("QUEUED", "RUNNING")
        total = int(1000 * ((self.completed if ended else time.time()) - self.submitted))
        status = {"State": self.state, "SubmissionDateTime": self.submitted}
        status |= {"CompletionDateTime": self.completed} if ended else {}
        status |= {"StateChangeReason": self.reason} if self.reason else {}
        if self.state == "FAILED":
            category = 2 if self.by_user else 1
            status["AthenaError"] = {"ErrorCategory": category, "Retryable": False, "ErrorMessage": self.reason}
        statistics = {
            "EngineExecutionTimeInMillis": self.engine_ms,
            "DataScannedInBytes": self.scanned,
            "TotalExecutionTimeInMillis": total,
            "ResultReuseInformation": {"ReusedPreviousResult": self.reused},
        }
        statistics |= {"DataManifestLocation": self.manifest} if self.manifest else {}
        return {
            "QueryExecutionId": self.id,
            "Query": self.sql,
            "StatementType": self.type,
            "SubstatementType": self.word,
            "ResultConfiguration": {"OutputLocation": self.output},
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": self.reuse},
            "QueryExecutionContext": self.context,
            "ExecutionParameters": self.parameters or None,
            "Status": status,
            "Statistics": statistics,
            "WorkGroup": self.workgroup,
            "EngineVersion": {"EffectiveEngineVersion": "Athena engine version 3", "SelectedEngineVersion": "AUTO"},
        }


def _column_info(name: str, signature: dict[str, Any]) -> dict[str, Any]:
    """Precision and scale are those of a decimal, for which readers of results need them."""
    sizes = [argument["value"] for argument in signature["arguments"] if argument["kind"] == "LONG"]
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": values.type_name(signature),
        "Precision": sizes[0] if sizes else 0,
        "Scale": sizes[1] if len(sizes) > 1 else 0,
        "Nullable": "UNKNOWN",
        "CaseSensitive": signature["rawType"] == "varchar",
    }


def _put(url: str, text: str) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket_name=bucket, key_name=key, value=text.encode())
