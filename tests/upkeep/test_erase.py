"""Erasing a session or a caller from files: what goes, and that everything else stays to the byte."""

import base64
import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from analytics_lib import aws
from analytics_lib.delivery.lines import lake_object
from analytics_lib.errors import LakeError, UsageError
from analytics_lib.location import Location
from analytics_lib.period import Period
from analytics_lib.remote import copies
from analytics_lib.remote.stores import Bucket, Folder
from analytics_lib.remote.sync import sync
from analytics_lib.upkeep.adopt import adopt
from analytics_lib.upkeep.erase import Erased, erase
from analytics_lib.upkeep.subject import Subject
from tests.support.wild import encode, key, session, write

DAY = "sessions/dt=2026-02-01"
ROOM = Subject("_session_id", "room-1")
MINE, OTHER = session(), session(_session_id="room-2", caller_key="other")
FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))


def line(**fields: Any) -> bytes:
    return encode(session(**fields)).encode() + b"\n"


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def left(root: Path, lake: dict[str, bytes], subject: Subject = ROOM) -> dict[str, bytes]:
    """What is left of the lake; a dry run before says the same and does nothing, another run finds nothing."""
    write(root, lake)
    (root / "sessions").mkdir(exist_ok=True)
    planned = erase(Folder(root), subject, dry_run=True)
    assert content(root) == lake
    assert erase(Folder(root), subject) == planned
    assert erase(Folder(root), subject) == Erased()
    return content(root)


def test_the_session_s_files_go_whatever_day_they_are_of(tmp_path: Path) -> None:
    lake = {key(record): encode(record).encode() for record in (MINE, OTHER, session(_timestamp=5.5))}
    assert left(tmp_path, lake) == {key(OTHER): encode(OTHER).encode()}
    assert not (tmp_path / "sessions/dt=1970-01-01").exists()


@pytest.mark.parametrize("broken", [b"", b"broken room-1\n"])
def test_of_files_with_many_records_the_other_lines_stay_to_the_byte(tmp_path: Path, broken: bytes) -> None:
    others = broken + b'\xef\xbb\xbf {"_session_id": "room-10"}\r\n\n' + line(_session_id="room-2", n="room-1")
    mine = line() + b"\xef\xbb\xbf" + line(_session_id=" room-1\t") + line(_timestamp="never")
    lake = {f"{DAY}/a.jsonl": mine + others, f"{DAY}/b.jsonl.gz": gzip.compress(others + mine), f"{DAY}/c.json": mine}
    after = left(tmp_path, lake)
    assert after.keys() == {f"{DAY}/a.jsonl", f"{DAY}/b.jsonl.gz"}
    assert after[f"{DAY}/a.jsonl"] == gzip.decompress(after[f"{DAY}/b.jsonl.gz"]) == others


@pytest.mark.parametrize("id", ['quo"te\\', "ü 🙂", "a/../b", "_x", "x" * 2000, "5"])
def test_ids_are_found_however_json_writes_them(tmp_path: Path, id: str) -> None:
    record = session(_session_id=id)
    spelled = "".join(f"\\u{ord(letter):04X}" for letter in id) if id.isascii() else id
    lake = {
        key(record): encode(record).encode(),
        f"{DAY}/a.json": encode(record, ascii_only=False).encode(),
        f"{DAY}/b.json": encode(session(_session_id="?")).replace('"?"', f'"{spelled}"').encode(),
        f"{DAY}/c.json": json.dumps({"_session_id": 5 if id == "5" else id}).encode(),
        f"{DAY}/d.json": json.dumps({"_session_id": f"{id}0", "query": id}).encode(),
    }
    assert left(tmp_path, lake, Subject("_session_id", id)).keys() == {f"{DAY}/d.json"}


def test_rejected_lines_go_in_each_of_their_shapes(tmp_path: Path) -> None:
    bad = session(_timestamp="never")
    shapes = [
        encode(bad),
        encode(bad)[:150],  # torn
        json.dumps({"analytics": bad}),
        json.dumps({"message": json.dumps({"analytics": {**bad, "_session_id": ..., "session_id": "room-1"}},
                                          default=lambda _: None)}),
    ]  # fmt: skip
    found = [lake_object(each, 1769940000000 + number) for number, each in enumerate(shapes)]
    other = lake_object(encode(session(_timestamp="never", _session_id="room-2")), 1769940000000)
    lake = {each.path: each.body for each in [*found, other] if each}
    assert len(lake) == 5
    assert other
    assert left(tmp_path, lake) == {other.path: other.body}


