"""What Trino needs of Glue and moto lacks."""

import json
import re
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.glue import models
from moto.glue.responses import GlueResponse


def install() -> None:
    """Change moto's Glue in this process."""
    models.FakeTable.as_dict = _described(models.FakeTable.as_dict)
    models.FakePartition.as_dict = _described(models.FakePartition.as_dict)
    GlueResponse.batch_get_partition = _batch_get_partition
    for what in ("table", "partition"):
        setattr(GlueResponse, f"get_column_statistics_for_{what}", _no_statistics)
        setattr(GlueResponse, f"update_column_statistics_for_{what}", _done)
        setattr(GlueResponse, f"delete_column_statistics_for_{what}", _done)
    dispatched = GlueResponse.call_action
    GlueResponse.call_action = lambda self: dispatched(_lower_cased(self))


def _described(as_dict: Any) -> Any:
    def described(self: Any, *version: Any) -> dict[str, Any]:
        answer = as_dict(self, *version)
        storage = {"Columns": [], "NumberOfBuckets": -1, **(answer.get("StorageDescriptor") or {})}
        return {**answer, "StorageDescriptor": storage}

    return described


def _batch_get_partition(self: GlueResponse) -> ActionResult:
    wanted = (self.parameters[name] for name in ("DatabaseName", "TableName", "PartitionsToGet"))
    return ActionResult({"Partitions": self.glue_backend.batch_get_partition(*wanted), "UnprocessedKeys": []})


def _no_statistics(self: GlueResponse) -> ActionResult:
    return ActionResult({"ColumnStatisticsList": [], "Errors": []})


def _done(self: GlueResponse) -> ActionResult:
    return EmptyResult()


def _lower_cased(self: GlueResponse) -> GlueResponse:
    """Glue folds the names of databases, tables and columns to lower case."""
    if not isinstance(self.body, str | bytes) or not re.search("Database|Table|Partition", self._get_action()):
        return self
    asked = json.loads(self.body)
    for name in ("DatabaseName", "TableName", "Name"):
        if isinstance(asked.get(name), str):
            asked[name] = asked[name].lower()
    for name in ("DatabaseInput", "TableInput"):
        if name in asked:
            asked[name]["Name"] = asked[name]["Name"].lower()
    table = asked.get("TableInput", {})
    for column in (*table.get("StorageDescriptor", {}).get("Columns", ()), *table.get("PartitionKeys", ())):
        column["Name"] = column["Name"].lower()
    self.body = json.dumps(asked)
    return self
