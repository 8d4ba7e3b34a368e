"""Adopting another layout: what is written where, with which text, and what is only named."""

import gzip
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_lib import aws
from analytics_lib.delivery.mapping import Map
from analytics_lib.errors import LakeError, UsageError
from analytics_lib.lake import files
from analytics_lib.location import Location
from analytics_lib.remote.stores import Bucket, Folder
from analytics_lib.upkeep.adopt import Adopted, Problem, adopt
from tests.support.wild import session, write

LINE = '{"_event_type": "analytics", "_timestamp": 1738000000.123, "_session_id": "a", "n": 1.50}'
KEY = "sessions/dt=2025-01-27/a-1738000000.123.json"
SESSIONS = [session(_session_id=f"room-{n}", _timestamp=1769940120 + n, n=n) for n in range(4)]
Lake = dict[str, bytes]
pack = partial(gzip.compress, mtime=0)


def content(root: Path) -> Lake:
    """What lies in a lake, without what adopting remembers."""
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "adopted/files"}


def counts(done: Adopted) -> tuple[int, int, int, int, int]:
    return done.files, done.written, done.there, done.other, done.left_out


def run(source: Path, target: Path, **how: Any) -> tuple[Adopted, list[Problem]]:
    problems: list[Problem] = []
    done = adopt(Folder(source), Folder(target), name=problems.append, **how)
    return done, sorted(problems)


@pytest.fixture
def adopted(tmp_path: Path) -> Callable[..., tuple[Adopted, list[Problem], Lake]]:
    """What adopting these files says, and what lies in the lake then; the source stays as it is."""

    def run_on(old: Lake, **how: Any) -> tuple[Adopted, list[Problem], Lake]:
        source, target = write(tmp_path / "old", old), tmp_path / "new"
        done, problems = run(source, target, **how)
        assert content(source) == old
        return done, problems, content(target)

    return run_on


def lines(records: Sequence[Any], end: str = "\n") -> bytes:
    return end.join(json.dumps(each) for each in records).encode()


def payload(records: Sequence[Any]) -> bytes:
    """What a subscription hands to Firehose."""
    events = [{"id": "1", "timestamp": 1769940120000, "message": json.dumps(each)} for each in records]
    return json.dumps({"messageType": "DATA_MESSAGE", "logGroup": "g", "logEvents": events}).encode()


