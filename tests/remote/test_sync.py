"""Copies of a lake on S3: what is fetched, what is removed, what is left alone, and what an interruption leaves."""

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import analytics_lib
from analytics_lib.errors import AnalyticsError, AwsError, LakeError, OutputError, UsageError
from analytics_lib.lake import files
from analytics_lib.lake.files import Ignored
from analytics_lib.location import Location
from analytics_lib.period import Period
from analytics_lib.remote import sync as module
from analytics_lib.remote import transfer
from analytics_lib.remote.sync import Synced, sync
from tests.support.slow_s3 import SlowS3
from tests.support.wild import write

LAKE = Location("bucket", "agents")
DAY, NEXT_DAY = "2026-02-01", "2026-02-02"
FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))


def key(name: str, day: str = DAY) -> str:
    return f"agents/sessions/dt={day}/{name}"


def many(number: int) -> dict[str, bytes]:
    return {key(f"room-{each:03}-1769904000.json"): b"{}" for each in range(number)}


def there(root: Path) -> dict[str, bytes]:
    """Every file that a reader would take, and its content."""
    names = [(day, name) for day in files.day_folders(root)[0] for name in files.files_of_day(root, day)[0]]
    return {f"{day}/{name}": (root / f"sessions/dt={day}/{name}").read_bytes() for day, name in names}


def leftovers(root: Path) -> list[str]:
    """What sync keeps to itself, but for what it remembers, and what lies in `sessions/` that no reader takes."""
    kept = {"source.json", "lock", f"days/{DAY}.json", f"days/{NEXT_DAY}.json"}
    own = {str(path.relative_to(root / ".sync")) for path in (root / ".sync").rglob("*") if path.is_file()}
    strange = [found.file for day in files.day_folders(root)[0] for found in files.files_of_day(root, day)[1]]
    return [*sorted(own - kept), *strange, *(found.file for found in files.day_folders(root)[1])]


