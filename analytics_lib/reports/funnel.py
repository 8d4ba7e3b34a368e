"""The lead funnel's stages and thresholds, which all three reports share."""

from analytics_lib.reports.report import Parameter

STAGES = ("session", "signals", "qualified", "hot")

THRESHOLDS = (
    Parameter("min_team_size", 5, "the smallest team of a qualified lead, people"),
    Parameter("min_monthly_volume", 100, "the smallest volume of a qualified lead, documents a month"),
)
