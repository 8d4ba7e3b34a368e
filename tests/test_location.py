"""What a place's name means, and what is refused."""

from pathlib import Path

import pytest

from analytics_lib.errors import UsageError
from analytics_lib.location import Location, Root, folder, parse


@pytest.mark.parametrize(
    ("text", "location", "written"),
    [
        ("s3://my-bucket", Location("my-bucket", ""), "s3://my-bucket"),
        ("s3://my-bucket/", Location("my-bucket", ""), "s3://my-bucket"),
        (f"s3://{63 * 'b'}//", Location(63 * "b", ""), f"s3://{63 * 'b'}"),
        ("s3://my.bucket/a/b-c/", Location("my.bucket", "a/b-c"), "s3://my.bucket/a/b-c"),
    ],
)
def test_a_place_is_a_bucket_and_a_prefix(text: str, location: Location, written: str) -> None:
    assert Location.parse(text) == location
    assert str(location) == written
    assert location.url("sessions/x") == f"{written}/sessions/x"


BAD_BUCKET = ": the bucket's name {} is not 3 to 63 of a-z 0-9 . -, with a letter or digit at both ends"
BAD_PREFIX = ": the prefix {} is not of letters, digits and - _ . = + @, with single / between"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("s3://", ""),
        ("s3:///a", ""),
        ("s3:/bucket/a", ""),
        ("https://x", ""),
        ("bucket", ""),
        ("", ""),
        ("s3://b", BAD_BUCKET.format("'b'")),
        ("s3://My_Bucket/x", BAD_BUCKET.format("'My_Bucket'")),
        ("s3://-bucket/it's", BAD_BUCKET.format("'-bucket'")),
        (f"s3://{64 * 'b'}/", BAD_BUCKET.format(f"'{64 * 'b'}'")),
        ("s3://bucket\n", BAD_BUCKET.format(r"'bucket\n'")),
        ("s3://bucket//a", BAD_PREFIX.format("'/a'")),
        ("s3://bucket/it's/", BAD_PREFIX.format('"it\'s"')),
        ("s3://bucket/${a}", BAD_PREFIX.format("'${a}'")),
        ("s3://bucket/é", BAD_PREFIX.format("'é'")),
        ("s3://bucket/a\n", BAD_PREFIX.format(r"'a\n'")),
        ("s3://bucket/sessions/dt=2026-01-01", ": a day lies there; give the place above sessions/"),
    ],
)
def test_anything_else_is_no_place_and_the_part_that_is_wrong_is_named(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as told:
        Location.parse(text)
    assert str(told.value) == (
        f"{text!r} is no place for a lake on S3{problem}; write it as s3://BUCKET/PREFIX, e.g. s3://my-lake/agents"
    )


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("s3://bucket/agents/", Location("bucket", "agents")),
        ("lake/", Path("lake")),
        (".", Path()),
        ("s3", Path("s3")),
        ("./S3:", Path("S3:")),
        ("~/lake", Path("/home/me/lake")),
        ("~nobody-of-this-name/lake", Path("~nobody-of-this-name/lake")),
    ],
)
def test_a_root_is_a_place_on_s3_or_a_folder(monkeypatch: pytest.MonkeyPatch, text: str, root: Root) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert parse(text) == root


def test_a_root_is_named_alike_from_any_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert [parse(text).resolve() for text in ("s3://bucket/a", "lake")] == [Location("bucket", "a"), tmp_path / "lake"]


def test_what_is_no_root_is_refused_with_what_to_write() -> None:
    with pytest.raises(UsageError, match=r"^an empty text names no folder; write `\.` for this one$"):
        parse("")
    with pytest.raises(UsageError, match=r"^'s3://b' is no place for a lake on S3: the bucket's name 'b' is not "):
        parse("s3://b")
    with pytest.raises(UsageError, match=r"^'s3://bucket/a' lies on S3; name a folder here, e.g. lake$"):
        folder("s3://bucket/a")
