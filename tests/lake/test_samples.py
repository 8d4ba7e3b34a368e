import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from analytics_lib.errors import OutputError, UsageError
from analytics_lib.lake.samples import MARKER, write_samples
from analytics_lib.record import object_key, read
from analytics_lib.schema import RECORD, Field, Group, Kind

COMMITTED = Path(__file__).parents[2] / "data" / "samples"
OUTAGE = {"2026-01-21", "2026-01-22"}  # a Wednesday and a Thursday
RELEASE = "2026-01-15"
Session = dict[str, Any]


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def documents(root: Path) -> list[Session]:
    return [json.loads(path.read_bytes()) for path in sorted(root.glob("sessions/dt=*/*.json"))]


def sessions(root: Path) -> list[Session]:
    found = []
    for path in sorted(root.glob("sessions/dt=*/*.json")):
        record = read(json.loads(path.read_bytes()))
        assert record is not None
        found.append(record | {"dt": path.parent.name.removeprefix("dt=")})
    return found


def signals(session: Session) -> Session:
    return session["discovered_signals"] or {}


def qualified(session: Session) -> bool:
    return (signals(session).get("team_size") or 0) >= 5 or (signals(session).get("monthly_volume") or 0) >= 100


def hot(session: Session) -> bool:
    return qualified(session) and signals(session).get("urgency") == "high"


def calls(found: Iterable[Session], tool: str | None = None) -> list[Session]:
    return [call for s in found for call in s["tool_calls"] or () if tool in (None, call["tool"])]


def failed(call: Session) -> bool:
    return bool(call["error"]) or (not call["cancelled"] and call["results_found"] is False)


def share(rows: Iterable[Session], test: Callable[[Session], bool]) -> float:
    verdicts = [test(row) for row in rows]
    return sum(verdicts) / len(verdicts)


def folded(query: str) -> str:
    return " ".join(query.split()).lower()


@pytest.fixture(scope="module")
def shipped() -> list[Session]:
    return sessions(COMMITTED)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> list[Session]:
    """Ten times the sessions and another seed: the story is no accident of the shipped ones."""
    root = tmp_path_factory.mktemp("many")
    write_samples(root, sessions_per_day=200, seed=11)
    return sessions(root)


@pytest.fixture(params=["shipped", "many"])
def story(request: pytest.FixtureRequest) -> list[Session]:
    found: list[Session] = request.getfixturevalue(request.param)
    return found


# -- the files


def test_the_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_samples(tmp_path / name, days=3, sessions_per_day=10, bytes_per_session=2_000)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(contents(tmp_path / "a")) > 20


def test_another_seed_gives_other_sessions(tmp_path: Path) -> None:
    write_samples(tmp_path / "a", days=2, seed=1)
    write_samples(tmp_path / "b", days=2, seed=2)
    assert contents(tmp_path / "a").keys() & contents(tmp_path / "b").keys() == {MARKER}


def test_the_committed_samples_are_what_the_generator_writes_today(tmp_path: Path) -> None:
    settings = json.loads((COMMITTED / MARKER).read_bytes())
    days = len(list((COMMITTED / "sessions").iterdir()))
    written = write_samples(
        tmp_path / "again",
        days=days,
        sessions_per_day=settings["sessions_per_day"],
        seed=settings["seed"],
        end=date.fromisoformat(settings["end"]),
        bytes_per_session=settings["bytes_per_session"],
    )
    assert contents(tmp_path / "again") == contents(COMMITTED), "remove data/samples and write it again"
    assert (days, written) == (30, len(contents(COMMITTED)) - 1)


def test_the_committed_samples_are_small_and_about_twenty_sessions_a_day() -> None:
    found = contents(COMMITTED)
    assert sum(map(len, found.values())) < 1_500_000
    assert 570 <= len(found) - 1 <= 640


def test_a_day_is_the_same_however_many_days_come_before_it(tmp_path: Path) -> None:
    write_samples(tmp_path / "short", days=2)
    write_samples(tmp_path / "long", days=9)
    short, long = contents(tmp_path / "short"), contents(tmp_path / "long")
    assert short.items() <= long.items()


def test_more_days_are_added_to_the_samples_that_are_there(tmp_path: Path) -> None:
    write_samples(tmp_path / "whole", days=5)
    first = write_samples(tmp_path / "grown", days=2)
    rest = write_samples(tmp_path / "grown", days=5)
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")
    assert first + rest == len(contents(tmp_path / "whole")) - 1