def test_files_that_no_reader_opens_are_looked_into_too(tmp_path: Path) -> None:
    pretty, both = json.dumps(MINE, indent=2).encode(), json.dumps([MINE, OTHER], indent=2).encode()
    lake = {"sessions/room-1/5.json": pretty, f"{DAY}/_a": line(), f"{DAY}/sub/x.txt": line(), f"{DAY}/p.json": both}
    assert left(tmp_path, lake) == {f"{DAY}/p.json": json.dumps(OTHER, separators=(",", ":")).encode() + b"\n"}


@pytest.mark.parametrize("cut", [slice(0, -3), slice(1, None)])
@pytest.mark.parametrize("subject", [ROOM, Subject("caller_key", "c0ffee")])
def test_a_damaged_document_over_many_lines_is_left_whole_and_named(
    tmp_path: Path, cut: slice, subject: Subject
) -> None:
    lake = {f"{DAY}/a.json": json.dumps(MINE, indent=2).encode()[cut], f"{DAY}/b.jsonl": line()[:-9] + b"\n" + line()}
    write(tmp_path, lake)
    done = erase(Folder(tmp_path), subject)
    assert [path for path, reason in done.unread if "damaged document" in reason] == [f"{DAY}/a.json"]
    assert done.places == [("delete", f"{DAY}/b.jsonl", 2)]
    assert content(tmp_path) == {f"{DAY}/a.json": lake[f"{DAY}/a.json"]}


def kinesis_record(name: str) -> bytes:
    message = json.dumps({"message": json.dumps({"analytics": session(_session_id=name, caller_key=name)})})
    noise = [{"message": str(number)} for number in range(99)]
    return gzip.compress(json.dumps({"logEvents": [{"message": message}, *noise]}).encode(), mtime=0)


@pytest.mark.parametrize("subject", [ROOM, Subject("caller_key", "room-1")])
def test_damaged_kinesis_records_are_unpacked(tmp_path: Path, subject: Subject) -> None:
    mine, other = kinesis_record("room-1"), kinesis_record("room-2")
    spoilt = b"\0" * 8  # instead of checksum and length
    plain = gzip.decompress(mine)
    records: dict[str, dict[str, Any]] = {
        "gone": {"cut": mine[:-4], "spoilt": mine[:-8] + spoilt, "second": other + mine, "plain": plain},
        "stays": {"other": other[:-4], "others": other + other[:-9], "plain-other": gzip.decompress(other)},
        "unread": {
            "spoilt-other": other[:-8] + spoilt,
            "no-base64": None,
            "torn": b"\xf3\x89\x9a\xc2" + other,
            "twice": gzip.compress(other)[:-4],
        },
    }
    for which, found in records.items():
        for name, packed in found.items():
            kept = {"reason": "a Kinesis record that cannot be read: it is damaged",
                    "line": "no base64!" if packed is None else base64.b64encode(packed).decode()}  # fmt: skip
            write(tmp_path, {f"rejected/dt=2026-02-01/{which}-{name}.json": json.dumps(kept).encode()})
    (tmp_path / "sessions").mkdir()
    before = content(tmp_path)
    done = erase(Folder(tmp_path), subject)
    assert content(tmp_path) == {path: text for path, text in before.items() if "/gone-" not in path}
    assert [path for path, _ in done.unread] == sorted(path for path in before if "/unread-" in path)
    assert len(done.places) == 4


def test_a_caller_s_records_go_from_every_session(tmp_path: Path) -> None:
    lake = {key(record): encode(record).encode() for record in (MINE, OTHER, session(_session_id="room-3"))}
    lake["rejected/dt=2026-02-01/x.json"] = json.dumps({"line": encode(session(_timestamp=-1))}).encode()
    assert left(tmp_path, lake, Subject("caller_key", "c0ffee")) == {key(OTHER): encode(OTHER).encode()}


def test_what_was_removed_is_told_and_what_could_not_be_read_too(tmp_path: Path) -> None:
    write(tmp_path, {f"{DAY}/a.json": line() + line(), f"{DAY}/b.json": line() + line(_session_id="x"),
                     f"{DAY}/damaged.json.gz": b"no",
                     f"{DAY}/padded.json.gz": gzip.compress(line()) + bytes(512)})  # fmt: skip
    reason = "damaged gzip: Error -3 while decompressing data: incorrect header check"  # as every reader sees it
    assert erase(Folder(tmp_path), ROOM) == Erased(
        lines=3,
        places=[("delete", f"{DAY}/a.json", 2), ("rewrite", f"{DAY}/b.json", 1)],
        unread=[(f"{DAY}/damaged.json.gz", reason), (f"{DAY}/padded.json.gz", reason)],
    )