SHAPES: dict[str, Callable[[Sequence[Any]], bytes]] = {
    "one a line": lines,
    "CRLF after a byte order mark": lambda records: b"\xef\xbb\xbf" + lines(records, "\r\n"),
    "joined": lambda records: lines(records, ""),
    "over many lines": lambda records: "\n".join(json.dumps(each, indent=2) for each in records).encode(),
    "an array": lambda records: json.dumps(records).encode(),
    "an array over many lines": lambda records: json.dumps(records, indent=4).encode(),
    "gzip": lambda records: pack(lines(records)),
    "gzip members": lambda records: b"\n".join(pack(lines([each])) for each in records),
    "payloads joined": lambda records: payload(records[:1]) + payload(records[1:]),
    "payloads gzipped and joined": lambda records: b"".join(pack(payload([each])) for each in records),
    "payloads gzipped twice": lambda records: pack(pack(payload(records))),
    "CloudWatch's export": lambda records: pack(
        b"2026-02-01T09:59:59.000Z starting\n"
        + b"".join(b"2026-02-01T10:02:00.000Z " + json.dumps(each).encode() + b"\n" for each in records)
    ),
    "a container's log in an envelope": lambda records: lines(
        [{"log": f"2026-02-01T10:02:00.1Z stdout F {json.dumps(each)}\n"} for each in records]
    ),
}  # fmt: skip
PLACES = [
    "sessions/2026/02/01/10/{}.json", "sessions/year=2026/month=02/day=01/{}.json.gz", "dt=2026-02-01/{}.json",
    "dt=2026-02-01/hour=10/{}.ndjson", "{}", "prod/sessions/dt=2026-02-01/{}", "export/stream/{}.gz",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", PLACES)
def test_every_shape_in_every_layout_gives_the_lake_of_the_same_sessions(adopted: Any, shape: str, place: str) -> None:
    done, problems, lake = adopted({place.format("000001"): SHAPES[shape](SESSIONS)})
    assert (done.written, problems) == (4, [])
    assert {path: json.loads(text) for path, text in lake.items()} == {
        f"sessions/dt=2026-02-01/{each['_session_id']}-{each['_timestamp']}.json": each for each in SESSIONS
    }


@given(st.lists(st.tuples(st.sampled_from(sorted(SHAPES)), st.sampled_from(PLACES[:2])), min_size=4, max_size=4))
def test_mixtures_give_the_same_lake(tmp_path_factory: pytest.TempPathFactory, chosen: list[tuple[str, str]]) -> None:
    root = tmp_path_factory.mktemp("mixed")
    for number, (shape, place) in enumerate(chosen):
        write(root / "old", {place.format(f"00000{number}"): SHAPES[shape](SESSIONS[number : number + 2])})
    done, problems = run(root / "old", root / "new")
    assert (done.written, done.there, problems) == (4, 3, [])
    assert sorted(json.loads(text)["n"] for text in content(root / "new").values()) == [0, 1, 2, 3]


@pytest.mark.parametrize("shape", [name for name in SHAPES if "twice" not in name])
def test_of_a_file_cut_anywhere_all_whole_records_are_adopted_and_the_rest_is_named(tmp_path: Path, shape: str) -> None:
    few = [{"_event_type": "analytics", "_timestamp": 1769940120 + n, "_session_id": str(n)} for n in range(2)]
    whole, seen = SHAPES[shape](few), set()
    for size in range(len(whole)):
        root = tmp_path / str(size)
        done, problems = run(write(root / "old", {"a.json": whole[:size]}), root / "new")
        is_whole = whole[:size].strip() == SHAPES[shape](few[:1]).strip() or whole[:size].endswith(b"}")
        assert done.written == 2 or problems or is_whole
        for text in content(root / "new").values():
            assert json.loads(text) in few
        seen.add(done.written)
    assert 0 in seen


@pytest.mark.parametrize("shape", ["one a line", "joined", "over many lines", "an array over many lines"])
def test_a_byte_that_is_missing_costs_one_record_at_the_most_and_that_is_named(tmp_path: Path, shape: str) -> None:
    few = [{"_event_type": "analytics", "_timestamp": 1769940120 + n, "_session_id": str(n)} for n in range(3)]
    whole = SHAPES[shape](few)
    for at in range(len(whole)):
        root = tmp_path / str(at)
        done, problems = run(write(root / "old", {"a.json": whole[:at] + whole[at + 1 :]}), root / "new")
        assert done.written == 3 or (done.written == 2 and (problems or done.other)), (at, problems)


def test_the_agent_of_the_design_document_is_adopted_by_the_built_in_map(adopted: Any) -> None:
    made = {
        "session_id": "room_1",
        "start_time": "2026-02-01T10:00:00",
        "end_time": "2026-02-01T10:05:30.5",
        "discovered_signals": {"team_size": 0},
        "tool_calls": [
            {"tool": "find", "arguments": {"query": "how"}, "success": False}, {"name": "b", "latency_ms": 1.5},
        ],
        "cost_summary": {"total_estimated_cost": 0.1230, "openai_tokens": 2500},
        "transcript": ["hello"],
    }  # fmt: skip
    path = "sessions/year=2026/month=02/day=01/room_1.json.gz"
    done, problems, lake = adopted(
        {path: pack(json.dumps(made, indent=2).encode())}, by=Map.of(zone="Europe/Berlin", drop=["transcript"])
    )
    assert (counts(done), problems) == ((1, 1, 0, 0, 0), [])
    assert done.layouts == {"year=Y/month=M/day=D/": 1}
    ((key, text),) = lake.items()
    assert key == "sessions/dt=2026-02-01/room_1-1769936730.5.json"
    calls = [
        {**made["tool_calls"][0], "query": "how", "error": "(no text)"},  # type: ignore[index]
        {**made["tool_calls"][1], "tool": "b", "duration_ms": 1.5},
    ]  # type: ignore[index]
    assert json.loads(text) == {
        **{name: value for name, value in made.items() if name != "transcript"},
        "_event_type": "analytics", "_session_id": "room_1", "_timestamp": 1769936730.5, "duration_seconds": 330.5,
        "tool_calls": calls, "metrics_summary": {"llm_tokens": 2500, "cost_usd": 0.123},
    }  # fmt: skip


def test_a_record_on_one_line_keeps_its_own_text(adopted: Any) -> None:
    done, problems, lake = adopted({"sessions/a/1738000000.123.json": b"\xef\xbb\xbf " + LINE.encode() + b"\r\n"})
    assert (counts(done), problems) == ((1, 1, 0, 0, 0), [])
    assert lake == {KEY: LINE.encode() + b"\n"}


def test_a_pretty_printed_record_becomes_one_line_with_every_field_and_number_as_written(adopted: Any) -> None:
    numbers = '[8.0, 1e2, -0, 1E400, 0.1000, 123456789012345678901234567890, "1.0", "\\u00e4\\n\\u2028", {}, null]'
    _, _, lake = adopted({"sessions/a/x.json": json.dumps(json.loads(LINE), indent=4)[:-2].encode()
                          + f',\r\n "other": {numbers}\n}}\n'.encode()})  # fmt: skip
    assert lake == {
        KEY: b'{"_event_type":"analytics","_timestamp":1738000000.123,"_session_id":"a","n":1.5,"other":'
        + '[8.0,1e2,-0,1E400,0.1000,123456789012345678901234567890,"1.0","ä\\n\u2028",{},null]}\n'.encode()
    }


@pytest.mark.parametrize("value", ["", '"_session_id": null, "_timestamp": null, ', '"_session_id": " ", '])
def test_folder_and_file_name_tell_what_the_record_lacks(adopted: Any, value: str) -> None:
    _, _, lake = adopted({"sessions/room/1738000000.50.json": f'{{{value}"_event_type": "analytics"}}'.encode()})
    ((key, text),) = lake.items()
    assert json.loads(text) == {"_event_type": "analytics", "_session_id": "room", "_timestamp": 1738000000.5}
    assert b"1738000000.50" in text
    assert key == "sessions/dt=2025-01-27/room-1738000000.5.json"


@pytest.mark.parametrize(
    "path",
    [
        "sessions/2026/02/01/1769947199.json", "sessions/dt=2026-02-01/1769947199.json", "old/1769947199.json",
        "sessions/year=2026/1769947199.json", "sessions/2026-02-01/1769947199.json", "sessions/1769947199.json",
        "sessions/room/export.json", "sessions/room/1100000000.json", "sessions/room/99999999999.json",
    ],
)  # fmt: skip
def test_no_id_is_made_of_a_date_or_of_a_folder_in_another_layout(adopted: Any, path: str) -> None:
    _, problems, lake = adopted({path: b'{"_event_type": "analytics", "_timestamp": 1769947199}'})
    assert (problems, lake) == ([Problem(path, 1, "`_session_id` is missing")], {})


def test_what_the_record_says_itself_counts_more_than_its_place(adopted: Any) -> None:
    assert list(adopted({"sessions/room/1769947199.json": LINE.encode()})[2]) == [KEY]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"end_time": "2026-02-01"}, "`end_time` is '2026-02-01', no time; a time is seconds, milliseconds, or ISO "
         "8601 with date and time of day"),
        ({"timestamp": 2026}, "`timestamp` is 2026, no time: a duration, or a year?"),
        ({"timestamp": "330.5"}, "`timestamp` is 330.5, no time: a duration, or a year?"),
        ({"ended_at": [1]}, "`ended_at` is no time: neither a number nor a text"),
        ({"timestamp": 10**15}, f"`timestamp` is {10**15}, beyond any time in seconds or milliseconds"),
        ({"_session_id": ["a"], "ended_at": 1769947199}, "`_session_id` is not a string"),
    ],
)  # fmt: skip
def test_times_and_ids_that_are_none_are_named(adopted: Any, fields: dict[str, Any], reason: str) -> None:
    text = json.dumps({"id": "a", **fields}).encode()
    assert adopted({"a.json": text})[1:] == ([Problem("a.json", 1, reason)], {})


