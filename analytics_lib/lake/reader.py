"""Reads days of a lake into the two flat tables, by the contract's rules, each line once.

A line that is plainly clean is decoded by msgspec straight into the declared fields; every other line is read by
`analytics_lib.record`, which knows all the rules and gives the reason where it rejects one.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec

from analytics_lib import record
from analytics_lib.errors import LakeError
from analytics_lib.gzipped import Unread
from analytics_lib.lake.files import files_of_day, open_day
from analytics_lib.lake.lines import numbered
from analytics_lib.lake.tables import Tables
from analytics_lib.schema import RECORD, Field, Group, Kind

Identity = tuple[str, int]  # session id and ended_at in milliseconds, within a day
Place = tuple[int, int]  # number of the file and of the line

_EXAMPLES_KEPT = 3
_Number = Annotated[float, msgspec.Meta(ge=-record.LARGEST_NUMBER, le=record.LARGEST_NUMBER)]
_NotNegative = Annotated[float, msgspec.Meta(ge=0, le=record.LARGEST_NUMBER)]
_Timestamp = Annotated[float, msgspec.Meta(ge=0, lt=record.END_OF_TIME_SECONDS)]
_Integer = Annotated[int, msgspec.Meta(ge=-int(record.LARGEST_NUMBER), le=int(record.LARGEST_NUMBER))]
_CLEAN_TYPES: dict[Kind, Any] = {
    Kind.TEXT: str,
    Kind.NUMBER: _Number,
    Kind.INTEGER: _Integer,
    Kind.FLAG: bool,
    Kind.TEXTS: list[str],
}


def _clean_type(part: Field | Group) -> Any:
    if isinstance(part, Group):
        struct = _struct(part.name, part.fields)
        return list[struct | None] if part.repeated else struct  # type: ignore[valid-type]
    if part.name == "_timestamp":
        return _Timestamp
    return _NotNegative if part.not_negative and part.kind is Kind.NUMBER else _CLEAN_TYPES[part.kind]


def _struct(name: str, parts: tuple[Field | Group, ...]) -> type[msgspec.Struct]:
    required = [(part.name, _clean_type(part)) for part in parts if isinstance(part, Field) and part.required]
    optional = [
        (part.name, _clean_type(part) | None, None) for part in parts if not (isinstance(part, Field) and part.required)
    ]
    return msgspec.defstruct(name, [*required, *optional], gc=False)


CleanRecord = _struct("CleanRecord", RECORD)
_decode = msgspec.json.Decoder(CleanRecord).decode


@dataclass(slots=True)
class DayCounts:
    """What was read of one day. `records` are counted after copies are folded, `bytes` are those of the lines.

    `mistyped` counts the mistyped values by the dotted path of their field, line by line.
    """

    files: int = 0
    bytes: int = 0
    records: int = 0
    duplicates: int = 0
    rejected: int = 0
    examples: list[str] = field(default_factory=list)
    mistyped: dict[str, int] = field(default_factory=dict)

    def mistype(self, path: str) -> None:
        """Count a mistyped value of that field."""
        self.mistyped[path] = self.mistyped.get(path, 0) + 1

    def reject(self, file: str, line: int, reason: str) -> None:
        """Count a rejected line and keep the first few as examples for messages."""
        self.rejected += 1
        if len(self.examples) < _EXAMPLES_KEPT:
            self.examples.append(f"{file} line {line}: {reason}" if line else f"{file}: {reason}")


def read_day(root: Path, day: str, tables: Tables) -> DayCounts:
    """Read one day's folder into `tables`, copies folded. Nothing in the folder, however broken, raises."""
    counts = DayCounts()
    try:
        names, _ = files_of_day(root, day)
        with open_day(root, day) as folder:
            _read_files(folder, names, day, tables, counts)
    except LakeError as error:
        counts.reject(f"sessions/dt={day}", 0, str(error))
    return counts


def _read_files(folder: int, names: list[str], day: str, tables: Tables, counts: DayCounts) -> None:
    first_row, identities, places = tables.rows, [], []
    for file, name in enumerate(names):
        counts.files += 1
        for line, found in _records(folder, name, f"sessions/dt={day}/{name}", counts):
            identities.append(tables.add(day, found))
            places.append((file, line))
    counts.records = len(set(identities))
    counts.duplicates = len(identities) - counts.records
    if counts.duplicates:
        tables.drop(first_row + row for row in _folded(folder, names, identities, places))


def _records(folder: int, name: str, file: str, counts: DayCounts) -> Iterator[tuple[int, Any]]:
    try:
        for number, line in numbered(name, folder):
            counts.bytes += len(line)
            try:
                found = _decode_line(line, counts.mistype)
            except record.Rejected as rejected:
                counts.reject(file, number, str(rejected))
            else:
                if found is not None:
                    yield number, found
    except Unread as error:
        counts.reject(file, 0, str(error))


def _decode_line(line: bytes, notice: record.Notice) -> Any:
    """The line's record with clean values, None for a line that holds no record. Raises record.Rejected.

    `notice` is told the paths of mistyped values; what msgspec takes has none.
    """
    try:
        if not line.isascii():
            line.decode()  # msgspec does not look into the strings that it skips, nor for unpaired surrogates
        if b"\\" not in line or (b"\\ud" not in line and b"\\uD" not in line):
            found = _decode(line)
            if _is_plain(found):
                return found
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # not plainly clean
    return _decode_with_care(line, notice)


def _is_plain(found: Any) -> bool:
    duration = found.duration_seconds
    return (
        found._event_type in record.SESSION_EVENTS
        and found._session_id.strip(record.BLANKS) != ""
        and (duration is None or duration * 1000 <= record.ended_ms(found._timestamp))
    )


def _decode_with_care(line: bytes, notice: record.Notice) -> Any:
    text = record.content(line)
    found = record.read(record.parse_json(text), notice) if text else None
    return found and msgspec.convert(found, CleanRecord)


def _folded(folder: int, names: list[str], identities: list[Identity], places: list[Place]) -> Iterator[int]:
    """The rows to leave out: of the copies of a record the line that sorts first by its bytes is kept.

    Keeping every line until the day is read would cost the day's size in memory; the few files that hold copies are
    read once more instead.
    """
    occurrences = Counter(identities)
    rows = {places[row]: row for row, identity in enumerate(identities) if occurrences[identity] > 1}
    first: dict[Identity, tuple[bytes, int]] = {}
    for file in {file for file, _ in rows}:
        with suppress(Unread):  # it vanished since it was read: the copies that are left decide
            for number, line in numbered(names[file], folder):
                if (row := rows.get((file, number))) is not None:
                    candidate = (line.removeprefix(record.BYTE_ORDER_MARK), row)
                    first[identities[row]] = min(first.get(identities[row], candidate), candidate)
    kept = {identity: row for identity, (_, row) in first.items()}
    for row in rows.values():
        if kept.setdefault(identities[row], row) != row:
            yield row
