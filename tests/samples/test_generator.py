import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import analytics_lib
from analytics_lib.errors import OutputError, UsageError
from analytics_lib.record import object_key, read
from analytics_lib.samples.generator import MARKER, write_samples
from analytics_lib.schema import RECORD, Field, Group, Kind
from tests.support.compare import contract_fields

COMMITTED = Path(__file__).parents[2] / "data" / "samples"
ADDED = Field("zz_added", Kind.TEXT, "where the caller is", examples=("DE", "FR"))
Document = dict[str, Any]


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def documents(root: Path) -> list[Document]:
    return [json.loads(path.read_bytes()) for path in sorted(root.glob("sessions/dt=*/*.json"))]


# -- the files


def test_the_committed_samples_are_what_the_generator_writes_today(tmp_path: Path) -> None:
    written = write_samples(tmp_path / "again")
    found = contents(tmp_path / "again")
    assert found == contents(COMMITTED), "make generate writes data/samples again"
    assert written == len(found) - 1
    assert 570 <= written <= 620
    assert sum(map(len, found.values())) < 1_500_000


@pytest.mark.parametrize("bytes_per_session", [0, 2_000, 60_000])
def test_every_file_is_one_line_of_the_size_at_the_key_of_its_record(tmp_path: Path, bytes_per_session: int) -> None:
    write_samples(tmp_path / "bare", days=2, end=date(2025, 3, 2))
    write_samples(tmp_path / "lake", days=2, end=date(2025, 3, 2), bytes_per_session=bytes_per_session)
    for name, line in contents(tmp_path / "lake").items():
        if name != MARKER:
            record = json.loads(line)
            assert name == object_key(record["_session_id"], record["_timestamp"])
            assert line.count(b"\n") == line.endswith(b"\n") == 1
            turns = record.pop("transcript", [])
            assert bool(turns) == (bytes_per_session > 0)
            assert {tuple(turn) for turn in turns} <= {("role", "text")}
            assert record == json.loads((tmp_path / "bare" / name).read_bytes())
            assert bytes_per_session <= len(line) < max(bytes_per_session, 3_000) + 200


def test_no_sessions_a_day_is_an_empty_lake(tmp_path: Path) -> None:
    assert write_samples(tmp_path, days=3, sessions_per_day=0) == 0
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == [MARKER, "sessions"]


# -- interruption, and places that are taken


def test_a_longer_or_interrupted_run_goes_on_where_the_one_before_it_ended(tmp_path: Path) -> None:
    def progress(done: int, days: int) -> None:
        told.append((done, days))
        if done == 4:
            raise KeyboardInterrupt

    told: list[tuple[int, int]] = []
    write_samples(tmp_path / "grown", days=2)
    with pytest.raises(KeyboardInterrupt):
        write_samples(tmp_path / "grown", days=5, progress=progress)
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5)]
    write_samples(tmp_path / "grown", days=5)
    write_samples(tmp_path / "whole", days=5)
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("stop", "seen"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left on device"), OutputError)],
    ids=["interrupted", "disk full"],
)
def test_stopped_within_a_day_only_complete_days_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException, seen: type[BaseException]
) -> None:
    write_samples(tmp_path / "whole", days=3)
    keys = iter(range(30))

    def stopped(session_id: str, timestamp: float) -> str:
        if next(keys, None) is None:
            raise stop
        return object_key(session_id, timestamp)

    with monkeypatch.context() as patch:
        patch.setattr("analytics_lib.samples.generator.object_key", stopped)
        with pytest.raises(seen, match="No space left" if seen is OutputError else None):
            write_samples(tmp_path / "resumed", days=3)
    assert [path.name for path in (tmp_path / "resumed/sessions").iterdir()] == ["dt=2026-01-28"]
    (tmp_path / "resumed/sessions/_unfinished").mkdir()  # a run that was killed leaves this
    (tmp_path / "resumed/sessions/_unfinished/half.json").write_text('{"_event_')
    write_samples(tmp_path / "resumed", days=3)
    assert contents(tmp_path / "resumed") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    "other", [{"seed": 8}, {"sessions_per_day": 3}, {"bytes_per_session": 900}, {"end": date(2026, 1, 31)}]
)
def test_samples_of_other_settings_are_refused_and_left_alone(tmp_path: Path, other: dict[str, Any]) -> None:
    write_samples(tmp_path, days=1, sessions_per_day=2)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="same settings"):
        write_samples(tmp_path, **({"days": 1, "sessions_per_day": 2} | other))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("marker", [None, "{"])
def test_a_lake_that_is_no_sample_is_refused_and_left_alone(tmp_path: Path, marker: str | None) -> None:
    (tmp_path / "sessions/dt=2026-01-30").mkdir(parents=True)
    (tmp_path / "sessions/dt=2026-01-30/room-1.json").write_text("{}\n")
    if marker is not None:
        (tmp_path / MARKER).write_text(marker)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=rf"sessions already holds files.*{MARKER}.*choose another folder"):
        write_samples(tmp_path, days=1)
    assert contents(tmp_path) == before


