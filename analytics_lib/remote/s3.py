"""A lake on S3: its days, and the objects of a day, without opening any."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeAlias

from analytics_lib import aws
from analytics_lib.errors import AwsError, LakeError, PeriodError
from analytics_lib.lake.files import Ignored, name_problem
from analytics_lib.location import Location
from analytics_lib.period import parse_date

_Page: TypeAlias = Mapping[str, Any]
_AT_ONCE = 1000  # objects, in one answer of S3 or one request to remove them
_SIDE_BY_SIDE = 16


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of a day: its name in the day's folder, ETag without quotes, size in bytes."""

    name: str
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class Day:
    """A day's folder: the objects to read, by name, and what else lies there.

    `others`: number and bytes of ignored objects that a query on Athena opens all the same, before the view drops them.
    """

    day: str
    objects: tuple[Stored, ...]
    ignored: tuple[Ignored, ...] = ()
    others: tuple[int, int] = (0, 0)

    @property
    def opened(self) -> int:
        """How many objects a query on Athena opens."""
        return len(self.objects) + self.others[0]

    @property
    def bytes(self) -> int:
        """The size of all objects that a query on Athena opens."""
        return sum(each.size for each in self.objects) + self.others[1]

    @property
    def digest(self) -> str:
        """SHA-256 of names, ETags and sizes: it changes when content does, not when the same is delivered again."""
        told = "\n".join(f"{each.name}\t{each.etag}\t{each.size}" for each in self.objects)
        return hashlib.sha256(told.encode()).hexdigest()


def days(location: Location) -> tuple[list[str], list[Ignored]]:
    """The days (ISO dates, in order) that have an object, and what else lies directly under `sessions/`.

    Raises LakeError where nothing lies there, AwsError where it cannot be listed.
    """
    found: list[str] = []
    ignored: list[Ignored] = []
    for name, _ in _listed(location, "sessions/"):
        problem = _folder_problem(name)
        if problem:
            ignored.append(Ignored(f"sessions/{name.rstrip('/')}", problem))
        else:
            found.append(name.removeprefix("dt=").rstrip("/"))
    if not found and not ignored and not any(all_below(location, "sessions/")):
        raise LakeError(_emptiness(location))
    return sorted(found), ignored


def _emptiness(location: Location) -> str:
    with suppress(AwsError):  # a policy may allow to list sessions/ only
        if any(name.startswith("dt=") for name, _ in _listed(location, "")):
            above = Location(location.bucket, location.prefix.rpartition("/")[0])
            return f"{location} holds the days themselves; give the place above: --data {above}"
    return f"{location} is no lake: nothing lies under {location.url('sessions/dt=YYYY-MM-DD/')}"


def _folder_problem(name: str) -> str:
    if not name.endswith("/") or not name.startswith("dt="):
        return "not a folder named dt=YYYY-MM-DD"
    try:
        parse_date(name[3:-1])
    except PeriodError:
        return "its name holds no date"
    return ""