@pytest.mark.parametrize("time", [1769947199, 1769947199000, "1769947199", "2026-02-01T11:59:59Z",
                                  "2026-02-01 12:59:59+01:00", "2026-02-01T20:59:59"])  # fmt: skip
def test_times_of_every_kind_are_read_and_numbers_become_ids(adopted: Any, time: object) -> None:
    _, problems, lake = adopted({"a.json": json.dumps({"id": 17, "ended_at": time}).encode()},
                                by=Map.of(zone="Asia/Tokyo"))  # fmt: skip
    assert (list(lake), problems) == (["sessions/dt=2026-02-01/17-1769947199.json"], [])


def test_a_map_of_ones_own_goes_before_the_one_built_in(adopted: Any) -> None:
    by = Map.of('[map]\n_session_id = ["call.ref"]\n"discovered_signals.team_size" = ["seats"]')
    made = {"id": "wrong", "call": {"ref": "right"}, "seats": 8, "ended_at": 1769947199}
    _, _, lake = adopted({"a.json": json.dumps(made).encode()}, by=by)
    ((key, text),) = lake.items()
    assert (key, json.loads(text)["discovered_signals"]) == (
        "sessions/dt=2026-02-01/right-1769947199.json",
        {"team_size": 8},
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[map]\nteam = ["x"]', "the map names `team`, which is no field; allowed are: started_at, _event_type"),
        ('[map]\nagent_name = ["a..b"]', "allowed is a list of paths"),
        ('[map]\nagent_name = "a"', "allowed is a list of paths"),
        ("[map", "the map is not TOML"),
        ("agent_name = []", "no entry in \\[map\\]"),
    ],
)
def test_a_map_that_cannot_be_meant_says_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Map.of(text)


