"""The policies of infra/policies, and which of the calls that boto3 makes they allow."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from analytics_lib import aws
from analytics_lib.location import Location
from analytics_lib.settings import Athena

FOLDER = Path(__file__).parents[2] / "infra" / "policies"
Asked = tuple[str, str, str]  # permission, resource, and the prefix of a listing


@dataclass
class Calls:
    """What was asked of AWS."""

    seen: set[Asked] = field(default_factory=set)
    workgroup: str = ""

    def add(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        service, operation = model.service_model.service_name, model.name
        action = aws.action(operation) if service in ("athena", "glue", "s3") else f"{service}:{operation}"
        assert action.partition(":")[0] == service
        if "VersionId" in params and service == "s3":
            action += "Version"
        for resource in getattr(self, service, self.nothing_in_particular)(operation, params):
            self.seen.add((action, resource, params.get("Prefix", "")))

    def nothing_in_particular(self, operation: str, params: dict[str, Any]) -> Iterator[str]:
        yield "*"

    def s3(self, operation: str, params: dict[str, Any]) -> Iterator[str]:
        keys = [each["Key"] for each in params.get("Delete", {}).get("Objects", ())] or [params.get("Key", "")]
        yield from (f"arn:aws:s3:::{params['Bucket']}/{key}".rstrip("/") for key in keys)

    def athena(self, operation: str, params: dict[str, Any]) -> Iterator[str]:
        self.workgroup = params.get("WorkGroup") or params.get("Name") or self.workgroup
        yield f"arn:aws:athena:REGION:ACCOUNT:workgroup/{self.workgroup}"

    def glue(self, operation: str, params: dict[str, Any]) -> Iterator[str]:
        """The ancestors, too, and for some operations all that the database holds: Glue asks for these as well."""
        named = params.get("Name") or params.get("DatabaseInput", {}).get("Name", "*")
        database = params.get("DatabaseName", named)
        table = params.get("TableName") or params.get("TableInput", {}).get("Name") or named
        below = {"GetTables": ["table"], "DeleteDatabase": ["table", "userDefinedFunction"]}.get(operation, [])
        found = ["catalog", f"database/{database}", *(f"{kind}/{database}/*" for kind in below)]
        if "DatabaseName" in params and not below:
            found.append(f"table/{database}/{table}")
        yield from (f"arn:aws:glue:REGION:ACCOUNT:{each}" for each in found)

    def logs(self, operation: str, params: dict[str, Any]) -> Iterator[str]:
        """As AWS names it where it refuses: a query by its id is no resource, and all groups are one without a name."""
        group = f"arn:aws:logs:REGION:ACCOUNT:log-group:{params.get('logGroupName', '')}:log-stream:"
        yield "*" if "queryId" in params else group


def by_athena(location: Location, athena: Athena, *written: str) -> set[Asked]:
    """What Athena asks on real AWS, with the caller's rights, for queries that write to these places; and Ctrl-C."""
    bucket, glue = f"arn:aws:s3:::{location.bucket}", "arn:aws:glue:REGION:ACCOUNT"
    read = [location.key(each) for each in ("sessions/", "parquet/", "athena-results/")]
    reads = ("GetDatabase", "GetTable", "GetTables", "GetPartition", "GetPartitions", "BatchGetPartition")
    writes = ("PutObject", "AbortMultipartUpload", "ListMultipartUploadParts")
    tables = ("catalog", f"database/{athena.database}", f"table/{athena.database}/lines")
    return {
        ("athena:StopQueryExecution", f"arn:aws:athena:REGION:ACCOUNT:workgroup/{athena.workgroup}", ""),
        ("s3:GetBucketLocation", bucket, ""),
        *(("s3:ListBucket", bucket, key) for key in read),
        *(("s3:GetObject", f"{bucket}/{key}", "") for key in read),
        *((f"s3:{action}", f"{bucket}/{location.key(each)}", "") for action in writes for each in written),
        *((f"glue:{action}", f"{glue}:{each}", "") for action in reads for each in tables),
    }


def statements(name: str, location: Location, athena: Athena, group: str) -> list[dict[str, Any]]:
    text = (FOLDER / f"{name}.json").read_text()
    names = {"BUCKET": location.bucket, "PREFIX": location.prefix, "DATABASE": athena.database,
             "WORKGROUP": athena.workgroup, "LOG_GROUP": group, "SOURCE": location.bucket, "FOLDER": "old"}  # fmt: skip
    for placeholder, value in names.items():
        text = text.replace(placeholder, value)
    found: list[dict[str, Any]] = json.loads(text)["Statement"]
    return found


def resources(rule: dict[str, Any]) -> list[str]:
    return [rule["Resource"]] if isinstance(rule["Resource"], str) else rule["Resource"]


def prefixes(rule: dict[str, Any]) -> list[str]:
    found: list[str] = rule.get("Condition", {}).get("StringLike", {}).get("s3:prefix", [])
    return found


def is_allowed(rules: list[dict[str, Any]], action: str, resource: str, prefix: str) -> bool:
    return any(
        action in rule["Action"]
        and any(fnmatchcase(resource, each) for each in resources(rule))
        and any(fnmatchcase(prefix, each) for each in prefixes(rule) or ["*"])
        for rule in rules
    )


def unused(rule: dict[str, Any], calls: Calls) -> set[str]:
    """The actions, resources and prefixes of a statement that no call needs."""
    needed = [call for call in calls.seen if is_allowed([rule], *call)]
    return {
        *set(rule["Action"]) - {action for action, _, _ in needed},
        *(each for each in resources(rule) if not any(fnmatchcase(call[1], each) for call in needed)),
        *(each for each in prefixes(rule) if not any(fnmatchcase(call[2], each) for call in needed)),
    }