def test_every_file_is_one_line_at_the_key_of_its_record(tmp_path: Path) -> None:
    write_samples(tmp_path, days=4, end=date(2025, 3, 2))
    for name, line in contents(tmp_path).items():
        if name != MARKER:
            record = json.loads(line)
            assert name == object_key(record["_session_id"], record["_timestamp"])
            assert line.endswith(b"}\n")
            assert line.count(b"\n") == 1


def test_records_are_padded_to_a_size_with_a_transcript(tmp_path: Path) -> None:
    write_samples(tmp_path / "bare", days=2)
    write_samples(tmp_path / "padded", days=2, bytes_per_session=5_000)
    write_samples(tmp_path / "long", days=1, bytes_per_session=60_000)
    padded = documents(tmp_path / "padded")
    sizes = [len(line) for name, line in contents(tmp_path / "padded").items() if name != MARKER]
    assert min(sizes) >= 5_000
    assert max(sizes) <= 5_500
    assert len(set(sizes)) > 5
    assert {key for turn in padded[0]["transcript"] for key in turn} == {"role", "text"}
    assert [{k: v for k, v in record.items() if k != "transcript"} for record in padded] == documents(tmp_path / "bare")
    assert all(60_000 <= len(line) < 63_000 for name, line in contents(tmp_path / "long").items() if name != MARKER)


def test_no_sessions_a_day_is_an_empty_lake(tmp_path: Path) -> None:
    assert write_samples(tmp_path, days=3, sessions_per_day=0) == 0
    assert [path.name for path in sorted(tmp_path.iterdir())] == [MARKER, "sessions"]
    assert list((tmp_path / "sessions").iterdir()) == []


# -- interruption, and places that are taken


def interrupt_after(days: int) -> Callable[[int, int], None]:
    def progress(done: int, _: int) -> None:
        if done == days:
            raise KeyboardInterrupt

    return progress


def test_interrupted_between_days_a_second_run_completes_the_same_lake(tmp_path: Path) -> None:
    write_samples(tmp_path / "whole", days=5)
    with pytest.raises(KeyboardInterrupt):
        write_samples(tmp_path / "resumed", days=5, progress=interrupt_after(2))
    assert [path.name for path in sorted((tmp_path / "resumed/sessions").iterdir())] == [
        "dt=2026-01-26",
        "dt=2026-01-27",
    ]
    write_samples(tmp_path / "resumed", days=5)
    assert contents(tmp_path / "resumed") == contents(tmp_path / "whole")