def test_two_fields_from_one_path_are_said() -> None:
    assert Map.of('[map]\nroom_id = ["room"]').shared == ["_session_id and room_id both come from `room`"]


def test_what_cannot_be_adopted_is_named_with_the_reason_and_the_rest_is_adopted(adopted: Any) -> None:
    done, problems, lake = adopted({
        "sessions/a/array.json": b"[1]",
        "sessions/a/damaged.json.gz": pack(LINE.encode())[:-9],
        "sessions/a/empty.json": b"",
        "sessions/a/event.json": b'{"_event_type": "other", "_session_id": "a"}',
        "sessions/a/lines.json": f"{LINE}\nbroken\n{LINE}".encode(),
        "sessions/a/nan.json": b'{\n"_event_type": "analytics", "_timestamp": 5, "n": NaN}',
        "sessions/a/notes.txt": b"remember",
        "sessions/a/torn.json": b'{\n "_event_type": "analytics",\n "_sess',
        "sessions/a/utf8.json": b'{"_event_type": "analytics", "x": "\xff"}' + LINE.encode(),
        "sessions/.json": LINE.encode(),
    })  # fmt: skip
    assert list(lake) == [KEY]
    assert counts(done) == (10, 1, 2, 1, 9)
    assert problems == [
        ("sessions/.json", 0, "its name begins with _ or ."),
        ("sessions/a/array.json", 1, "not a JSON object"),
        ("sessions/a/damaged.json.gz", 0, "damaged gzip: it ends in the middle"),
        ("sessions/a/empty.json", 0, "is empty"),
        ("sessions/a/lines.json", 2, "not JSON: Expecting value at character 1"),
        ("sessions/a/nan.json", 1, "not JSON: NaN is no number"),
        ("sessions/a/notes.txt", 1, "not JSON: Expecting value at character 1"),
        ("sessions/a/torn.json", 1, "not JSON: Unterminated string starting at line 3, character 2"),
        ("sessions/a/utf8.json", 1, "not valid UTF-8 at byte 36"),
    ]


