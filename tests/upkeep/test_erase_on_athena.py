"""Erasing from Parquet that Athena wrote: what readers of the views see afterwards."""

from pathlib import Path
from typing import Any

import pytest

from analytics_lib.engines import catalog
from analytics_lib.remote.stores import Bucket, Folder
from analytics_lib.upkeep.erase import erase
from analytics_lib.upkeep.subject import Subject
from tests.support import wild
from tests.support.local_athena.fixtures import Server
from tests.support.wild import session
from tests.upkeep.test_compaction_on_athena import Lake

pytestmark = [pytest.mark.slow, pytest.mark.athena]


@pytest.mark.parametrize(
    ("subject", "days"),
    [
        (Subject("_session_id", "c"), {"2026-02-01"}),
        (Subject("caller_key", "c0ffee"), {"2026-01-31", "2026-02-01", "2026-02-03"}),
    ],
)
def test_no_reader_sees_what_was_erased_before_and_after_compacting_again(
    local_athena: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: Subject, days: set[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lake = Lake(bucket, tmp_path / "lake")
    lake.put("sessions/dt=2026-02-02/other.json", wild.encode(session(_session_id="o", caller_key="o")).encode())
    lake.compact()
    done: Any = [
        erase(store, subject, dry_run=False, progress=lambda done, total: None)
        for store in (Bucket(lake.location), Folder(lake.root))
    ]
    assert done[0].lines == done[1].lines > 0
    lake.assert_as_read_in_plain_python()
    assert catalog.read_state(lake.athena.database).late <= days
    assert set(lake.compact().days) == days
    lake.assert_as_read_in_plain_python()
