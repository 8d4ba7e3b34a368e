"""What holds for every test: no setting of whoever runs them, and no clock that decides."""

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.support.local_athena.fixtures import OUTSIDE, _moto, _stack, bucket, local_athena, moto_server, start_early
from tests.support.slow_s3 import slow_s3

__all__ = ["_moto", "_stack", "bucket", "local_athena", "moto_server", "slow_s3"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell; what tests start would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


def pytest_collection_finish(session: pytest.Session) -> None:
    start_early(session)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a machine lacks is one line of the summary, however many tests want it."""
    report = yield
    wants = item.get_closest_marker("athena") or item.get_closest_marker("browser")
    if wants and report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (f"tests marked {wants.name}", None, report.longrepr[2])
    return report


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("AWS_") or (name.startswith("ANALYTICS_") and not name.startswith("ANALYTICS_REQUIRE_")):
            monkeypatch.delenv(name)
    for name, value in OUTSIDE.items():
        monkeypatch.setenv(name, value)