def test_hostile_ids_lie_in_the_lake_and_nowhere_else(adopted: Any, tmp_path: Path) -> None:
    ids = ["../../evil", "/etc/passwd", "_hidden", ".", 'quo"te', "a" * 5000, "room\n1", "🙂", "dt=2026-01-01"]
    done, _, lake = adopted({f"sessions/{n}/1.json": json.dumps(session(_session_id=id)).encode()
                             for n, id in enumerate(ids)})  # fmt: skip
    assert counts(done) == (len(ids), len(ids), 0, 0, 0)
    assert sorted(json.loads(text)["_session_id"] for text in lake.values()) == sorted(ids)
    assert files.day_folders(tmp_path / "new") == (["2026-02-01"], [])
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new"}


def test_folders_whose_name_is_no_text_give_no_id(tmp_path: Path) -> None:
    folder = tmp_path / "old" / "sessions" / "caf\udce9"
    folder.mkdir(parents=True)
    (folder / "1769947199.json").write_bytes(b'{"_event_type": "analytics"}')
    (folder / "6.json").write_bytes(LINE.encode())
    _, problems = run(tmp_path / "old", tmp_path / "new")
    reason = "its folder's name, or a text in it, is not valid UTF-8"
    assert problems == [("sessions/caf\udce9/1769947199.json", 1, reason)]
    assert list(content(tmp_path / "new")) == [KEY]


