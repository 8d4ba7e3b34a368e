from typing import Any

import pytest

from analytics_lib.delivery import handler
from tests.support.arrivals import Bucket, Topic


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The services that the handler finds: an empty bucket under ANALYTICS_LAKE, and a topic that nobody named."""
    services: dict[str, Any] = {"s3": Bucket(), "sns": Topic()}
    monkeypatch.setattr(handler, "_client", lambda service: services[service])
    monkeypatch.setenv("ANALYTICS_LAKE", "s3://lake")
    return services