def test_a_folder_that_is_no_lake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"^there is no folder .*/none; name the lake .* sessions/: --data ROOT$"):
        erase(Folder(tmp_path / "none"), ROOM)
    with pytest.raises(LakeError, match="is no lake: it holds no folder sessions/"):
        erase(Folder(tmp_path), ROOM)


@pytest.mark.parametrize("words", [(None, None), ("a", "b"), (" ", None), (None, "")])
def test_exactly_one_session_or_caller_is_named(words: tuple[str | None, str | None]) -> None:
    with pytest.raises(UsageError, match="name one session, or one caller"):
        Subject.of(*words)
    assert Subject.of(" room-1\n", None) == ROOM


class Lake:
    """A lake on moto's S3."""

    def __init__(self, bucket: str) -> None:
        self.s3: Any = aws.client("s3")
        self.bucket = bucket
        self.store = Bucket(Location(bucket, "lake"))

    def put(self, path: str, body: bytes) -> None:
        self.store.write(path, body)

    def paths(self) -> set[str]:
        return {path for path, _ in self.store.found("")}

    def versions(self) -> list[tuple[str, bytes]]:
        found = self.s3.list_object_versions(Bucket=self.bucket)
        assert "DeleteMarkers" not in found
        return [(each["Key"].removeprefix("lake/"), self.s3.get_object(
            Bucket=self.bucket, Key=each["Key"], VersionId=each["VersionId"])["Body"].read())
            for each in found.get("Versions", ())]  # fmt: skip


@pytest.fixture
def lake(bucket: str) -> Lake:
    lake = Lake(bucket)
    for number in range(5):
        lake.put(key(session(_session_id=f"room-{number}")), line(_session_id=f"room-{number}"))
    lake.put(f"{DAY}/many.jsonl", line() + line(_session_id="room-2"))
    lake.put("rejected/dt=2026-02-01/x.json", json.dumps({"line": encode(session(_timestamp=-1))}).encode())
    lake.put(key(session(_timestamp=5)), line(_timestamp=5))
    return lake


def test_on_s3_a_session_is_found_by_its_keys_and_only_other_files_are_opened(lake: Lake, moto_server: Any) -> None:
    moto_server.requests(f"{lake.bucket}/", forget=True)
    done = erase(lake.store, ROOM)
    assert (done.lines, [what for what, _, _ in done.places]) == (4, ["delete", "delete", "rewrite", "delete"])
    assert done.notes == ["4 objects at the keys of other sessions were not opened; --thorough opens them"]
    assert moto_server.requests(f"{lake.bucket}/")["GET"] == 4
    assert lake.paths() == {key(session(_session_id=f"room-{number}")) for number in (0, 2, 3, 4)} | {
        f"{DAY}/many.jsonl"
    }
    assert lake.store.read(f"{DAY}/many.jsonl") == line(_session_id="room-2")


def test_objects_whose_name_only_looks_like_a_key_are_opened(lake: Lake) -> None:
    odd = ["part-0001.json", "export-20260201.json", "a b-1769940120.json", "room-1-1769940120.jsonl", "x-5.json"]
    for name in odd:
        lake.put(f"{DAY}/{name}", line())
    assert {path for _, path, _ in erase(lake.store, ROOM).places} >= {f"{DAY}/{name}" for name in odd}


def test_an_object_whose_name_xml_cannot_hold_goes_too(lake: Lake) -> None:
    lake.put(f"{DAY}/a\x01b.json", line())
    assert ("delete", f"{DAY}/a\x01b.json", 1) in erase(lake.store, ROOM).places
    assert f"{DAY}/a\x01b.json" not in lake.paths()


def test_the_key_of_another_session_is_opened_on_suspected_days_only(lake: Lake) -> None:
    path = f"{DAY}/export-1769940120.json"
    lake.put(path, line())
    assert not any("export" in place for _, place, _ in erase(lake.store, ROOM).places)
    assert (ROOM.is_elsewhere(path, ()), ROOM.is_elsewhere(path, {"2026-02-01"})) == (True, False)


def test_a_thorough_search_opens_every_object(lake: Lake) -> None:
    lake.put(f"{DAY}/export-1769940120.json", line())
    done = erase(lake.store, ROOM, thorough=True)
    assert ("delete", f"{DAY}/export-1769940120.json", 1) in done.places
    assert done.notes == []


