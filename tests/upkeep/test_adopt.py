"""Adopting another layout: what is written where, with which text, and what is only named."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analytics_lib import aws
from analytics_lib.errors import LakeError
from analytics_lib.lake import files
from analytics_lib.location import Location
from analytics_lib.remote.stores import Bucket, Folder
from analytics_lib.upkeep.adopt import Adopted, adopt
from tests.support.wild import session, write

LINE = '{"_event_type": "analytics", "_timestamp": 1738000000.123, "_session_id": "a", "n": 1.50}'
KEY = "sessions/dt=2025-01-27/a-1738000000.123.json"


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def adopted(tmp_path: Path) -> Callable[[dict[str, bytes]], tuple[Adopted, dict[str, bytes]]]:
    """What adopting these files says, and what lies in the lake then; the source stays as it is."""

    def run(old: dict[str, bytes]) -> tuple[Adopted, dict[str, bytes]]:
        source, target = write(tmp_path / "old", old), tmp_path / "new"
        done = adopt(Folder(source), Folder(target))
        assert content(source) == old
        return done, content(target)

    return run


def test_a_record_on_one_line_keeps_its_own_text(adopted: Any) -> None:
    done, lake = adopted({"sessions/a/1738000000.123.json": b"\xef\xbb\xbf " + LINE.encode() + b"\r\n"})
    assert done == Adopted(files=1, written=1)
    assert lake == {KEY: LINE.encode() + b"\n"}


def test_a_pretty_printed_record_becomes_one_line_with_every_field_and_number_as_written(adopted: Any) -> None:
    numbers = '[8.0, 1e2, -0, 1E400, 0.1000, 123456789012345678901234567890, "1.0", "\\u00e4\\n\\u2028", {}, null]'
    done, lake = adopted({"sessions/a/x.json": json.dumps(json.loads(LINE), indent=4)[:-2].encode()
                          + f',\r\n "other": {numbers}\n}}\n'.encode()})  # fmt: skip
    assert done == Adopted(files=1, written=1)
    assert lake == {
        KEY: b'{"_event_type":"analytics","_timestamp":1738000000.123,"_session_id":"a","n":1.5,"other":'
        + '[8.0,1e2,-0,1E400,0.1000,123456789012345678901234567890,"1.0","ä\\n\u2028",{},null]}\n'.encode()
    }


@pytest.mark.parametrize("value", ["", '"_session_id": null, "_timestamp": null, ', '"_session_id": " ", '])
def test_folder_and_file_name_tell_what_the_record_lacks(adopted: Any, value: str) -> None:
    done, lake = adopted({"sessions/room/1738000000.50.json": f'{{{value}"_event_type": "analytics"}}'.encode()})
    assert done == Adopted(files=1, written=1)
    (record,) = map(json.loads, lake.values())
    assert record == {"_event_type": "analytics", "_session_id": "room", "_timestamp": 1738000000.5}
    assert b"1738000000.50" in next(iter(lake.values()))
    assert list(lake) == ["sessions/dt=2025-01-27/room-1738000000.5.json"]


def test_what_the_record_says_itself_counts_more_than_its_place(adopted: Any) -> None:
    done, lake = adopted({"sessions/room/17.json": LINE.encode()})
    assert (done.written, list(lake)) == (1, [KEY])


def test_lines_arrays_and_documents_one_after_the_other_are_all_adopted(adopted: Any) -> None:
    one, two, three = (json.dumps(session(_session_id=each)) for each in "123")
    pretty = json.dumps(session(_session_id="4"), indent=1)
    done, lake = adopted({
        "sessions/x/a.ndjson": f"{one}\r\n\n{two}".encode(),
        "sessions/x/b.json": f"[\n{three},\n{pretty}]".encode(),
        "sessions/x/c.json.gz": gzip.compress(pretty.encode() + b"\n\n" + pretty.replace('"4"', '"5"').encode()),
    })  # fmt: skip
    assert done == Adopted(files=3, written=5, there=1)
    assert [json.loads(text)["_session_id"] for _, text in sorted(lake.items())] == list("12345")
    assert [text for _, text in sorted(lake.items())][:2] == [f"{one}\n".encode(), f"{two}\n".encode()]


def test_what_cannot_be_adopted_is_named_with_the_reason_and_the_rest_is_adopted(adopted: Any) -> None:
    done, lake = adopted({
        "sessions/a/array.json": b"[1]",
        "sessions/a/damaged.json.gz": gzip.compress(LINE.encode())[:-9],
        "sessions/a/empty.json": b"",
        "sessions/a/event.json": b'{"_event_type": "other", "_session_id": "a"}',
        "sessions/a/lines.json": f"{LINE}\nbroken\n{LINE}".encode(),
        "sessions/a/ms.json": LINE.replace("1738000000.123", "1738000000123").encode(),
        "sessions/a/nan.json": b'{\n"_event_type": "analytics", "_timestamp": 5, "n": NaN}',
        "sessions/a/notes.txt": b"",
        "sessions/a/torn.json": b'{\n "_event_type": "analytics",\n "_sess',
        "sessions/a/utf8.json": b'{"_event_type": "analytics", "x": "\xff"}',
        "sessions/.json": LINE.encode(),
        "sessions/dt=2025-01-27/nameless.json": b'{"_event_type": "analytics", "_timestamp": 5}',
    })  # fmt: skip
    assert list(lake) == [KEY]
    assert (done.files, done.written, done.there, done.other) == (12, 1, 1, 1)
    assert done.problems == [
        ("sessions/.json", 0, "its name begins with _ or ."),
        ("sessions/a/array.json", 0, "not a JSON object"),
        ("sessions/a/damaged.json.gz", 0, "damaged gzip: it ends in the middle"),
        ("sessions/a/empty.json", 0, "is empty"),
        ("sessions/a/lines.json", 2, "not JSON: Expecting value at line 1, character 1"),
        ("sessions/a/ms.json", 0, "`_timestamp` is 1738000000123, not in seconds since 1970; milliseconds?"),
        ("sessions/a/nan.json", 0, "not JSON: NaN is no number"),
        ("sessions/a/notes.txt", 0, "its name ends in none of .json .jsonl .ndjson, nor these with .gz"),
        ("sessions/a/torn.json", 0, "not JSON: Unterminated string starting at line 3, character 2"),
        ("sessions/a/utf8.json", 0, "not valid UTF-8 at byte 36"),
        ("sessions/dt=2025-01-27/nameless.json", 0, "`_session_id` is missing"),
    ]  # fmt: skip


def test_hostile_ids_lie_in_the_lake_and_nowhere_else(adopted: Any, tmp_path: Path) -> None:
    ids = ["../../evil", "/etc/passwd", "_hidden", ".", 'quo"te', "a" * 2000, "room\n1", "🙂", "dt=2026-01-01"]
    done, lake = adopted({f"sessions/{n}/1.json": json.dumps(session(_session_id=id)).encode()
                          for n, id in enumerate(ids)})  # fmt: skip
    assert done == Adopted(files=len(ids), written=len(ids))
    assert sorted(json.loads(text)["_session_id"] for text in lake.values()) == sorted(ids)
    assert files.day_folders(tmp_path / "new") == (["2026-02-01"], [])
    assert len(files.files_of_day(tmp_path / "new", "2026-02-01")[0]) == len(ids)
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new"}


def test_folders_whose_name_is_no_text_give_no_id(tmp_path: Path) -> None:
    folder = tmp_path / "sessions" / "caf\udce9"
    folder.mkdir(parents=True)
    (folder / "5.json").write_bytes(b'{"_event_type": "analytics"}')
    (folder / "6.json").write_bytes(LINE.encode())
    done = adopt(Folder(tmp_path), Folder(tmp_path / "new"))
    assert done.problems == [("sessions/caf\udce9/5.json", 0, "its folder's name, or a text in it, is not valid UTF-8")]
    assert list(content(tmp_path / "new")) == [KEY]


def test_repeating_writes_nothing_and_another_text_of_the_same_session_is_named(tmp_path: Path) -> None:
    old, new = Folder(tmp_path / "old"), Folder(tmp_path / "new")
    write(old.root, {"a/1.json": LINE.encode(), "b/1.json": LINE.replace('"a"', '"b"').encode()})
    assert adopt(old, new) == Adopted(files=2, written=2)
    (new.root / KEY).write_bytes(LINE.encode())  # without a line end
    write(old.root, {"a/2.json": LINE.encode(), "a/3.json": LINE.replace("1.50", "2").encode()})
    before = content(new.root)
    done = adopt(old, new)
    assert (done.written, done.there) == (0, 3)
    assert done.problems == [("a/3.json", 0, f"{new}/{KEY} holds another text of this session")]
    assert content(new.root) == before
    assert done.text(dry_run=False) == "adopted 0 records of 4 files, 3 there already, 1 not adopted"


@pytest.mark.parametrize("source", ["", "sessions"])
def test_a_lake_may_be_adopted_into_itself(tmp_path: Path, source: str) -> None:
    write(tmp_path, {"sessions/a/1.json": LINE.encode(), "sessions/dt=2025-01-27/x.json": b"broken"})
    for written in (1, 0):
        assert adopt(Folder(tmp_path / source), Folder(tmp_path)) == Adopted(1, written, 1 - written)
    assert set(content(tmp_path)) == {"sessions/a/1.json", "sessions/dt=2025-01-27/x.json", KEY}


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    old, new = Folder(write(tmp_path / "old", {"a/1.json": LINE.encode(), "a/2.json": LINE.encode()})), tmp_path / "new"
    assert adopt(old, Folder(new), dry_run=True) == Adopted(files=2, written=1, there=1)
    assert not new.exists()


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
    assert adopt(source, target, dry_run=True) == Adopted(files=8, written=8)
    assert adopt(source, target) == Adopted(files=8, written=8)
    assert dict(target.found("")).keys() == {
        f"sessions/dt=2026-02-01/a%2F{number}-1769940120.json" for number in range(8)
    }
    moto_server.requests(f"{bucket}/new/", forget=True)
    assert adopt(source, target) == Adopted(files=8, there=8)
    assert moto_server.requests(f"{bucket}/new/") == {"LIST": 1}  # ETags tell what is equal
    assert adopt(source, source) == Adopted(files=8, written=8)
    for below in ("old", "old/sessions"):
        assert adopt(Bucket(Location(bucket, below)), source) == Adopted(files=8, there=8)


def test_a_bucket_that_is_not_there_is_named(moto_server: Any, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="there is no bucket not-there"):
        adopt(Bucket(Location("not-there", "")), Folder(tmp_path))
