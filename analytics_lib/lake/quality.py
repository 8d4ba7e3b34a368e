"""The data-quality check of a lake: what was rejected, mistyped, misplaced, unknown or ignored, and where."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from analytics_lib import record
from analytics_lib.errors import LakeError
from analytics_lib.gzipped import Unread
from analytics_lib.lake.files import Ignored, day_folders, days_within, files_of_day, open_day
from analytics_lib.lake.lines import numbered
from analytics_lib.period import Period


@dataclass(slots=True)
class Quality:
    """What lies in the folders of a period. Values are counted line by line, before copies are folded.

    `misplaced` are records in the folder of another day than the one on which their session ended.
    """

    files: int = 0
    records: int = 0
    duplicates: int = 0
    rejected: list[dict[str, object]] = field(default_factory=list)
    mistyped: Counter[str] = field(default_factory=Counter)
    misplaced: list[dict[str, object]] = field(default_factory=list)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    ignored: list[Ignored] = field(default_factory=list)

    def reject(self, file: str, line: int, reason: Exception) -> None:
        """Note a line that is no session record though it should be one; line 0 stands for a whole file."""
        self.rejected.append({"file": file, "line": line, "reason": str(reason)})

    def document(self, period: Period) -> dict[str, Any]:
        """The check as JSON has it."""
        counted = {name: dict(sorted(getattr(self, name).items())) for name in ("mistyped", "unknown_fields")}
        return {"start": period.start.isoformat(), "end": period.end.isoformat(), **asdict(self), **counted}


def check(root: Path, period: Period, progress: Callable[[int, int], None] | None = None) -> Quality:
    """Read every line of the period's folders with care. Raises LakeError where there is no lake."""
    quality = Quality(ignored=day_folders(root)[1])
    days = days_within(root, period)
    for number, day in enumerate(days, 1):
        _check_day(root, day, quality)
        if progress:
            progress(number, len(days))
    return quality


def _check_day(root: Path, day: str, quality: Quality) -> None:
    identities: list[tuple[str, int]] = []
    try:
        names, ignored = files_of_day(root, day)
        quality.ignored += ignored
        with open_day(root, day) as folder:
            for name in names:
                quality.files += 1
                identities += _check_file(folder, name, day, quality)
    except LakeError as error:
        quality.reject(f"sessions/dt={day}", 0, error)
    different = len(set(identities))
    quality.records += different
    quality.duplicates += len(identities) - different


def _check_file(folder: int, name: str, day: str, quality: Quality) -> Iterator[tuple[str, int]]:
    file = f"sessions/dt={day}/{name}"
    try:
        for number, line in numbered(name, folder):
            try:
                found = _check_line(line, quality)
            except record.Rejected as reason:
                quality.reject(file, number, reason)
                continue
            if found is None:
                continue
            if (belongs_to := record.day_of(found[1])) != day:
                quality.misplaced.append({"file": file, "line": number, "dt": day, "belongs_to": belongs_to})
            yield found
    except Unread as reason:
        quality.reject(file, 0, reason)


def _check_line(line: bytes, quality: Quality) -> tuple[str, int] | None:
    """The identity of the line's record; None for a line that holds none. Raises record.Rejected."""
    text = record.content(line)
    if not text:
        return None
    mistyped: list[str] = []
    document = record.parse_json(text)
    found = record.read(document, mistyped.append)
    if found is None:
        return None
    quality.mistyped.update(mistyped)
    quality.unknown_fields.update(record.unknown_fields(cast("dict[str, object]", document)))
    return found["_session_id"], record.ended_ms(found["_timestamp"])
