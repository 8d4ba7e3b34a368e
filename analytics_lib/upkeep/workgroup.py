"""The workgroup of Athena that `athena setup` makes where there is none, and the rule by which its results expire."""

from functools import partial
from typing import Any

from analytics_lib import aws, prices
from analytics_lib.engines.glue_tables import RESULTS_FOLDER
from analytics_lib.location import Location
from analytics_lib.settings import Athena
from analytics_lib.upkeep.changes import Change, call, compared, found

RESULTS_DAYS = 7
LEAST_CUTOFF_BYTES = 10_000_000  # Athena's own limit

Entry = dict[str, Any]


def entry(location: Location, athena: Athena, ceiling: int) -> Entry:
    """A workgroup whose queries scan at most `ceiling` bytes each; its description marks it as made for this lake."""
    result = {
        "OutputLocation": athena.output or location.url(RESULTS_FOLDER),
        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
    }
    return {
        "Name": athena.workgroup,
        "Description": f"Made by analytics-lib for {location}",
        "Configuration": {
            "ResultConfiguration": result,
            "EnforceWorkGroupConfiguration": True,
            "BytesScannedCutoffPerQuery": max(LEAST_CUTOFF_BYTES, ceiling),
        },
    }


def results_rule(location: Location) -> Entry:
    """The rule of the bucket by which query results expire."""
    prefix = location.key(RESULTS_FOLDER)
    return {
        "ID": f"analytics-lib: {prefix} expires",
        "Filter": {"Prefix": prefix},
        "Status": "Enabled",
        "Expiration": {"Days": RESULTS_DAYS},
    }


def planned(location: Location, athena: Athena, notes: list[str]) -> list[Change]:
    """What is to be done for the workgroup, and the rule where its results go to the lake's bucket. Raises AwsError."""
    name = athena.workgroup
    existing = _existing(name)
    asked = prices.load(aws.client("athena").meta.region_name)
    wanted = entry(location, athena, asked.bytes_for(athena.max_usd))
    if existing and not _is_made(existing, wanted):
        place = existing["Configuration"].get("ResultConfiguration", {}).get("OutputLocation")
        if not place and not athena.output:
            notes.append(f"the workgroup {name} names no place for results: name one with --athena-output")
        return [Change("workgroup", name, "keep", "not made by analytics-lib for this lake, left as it is")]
    attempt = f"the workgroup {name}"
    configuration = wanted["Configuration"]
    updates = {**configuration, "ResultConfigurationUpdates": configuration["ResultConfiguration"]}
    del updates["ResultConfiguration"]
    change = compared(
        "workgroup",
        name,
        wanted,
        existing,
        create=partial(call, f"making {attempt}", "athena", "create_work_group", **wanted),
        update=partial(
            call, f"changing {attempt}", "athena", "update_work_group", WorkGroup=name, ConfigurationUpdates=updates
        ),
    )
    return [change] if athena.output else [change, _rule(location)]


def removals(location: Location, athena: Athena) -> list[Change]:
    """How the workgroup and the rule are removed where `planned` made them for this lake. Raises AwsError."""
    name, changes = athena.workgroup, []
    existing = _existing(name)
    if existing and _is_made(existing, entry(location, athena, 0)):
        remove = partial(call, f"removing the workgroup {name}", "athena", "delete_work_group")
        run = partial(remove, WorkGroup=name, RecursiveDeleteOption=True)  # with its history of queries
        changes.append(Change("workgroup", name, "delete", run=run))
    rule, rules = results_rule(location), _rules(location)
    others = [each for each in rules["Rules"] if each.get("ID") != rule["ID"]]
    if len(others) < len(rules["Rules"]):
        changes.append(Change("lifecycle rule", rule["ID"], "delete", run=partial(_put, location, rules, others)))
    return changes


def _existing(name: str) -> Entry:
    asked = found(
        "InvalidRequestException",
        attempt=f"reading the workgroup {name}",
        service="athena",
        operation="get_work_group",
        WorkGroup=name,
    )
    return asked.get("WorkGroup") or {}


def _is_made(existing: Entry, wanted: Entry) -> bool:
    return bool(existing.get("Description") == wanted["Description"])


def _rule(location: Location) -> Change:
    wanted, rules = results_rule(location), _rules(location)
    existing = next((each for each in rules["Rules"] if each.get("ID") == wanted["ID"]), None)
    others = [each for each in rules["Rules"] if each is not existing]
    put = partial(_put, location, rules, [*others, wanted])
    return compared("lifecycle rule", wanted["ID"], wanted, existing, create=put, update=put)


def _rules(location: Location) -> Entry:
    """The bucket's rules as they are, and what else has to be given back with them."""
    answer = found(
        "NoSuchLifecycleConfiguration",
        attempt=f"reading the lifecycle rules of the bucket {location.bucket}",
        service="s3",
        operation="get_bucket_lifecycle_configuration",
        Bucket=location.bucket,
    )
    kept = {name: answer[name] for name in ("TransitionDefaultMinimumObjectSize",) if name in answer}
    return {"Rules": answer.get("Rules", []), **kept}


def _put(location: Location, before: Entry, rules: list[Entry]) -> None:
    attempt = f"changing the lifecycle rules of the bucket {location.bucket}"
    if not rules:
        call(attempt, "s3", "delete_bucket_lifecycle", Bucket=location.bucket)
        return
    kept = {name: value for name, value in before.items() if name != "Rules"}
    changed = {"Bucket": location.bucket, "LifecycleConfiguration": {"Rules": rules}, **kept}
    call(attempt, "s3", "put_bucket_lifecycle_configuration", **changed)
