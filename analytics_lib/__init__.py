"""Which sessions of a LiveKit voice agent were leads, how long sessions run and which tools fail.

import analytics_lib

lake = analytics_lib.open("data/samples")
found = lake.report("lead_funnel", start="2026-01-01", end="2026-01-30")
found.tables["stages"]
lake.sql("SELECT urgency, COUNT(*) AS n FROM sessions GROUP BY urgency")
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analytics_lib.workspace import Lake

__all__ = ["open"]


def open(
    data: str | Path | None = None, engine: str | None = None, cache: bool = True, **athena: str | float | bool
) -> "Lake":
    """The lake at `data`: a folder or s3:// prefix that holds `sessions/dt=YYYY-MM-DD/`, or the shipped samples.

    What is not given comes from ANALYTICS_DATA and ANALYTICS_ENGINE, then from analytics.toml in the working folder;
    `athena` are the settings of that engine (database, workgroup, catalog, output, max_usd, fresh). `cache` has no
    effect yet. Raises LakeError where there is no lake, SettingsError for settings that cannot be used.
    """
    from analytics_lib.workspace import open_lake

    return open_lake(data, engine, athena)
