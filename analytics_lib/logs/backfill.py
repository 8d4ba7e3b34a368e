"""Backfill: a log group's lines, read again and delivered by the code of the function that delivers them live."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from analytics_lib import aws
from analytics_lib.delivery.lines import lake_object
from analytics_lib.delivery.writing import LogEvent, deliver
from analytics_lib.location import Location
from analytics_lib.logs.group import DAY_MS, events, start_ms
from analytics_lib.period import Period
from analytics_lib.remote import s3

_FOLDERS_KNOWN = 6  # of records and of rejected lines: a day's belong to its own and to its neighbours'
_HOUR_MS = 3_600_000


@dataclass(slots=True)
class Filled:
    """What the lines of one day of the lake came to: records, those that the lake lacked, rejected lines it lacked.

    A line that was logged twice counts twice in `records`.
    """

    records: int = 0
    missing: int = 0
    rejected: int = 0


@dataclass(slots=True)
class Backfill:
    """What a run read: log events, and by the lake's day (YYYY-MM-DD) what they came to."""

    events: int = 0
    days: dict[str, Filled] = field(default_factory=dict)

    def total(self) -> Filled:
        """All days together."""
        found = self.days.values()
        return Filled(
            sum(day.records for day in found), sum(day.missing for day in found), sum(day.rejected for day in found)
        )


def backfill(
    group: str,
    period: Period,
    location: Location,
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda hours, total: None,
) -> Backfill:
    """Deliver what the group logged in the period and the lake lacks; what is there is not written again.

    The period is that of the log events; `progress` in hours of it. Whatever stops it, repeating it continues: it
    reads the lines again and lists a day's folder once. Raises LakeError without the bucket, AwsError where group or
    bucket refuse, with the first object that could not be written; the days before are complete then.
    """
    done, folders = Backfill(), _Folders(location)
    begin_ms, hours = start_ms(period.start), 24 * len(period)

    def lacking(first_ms: int) -> Iterator[LogEvent]:
        for logged in events(group, startTime=first_ms, endTime=first_ms + DAY_MS - 1):
            event = LogEvent(logged["message"], logged["timestamp"])
            done.events += 1
            progress((event.timestamp_ms - begin_ms) // _HOUR_MS, hours)
            found = lake_object(event.message, event.timestamp_ms)
            if found is None:
                continue
            folder, _, name = found.path.rpartition("/")
            day = done.days.setdefault(folder.rpartition("dt=")[2], Filled())
            is_record, is_lacking = not found.rejected, folders.lack(folder, name)
            day.records += is_record
            day.missing += is_record and is_lacking
            day.rejected += is_lacking and not is_record
            if is_lacking:
                yield event

    for date in period.days():
        lines = lacking(start_ms(date))
        if dry_run:
            deque(lines, maxlen=0)
        else:
            deliver(lines, location, aws.client("s3")).raise_failures()
    done.days = dict(sorted(done.days.items()))
    return done


class _Folders:
    """What lies in the folders of the lake that were asked for last."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._names: dict[str, set[str]] = {}
        self._lacked: dict[str, set[str]] = {}  # also of folders that are listed again: a dry run writes none of it

    def lack(self, folder: str, name: str) -> bool:
        """True where it does not lie there, and from then on it is taken to."""
        if folder not in self._names:
            if len(self._names) == _FOLDERS_KNOWN:
                del self._names[next(iter(self._names))]
            listed = {stored.name for stored in s3.all_below(self._location, f"{folder}/")}
            self._names[folder] = listed | self._lacked.get(folder, set())
        lacking = name not in self._names[folder]
        if lacking:
            self._names[folder].add(name)
            self._lacked.setdefault(folder, set()).add(name)
        return lacking
