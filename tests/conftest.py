"""What holds for every test: no setting of whoever runs them, and no clock that decides."""

import os

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ANALYTICS_") and name != "ANALYTICS_REQUIRE_BROWSER":
            monkeypatch.delenv(name)
