"""What AWS asks: `prices.toml` beside this module, with its date and source."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".toml")
MB = 10**6
TB = 10**12  # AWS does not say whether it means 2**40: this is the dearer reading, by a tenth


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in USD of one region, as they were on `date`."""

    region: str
    date: str
    source: str
    athena_usd_per_tb: float
    athena_minimum_mb: int
    s3_get_usd_per_1000: float
    s3_list_usd_per_1000: float

    def query_usd(self, scanned_bytes: float) -> float:
        """What Athena asks for a query that scans so much: whole MB, and a minimum."""
        return max(self.athena_minimum_mb, math.ceil(scanned_bytes / MB)) * MB / TB * self.athena_usd_per_tb

    def requests_usd(self, gets: float, lists: float) -> float:
        """What S3 asks for so many requests."""
        return (gets * self.s3_get_usd_per_1000 + lists * self.s3_list_usd_per_1000) / 1000

    def bytes_for(self, usd: float) -> int:
        """How much a query may scan for that money."""
        return int(usd / self.athena_usd_per_tb * TB)


def load(region: str | None = None) -> Prices:
    """The prices of a region; those of us-east-1, and called so, for a region that the file does not name."""
    written = _written()
    own = written["region"].get(region)
    name = "us-east-1" if own is None else str(region)
    return Prices(name, written["date"], written["source"], **{**written["default"], **(own or {})})


@dataclass(frozen=True, slots=True)
class DeliveryPrices:
    """Prices in USD of the way from the agent to the lake, in us-east-1, as they were on `date`."""

    date: str
    source: str
    logs_usd_per_gb: float
    logs_storage_usd_per_gb_month: float
    insights_usd_per_gb: float
    function_usd_per_million: float
    function_usd_per_gb_second: float
    s3_put_usd_per_1000: float
    s3_storage_usd_per_gb_month: float
    archive_move_usd_per_1000: float
    archive_storage_usd_per_gb_month: float
    archive_minimum_bytes: int
    alarm_usd_per_month: float


def load_delivery() -> DeliveryPrices:
    """The prices of delivery."""
    written = _written()
    return DeliveryPrices(written["date"], **written["delivery"])


def _written() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))
