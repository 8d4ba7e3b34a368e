"""The lead funnel's stages and thresholds, which all three reports share."""

from analytics_lib.reports.report import Parameter

STAGES = ("session", "signals", "qualified", "hot")

THRESHOLDS = (
    Parameter("min_team_size", 5, "a lead's team from which it counts as qualified, people"),
    Parameter("min_monthly_volume", 100, "a lead's volume from which it counts as qualified, documents a month"),
)
