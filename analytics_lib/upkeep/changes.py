"""What is to be done on AWS, as a list that can be shown before it is carried out."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics_lib import aws
from analytics_lib.errors import AwsError

_LONG = 60  # characters; a longer value is not shown in a detail


@dataclass(frozen=True, slots=True)
class Change:
    """One thing on AWS and what is done to it: `action` is create, update, keep or delete.

    In a status it is missing, differs or current. `detail` names what differs, `entry` is the wanted thing as the
    service takes it (JSON) or the statement that would make it.
    """

    kind: str
    name: str
    action: str
    detail: str = ""
    entry: str = ""
    run: Callable[[], object] = field(default=lambda: None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done or would be, in order, and sentences that are worth a reader's attention."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]

    def carry_out(self) -> None:
        """Do it. Raises AwsError at the first change that fails; a repetition goes on from there."""
        for change in self.changes:
            change.run()


def call(attempt: str, service: str, operation: str, **arguments: Any) -> Any:
    """The answer of a service. Raises AwsError that says what was attempted."""
    with aws.explained(attempt):
        return getattr(aws.client(service), operation)(**arguments)


def found(*missing: str, attempt: str, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
    """The answer of a service, empty where it gives one of these codes for what is missing. Raises AwsError."""
    try:
        return dict(call(attempt, service, operation, **arguments))
    except AwsError as error:
        if error.code in missing:
            return {}
        raise


def compared(
    kind: str,
    name: str,
    wanted: Mapping[str, Any],
    existing: Mapping[str, Any] | None,
    *,
    create: Callable[[], object],
    update: Callable[[], object],
    statement: str = "",
) -> Change:
    """The change that turns what exists into what is wanted; what else the service tells about it does not count."""
    entry = statement or json.dumps(wanted, indent=2, ensure_ascii=False)
    if not existing:
        return Change(kind, name, "create", "", entry, create)
    different = "; ".join(differences(wanted, existing))
    return (
        Change(kind, name, "update", different, entry, update) if different else Change(kind, name, "keep", "", entry)
    )


def differences(wanted: object, existing: object, place: str = "") -> Iterator[str]:
    """`place: existing -> wanted` for every value that is not as wanted; a missing one equals an empty one."""
    if isinstance(wanted, Mapping) and isinstance(existing, Mapping | None):
        for name, value in wanted.items():
            yield from differences(value, (existing or {}).get(name), f"{place}.{name}" if place else name)
    elif isinstance(wanted, list) and isinstance(existing, list) and len(wanted) == len(existing):
        for number, (value, other) in enumerate(zip(wanted, existing, strict=True), 1):
            yield from differences(value, other, f"{place}[{number}]")
    elif (wanted or None) != (existing or None):
        values = f"{existing} -> {wanted}"
        yield f"{place}: {values}" if len(values) <= _LONG else place
