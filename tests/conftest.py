"""What holds for every test: no setting of whoever runs them, and no clock that decides."""

import os

import pytest
from hypothesis import settings

from tests.local_athena.fixtures import OUTSIDE, _moto, _stack, bucket, local_athena, moto_server, start_early
from tests.slow_s3 import slow_s3

__all__ = ["_moto", "_stack", "bucket", "local_athena", "moto_server", "slow_s3"]

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


def pytest_collection_finish(session: pytest.Session) -> None:
    start_early(session)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("AWS_") or (name.startswith("ANALYTICS_") and not name.startswith("ANALYTICS_REQUIRE_")):
            monkeypatch.delenv(name)
    for name, value in OUTSIDE.items():
        monkeypatch.setenv(name, value)
