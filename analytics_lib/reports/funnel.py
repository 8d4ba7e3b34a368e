"""The lead funnel's stages and thresholds, which all three reports share."""

from analytics_lib.reports.report import Parameter
from analytics_lib.schema import LEAD_MONTHLY_VOLUME, LEAD_TEAM_SIZE

STAGES = ("session", "signals", "qualified", "hot")

THRESHOLDS = (
    Parameter("min_team_size", LEAD_TEAM_SIZE, "the smallest team of a qualified lead, people"),
    Parameter("min_monthly_volume", LEAD_MONTHLY_VOLUME, "the smallest volume of a qualified lead, documents a month"),
)
