"""The lines of one file: at the borders of blocks, compressed, damaged, very long."""

import gzip
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics_lib import gzipped
from analytics_lib.gzipped import Unread
from analytics_lib.lake import lines


def read(folder: Path, name: str, content: bytes | None = None) -> list[bytes]:
    """The lines of the file of that name, after the content was put there."""
    if content is not None:
        (folder / name).write_bytes(content)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return [line for _, line in lines.numbered(name, descriptor)]
    finally:
        os.close(descriptor)


def expected(content: bytes) -> list[bytes]:
    found = re.split(rb"\r\n|\n|\r", content)
    return found[:-1] if found[-1] == b"" else found


@pytest.fixture
def tiny_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks of four bytes, so that every border is met."""
    with monkeypatch.context() as patched:
        patched.setattr(lines, "_SMALL_FILE_BYTES", 3)
        patched.setattr(lines, "_BLOCK_BYTES", 4)
        patched.setattr(gzipped, "_PACKED_BYTES", 5)
        patched.setattr(lines, "_IN_MEMORY_BYTES", 16)
        yield


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a", [b"a"]), (b"a\n", [b"a"]), (b"a\nb", [b"a", b"b"]), (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\rb\r", [b"a", b"b"]), (b"a\r\r\nb", [b"a", b"", b"b"]), (b"\n\na", [b"", b"", b"a"]),
        (b"a\n\rb", [b"a", b"", b"b"]), (b"\r\n", [b""]),
        (b"\x0b\x0c\x1c\x85\xe2\x80\xa8", [b"\x0b\x0c\x1c\x85\xe2\x80\xa8"]),
    ],
)  # fmt: skip
def test_lines_end_with_lf_crlf_or_cr_and_nothing_else(tmp_path: Path, content: bytes, found: list[bytes]) -> None:
    assert read(tmp_path, "a.json", content) == found
    assert read(tmp_path, "a.json.gz", gzip.compress(content)) == found


PIECES = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"a", b"bc", b"defghij", b" "]), min_size=1, max_size=14).map(
    b"".join
)


@pytest.mark.usefixtures("tiny_blocks")
@given(PIECES, st.booleans())
@example(b"abc\r\nd", False)  # the CR is the last byte of a block, the LF the first of the next
@example(b"abc\r", False)
@example(b"\r\r\r\r\r\r\r\r\r", False)
def test_the_border_of_a_block_is_not_seen_in_the_lines(content: bytes, packed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        name, stored = ("a.json.gz", gzip.compress(content)) if packed else ("a.json", content)
        assert read(Path(folder), name, stored) == expected(content)


@pytest.mark.usefixtures("tiny_blocks")
@settings(max_examples=50)
@given(
    st.lists(PIECES, min_size=1, max_size=3), st.integers(0, 200), st.sampled_from([b"", b"\0", b"\n", b"x", b"\x1f"])
)
def test_gzip_is_read_whole_or_not_at_all(members: list[bytes], cut: int, trailing: bytes) -> None:
    whole = b"".join(gzip.compress(member, mtime=0) for member in members)
    stored = whole[: max(0, len(whole) - cut)] + trailing
    good = stored in {b"".join(gzip.compress(member, mtime=0) for member in members[:count]) for count in range(4)}
    with tempfile.TemporaryDirectory() as folder:
        if not good:
            with pytest.raises(Unread, match="damaged gzip"):
                read(Path(folder), "a.json.gz", stored)
            return
        assert read(Path(folder), "a.json.gz", stored) == expected(gzip.decompress(stored) if stored else b"")


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (b"not gzip", "damaged gzip: "),
        (gzip.compress(b"a", mtime=0)[:-4], "damaged gzip: it ends in the middle"),
        (gzip.compress(b"a", mtime=0)[:5], "damaged gzip: it ends in the middle"),
        (gzip.compress(b"a", mtime=0) + b"\0" * 512, "damaged gzip: "),
        (gzip.compress(b"a", mtime=0)[:-8] + b"\0\1\2\3" + gzip.compress(b"a", mtime=0)[-4:], "damaged gzip: "),
        (gzip.compress(b"a\n" * 9, mtime=0) + gzip.compress(b"b", mtime=0)[:-1], "damaged gzip: it ends in the middle"),
    ],
)
def test_nothing_comes_out_of_a_damaged_gzip_but_the_reason(tmp_path: Path, stored: bytes, reason: str) -> None:
    with pytest.raises(Unread) as error:
        read(tmp_path, "a.json.gz", stored)
    assert str(error.value).startswith(reason)


def test_zero_bytes_are_an_empty_file_also_when_compressed(tmp_path: Path) -> None:
    assert read(tmp_path, "a.json.gz", b"") == []
    assert read(tmp_path, "a.json.gz", gzip.compress(b"")) == []
    assert read(tmp_path, "a.json.gz", gzip.compress(b"a\n") + gzip.compress(b"") + gzip.compress(b"b")) == [b"a", b"b"]


def test_a_line_of_50_mb_is_one_line(tmp_path: Path) -> None:
    long = b"x" * 50_000_000
    assert read(tmp_path, "a.json", b"a\n" + long + b"\r\nb") == [b"a", long, b"b"]


def test_a_large_file_is_read_a_block_at_a_time_with_a_crlf_on_the_border(tmp_path: Path) -> None:
    block = lines._BLOCK_BYTES
    stored = io.BytesIO()
    stored.write(b"x" * (block - 1) + b"\r\n")  # CR ends the first block, LF begins the second
    stored.write(b"y\n" * 40_000 + b"z")
    found = read(tmp_path, "a.json", stored.getvalue())
    assert (len(found), found[0] == b"x" * (block - 1), found[1], found[-2:]) == (40_002, True, b"y", [b"y", b"z"])


def test_much_that_was_packed_small_is_unpacked_without_filling_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_IN_MEMORY_BYTES", 1000)
    content = b"0123456789\n" * 100_000
    found = read(tmp_path, "a.json.gz", gzip.compress(content))
    assert (len(found), set(found)) == (100_000, {b"0123456789"})


def test_a_file_that_cannot_be_opened_is_unreadable_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("nowhere")
    (tmp_path / "circle.json").symlink_to("circle.json")
    (tmp_path / "folder.json").mkdir()
    for name, reason in (
        ("gone.json", "cannot be read: No such file or directory"),
        ("link.json", "cannot be read: No such file or directory"),
        ("circle.json", "cannot be read: Too many levels of symbolic links"),
        ("folder.json", "cannot be read: Is a directory"),
    ):
        with pytest.raises(Unread) as error:
            read(tmp_path, name)
        assert str(error.value) == reason
