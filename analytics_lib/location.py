"""Where a lake lies: what a place's name means, wherever it is given, and what of it is refused.

A root is a folder or a prefix on S3. What either holds is asked of its store: analytics_lib/remote/stores.py.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from analytics_lib.errors import UsageError

_LOCATION = re.compile(r"s3://(?P<bucket>[^/]*)(?:/(?P<prefix>.*))?", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"([\w.=+@-]+(/[\w.=+@-]+)*)?", re.ASCII)
_MISSPELT = re.compile(r"(s3|https?):", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Location:
    """A lake's root on S3; `prefix` has no slash at its end and may be empty."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> "Location":
        """The place that `s3://bucket/prefix` names. Raises UsageError for anything else."""
        found = _LOCATION.fullmatch(text)
        bucket, prefix = (found["bucket"], (found["prefix"] or "").rstrip("/")) if found else ("", "")
        if not bucket:
            problem = ""
        elif not _BUCKET.fullmatch(bucket):
            problem = (
                f": the bucket's name {bucket!r} is not 3 to 63 of a-z 0-9 . -, with a letter or digit at both ends"
            )
        elif "sessions/dt=" in text:  # by this the view finds the day in an object's address
            problem = ": a day lies there; give the place above sessions/"
        elif not _PREFIX.fullmatch(prefix):
            problem = f": the prefix {prefix!r} is not of letters, digits and - _ . = + @, with single / between"
        else:
            return cls(bucket, prefix)
        raise UsageError(
            f"{text!r} is no place for a lake on S3{problem}; write it as s3://BUCKET/PREFIX, e.g. s3://my-lake/agents"
        )

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def resolve(self) -> "Location":
        """Itself: as of a Path, what names it from any working folder."""
        return self

    def key(self, path: str) -> str:
        """The key of what lies at that path below the root."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def url(self, path: str) -> str:
        """The s3:// address of what lies at that path below the root."""
        return f"s3://{self.bucket}/{self.key(path)}"


Root: TypeAlias = Path | Location


def parse(text: str) -> Root:
    """The folder or the place on S3 of that name. Raises UsageError for neither, e.g. a misspelt `S3://`."""
    if text.startswith("s3://"):
        return Location.parse(text)
    if _MISSPELT.match(text):
        raise UsageError(f"{text!r} is no data folder; a place on S3 is written as s3://BUCKET/PREFIX")
    if not text:
        raise UsageError("an empty text names no folder; write `.` for this one")
    return Path(os.path.expanduser(text))


def folder(text: str) -> Path:
    """The folder of that name, for what only a folder can hold. Raises UsageError for any other place."""
    root = parse(text)
    if isinstance(root, Location):
        raise UsageError(f"{text!r} lies on S3; name a folder here, e.g. lake")
    return root
