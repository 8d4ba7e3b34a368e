"""Athena's calls about queries, answered by Trino instead of moto."""

import json
import re
import threading
import time
from typing import Any

from moto.athena import models
from moto.athena.responses import AthenaResponse
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import JsonRESTError
from moto.s3.models import s3_backends

from tests.support.local_athena.query import Query, RefusedError
from tests.support.local_athena.trino import Trino

_PAGE = 1000


def install(trino: Trino | None) -> None:
    """Make moto's Athena in this process run its queries on a Trino; without one it refuses them."""
    for name, call in _calls(trino).items():
        setattr(AthenaResponse, name, _answered(call))


def _answered(call: Any) -> Any:
    def answer(self: AthenaResponse) -> str:
        try:
            return json.dumps(call(self.athena_backend, json.loads(self.body)))
        except RefusedError as refused:
            raise JsonRESTError("InvalidRequestException", str(refused)) from None

    return answer


def _calls(trino: Trino | None) -> dict[str, Any]:
    def start_query_execution(athena: models.AthenaBackend, asked: dict[str, Any]) -> dict[str, Any]:
        group = _workgroup(athena, asked.get("WorkGroup") or "primary")
        query = Query(asked, group.name, _output(group, asked), group.configuration.get("BytesScannedCutoffPerQuery"))
        if trino is None:
            raise RefusedError("This server runs no SQL: the test needs the fixture local_athena.")
        earlier = _reusable(athena, query)
        athena.executions[query.id] = query
        threading.Thread(target=query.run, args=(trino, earlier), daemon=True).start()
        return {"QueryExecutionId": query.id}

    return {
        "start_query_execution": start_query_execution,
        "stop_query_execution": lambda athena, asked: _query(athena, asked).cancel(),
        "get_query_execution": lambda athena, asked: {"QueryExecution": _query(athena, asked).described()},
        "batch_get_query_execution": _batch_get_query_execution,
        "get_query_results": _get_query_results,
        "get_work_group": _get_work_group,
        "update_work_group": _update_work_group,
        "delete_work_group": _delete_work_group,
    }


def _query(athena: models.AthenaBackend, asked: dict[str, Any]) -> Query:
    query = athena.executions.get(asked["QueryExecutionId"])
    if query is None:
        raise RefusedError(f"QueryExecution {asked['QueryExecutionId']} was not found")
    return query


def _workgroup(athena: models.AthenaBackend, name: str) -> models.WorkGroup:
    if name not in athena.work_groups:
        raise RefusedError(f"WorkGroup {name} is not found.")
    return athena.work_groups[name]


def _output(group: models.WorkGroup, asked: dict[str, Any]) -> str:
    """The folder for results: the workgroup's where it enforces it or the caller names none."""
    its = group.configuration.get("ResultConfiguration", {}).get("OutputLocation")
    callers = asked.get("ResultConfiguration", {}).get("OutputLocation")
    found = its if its and group.configuration["EnforceWorkGroupConfiguration"] else callers or its
    if not found:
        raise RefusedError(
            "No output location provided. An output location is required either through the Workgroup result"
            " configuration setting or as an API input."
        )
    bucket = re.fullmatch(r"s3://([^/]+).*", found)
    if not bucket or bucket[1] not in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets:
        raise RefusedError(f"Unable to verify/create output bucket {bucket[1] if bucket else found}")
    return found.rstrip("/")


def _reusable(athena: models.AthenaBackend, query: Query) -> Query | None:
    """The newest earlier query whose results may stand for this one's."""
    since = time.time() - 60 * query.reuse_minutes
    for earlier in reversed(list(athena.executions.values())):
        if earlier.reuses == query.reuses and earlier.state == "SUCCEEDED" and earlier.completed >= since:
            return earlier
    return None


def _batch_get_query_execution(athena: models.AthenaBackend, asked: dict[str, Any]) -> dict[str, Any]:
    found = [athena.executions[one] for one in asked["QueryExecutionIds"] if one in athena.executions]
    lost = [{"QueryExecutionId": one} for one in asked["QueryExecutionIds"] if one not in athena.executions]
    return {"QueryExecutions": [query.described() for query in found], "UnprocessedQueryExecutionIds": lost}


def _get_query_results(athena: models.AthenaBackend, asked: dict[str, Any]) -> dict[str, Any]:
    query = _query(athena, asked)
    if query.state in ("QUEUED", "RUNNING"):
        raise RefusedError(f"Query has not yet finished. Current state: {query.state}")
    if query.state != "SUCCEEDED":
        raise RefusedError(f"Query did not finish successfully. Final query state: {query.state}")
    first = int(asked.get("NextToken") or 0)
    last = first + min(asked.get("MaxResults") or _PAGE, _PAGE)
    rows = [{"Data": [{} if one is None else {"VarCharValue": one} for one in row]} for row in query.rows[first:last]]
    more = {"NextToken": str(last)} if last < len(query.rows) else {}
    return {"UpdateCount": 0, "ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": query.columns}}, **more}


def _get_work_group(athena: models.AthenaBackend, asked: dict[str, Any]) -> dict[str, Any]:
    return {"WorkGroup": athena.get_work_group(_workgroup(athena, asked["WorkGroup"]).name)}


def _delete_work_group(athena: models.AthenaBackend, asked: dict[str, Any]) -> dict[str, Any]:
    group = _workgroup(athena, asked["WorkGroup"])
    used = any(query.workgroup == group.name for query in athena.executions.values())
    if used and not asked.get("RecursiveDeleteOption"):
        raise RefusedError(f"WorkGroup {group.name} is not empty")
    athena.delete_work_group(group.name)
    return {}


def _update_work_group(athena: models.AthenaBackend, asked: dict[str, Any]) -> dict[str, Any]:
    group = _workgroup(athena, asked["WorkGroup"])
    group.description = asked.get("Description", group.description)
    group.state = asked.get("State", group.state)
    changes = dict(asked.get("ConfigurationUpdates", {}))
    result = changes.pop("ResultConfigurationUpdates", {})
    if changes.pop("RemoveBytesScannedCutoffPerQuery", False):
        group.configuration.pop("BytesScannedCutoffPerQuery", None)
    if result.pop("RemoveOutputLocation", False):
        group.configuration.get("ResultConfiguration", {}).pop("OutputLocation", None)
    group.configuration.update(changes)
    group.configuration.setdefault("ResultConfiguration", {}).update(result)
    return {}