def test_a_root_that_is_a_file_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"taken.*: Not a directory"):
        write_samples(tmp_path / "taken", days=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"days": 0}, "0 days .* from 1"),
        ({"sessions_per_day": -1}, "-1 sessions per day .* from 0"),
        ({"bytes_per_session": -1}, "-1 bytes per session"),
        ({"days": 31, "end": date(1970, 1, 31)}, "begin before 1970-01-02"),
        ({"days": 10**9}, "begin before"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        write_samples(tmp_path / "lake", **settings)
    assert not (tmp_path / "lake").exists()


# -- what the records hold


def with_field(group: str) -> tuple[Field | Group, ...]:
    return tuple(replace(p, fields=(*p.fields, ADDED)) if isinstance(p, Group) and p.name == group else p
                 for p in RECORD)  # fmt: skip


@pytest.mark.parametrize(
    ("record", "value"),
    [
        ((*RECORD, ADDED), lambda d: d.get("zz_added")),
        ((*RECORD, replace(ADDED, kind=Kind.TEXTS)), lambda d: d.get("zz_added", [None])[0]),
        ((*RECORD, Group("zz_group", "where", (ADDED,))), lambda d: d.get("zz_group", {}).get("zz_added")),
        (
            (*RECORD, Group("zz_groups", "of it", (ADDED,), repeated=True)),
            lambda d: d.get("zz_groups", [{}])[0].get("zz_added"),
        ),
        (with_field("discovered_signals"), lambda d: (d.get("discovered_signals") or {}).get("zz_added")),
        (with_field("tool_calls"), lambda d: (d.get("tool_calls") or [{}])[0].get("zz_added")),
    ],
    ids=["field", "texts", "group", "repeated group", "signal", "in a call"],
)
def test_a_field_that_is_newly_declared_shows_up_in_the_same_samples(
    tmp_path: Path, record: tuple[Field | Group, ...], value: Callable[[Document], str | None]
) -> None:
    write_samples(tmp_path, days=3, record=record)
    found = documents(tmp_path)
    shipped = documents(COMMITTED)[-len(found) :]
    assert {value(document) for document in found} == {"DE", "FR", None}
    assert contract_fields(list(map(read, found))) == contract_fields(list(map(read, shipped)))


def test_every_declared_field_occurs_and_optional_ones_are_sometimes_null_and_sometimes_missing() -> None:
    mistyped: list[str] = []
    found = documents(COMMITTED)
    records = [read(document, mistyped.append) or {} for document in found]
    assert mistyped == []
    for part in RECORD:
        parents = [record[part.name] for record in records if record[part.name]]
        assert parents, part.name
        if isinstance(part, Group):
            entries = [call for made in parents for call in made] if part.repeated else parents
            assert [f.name for f in part.fields if all(entry[f.name] is None for entry in entries)] == []
    for name in ("duration_seconds", "discovered_signals", "tool_calls", "metrics_summary", "caller_key"):
        assert [document.get(name, "missing") for document in found].count("missing") > 2
        assert [document.get(name, "missing") for document in found].count(None) > 2
    assert any("timeline_weeks" in (document.get("discovered_signals") or {}) for document in found)


# -- the story: what the two views must show, of the shipped samples and of more sessions from another seed


def share(view: str, what: str, among: str = "TRUE") -> str:
    return f"(SELECT COUNT(*) FILTER (WHERE {what}) * 1.0 / COUNT(*) FROM {view} WHERE {among})"


def ratio(view: str, what: str, among: str, versus: str) -> str:
    return f"{share(view, what, among)} / {share(view, what, versus)}"


def duration(among: str, percentile: float = 0.5) -> str:
    return f"(SELECT quantile_cont(duration_seconds, {percentile}) FROM sessions WHERE {among})"


LEAD = "(COALESCE(team_size, 0) >= 5 OR COALESCE(monthly_volume, 0) >= 100)"
OLD, NEW = "dt < '2026-01-15'", "dt >= '2026-01-15'"
OUTAGE = "dt IN ('2026-01-21', '2026-01-22')"  # a Wednesday and a Thursday
AROUND = f"{NEW} AND NOT {OUTAGE}"
QUIET = "(dt = '2026-01-01' OR isodow(CAST(dt AS DATE)) > 5)"
A_DAY = "(SELECT {}(n) * 1.0 FROM (SELECT COUNT(*) AS n FROM sessions WHERE {} GROUP BY dt))"
FAILED, CRM, SEARCH = "outcome IN ('error', 'empty')", "tool = 'crm_lookup'", "tool = 'unleash_search_knowledge'"
GAPS = f"""(SELECT COUNT(*) FROM (
    SELECT lower(regexp_replace(trim(query), ' +', ' ')) FROM tool_calls WHERE {SEARCH} GROUP BY 1
    HAVING COUNT(*) >= 4 AND COUNT(*) FILTER (WHERE outcome = 'empty') > 0.8 * COUNT(*)))"""
AGAIN = """EXISTS (SELECT 1 FROM tool_calls AS later WHERE later.session_id = tool_calls.session_id
    AND later.tool = tool_calls.tool AND later.call_index > tool_calls.call_index {})"""
LIKE = "tool_call_count BETWEEN {} AND failed_tool_call_count"

FIGURES: dict[str, tuple[float, str, float]] = {
    "working days are busier": (1.5, f"{A_DAY.format('min', f'NOT {QUIET}')} / {A_DAY.format('max', QUIET)}", 5),
    "calls come in European office hours": (0.8, share("sessions", "hour(ended_at) BETWEEN 7 AND 16"), 0.95),
    "sessions last about three minutes": (150, duration("TRUE"), 210),
    "one in ten is long": (400, duration("TRUE", 0.9), 720),
    "one is very long": (1_200, duration("TRUE", 1.0), 10_000),
    "leads talk longer": (1.6, f"{duration(LEAD)} / {duration(f'NOT {LEAD}')}", 3),
    "a quarter of the sessions qualify": (0.2, share("sessions", LEAD), 0.3),
    "some are hot": (0.06, share("sessions", f"{LEAD} AND urgency = 'high'"), 0.1),
    "the new version comes in mid-month": (1, share("sessions", f"(agent_version = '1.5.0') = ({NEW})"), 1),
    "it learns more": (1.3, ratio("sessions", "COALESCE(team_size, monthly_volume) IS NOT NULL", NEW, OLD), 3),
    "it qualifies more": (1.3, ratio("sessions", LEAD, NEW, OLD), 3),
    "its searches find more": (1.6, ratio("tool_calls", FAILED, f"{SEARCH} AND {OLD}", f"{SEARCH} AND {NEW}"), 4),
    "it answers faster": (-250, f"(SELECT AVG(avg_latency_ms) FILTER (WHERE {NEW})"
                                f" - AVG(avg_latency_ms) FILTER (WHERE {OLD}) FROM sessions)", -100),
    "crm_lookup breaks": (0.7, share("tool_calls", "outcome = 'error'", f"{CRM} AND {OUTAGE}"), 0.95),
    "with two errors": (2, f"(SELECT COUNT(DISTINCT error) FROM tool_calls WHERE {CRM} AND {OUTAGE})", 2),
    "other tools do not": (0, share("tool_calls", FAILED, f"NOT {CRM} AND {OUTAGE}"), 0.2),
    "it recovers": (0, share("tool_calls", FAILED, f"{CRM} AND {AROUND}"), 0.1),
    "the outage ends sessions": (0.1, share("sessions", "close_reason = 'error'", OUTAGE), 0.4),
    "it costs leads on the first day": (0.2, ratio("sessions", LEAD, "dt = '2026-01-21'", AROUND), 0.7),
    "it costs leads on the second day": (0.2, ratio("sessions", LEAD, "dt = '2026-01-22'", AROUND), 0.7),
    **{f"failures cost leads among sessions with {like} calls": (
        0, ratio("sessions", LEAD, f"{LIKE.format(like)} > 0", f"{LIKE.format(like)} = 0"), 0.7)
       for like in ("1 AND 1", "2 AND 3", "4 AND 99")},
    "some questions never find an answer": (3, GAPS, 7),
    "failed calls are tried again": (0.4, share("tool_calls", AGAIN.format(""), FAILED), 0.75),
    "some of them recover": (0.2, share("tool_calls", AGAIN.format("AND outcome = 'ok'"), FAILED), 0.5),
    "a few calls are cancelled": (0.02, share("tool_calls", "outcome = 'cancelled'"), 0.06),
    "calls lie within their session": (1, share("tool_calls JOIN sessions USING (session_id)",
        "COALESCE(offset_seconds <= duration_seconds, TRUE)"), 1),
    "callers come back": (0.1, "(SELECT 1 - COUNT(DISTINCT caller_key) * 1.0 / COUNT(caller_key) FROM sessions)", 0.3),
}  # fmt: skip


@pytest.fixture(scope="module", params=["shipped", "another seed"])
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    root = COMMITTED
    if request.param == "another seed":
        root = tmp_path_factory.mktemp("many")
        write_samples(root, sessions_per_day=100, seed=11)
    columns = ",\n".join(f'{figure} AS "{name}"' for name, (_, figure, _) in FIGURES.items())
    return {name: float(found[0]) for name, found in analytics_lib.open(str(root)).sql(f"SELECT {columns}").items()}


@pytest.mark.parametrize("name", FIGURES)
def test_the_story_can_be_read_off_the_figures(figures: dict[str, float], name: str) -> None:
    least, _, most = FIGURES[name]
    assert least <= figures[name] <= most