def test_a_caller_is_looked_for_in_every_object(lake: Lake) -> None:
    lake.put(key(OTHER), encode(OTHER).encode())
    assert erase(lake.store, Subject("caller_key", "c0ffee")).lines == 8
    assert lake.paths() == {key(OTHER)}


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_old_versions_go_too(lake: Lake, status: str) -> None:
    lake.s3.put_bucket_versioning(Bucket=lake.bucket, VersioningConfiguration={"Status": "Enabled"})
    lake.put(key(MINE), line(n=2))
    lake.put(key(MINE) + "0", b"another key")
    lake.put(f"{DAY}/many.jsonl", line(_session_id="room-3") + line())
    lake.s3.put_bucket_versioning(Bucket=lake.bucket, VersioningConfiguration={"Status": status})
    erase(lake.store, ROOM)
    assert not [text for path, text in lake.versions() if b'"room-1"' in text]
    assert (key(MINE) + "0", b"another key") in lake.versions()
    assert (f"{DAY}/many.jsonl", line(_session_id="room-3")) in lake.versions()


def test_stopped_before_it_writes_it_has_removed_the_old_versions(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.s3.put_bucket_versioning(Bucket=lake.bucket, VersioningConfiguration={"Status": "Enabled"})
    lake.put(f"{DAY}/many.jsonl", line() + line(_session_id="room-3"))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Bucket, "write", stop)
        lake.store.replace(f"{DAY}/many.jsonl", line(_session_id="room-3"))
    now = line() + line(_session_id="room-3")
    assert [text for path, text in lake.versions() if path == f"{DAY}/many.jsonl"] == [now]
    erase(lake.store, ROOM)
    assert not [text for _, text in lake.versions() if b'"room-1"' in text]


def test_a_lake_of_which_nothing_is_left_is_no_failure_but_told(bucket: str) -> None:
    done = erase(Bucket(Location(bucket, "nothing")), ROOM)
    assert done == Erased(notes=[f"nothing lies under s3://{bucket}/nothing/sessions/ and "
                                 f"s3://{bucket}/nothing/rejected/"])  # fmt: skip
    with pytest.raises(LakeError, match="there is no bucket not-there"):
        erase(Bucket(Location("not-there", "")), ROOM)


def test_copies_made_by_sync_are_erased_and_forgotten(lake: Lake, tmp_path: Path) -> None:
    sync(lake.store.location, tmp_path, FEBRUARY)
    (tmp_path / ".sync/arriving").mkdir()
    (tmp_path / ".sync/arriving/1").write_bytes(line())
    done = erase(Folder(tmp_path), ROOM)
    assert done.notes == [f"{tmp_path} holds copies made by sync: erase at their source as well, or they come back"]
    assert "room-1-" not in "".join(copies.read(tmp_path, "2026-02-01"))
    assert not any(b'"room-1"' in text for text in content(tmp_path).values())
    erase(lake.store, ROOM)
    sync(lake.store.location, tmp_path, FEBRUARY)
    assert not any(b'"room-1"' in text for text in content(tmp_path).values())


def test_what_adopting_moved_aside_goes_whole_where_it_names_the_session_in_any_shape(tmp_path: Path) -> None:
    pretty = json.dumps([MINE, OTHER], indent=2).encode()
    mapped = {"call_id": "room-1", "end_time": "2026-02-01T10:02:00", "duration": 5}
    lake = {
        f"{DAY}/array.json": pretty,
        f"{DAY}/packed.json": gzip.compress(json.dumps(session(_timestamp=MINE["_timestamp"] + 2)).encode()),
        f"{DAY}/mapped.json": json.dumps(mapped | {"call_id": "room-3"}, indent=1).encode(),
        f"{DAY}/hour=10/mine.json": json.dumps(mapped | {"end_time": "2026-02-01T11:00:00"}).encode(),
        f"{DAY}/logged.json": json.dumps([{"message": encode(MINE | {"_timestamp": MINE["_timestamp"] + 1})}]).encode(),
        f"{DAY}/other.json": json.dumps(session(_session_id="room-10"), indent=1).encode(),
    }
    write(tmp_path, lake)
    assert adopt(Folder(tmp_path), Folder(tmp_path)).mended == len(lake)
    assert len(content(tmp_path)) > len(lake)
    erased = erase(Folder(tmp_path), ROOM)
    assert (erased.unread, erase(Folder(tmp_path), ROOM)) == ([], Erased())
    assert sorted(path for path in content(tmp_path) if path != "adopted/files") == sorted(
        [
            f"adopted/originals/{DAY}/mapped.json",
            f"adopted/originals/{DAY}/other.json",
            f"{DAY}/room-10-1769940120.json",
            f"{DAY}/room-2-1769940120.json",
            f"{DAY}/room-3-1769940120.json",
        ]
    )
