"""The sample business: who calls a document-automation company's voice agent, and when.

The story is told relative to the last day of the samples, so that a day does not depend on how many days
come before it: a new agent version half a month before the end, later `crm_lookup` down for two working days.
Nothing here depends on hashes or on the platform: draws come from seeded streams, amounts are rounded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import TypeVar

T = TypeVar("T")

OLD_VERSION, NEW_VERSION = "1.4.2", "1.5.0"
RELEASED_DAYS_AGO = 15
OUTAGE_DAYS_AGO = 9

_WEEKDAY_LOAD = (1.24, 1.36, 1.30, 1.24, 1.06, 0.42, 0.38)  # Monday first; the mean is 1
_HOUR_LOAD = (1, 1, 0, 0, 1, 3, 9, 30, 52, 64, 60, 44, 34, 54, 62, 56, 40, 22, 10, 7, 6, 4, 3, 2)  # UTC
_HOURS = tuple(hour for hour, load in enumerate(_HOUR_LOAD) for _ in range(load))


def pick(stream: Random, options: Sequence[T]) -> T:
    """One of the options, each as likely. One draw, on every version of Python the same."""
    return options[int(stream.random() * len(options))]


def log_normal(stream: Random, median: float, spread: float) -> float:
    """A draw whose logarithm is normal; the caller rounds it."""
    return median * math.exp(stream.gauss(0.0, spread))


@dataclass(frozen=True, slots=True)
class Day:
    """What is going on at the company on one day."""

    date: date
    new_version: bool
    crm_down: bool

    @property
    def weekend(self) -> bool:
        """Saturday or Sunday."""
        return self.date.weekday() >= 5


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of caller: how they talk, and what there is to learn about them."""

    name: str
    talk_seconds: float  # median
    topics: tuple[int, ...]  # what they ask for, in tool calls
    team_sizes: tuple[int, int]
    documents_per_person: float  # median, a month
    urgencies: tuple[str, ...]
    systems: tuple[str, ...]


BROWSING = Kind("browsing", 68, (0, 0, 0, 1, 1), (1, 3), 8, ("low", "low", "medium"), ("gmail",))
SMALL = Kind("small", 195, (1, 1, 1, 2, 2, 3), (1, 4), 11, ("low", "low", "medium", "medium", "high"),
             ("hubspot", "hubspot", "google drive", "zapier", "salesforce"))  # fmt: skip
MIDDLE = Kind("middle", 320, (1, 2, 2, 3, 4), (5, 24), 16, ("low", "medium", "medium", "high", "high"),
              ("salesforce", "salesforce", "hubspot", "slack", "sharepoint", "docusign"))  # fmt: skip
LARGE = Kind("large", 410, (1, 2, 3, 4, 5), (25, 320), 21, ("low", "medium", "medium", "high", "high"),
             ("salesforce",) * 3 + ("sharepoint", "microsoft dynamics", "slack", "sap"))  # fmt: skip
_NEWCOMERS = (BROWSING,) * 29 + (SMALL,) * 36 + (MIDDLE,) * 24 + (LARGE,) * 11
_REGULARS = (BROWSING,) * 8 + (SMALL,) * 37 + (MIDDLE,) * 35 + (LARGE,) * 20
_LANGUAGES = ("en",) * 11 + ("de",) * 4 + ("fr", "fr", "es", "nl")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody on the line, known by a salted hash only, and what is true of their team."""

    key: str
    kind: Kind
    language: str
    team_size: int
    monthly_volume: int
    urgency: str
    systems: tuple[str, ...]


class Business:
    """The callers of one seed. `day` and `callers` say what happens on a day, whatever happened on others."""

    def __init__(self, *, seed: int, sessions_per_day: int, end: date) -> None:
        self._seed = seed
        self._sessions_per_day = sessions_per_day
        self._new_version_from = end - timedelta(days=RELEASED_DAYS_AGO)
        self._outage = _two_working_days(end - timedelta(days=OUTAGE_DAYS_AGO))
        regulars = Random(f"{seed}/regulars")
        self._regulars = [_caller(regulars, _REGULARS) for _ in range(2 * sessions_per_day)]

    def day(self, day: date) -> Day:
        """The circumstances of that day."""
        return Day(day, new_version=day >= self._new_version_from, crm_down=day in self._outage)

    def stream(self, day: date, purpose: str) -> Random:
        """A random stream of the day's own for each purpose, so that one never shifts another."""
        return Random(f"{self._seed}/{day.isoformat()}/{purpose}")

    def number_of_sessions(self, stream: Random, day: Day) -> int:
        """Quiet weekends, busy Tuesdays; over the weeks `sessions_per_day` on average."""
        expected = self._sessions_per_day * _WEEKDAY_LOAD[day.date.weekday()]
        return int(expected * (0.9 + 0.2 * stream.random()) + stream.random())

    def caller(self, stream: Random) -> Caller:
        """One in five has called before and will again; the others are new."""
        return pick(stream, self._regulars) if stream.random() < 0.2 else _caller(stream, _NEWCOMERS)


def hour_of_call(stream: Random) -> int:
    """The UTC hour in which a call ends: European office hours, with a dip at noon."""
    return pick(stream, _HOURS)


def _two_working_days(day: date) -> tuple[date, date]:
    """`day` and the next, moved back to where both are working days."""
    while day.weekday() > 3:
        day -= timedelta(days=1)
    return day, day + timedelta(days=1)


def _caller(stream: Random, kinds: tuple[Kind, ...]) -> Caller:
    kind = pick(stream, kinds)
    smallest, largest = kind.team_sizes
    share = stream.random()
    team_size = smallest + int(share * share * (largest - smallest + 1))
    documents = log_normal(stream, team_size * kind.documents_per_person, 0.5)
    systems = [pick(stream, kind.systems) for _ in range(1 + int(stream.random() * 2.4))]
    return Caller(
        key=f"c_{stream.getrandbits(40):010x}",
        kind=kind,
        language=pick(stream, _LANGUAGES),
        team_size=team_size,
        monthly_volume=_as_people_say_it(documents),
        urgency=pick(stream, kind.urgencies),
        systems=tuple(dict.fromkeys(systems)),  # each once, order kept
    )


def _as_people_say_it(amount: float) -> int:
    step = 1 if amount < 10 else 5 if amount < 100 else 10 if amount < 500 else 50 if amount < 2000 else 500
    return max(1, int(amount / step + 0.5) * step)