def test_the_days_asked_for_are_copied_and_nothing_else(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {
        key("a.json", "2026-01-31"): b"earlier",
        key("a.json"): b"1",
        key("b.jsonl.gz"): b"22",
        key("_a.json"): b"hidden",
        key("sub/a.json"): b"below",
        key("a.json", NEXT_DAY): b"333",
        "agents/sessions/README": b"about",
        "other/sessions/dt=2026-02-01/z.json": b"another lake",
    }
    done = sync(LAKE, tmp_path / "new" / "lake", FEBRUARY)
    assert there(tmp_path / "new" / "lake") == {f"{DAY}/a.json": b"1", f"{DAY}/b.jsonl.gz": b"22",
                                                f"{NEXT_DAY}/a.json": b"333"}  # fmt: skip
    assert (done.objects, done.bytes, done.downloaded, done.downloaded_bytes) == (3, 6, 3, 6)
    assert done.ignored == (
        Ignored("sessions/README", "not a folder named dt=YYYY-MM-DD"),
        Ignored(f"sessions/dt={DAY}/_a.json", "its name begins with _ or ."),
        Ignored(f"sessions/dt={DAY}/sub", "a sub-folder"),
    )
    assert done.text() == "3 of 3 objects, 0.0 of 0.0 MB, 3 ignored"
    assert leftovers(tmp_path / "new" / "lake") == []


def test_a_period_without_sessions_leaves_an_empty_lake(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {key("a.json", "2026-01-31"): b"earlier"}
    assert sync(LAKE, tmp_path, FEBRUARY) == Synced()
    assert files.day_folders(tmp_path) == ([], [])


def test_what_is_current_is_not_fetched_again_and_what_changed_is(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {
        key("same.json"): b"1",
        key("longer.json"): b"2",
        key("other.json"): b"3",
        key("lost.json"): b"",
    }
    sync(LAKE, tmp_path, FEBRUARY)
    slow_s3.asked.clear()
    assert sync(LAKE, tmp_path, FEBRUARY) == Synced(objects=4, bytes=3)
    assert slow_s3.asked == {"": 2}

    slow_s3.objects |= {key("longer.json"): b"22", key("other.json"): b"4", key("new.json"): b"5"}
    (tmp_path / f"sessions/dt={DAY}/lost.json").unlink()
    assert sync(LAKE, tmp_path, FEBRUARY) == Synced(objects=5, bytes=5, downloaded=4, downloaded_bytes=4)
    assert there(tmp_path) == {f"{DAY}/longer.json": b"22", f"{DAY}/lost.json": b"", f"{DAY}/new.json": b"5",
                               f"{DAY}/other.json": b"4", f"{DAY}/same.json": b"1"}  # fmt: skip


def test_what_was_erased_on_s3_is_removed_within_the_period_only(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {key("a.json", day): b"1" for day in (DAY, NEXT_DAY, "2026-03-01")} | {key("b.json"): b"2"}
    sync(LAKE, tmp_path, Period(date(2026, 2, 1), date(2026, 3, 1)))
    for day in (DAY, NEXT_DAY, "2026-03-01"):
        del slow_s3.objects[key("a.json", day)]
    assert sync(LAKE, tmp_path, FEBRUARY) == Synced(objects=1, bytes=1, removed=2)
    assert there(tmp_path) == {f"{DAY}/b.json": b"2", "2026-03-01/a.json": b"1"}
    assert files.day_folders(tmp_path)[0] == [DAY, "2026-03-01"]


def test_files_that_sync_did_not_bring_are_left_alone(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {key("a.json"): b"1"}
    own = {f"sessions/dt={day}/own.json": b"own" for day in (DAY, "2026-02-03")}
    write(tmp_path, {**own, f"sessions/dt={DAY}/notes.txt": b"mine"})
    assert sync(LAKE, tmp_path, FEBRUARY) == Synced(objects=1, bytes=1, downloaded=1, downloaded_bytes=1)
    slow_s3.objects |= {key("c.json", NEXT_DAY): b"3"}
    del slow_s3.objects[key("a.json")]
    assert sync(LAKE, tmp_path, FEBRUARY).removed == 1
    assert there(tmp_path) == {f"{DAY}/own.json": b"own", f"{NEXT_DAY}/c.json": b"3", "2026-02-03/own.json": b"own"}
    assert (tmp_path / f"sessions/dt={DAY}/notes.txt").read_bytes() == b"mine"


@pytest.mark.parametrize("content", [b"1", b"2", b"longer"])
def test_a_file_that_sync_did_not_bring_is_never_overwritten(slow_s3: SlowS3, tmp_path: Path, content: bytes) -> None:
    slow_s3.objects |= {key("a.json"): b"1", key("b.json"): b"1"}
    write(tmp_path, {f"sessions/dt={DAY}/b.json": content})
    with pytest.raises(OutputError, match=r"b\.json was not brought by sync, and a copy of s3://bucket/agents/sess"):
        sync(LAKE, tmp_path, FEBRUARY)
    assert there(tmp_path) == {f"{DAY}/b.json": content}


def test_a_fraction_takes_the_same_sessions_every_day(slow_s3: SlowS3, tmp_path: Path) -> None:
    rooms = [f"room-{number}" for number in range(400)]
    slow_s3.objects |= {key(f"{room}-1769904000.json"): b"{}" for room in rooms}
    slow_s3.objects |= {key(f"{room}-1769990400.123.json", NEXT_DAY): b"{}" for room in rooms}
    done = sync(LAKE, tmp_path, FEBRUARY, fraction=0.1)
    taken: dict[str, set[str]] = {DAY: set(), NEXT_DAY: set()}
    for name in there(tmp_path):
        taken[name[:10]].add(name[11:].rpartition("-")[0])
    assert taken[DAY] == taken[NEXT_DAY]
    assert 20 <= len(taken[DAY]) <= 60
    assert done.objects == done.downloaded == 2 * len(taken[DAY])
    more = sync(LAKE, tmp_path / "more", FEBRUARY, fraction=0.2)
    assert there(tmp_path).keys() < there(tmp_path / "more").keys()
    assert done.objects < more.objects


def test_names_that_are_no_keys_of_ours_are_taken_or_left_whole(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {key(f"{number}.jsonl"): b"{}" for number in range(200)}
    assert 60 < sync(LAKE, tmp_path, FEBRUARY, fraction=0.5).objects < 140


def test_a_report_on_a_part_of_the_sessions_says_so(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {key(f"{number}.json"): b"{}" for number in range(9)}
    for fraction, remark in ((0.5, " (0.5 of the sessions of s3://bucket/agents)"), (1.0, "")):
        root = tmp_path / str(fraction)
        sync(LAKE, root, FEBRUARY, fraction=fraction)
        assert analytics_lib.open(root).report("lead_funnel").facts["data"] == f"{root}{remark}"


@pytest.mark.parametrize("fraction", [0, -0.5, 1.01, float("nan")])
def test_a_fraction_lies_between_0_and_1(tmp_path: Path, fraction: float) -> None:
    with pytest.raises(UsageError, match="is no fraction of the sessions"):
        sync(LAKE, tmp_path, FEBRUARY, fraction=fraction)


def test_a_dry_run_counts_and_writes_nothing(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {key("a.json"): b"1", key("b.json"): b"22"}
    assert sync(LAKE, tmp_path / "lake", FEBRUARY, dry_run=True) == Synced(2, 3, 2, 3)
    assert not (tmp_path / "lake").exists()
    sync(LAKE, tmp_path / "lake", FEBRUARY)
    del slow_s3.objects[key("a.json")]
    assert sync(LAKE, tmp_path / "lake", FEBRUARY, dry_run=True) == Synced(objects=1, bytes=2, removed=1)
    assert len(there(tmp_path / "lake")) == 2


def test_a_folder_holds_copies_of_one_place_and_one_fraction(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {key("a.json"): b"1", "sessions/dt=2026-02-01/a.json": b"another"}
    sync(LAKE, tmp_path, FEBRUARY)
    for other, fraction in ((Location("bucket", ""), 1.0), (LAKE, 0.5)):
        with pytest.raises(OutputError) as error:
            sync(other, tmp_path, FEBRUARY, fraction=fraction)
        assert str(error.value) == (
            f"{tmp_path} holds copies of s3://bucket/agents (fraction 1.0); choose another folder for copies of "
            f"{other} (fraction {fraction})"
        )
    assert there(tmp_path) == {f"{DAY}/a.json": b"1"}


def test_names_that_a_file_system_cannot_hold_do_not_block_the_others(slow_s3: SlowS3, tmp_path: Path) -> None:
    long = "ü" * 200 + ".json.gz"
    slow_s3.objects |= {
        key(long): b"long",
        key("A.json"): b"large",
        key("a.json"): b"small",
        key("a b+\n%.json"): b"odd",
    }
    assert sync(LAKE, tmp_path, FEBRUARY).downloaded == 4
    assert there(tmp_path) == {
        f"{DAY}/A.json": b"large",
        f"{DAY}/a b+\n%.json": b"odd",
        f"{DAY}/6025a12236ee54baceb48b335c5a8e54.json": b"small",
        f"{DAY}/671d15eff0ff3816dce96f0938d3ebce.json.gz": b"long",
    }
    assert sync(LAKE, tmp_path, FEBRUARY) == Synced(objects=4, bytes=17)


def test_objects_are_fetched_side_by_side_and_progress_tells_objects_and_bytes(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= many(64)
    slow_s3.delay_seconds = 0.05
    told: list[tuple[int, ...]] = []
    sync(LAKE, tmp_path, FEBRUARY, progress=lambda *numbers: told.append(numbers))
    assert told == [(done, 64, 2 * done, 128) for done in range(65)]
    assert slow_s3.most_at_once in range(9, 33)


def test_ctrl_c_leaves_complete_files_and_the_next_run_continues(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= many(200)
    slow_s3.delay_seconds = 0.2  # this thread may be slow to see what has arrived
    threads = threading.active_count()

    def interrupted(done: int, *_: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync(LAKE, tmp_path, FEBRUARY, progress=interrupted)
    slow_s3.delay_seconds = 0
    arrived = there(tmp_path)
    assert 10 <= len(arrived) < 200
    assert set(arrived.values()) == {b"{}"}
    assert leftovers(tmp_path) == []
    assert threading.active_count() == threads
    slow_s3.asked.clear()
    assert sync(LAKE, tmp_path, FEBRUARY).objects == len(there(tmp_path)) == 200
    assert sum(slow_s3.asked.values()) - slow_s3.asked[""] == 200 - len(arrived)


def test_what_a_killed_run_brought_is_known_as_its_own(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= many(200)
    slow_s3.delay_seconds = 0.2  # this thread may be slow to see what has arrived
    program = (
        "import os, sys\nfrom datetime import date\nfrom pathlib import Path\n"
        "from analytics_lib.location import Location\nfrom analytics_lib.remote.sync import sync\n"
        "from analytics_lib.period import Period\n"
        "sync(Location('bucket', 'agents'), Path(sys.argv[1]), Period(date(2026, 2, 1), date(2026, 2, 28)),\n"
        "     progress=lambda done, *_: os._exit(9) if done == 10 else None)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program, tmp_path], cwd=root, check=False).returncode == 9
    time.sleep(0.5)  # the server still answers those that the killed run had asked
    slow_s3.delay_seconds = 0
    arrived = there(tmp_path)
    assert 10 <= len(arrived) < 200
    assert set(arrived.values()) == {b"{}"}
    slow_s3.asked.clear()
    changed, gone, *_ = (f"agents/sessions/dt={name}" for name in arrived)
    slow_s3.objects[changed] = b"[]"
    del slow_s3.objects[gone]
    sync(LAKE, tmp_path, FEBRUARY)
    assert sorted(there(tmp_path).values()) == sorted(slow_s3.objects.values())
    assert sum(slow_s3.asked.values()) - slow_s3.asked[""] == 200 - len(arrived) + 1
    assert leftovers(tmp_path) == []


def test_a_changed_object_that_could_not_be_fetched_is_fetched_by_the_next_run(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {key("same size.json"): b"1", key("other.json"): b"1"}
    sync(LAKE, tmp_path, FEBRUARY)
    slow_s3.objects |= {key("same size.json"): b"2", key("other.json"): b"22"}
    slow_s3.faults = {name: [403] for name in slow_s3.objects}
    with pytest.raises(AwsError):
        sync(LAKE, tmp_path, FEBRUARY)
    slow_s3.faults = {}
    assert sync(LAKE, tmp_path, FEBRUARY).downloaded == 2
    assert there(tmp_path) == {f"{DAY}/same size.json": b"2", f"{DAY}/other.json": b"22"}


def test_where_the_memory_of_copies_is_lost_they_are_nobodys_to_change(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {key("a.json"): b"1"}
    sync(LAKE, tmp_path, FEBRUARY)
    (tmp_path / f".sync/days/{DAY}.json").write_text('{"a.json": ["a.json"')
    slow_s3.objects |= {key("a.json"): b"2"}
    with pytest.raises(OutputError) as error:
        sync(LAKE, tmp_path, FEBRUARY)
    folder = tmp_path / f"sessions/dt={DAY}"
    assert str(error.value) == (
        f"{folder}/a.json was not brought by sync, and a copy of s3://bucket/{key('a.json')} belongs there; nothing "
        f"was changed in it. Move it away, or all of {folder} if {tmp_path}/.sync/days/{DAY}.json was lost or damaged, "
        "and repeat the command; or choose another folder"
    )
    assert there(tmp_path) == {f"{DAY}/a.json": b"1"}
    folder.rename(tmp_path / "away")
    sync(LAKE, tmp_path, FEBRUARY)
    assert there(tmp_path) == {f"{DAY}/a.json": b"2"}


@pytest.mark.parametrize("damaged", [None, "", "[]", "7", "null", "{}", '{"source": "s3://bucket/agents"}', "\0"])
def test_where_it_is_lost_of_what_the_copies_are_none_is_changed(
    slow_s3: SlowS3, tmp_path: Path, damaged: str | None
) -> None:
    slow_s3.objects |= many(20)
    sync(LAKE, tmp_path, FEBRUARY)
    source = tmp_path / ".sync/source.json"
    source.unlink() if damaged is None else source.write_text(damaged)
    for dry_run in (True, False):
        with pytest.raises(OutputError) as error:
            sync(LAKE, tmp_path, FEBRUARY, fraction=0.1, dry_run=dry_run)
        assert str(error.value) == (
            f"{tmp_path} holds copies, and {source}, which says of what, is missing or damaged; nothing was changed. "
            "Choose another folder for copies of s3://bucket/agents (fraction 0.1); or, if that is what these are, "
            f'write {{"source": "s3://bucket/agents", "fraction": 0.1}} into {source} and repeat the command'
        )
    assert len(there(tmp_path)) == 20
    source.write_text('{"source": "s3://bucket/agents", "fraction": 1.0}')
    assert sync(LAKE, tmp_path, FEBRUARY) == Synced(objects=20, bytes=40)


@pytest.mark.parametrize("damaged", ["", "[]"])
def test_a_damaged_source_of_no_copies_is_written_anew(slow_s3: SlowS3, tmp_path: Path, damaged: str) -> None:
    slow_s3.objects |= {key("a.json"): b"1"}
    write(tmp_path, {".sync/source.json": damaged.encode()})
    assert sync(LAKE, tmp_path, FEBRUARY).downloaded == 1


@pytest.fixture
def other_sync(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that works in the folder until it is killed."""
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom analytics_lib.remote.sync import held\n"
        "with held(Path(sys.argv[1])):\n    print(flush=True)\n    time.sleep(60)"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, tmp_path]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "\n"
        yield process
        process.kill()


def test_a_second_sync_says_once_whom_it_waits_for_and_works_when_that_was_killed(
    slow_s3: SlowS3, tmp_path: Path, other_sync: subprocess.Popen[str], caplog: pytest.LogCaptureFixture
) -> None:
    slow_s3.objects |= {key("a.json"): b"1"}
    killed = threading.Timer(0.5, other_sync.kill)
    killed.start()
    assert sync(LAKE, tmp_path, FEBRUARY, progress=lambda *_: None).downloaded == 1
    assert caplog.messages == [f"waiting for another sync of {tmp_path} (process {other_sync.pid})"]
    assert leftovers(tmp_path) == []


@pytest.mark.usefixtures("other_sync")
def test_nothing_is_said_to_who_wants_no_progress_and_waiting_has_an_end(
    slow_s3: SlowS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slow_s3.objects |= {key("a.json"): b"1"}
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.3)
    with pytest.raises(LakeError, match=r"another sync of .* \(process \d+\) has not ended in 0\.005 minutes; repeat"):
        sync(LAKE, tmp_path, FEBRUARY)
    assert (caplog.messages, there(tmp_path)) == ([], {})


def test_two_at_once_fetch_every_object_once(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= many(100)
    runs = [threading.Thread(target=sync, args=(LAKE, tmp_path, FEBRUARY)) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(there(tmp_path)) == 100
    assert {slow_s3.asked[each] for each in slow_s3.objects} == {1}
    assert leftovers(tmp_path) == []


def test_an_answer_that_breaks_off_is_asked_for_again(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= {key("a.json"): b"whole", key("b.json"): b"whole"}
    slow_s3.faults = {key("a.json"): ["cut", "cut", 503, "cut"]}
    sync(LAKE, tmp_path, FEBRUARY)
    assert there(tmp_path) == {f"{DAY}/a.json": b"whole", f"{DAY}/b.json": b"whole"}


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ([404], "a.json was removed while the lake was being copied; what is complete is kept, repeat the command"),
        ([403], "a.json failed: AccessDenied: no (action s3:GetObject); ask for the permission"),
        ([503] * 6, "a.json failed: Throttling: no (action s3:GetObject); AWS limits the rate of requests"),
        (["cut"] * 4, "a.json failed: IncompleteReadError: 4 read, but total bytes expected is 5."),
    ],
)
def test_a_failure_is_one_message_and_what_is_complete_is_kept(
    slow_s3: SlowS3, tmp_path: Path, faults: list[int | str], told: str
) -> None:
    slow_s3.objects |= {**many(100), key("a.json"): b"whole"}
    slow_s3.faults = {key("a.json"): list(faults)}
    with pytest.raises(AnalyticsError) as error:
        sync(LAKE, tmp_path, FEBRUARY)
    assert told in str(error.value)
    assert f"{DAY}/a.json" not in there(tmp_path)
    assert leftovers(tmp_path) == []
    sync(LAKE, tmp_path, FEBRUARY)
    assert len(there(tmp_path)) == 101


def test_a_full_disk_is_one_message_and_what_is_complete_is_kept(
    slow_s3: SlowS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_s3.objects |= many(100)
    replace, room = os.replace, iter(range(20))

    def full(source: Path, target: Path) -> None:
        if "sessions" in str(target) and next(room, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device", str(source))
        replace(source, target)

    monkeypatch.setattr(transfer.os, "replace", full)
    with pytest.raises(OutputError, match=r"No space left on device; what is complete is kept, repeat the command"):
        sync(LAKE, tmp_path, FEBRUARY)
    assert len(there(tmp_path)) == 20
    assert leftovers(tmp_path) == []
    monkeypatch.undo()


def test_a_folder_that_cannot_be_written_is_named(slow_s3: SlowS3, tmp_path: Path) -> None:
    slow_s3.objects |= many(1)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"copies cannot be written to .*/file.*: Not a directory"):
        sync(LAKE, tmp_path / "file", FEBRUARY)
