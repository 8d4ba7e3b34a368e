"""Files by their path below a root, in a folder or on S3, for what works on a lake of either kind."""

import errno
import io
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from analytics_lib import aws, gzipped
from analytics_lib.errors import AwsError, OutputError
from analytics_lib.gzipped import Unread
from analytics_lib.lake import files
from analytics_lib.location import Location, Root
from analytics_lib.remote import s3

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}
_UNREADABLE = {"InvalidObjectState": "it is archived; restore it first", "NoSuchKey": "it has vanished"}


def store_at(root: Root) -> "Folder | Bucket":
    """What lists, reads and writes there."""
    return Folder(root) if isinstance(root, Path) else Bucket(root)


def unpacked(path: str, content: bytes) -> bytes:
    """What a `.gz` holds; any other content as it is. Raises Unread."""
    if not path.endswith(".gz"):
        return content
    plain = io.BytesIO()
    gzipped.unpack(io.BytesIO(content), plain)
    return plain.getvalue()


@dataclass(frozen=True, slots=True)
class Folder:
    """A root on disk."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def newest_day(self, until: date = date.max) -> date | None:
        """The last day up to `until` that has a file to read; None where there is none. Raises LakeError."""
        return files.newest_day(self.root, until)

    def found(self, below: str) -> Iterator[tuple[str, str]]:
        """The path of every file below that folder, and nothing for its ETag. Raises LakeError."""
        if not (self.root / below).is_dir():
            return
        for entry in files.entries(self.root / below):
            if entry.is_dir(follow_symlinks=False):
                yield from self.found(f"{below}{entry.name}/")
            elif entry.is_file() or entry.is_symlink():
                yield f"{below}{entry.name}", ""

    def stamped(self, below: str) -> Iterator[tuple[str, str]]:
        """The path of every file below that folder, and its size and time. Raises LakeError."""
        if not (self.root / below).is_dir():
            return
        for entry in files.entries(self.root / below):
            if entry.is_dir(follow_symlinks=False):
                yield from self.stamped(f"{below}{entry.name}/")
            elif entry.is_file() or entry.is_symlink():
                try:
                    told = entry.stat()
                except OSError:  # a broken link; whoever reads it says so
                    yield f"{below}{entry.name}", ""
                else:
                    yield f"{below}{entry.name}", f"{told.st_size} {told.st_mtime_ns}"

    def read(self, path: str) -> bytes:
        """The whole file. Raises Unread."""
        try:
            return (self.root / path).read_bytes()
        except OSError as error:
            raise Unread(f"cannot be read: {error.strerror or error}") from None

    def write(self, path: str, content: bytes) -> None:
        """Put the file there, complete or not at all. Raises OutputError."""
        unfinished = self.root / f".unfinished-{os.getpid()}-{threading.get_ident()}"
        try:
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(content)
            unfinished.replace(self.root / path)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink()
            raise OutputError(f"{self.root / path} cannot be written: {error.strerror or error}") from error

    def add(self, path: str, content: bytes) -> bool:
        """Put the file there, complete or not at all, unless one is there; whether none was. Raises OutputError."""
        unfinished = self.root / f".unfinished-{os.getpid()}-{threading.get_ident()}"
        try:
            try:
                unfinished.write_bytes(content)
            except FileNotFoundError:
                self.root.mkdir(parents=True, exist_ok=True)
                unfinished.write_bytes(content)
            return self._link(unfinished, self.root / path)
        except OSError as error:
            raise OutputError(f"{self.root / path} cannot be written: {error.strerror or error}") from error
        finally:
            with suppress(OSError):
                unfinished.unlink()

    @staticmethod
    def _link(file: Path, to: Path) -> bool:
        """Give the file a second name, unless that is taken; where there are no links, copy it."""
        try:
            os.link(file, to)
        except FileNotFoundError:
            to.parent.mkdir(parents=True, exist_ok=True)
            return Folder._link(file, to)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS or os.path.lexists(to):
                raise
            shutil.copy2(file, to)
        return True

    def keep(self, path: str, to: str) -> None:
        """Put a copy of the file there, unless one is there. Raises OutputError."""
        try:
            self._link(self.root / path, self.root / to)
        except OSError as error:
            raise OutputError(f"{self.root / to} cannot be written: {error.strerror or error}") from error

    def replace(self, path: str, content: bytes) -> None:
        """Put this in place of what is there; nothing, where it is empty. Raises OutputError."""
        if content:
            self.write(path, content)
            return
        try:
            (self.root / path).unlink()
        except OSError as error:
            raise OutputError(f"{self.root / path} cannot be removed: {error.strerror or error}") from error
        with suppress(OSError):  # it holds other files
            (self.root / path).parent.rmdir()


@dataclass(frozen=True)
class Bucket:
    """A root on S3."""

    location: Location

    def __str__(self) -> str:
        return str(self.location)

    def newest_day(self, until: date = date.max) -> date | None:
        """As of a folder. Raises LakeError, AwsError."""
        return s3.newest_day(self.location, until)

    def found(self, below: str) -> Iterator[tuple[str, str]]:
        """Path and ETag of every object below that folder. Raises LakeError, AwsError."""
        found = s3.all_below(self.location, below)
        return ((below + each.name, each.etag) for each in found if each.name and not each.name.endswith("/"))

    def stamped(self, below: str) -> Iterator[tuple[str, str]]:
        """Path, and size and ETag, of every object below that folder. Raises LakeError, AwsError."""
        found = s3.all_below(self.location, below)
        return ((below + one.name, f"{one.size} {one.etag}") for one in found if one.name and one.name[-1] != "/")

    def read(self, path: str) -> bytes:
        """The whole object. Raises Unread, AwsError."""
        try:
            with aws.explained(f"reading {self.location.url(path)}"):
                answer = aws.client("s3").get_object(**self._named(path))
                return bytes(answer["Body"].read())
        except AwsError as error:
            if error.code in _UNREADABLE:
                raise Unread(_UNREADABLE[error.code]) from error
            raise

    def write(self, path: str, content: bytes) -> None:
        """Put the object there. Raises AwsError."""
        with aws.explained(f"writing {self.location.url(path)}"):
            aws.client("s3").put_object(**self._named(path), Body=content)

    def add(self, path: str, content: bytes) -> bool:
        """Put the object there, unless one is there; whether none was. Raises AwsError."""
        try:
            with aws.explained(f"writing {self.location.url(path)}"):
                aws.client("s3").put_object(**self._named(path), Body=content, IfNoneMatch="*")
        except AwsError as error:
            if error.code not in _TAKEN:
                raise
            return False
        return True

    def keep(self, path: str, to: str) -> None:
        """Put a copy of the object there. Raises AwsError."""
        with aws.explained(f"copying {self.location.url(path)}"):
            aws.client("s3").copy_object(**self._named(to), CopySource=self._named(path))

    def replace(self, path: str, content: bytes) -> None:
        """Put this in place of what is there, nothing where it is empty; no old version stays. Raises AwsError."""
        if self._versioned:  # before it is rewritten: stopped here, it is found again by what it holds now
            self._remove_versions(path, without_latest=bool(content))
        elif not content:
            # not s3.remove: its list of keys is XML, which cannot hold every name that others give
            with aws.explained(f"removing {self.location.url(path)}"):
                aws.client("s3").delete_object(**self._named(path))
        if content:
            self.write(path, content)
            if self._versioned:
                self._remove_versions(path, without_latest=True)

    def _remove_versions(self, path: str, *, without_latest: bool) -> None:
        """The latest one goes last: where removing is interrupted, it is found again."""
        named, pages = self._named(path), aws.client("s3").get_paginator("list_object_versions")
        with aws.explained(f"removing {self.location.url(path)}"):
            listed = [
                each
                for page in pages.paginate(Bucket=named["Bucket"], Prefix=named["Key"])
                for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            ]
            for version in sorted(listed, key=lambda each: bool(each["IsLatest"])):
                if version["Key"] == named["Key"] and not (without_latest and version["IsLatest"]):
                    aws.client("s3").delete_object(**named, VersionId=version["VersionId"])

    def _named(self, path: str) -> dict[str, Any]:
        return {"Bucket": self.location.bucket, "Key": self.location.key(path)}

    @cached_property
    def _versioned(self) -> bool:
        with aws.explained(f"asking whether s3://{self.location.bucket} keeps old versions"):
            return "Status" in aws.client("s3").get_bucket_versioning(Bucket=self.location.bucket)