def lists(objects: int) -> int:
    """How many LIST requests it takes to find so many objects; one finds that there are none."""
    return max(1, -(-objects // _AT_ONCE))


def list_day(location: Location, day: str) -> Day:
    """What lies in a day's folder. Raises AwsError where it cannot be listed."""
    return _day(day, all_below(location, f"sessions/dt={day}/"))


def _day(day: str, found: Iterable[Stored]) -> Day:
    objects: list[Stored] = []
    problems: dict[str, str] = {}
    others: list[int] = []
    for each in found:
        name, slash, _ = each.name.partition("/")
        problem = "a sub-folder" if slash else name_problem(name)
        if not problem:
            objects.append(each)
        elif each.name:  # some tools make an object for the folder itself
            problems[name + slash] = problem
            if not any(part.startswith(("_", ".")) for part in each.name.split("/")):
                others.append(each.size)
    ignored = [Ignored(f"sessions/dt={day}/{name.rstrip('/')}", why) for name, why in sorted(problems.items())]
    objects.sort(key=lambda each: each.name)
    return Day(day, tuple(objects), tuple(ignored), (len(others), sum(others)))


def list_days(location: Location, days: Iterable[str]) -> Iterator[Day]:
    """What lies in each day's folder, the earliest first. Raises AwsError where it cannot be listed.

    One request tells all days of a small lake; those that it does not reach are listed ahead, side by side.
    """
    wanted = sorted(days)
    told = _told_at_once(location, wanted) if len(wanted) > 1 else []
    yield from told
    waiting: deque[Future[Day]] = deque()
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        try:
            for day in wanted[len(told) :]:
                waiting.append(pool.submit(list_day, location, day))
                if len(waiting) > 2 * _SIDE_BY_SIDE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _told_at_once(location: Location, wanted: Sequence[str]) -> list[Day]:
    """The first of the days, as far as one request tells them whole."""
    prefix = location.key("sessions/dt=")
    asked = {"Bucket": location.bucket, "Prefix": prefix, "StartAfter": f"{prefix}{wanted[0]}/"}
    page = next(iter(_pages(location, asked)))
    found: dict[str, list[Stored]] = {day: [] for day in wanted}
    day = ""
    for stored in _contents(page, prefix):
        day, slash, name = stored.name.partition("/")
        if slash and day in found:
            found[day].append(replace(stored, name=name))
    return [_day(each, found[each]) for each in wanted if not page["IsTruncated"] or f"{each}/" < f"{day}/"]


def newest_day(location: Location, until: date = date.max) -> date | None:
    """The last day up to `until` that has an object to read; None where there is none."""
    for day in reversed([day for day in days(location)[0] if day <= until.isoformat()]):
        if any(stored and not name_problem(name) for name, stored in _listed(location, f"sessions/dt={day}/")):
            return date.fromisoformat(day)
    return None


def all_below(location: Location, path: str) -> Iterator[Stored]:
    """Every object below the folder, at any depth, named by its path from there. Raises LakeError, AwsError."""
    prefix = location.key(path)
    for page in _pages(location, {"Bucket": location.bucket, "Prefix": prefix}):
        yield from _contents(page, prefix)


def remove(location: Location, paths: Sequence[str]) -> None:
    """Remove the objects at these paths below the root. Raises AwsError, naming one that could not be removed."""
    from botocore.exceptions import ClientError

    for first in range(0, len(paths), _AT_ONCE):
        keys = [{"Key": location.key(path)} for path in paths[first : first + _AT_ONCE]]
        with aws.explained(f"removing {len(keys)} objects, {location.url(paths[first])} first,"):
            answer = aws.client("s3").delete_objects(Bucket=location.bucket, Delete={"Objects": keys, "Quiet": True})
        for error in answer.get("Errors", ()):  # in an answer that is a success
            with aws.explained(f"removing s3://{location.bucket}/{error['Key']}"):
                raise ClientError({"Error": error}, "DeleteObjects")


def _listed(location: Location, path: str) -> Iterator[tuple[str, Stored | None]]:
    """Name and object of what lies directly in the folder; the name of a folder ends in a slash, it is no object."""
    prefix = location.key(path)
    for page in _pages(location, {"Bucket": location.bucket, "Prefix": prefix, "Delimiter": "/"}):
        yield from ((found["Prefix"].removeprefix(prefix), None) for found in page.get("CommonPrefixes", ()))
        for stored in _contents(page, prefix):
            if stored.name:  # some tools make an object for the folder itself
                yield stored.name, stored


def _contents(page: _Page, prefix: str) -> Iterator[Stored]:
    """The objects of an answer, named by what follows the prefix."""
    for found in page.get("Contents", ()):
        yield Stored(found["Key"].removeprefix(prefix), found["ETag"].strip('"'), found["Size"])


def _pages(location: Location, wanted: Mapping[str, str]) -> Iterator[_Page]:
    try:
        with aws.explained(f"listing s3://{location.bucket}/{wanted['Prefix']}"):
            yield from aws.client("s3").get_paginator("list_objects_v2").paginate(**wanted)
    except AwsError as error:
        if error.code == "NoSuchBucket":
            raise LakeError(f"there is no bucket {location.bucket}; check its name and the account") from error
        raise