def test_repeating_opens_nothing_and_a_changed_file_is_read_again(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    write(old, {"a/1.json": LINE.encode(), "b/1.json": LINE.replace('"a"', '"b"').encode(), "c.json": b"no"})
    done, _ = run(old, new)
    assert (counts(done), done.known) == ((3, 2, 0, 0, 1), 0)
    done, problems = run(old, new)
    assert (counts(done), done.known) == ((1, 0, 0, 0, 1), 2)  # what is left out is named again
    assert [path for path, _, _ in problems] == ["c.json"]
    write(old, {"a/1.json": f"{LINE}\n".encode()})
    done, _ = run(old, new)
    assert (counts(done), done.known) == ((2, 0, 1, 0, 1), 1)
    assert done.text(dry_run=False) == (
        "adopted 0 records of 2 files, 1 there already, 1 files known from before, 1 not adopted"
    )
    (new / "adopted/files").write_bytes(b"damaged")
    assert counts(run(old, new)[0]) == (3, 0, 2, 0, 1)


def test_of_two_texts_of_one_session_the_second_is_kept_under_rejected(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    write(old, {"1.json": LINE.encode()})
    run(old, new)
    write(old, {"2.json": LINE.replace("1.50", "2").encode()})
    for _ in range(2):
        _, (problem,) = run(old, new)
        (aside,) = [path for path in content(new) if path != KEY]
        assert problem == ("2.json", 1, f"another text of this session lies at {KEY}; this one is kept at {aside}")
        assert aside.startswith("rejected/dt=2025-01-27/1738000000123-")
        assert json.loads((new / aside).read_bytes()) == {
            "reason": f"{KEY} holds another text",
            "line": LINE.replace("1.50", "2"),
            "received_at": "2025-01-27T17:46:40.123Z",
        }
        assert (new / KEY).read_text() == f"{LINE}\n"


@pytest.mark.parametrize("source", ["", "sessions"])
def test_in_place_what_lies_wrongly_in_day_folders_is_mended(tmp_path: Path, source: str) -> None:
    day = "sessions/dt=2025-01-27/"
    b, c, d, e, f, g, h = (LINE.replace('"a"', f'"{id}"') for id in "bcdefgh")
    wrong = {
        "pretty.json": json.dumps(json.loads(b), indent=2).encode(),
        "array.json": f"[{c}]".encode(),
        "joined.json": (d + e).encode(),
        "hour=11/x.json": f.encode(),
        "gzip.json": pack(g.encode()),
        "h-1738000000.123.json": json.dumps(json.loads(h), indent=2).encode(),
    }
    right = {"good.ndjson": f"{LINE}\n".encode(), "half.json": f"{LINE}\nbroken\n".encode()}
    write(tmp_path, {day + name: text for name, text in (wrong | right).items()})
    for _ in range(2):
        _, problems = run(tmp_path / source, tmp_path)
        assert [(path.rpartition("/")[2], line) for path, line, _ in problems] == [("half.json", 2)]
        lake = content(tmp_path)
        assert {name: lake.pop(f"adopted/originals/{day}{name}") for name in wrong} == wrong
        assert {name: lake.pop(day + name) for name in right} == right
        assert {path: json.loads(text)["_session_id"] for path, text in lake.items()} == {
            f"{day}{id}-1738000000.123.json": id for id in "bcdefgh"
        }


def test_a_source_inside_the_target_is_refused_and_a_target_inside_the_source_is_left_aside(tmp_path: Path) -> None:
    write(tmp_path, {"old/a.json": LINE.encode()})
    with pytest.raises(UsageError, match=r"lies inside the lake .* give it twice: analytics-lib adopt"):
        run(tmp_path / "old", tmp_path)
    for files_read in (1, 0):
        assert run(tmp_path, tmp_path / "new")[0].files == files_read
    assert run(tmp_path, tmp_path / "new")[0].known == 1


def test_a_dry_run_counts_shows_and_writes_nothing(tmp_path: Path) -> None:
    old = write(tmp_path / "old", {"a/1.json": LINE.encode(), "a/2.json": b'{"id": "b", "ended_at": 1769947199}'})
    shown: dict[str, Any] = {}
    done, _ = run(old, tmp_path / "new", dry_run=True, show=lambda path, taken: shown.update({path: taken.origins}))
    assert counts(done) == (2, 2, 0, 0, 0)
    assert shown == {
        "a/1.json": {},
        "a/2.json": {"_event_type": "it says nothing", "_session_id": "id", "_timestamp": "ended_at"},
    }
    assert not (tmp_path / "new").exists()


def test_a_source_that_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"there is no folder .*none"):
        adopt(Folder(tmp_path / "none"), Folder(tmp_path / "new"))
    (tmp_path / "old").mkdir()
    with pytest.raises(LakeError, match="old holds no file"):
        adopt(Folder(tmp_path / "old"), Folder(tmp_path / "new"))


def test_from_s3_to_s3_with_ids_that_hold_slashes(bucket: str, moto_server: Any) -> None:
    s3: Any = aws.client("s3")
    for number in range(8):
        pretty = json.dumps(session(_session_id=...), indent=1)
        s3.put_object(Bucket=bucket, Key=f"old/sessions/a/{number}/1769904000.json", Body=pretty.encode())
    s3.put_object(Bucket=bucket, Key="old/sessions/a/", Body=b"")
    source, target = Bucket(Location(bucket, "old")), Bucket(Location(bucket, "new"))
    assert counts(adopt(source, target, dry_run=True)) == (8, 8, 0, 0, 0)
    assert counts(adopt(source, target)) == (8, 8, 0, 0, 0)
    records = {f"sessions/dt=2026-02-01/a%2F{number}-1769940120.json" for number in range(8)}
    assert dict(target.found("")).keys() == records | {"adopted/files"}
    moto_server.requests(f"{bucket}/", forget=True)
    again = adopt(source, target)
    assert (again.files, again.known) == (0, 8)
    assert moto_server.requests(f"{bucket}/") == {"LIST": 2, "GET": 1}  # what it remembers
    assert counts(adopt(source, source)) == (8, 8, 0, 0, 0)


def test_in_place_on_s3_the_original_moves_and_forbidden_objects_are_named(bucket: str) -> None:
    lake = Bucket(Location(bucket, "lake"))
    original = json.dumps(json.loads(LINE), indent=1).encode()
    lake.write("sessions/dt=2025-01-27/x.json", original)
    s3: Any = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="lake/sessions/dt=2025-01-27/cold.json", Body=b"{}", StorageClass="GLACIER")
    problems: list[Problem] = []
    done = adopt(lake, lake, name=problems.append)
    assert (done.written, done.mended) == (1, 1)
    assert problems == [("sessions/dt=2025-01-27/cold.json", 0, "it is archived; restore it first")]
    assert lake.read("adopted/originals/sessions/dt=2025-01-27/x.json") == original
    assert KEY in dict(lake.found("sessions/"))


def test_a_bucket_that_is_not_there_is_named(moto_server: Any, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="there is no bucket not-there"):
        adopt(Bucket(Location("not-there", "")), Folder(tmp_path))
