"""`python -m analytics_lib` is the console script `analytics-lib`."""

from analytics_lib.cli import main

main()
