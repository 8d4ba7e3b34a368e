"""A reading process: `python -m analytics_lib.lake.worker`. A job comes in as JSON, a line goes out for each batch."""

import json
import sys
from pathlib import Path

from analytics_lib.lake.reading import batches, hand_over


def main() -> None:
    """Read the days of the job on standard input; say on standard output where each batch lies."""
    job = json.load(sys.stdin)
    for number, batch in enumerate(batches(Path(job["root"]), job["days"])):
        print(json.dumps(hand_over(batch, f"{job['prefix']}-{number}")), flush=True)


if __name__ == "__main__":
    main()
