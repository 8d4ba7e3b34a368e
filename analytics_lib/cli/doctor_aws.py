"""The way from the agent to the lake, station by station: what works, and the next step where it does not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from analytics_lib.cli.doctor import Finding
from analytics_lib.errors import AnalyticsError
from analytics_lib.location import Location
from analytics_lib.logs import stations
from analytics_lib.remote import s3

_LOOK_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))
_ON_THE_WAY = timedelta(minutes=15)


def examine(group: str, location: Location) -> Iterator[Finding]:
    """Try each station that a record passes, from the log group to the lake."""
    way = _Way(group, location)
    looks = {
        "log group": way.log_group,
        "subscription filter": way.subscription_filter,
        "session lines": way.session_lines,
        "delivery function": way.function,
        "lake": way.lake,
    }
    for subject, look in looks.items():
        if look == way.function and not way.destinations:
            continue
        finding = _tried(subject, look)
        yield finding
        if look == way.log_group and not finding.works:
            return


def _tried(subject: str, look: Callable[[], tuple[bool, str]]) -> Finding:
    try:
        return Finding(subject, *look())
    except AnalyticsError as error:
        return Finding(subject, False, str(error))


class _Way:
    """The stations; each says whether it works, and what is there or what to do."""

    def __init__(self, group: str, location: Location) -> None:
        self.group, self.location = group, location
        self.now = datetime.now(UTC)
        self.newest_line: datetime | None = None
        self.destinations: list[str] = []
        self.pattern = ""

    def log_group(self) -> tuple[bool, str]:
        found = stations.groups(self.group)
        if self.group in found:
            days = found[self.group]
            return True, f"{self.group}, {f'kept {days} days' if days else 'kept for ever: set a retention'}"
        near = f" (but {', '.join(sorted(found)[:5])})" if found else ""
        return False, (
            f"there is no log group {self.group} in {stations.region()}{near}. Check the region and "
            "the name, and let LiveKit Cloud forward to it: analytics-lib livekit secrets"
        )

    def session_lines(self) -> tuple[bool, str]:
        """The newest line that holds a session record and passes the filter, looked for in ever longer times."""
        for back in _LOOK_BACK:
            self.newest_line = stations.newest_record(self.group, self.pattern, self.now - back)
            if self.newest_line:
                return True, f"the last one is {self._age(self.newest_line)} old"
        return False, (
            f"no session record in {_LOOK_BACK[-1].days} days. If there were sessions, look for the recorder's line in "
            "`lk agent logs` (docs/agent.md), and whether this is the group that LiveKit Cloud forwards to"
        )

    def subscription_filter(self) -> tuple[bool, str]:
        filters = stations.filters(self.group)
        self.destinations = [each.destination for each in filters]
        if filters:
            self.pattern = filters[0].pattern
            return True, ", ".join(f"{each.name} to {each.destination}" for each in filters)
        return False, (
            "none, so nothing is delivered: deploy infra/template.yaml (docs/infrastructure.md), then run "
            f"analytics-lib backfill --log-group {self.group} --data {self.location}"
        )

    def function(self) -> tuple[bool, str]:
        """Invocations and errors of the last day, of every function that the filters or their streams feed."""
        arns = stations.receivers(self.destinations)
        names = sorted({arn.split(":")[6] for arn in arns if ":lambda:" in arn})
        if not names:
            return False, f"none receives from {', '.join(arns)}: deploy infra/template.yaml (docs/infrastructure.md)"
        counts = {
            name: tuple(stations.last_day(metric, name, self.now) for metric in ("Invocations", "Errors"))
            for name in names
        }
        told = ", ".join(
            f"{name}: {runs} invocations, {bad} errors in 24 hours" for name, (runs, bad) in counts.items()
        )
        failing = [name for name, (_, errors) in counts.items() if errors]
        if failing:
            return False, (
                f"{told}; see why: aws logs tail /aws/lambda/{failing[0]} --since 1d. When it is mended, deliver what "
                f"it lost: analytics-lib backfill --log-group {self.group} --data {self.location}"
            )
        return True, told

    def lake(self) -> tuple[bool, str]:
        """When the newest day was last written to, after its newest session line; days of a wrong clock aside."""
        day = s3.newest_day(self.location, self.now.date() + timedelta(days=1))
        written = stations.written(self.location, day)
        text = f"{self.location}, newest day {day or 'none'}" + (
            f", written {self._age(written)} ago" if written else ""
        )
        line = self.newest_line
        if line and (written is None or written < line - _ON_THE_WAY) and line < self.now - _ON_THE_WAY:
            return False, (
                f"{text}, before the last session line: look at the stations above, then run "
                f"analytics-lib backfill --log-group {self.group} --data {self.location}"
            )
        return True, text

    def _age(self, then: datetime) -> str:
        seconds = max(0, round((self.now - then).total_seconds()))
        units = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))
        return next(f"{seconds // size} {unit}" for unit, size in units if seconds >= 2 * size or size == 1)