def test_interrupted_within_a_day_only_complete_days_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_samples(tmp_path / "whole", days=3)
    keys = 0

    def interrupted(session_id: str, timestamp: float) -> str:
        nonlocal keys
        keys += 1
        if keys == 30:
            raise KeyboardInterrupt
        return object_key(session_id, timestamp)

    with monkeypatch.context() as patch:
        patch.setattr("analytics_lib.lake.samples.object_key", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_samples(tmp_path / "resumed", days=3)
    left = contents(tmp_path / "resumed")
    assert left.items() <= contents(tmp_path / "whole").items()
    assert [path.name for path in (tmp_path / "resumed/sessions").iterdir()] == ["dt=2026-01-28"]
    write_samples(tmp_path / "resumed", days=3)
    assert contents(tmp_path / "resumed") == contents(tmp_path / "whole")


def test_leftovers_of_a_run_that_was_killed_are_removed(tmp_path: Path) -> None:
    write_samples(tmp_path, days=2)
    whole = contents(tmp_path)
    (tmp_path / "sessions/dt=2026-01-30").rename(tmp_path / "sessions/_partial-2026-01-30")
    write_samples(tmp_path, days=2)
    assert contents(tmp_path) == whole


def test_progress_is_told_after_every_day(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_samples(tmp_path, days=3, sessions_per_day=1, progress=lambda done, days: told.append((done, days)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_lake_that_is_no_sample_is_refused_and_left_alone(tmp_path: Path) -> None:
    real = tmp_path / "sessions/dt=2026-01-30/room-1.json"
    real.parent.mkdir(parents=True)
    real.write_text("{}\n")
    with pytest.raises(OutputError, match=r"sessions already holds files.*choose another folder"):
        write_samples(tmp_path, days=1)
    assert contents(tmp_path) == {"sessions/dt=2026-01-30/room-1.json": b"{}\n"}


@pytest.mark.parametrize(
    "other",
    [{"seed": 8}, {"sessions_per_day": 3}, {"bytes_per_session": 900}, {"end": date(2026, 1, 31)}],
    ids=lambda other: next(iter(other)),
)
def test_samples_of_other_settings_are_refused_and_left_alone(tmp_path: Path, other: dict[str, Any]) -> None:
    write_samples(tmp_path, days=1, sessions_per_day=2)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="same settings"):
        write_samples(tmp_path, **({"days": 1, "sessions_per_day": 2} | other))
    assert contents(tmp_path) == before


def test_a_damaged_marker_counts_as_none(tmp_path: Path) -> None:
    write_samples(tmp_path, days=1)
    (tmp_path / MARKER).write_text("{")
    with pytest.raises(OutputError, match=MARKER):
        write_samples(tmp_path, days=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"days": 0}, "0 days"),
        ({"days": -3}, "-3 days"),
        ({"sessions_per_day": -1}, "-1 sessions"),
        ({"bytes_per_session": -1}, "-1 bytes"),
        ({"days": 60, "end": date(1970, 1, 31)}, "leave the calendar"),
        ({"days": 1, "end": date.max}, "leave the calendar"),
        ({"days": 10**9}, "leave the calendar"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        write_samples(tmp_path / "lake", **settings)
    assert not (tmp_path / "lake").exists()


def test_a_root_that_is_a_file_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"taken.*: Not a directory"):
        write_samples(tmp_path / "taken", days=1)


def test_a_full_disk_is_named_with_the_reason_and_leaves_no_half_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("analytics_lib.lake.samples.object_key", full)
    with pytest.raises(OutputError, match=r"lake: No space left on device"):
        write_samples(tmp_path / "lake", days=1)
    assert list((tmp_path / "lake/sessions").iterdir()) == []


# -- what the records hold


def with_field(group: str, field: Field) -> tuple[Field | Group, ...]:
    return tuple(
        replace(part, fields=(*part.fields, field)) if isinstance(part, Group) and part.name == group else part
        for part in RECORD
    )


def test_a_field_that_is_newly_declared_shows_up_in_fresh_samples(tmp_path: Path) -> None:
    budget = Field("budget_eur", Kind.NUMBER, "what the lead can spend", "euros", examples=(5_000, 20_000.5))
    write_samples(tmp_path / "old", days=5)
    write_samples(tmp_path / "new", days=5, record=with_field("discovered_signals", budget))
    before = [d["discovered_signals"] for d in documents(tmp_path / "old") if "discovered_signals" in d]
    after = [d["discovered_signals"] for d in documents(tmp_path / "new") if "discovered_signals" in d]
    known = [found["budget_eur"] for found in after if "budget_eur" in found]
    assert set(known) == {5_000, 20_000.5}
    assert 0.45 < len(known) / len(after) < 0.75
    assert [{k: v for k, v in found.items() if k != "budget_eur"} for found in after] == before


def country(kind: Kind = Kind.TEXT, name: str = "country") -> Field:
    return Field(name, kind, "where the caller is", examples=("DE", "FR"))


@pytest.mark.parametrize(
    ("record", "values"),
    [
        ((*RECORD, country()), lambda d: d.get("country")),
        ((*RECORD, country(Kind.TEXTS)), lambda d: (d.get("country") or [None])[0]),
        ((*RECORD, country(name="language")), lambda d: d.get("language")),
        ((*RECORD, Group("place", "where", (country(),))), lambda d: d.get("place", {}).get("country")),
        ((*RECORD, Group("legs", "of the call", (country(),), repeated=True)),
         lambda d: d.get("legs", [{}])[0].get("country")),
        (with_field("metrics_summary", country()), lambda d: d.get("metrics_summary", {}).get("country")),
        (with_field("tool_calls", country()),
         lambda d: next((call.get("country") for call in d.get("tool_calls", ())), None)),
    ],
    ids=["field", "texts", "one the story made up", "group", "repeated group", "in a group", "in a call"],
)  # fmt: skip
def test_every_part_of_the_record_takes_new_fields(
    tmp_path: Path, record: tuple[Field | Group, ...], values: Callable[[Session], str | None]
) -> None:
    write_samples(tmp_path, days=2, record=record)
    assert {values(document) for document in documents(tmp_path)} == {"DE", "FR", None}


def test_a_required_field_is_in_every_parent(tmp_path: Path) -> None:
    write_samples(tmp_path, days=2, record=(*RECORD, Field("site", Kind.TEXT, "w", examples=("x",), required=True)))
    assert {document["site"] for document in documents(tmp_path)} == {"x"}


def test_samples_of_a_new_declaration_do_not_mix_with_older_ones(tmp_path: Path) -> None:
    write_samples(tmp_path, days=1)
    with pytest.raises(OutputError, match="same settings"):
        write_samples(tmp_path, days=2, record=with_field("metrics_summary", Field("voice", Kind.TEXT, "whose")))


def test_no_value_of_the_shipped_samples_is_rejected_or_mistyped() -> None:
    mistyped: list[str] = []
    assert all(read(document, mistyped.append) is not None for document in documents(COMMITTED))
    assert mistyped == []


def test_every_declared_field_occurs_in_the_shipped_samples(shipped: list[Session]) -> None:
    for part in RECORD:
        if isinstance(part, Group):
            parents = calls(shipped) if part.repeated else [s[part.name] for s in shipped if s[part.name]]
            for field in part.fields:
                assert any(parent[field.name] is not None for parent in parents), field.name
        assert any(session[part.name] is not None for session in shipped), part.name


def test_the_shipped_samples_have_the_flaws_that_real_records_have() -> None:
    found = documents(COMMITTED)
    learned = [document.get("discovered_signals") for document in found]
    for part in (
        "discovered_signals",
        "tool_calls",
        "metrics_summary",
        "duration_seconds",
        "caller_key",
        "language",
    ):
        assert 0 < share(found, lambda document, part=part: part not in document) < 0.35, part  # type: ignore[misc]
    assert any(known and known.get("urgency", "") is None for known in learned)
    assert any(known and isinstance(known.get("team_size"), str) for known in learned)
    assert any(known and "timeline_weeks" in known for known in learned)
    assert any("cost_usd" in call for document in found for call in document.get("tool_calls", ()))
    assert any(document.get("close_reason", "") is None for document in found)


def test_callers_come_back_and_a_session_id_comes_again(shipped: list[Session]) -> None:
    keys = [session["caller_key"] for session in shipped if session["caller_key"]]
    assert 0.1 < share([{"key": key} for key in keys], lambda row: keys.count(row["key"]) > 1) < 0.35
    ids = [session["_session_id"] for session in shipped]
    assert {name for name in ids if ids.count(name) > 1} == {"room_showroom"}


# -- the story, as figures


def test_weekdays_are_busy_and_weekends_quiet(story: list[Session]) -> None:
    by_day: dict[str, int] = {}
    for session in story:
        by_day[session["dt"]] = by_day.get(session["dt"], 0) + 1
    weekend = [count for dt, count in by_day.items() if date.fromisoformat(dt).weekday() >= 5]
    weekdays = [count for dt, count in by_day.items() if date.fromisoformat(dt).weekday() < 5]
    assert min(weekdays) > 1.5 * max(weekend)


def test_calls_come_in_european_office_hours(story: list[Session]) -> None:
    hours = [{"hour": int(session["_timestamp"] % 86_400 // 3_600)} for session in story]
    assert share(hours, lambda row: 7 <= row["hour"] < 17) > 0.8


def test_sessions_last_about_three_minutes_with_a_long_tail(story: list[Session]) -> None:
    durations = sorted(s["duration_seconds"] for s in story if s["duration_seconds"] is not None)
    assert 150 < median(durations) < 210
    assert 400 < durations[int(0.9 * len(durations))] < 720
    assert durations[-1] > 1_200
    assert all(
        call["offset_seconds"] <= session["duration_seconds"]
        for session in story
        if session["duration_seconds"] is not None
        for call in session["tool_calls"] or ()
    )


def test_a_quarter_of_the_sessions_qualify_and_some_are_hot(story: list[Session]) -> None:
    assert 0.20 < share(story, qualified) < 0.35
    assert 0.05 < share(story, hot) < 0.12


def test_leads_talk_longer_and_call_more_tools(story: list[Session]) -> None:
    leads = [s for s in story if qualified(s) and s["duration_seconds"]]
    others = [s for s in story if not qualified(s) and s["duration_seconds"]]
    assert median(s["duration_seconds"] for s in leads) > 1.6 * median(s["duration_seconds"] for s in others)
    assert len(calls(leads)) / len(leads) > 1.3 * len(calls(others)) / len(others)


def test_big_teams_have_volume_and_urgency_more_often(story: list[Session]) -> None:
    told = [
        s for s in map(signals, story) if None not in (s.get("team_size"), s.get("monthly_volume"), s.get("urgency"))
    ]
    big, small = [s for s in told if s["team_size"] >= 5], [s for s in told if s["team_size"] < 5]
    assert median(s["monthly_volume"] for s in big) > 4 * median(s["monthly_volume"] for s in small)
    assert share(big, lambda s: s["urgency"] == "high") > 1.4 * share(small, lambda s: s["urgency"] == "high")


def test_crm_lookup_breaks_for_two_days_and_recovers(story: list[Session]) -> None:
    during = calls((s for s in story if s["dt"] in OUTAGE), "crm_lookup")
    otherwise = calls((s for s in story if s["dt"] not in OUTAGE), "crm_lookup")
    assert share(during, failed) > 0.7
    assert share(otherwise, failed) < 0.1
    assert len({call["error"] for call in during if call["error"]}) == 2
    assert share(calls(s for s in story if s["dt"] in OUTAGE), failed) > 0.35
    other_tools = [call for call in calls(s for s in story if s["dt"] in OUTAGE) if call["tool"] != "crm_lookup"]
    assert share(other_tools, failed) < 0.2


def test_while_the_crm_is_down_fewer_sessions_qualify_and_more_end_with_an_error(
    story: list[Session],
) -> None:
    during = [s for s in story if s["dt"] in OUTAGE]
    around = [s for s in story if s["dt"] >= RELEASE and s["dt"] not in OUTAGE]
    assert share(during, qualified) < 0.85 * share(around, qualified)
    assert share(during, lambda s: s["close_reason"] == "error") > 0.04
    assert share(around, lambda s: s["close_reason"] == "error") < 0.02


def test_a_failed_call_costs_leads_among_sessions_of_like_length(story: list[Session]) -> None:
    for fewest, most in ((2, 3), (4, 99)):
        like = [s for s in story if fewest <= len(s["tool_calls"] or ()) <= most]
        with_failure = [s for s in like if any(map(failed, s["tool_calls"]))]
        without = [s for s in like if not any(map(failed, s["tool_calls"]))]
        assert share(with_failure, qualified) < 0.8 * share(without, qualified)


def test_the_new_agent_version_does_better(story: list[Session]) -> None:
    old = [s for s in story if s["agent_version"] == "1.4.2"]
    new = [s for s in story if s["agent_version"] == "1.5.0"]
    assert {s["dt"] >= RELEASE for s in new} == {True}
    assert len(old) + len(new) == len(story)

    def empty(call: Session) -> bool:
        return call["results_found"] is False

    def latency(found: list[Session]) -> float:
        return median(s["metrics_summary"]["avg_latency_ms"] or 0 for s in found if s["metrics_summary"])

    search = "unleash_search_knowledge"
    assert share(new, qualified) > 1.2 * share(old, qualified)
    assert share(new, lambda s: any(signals(s).values())) > 1.2 * share(old, lambda s: any(signals(s).values()))
    assert share(calls(new, search), empty) < 0.75 * share(calls(old, search), empty)
    assert latency(new) < 0.8 * latency(old)


def test_some_questions_never_find_an_answer_however_they_are_spelled(story: list[Session]) -> None:
    asked: dict[str, list[Session]] = {}
    for call in calls(story, "unleash_search_knowledge"):
        if not call["cancelled"] and not call["error"]:
            asked.setdefault(folded(call["query"]), []).append(call)
    gaps = [found for found in asked.values() if len(found) >= 4 and share(found, failed) > 0.85]
    assert len(gaps) >= 3
    assert any(len({call["query"] for call in found}) > 1 for found in gaps)


def test_failed_calls_are_tried_again_and_some_recover(story: list[Session]) -> None:
    failures = retried = recovered = cancelled = 0
    for session in story:
        made = session["tool_calls"] or ()
        cancelled += sum(bool(call["cancelled"]) for call in made)
        for place, call in enumerate(made):
            if failed(call):
                later = [c for c in made[place + 1 :] if c["tool"] == call["tool"]]
                failures += 1
                retried += bool(later)
                recovered += any(c["results_found"] is True for c in later)
    assert 0.4 < retried / failures < 0.75
    assert 0.2 < recovered / failures < 0.5
    assert 0.02 < cancelled / len(calls(story)) < 0.06


def test_sessions_close_for_livekits_reasons(story: list[Session]) -> None:
    reasons = {session["close_reason"] for session in story}
    assert reasons == {
        *("participant_disconnected", "task_completed", "user_initiated", "job_shutdown", "error"),
        None,
    }


def test_a_day_can_be_thrown_away_and_comes_back_the_same(tmp_path: Path) -> None:
    write_samples(tmp_path, days=3)
    whole = contents(tmp_path)
    shutil.rmtree(tmp_path / "sessions/dt=2026-01-29")
    assert write_samples(tmp_path, days=3) == sum("dt=2026-01-29" in name for name in whole)
    assert contents(tmp_path) == whole
