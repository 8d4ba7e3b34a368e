"""DuckDB over a lake on S3: the days of a period are copied into the user's cache and read there, as any lake is."""

import hashlib
import os
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from urllib.parse import quote

from analytics_lib import aws
from analytics_lib.engines.duckdb import DuckDBEngine
from analytics_lib.errors import OutputError
from analytics_lib.location import Location
from analytics_lib.period import Period
from analytics_lib.remote import s3
from analytics_lib.remote.sync import sync

_FRESH_SECONDS = 60.0  # the queries of one report list S3 once


class SyncedEngine(DuckDBEngine):
    """Answers from copies that are made current before a period is read, at most once a minute."""

    def __init__(self, location: Location, progress: Callable[[int, int], None] | None = None) -> None:
        self.location = location
        self._synced: dict[Period, float] = {}  # when
        root = cache_folder(location)
        try:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            (root / "sessions").mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the cache of {location} cannot be made in {root}: {error.strerror}; set XDG_CACHE_HOME to a folder "
                "with room"
            ) from error
        super().__init__(root, progress)

    def newest_day(self, until: date = date.max) -> date | None:
        """The last day up to `until` that has an object to read on S3; None where there is none."""
        return s3.newest_day(self.location, until)

    def _load(self, period: Period) -> None:
        now = time.monotonic()
        if not any(other.covers(period) and now - at < _FRESH_SECONDS for other, at in self._synced.items()):
            told = self._progress
            objects = (lambda done, total, *_: told(done, total)) if told else None
            sync(self.location, self.root, period, in_cache=True, progress=objects)
            self._synced[period] = time.monotonic()
        super()._load(period)


def cache_folder(location: Location) -> Path:
    """Where copies of that lake lie: one folder for each place and endpoint, so that no two are mixed."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    told = f"{aws.client('s3').meta.endpoint_url} {location}"
    folder = f"{quote(location.prefix, safe='')[:80]}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
    return Path(caches) / "analytics_lib" / "s3" / location.bucket / folder
