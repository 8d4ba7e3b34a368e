"""How fast the delivery function works, and in how much memory: `python -m benchmarks.delivery [DELIVERIES]`.

Log events come 10,000 at a time, each a record of about 1.2 kB in LiveKit's envelope. S3 takes everything at once, so
that the time is the function's own; boto3 is loaded, as it is in Lambda.
"""

import base64
import io
import json
import os
import resource
import subprocess
import sys
import time
import zlib
from typing import Any

_BATCH, _DELIVERIES = 10_000, 1_000_000
_ENDED = 1769940120
_RECORD = {
    "_event_type": "analytics",
    "duration_seconds": 330.5,
    "agent_version": "1.4.0",
    "close_reason": "participant_disconnected",
    "caller_key": "c_5f2b90",
    "discovered_signals": {
        "team_size": 8, "monthly_volume": 200, "integration_needs": ["salesforce"], "urgency": "high"
    },
    "tool_calls": [
        {"tool": "search_knowledge", "query": "how to create templates", "results_found": True, "duration_ms": 180.5,
         "offset_seconds": 12.5},
    ] * 4,
    "metrics_summary": {"llm_tokens": 2500, "avg_latency_ms": 450.25},
}  # fmt: skip
_ENVELOPE = {
    "message": "session analytics", "level": "INFO", "name": "analytics_lib.session",
    "timestamp": "2026-02-01T10:02:00.000000+00:00", "pid": 7, "job_id": "AJ_1", "room": "room", "room_id": "RM_1",
    "agent_name": "lead-qualifier",
}  # fmt: skip


def measured(deliveries: int = _BATCH) -> dict[str, float]:
    """Seconds for 10,000 log events, records a second, peak memory in MB, milliseconds of the first import."""
    command = [sys.executable, "-B", "-m", "benchmarks.delivery", "--measure", str(deliveries)]
    done = subprocess.run(command, input=json.dumps(_event()), stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def _event() -> dict[str, Any]:
    packed, compressor = io.BytesIO(), zlib.compressobj(wbits=31)
    head = {"messageType": "DATA_MESSAGE", "logGroup": "/livekit/agents", "logStream": "CA_1", "logEvents": []}
    packed.write(compressor.compress(json.dumps(head)[:-2].encode()))
    for number in range(_BATCH):
        record = _RECORD | {"_session_id": f"room-{number}", "_timestamp": _ENDED + number / 1000}
        line = json.dumps(_ENVELOPE | {"analytics": record})
        event = {"id": f"{number:056}", "timestamp": _ENDED * 1000 + number, "message": line}
        packed.write(compressor.compress(f"{',' if number else ''}{json.dumps(event)}".encode()))
    packed.write(compressor.compress(b"]}") + compressor.flush())
    return {"awslogs": {"data": base64.b64encode(packed.getvalue()).decode()}}


def _measure(event: dict[str, Any], deliveries: int) -> dict[str, float]:
    started = time.process_time()
    from analytics_lib.delivery import handler

    imported = time.process_time()
    os.environ |= {"ANALYTICS_LAKE": "s3://lake/agents", "AWS_DEFAULT_REGION": "us-east-1"}
    handler._client("s3").put_object = lambda **request: None
    runs = deliveries // _BATCH
    began = time.perf_counter()
    for _ in range(runs):
        assert handler.handle(event) == {"records": _BATCH, "rejected": 0, "skipped": 0}
    seconds = (time.perf_counter() - began) / runs
    unit = 1 if sys.platform == "darwin" else 1024  # bytes of one unit of ru_maxrss
    return {
        "seconds": seconds,
        "records_per_second": _BATCH / seconds,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
        "import_ms": (imported - started) * 1000,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(_measure(json.load(sys.stdin), int(sys.argv[2]))))
    else:
        wanted = int(sys.argv[1]) if sys.argv[1:] else _DELIVERIES
        print(f"{wanted:,} deliveries:", *(f"{n} {v:,.2f}" for n, v in measured(wanted).items()), sep="\n  ")
