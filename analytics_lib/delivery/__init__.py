"""From log lines to objects in the lake: runs in AWS Lambda, and in `analytics-lib backfill`; standard library only."""
