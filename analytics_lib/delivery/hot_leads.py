"""Announces hot leads on an SNS topic as they arrive; whatever goes wrong here, the delivery goes on."""

import json
import logging
import os
from collections.abc import Callable
from typing import Any

from analytics_lib import record
from analytics_lib.delivery.lines import LakeObject, instant
from analytics_lib.schema import LEAD_MONTHLY_VOLUME, LEAD_TEAM_SIZE, SIGNALS

TOPIC = "ANALYTICS_HOT_LEADS_TOPIC"
THRESHOLDS = {
    "team_size": ("ANALYTICS_MIN_TEAM_SIZE", LEAD_TEAM_SIZE),
    "monthly_volume": ("ANALYTICS_MIN_MONTHLY_VOLUME", LEAD_MONTHLY_VOLUME),
}
_TOLD = ("agent_name", "room_id", "caller_key", "duration_seconds")
_log = logging.getLogger(__name__)


class Announcer:
    """Publishes a message for each hot lead, once in the life of the announcer; it never raises."""

    def __init__(self, sns: Callable[[], Any]) -> None:
        self._sns = sns
        self._announced: set[str] = set()
        self._reachable = True

    def __call__(self, found: LakeObject) -> None:
        """Announce the record if it is a hot lead: urgency `high`, and large enough a team or volume."""
        try:
            lead = hot_lead(record.parse_json(found.body))
            if lead and self._reachable and found.path not in self._announced:
                self._announced.add(found.path)
                text = json.dumps(lead | {"path": found.path}, ensure_ascii=False, indent=2)
                self._sns().publish(TopicArn=os.environ[TOPIC], Subject="Hot lead", Message=text)
        except Exception as error:
            self._reachable = hasattr(error, "response")  # no answer at all: do not wait for it again and again
            _log.warning("hot lead %s was stored, but not announced (action sns:Publish): %s", found.path, error)


def hot_lead(document: object) -> dict[str, Any] | None:
    """What is told of the record if it is a hot lead, as in the report's table of leads, else None."""
    fields = record.read(document)
    signals = fields and fields[SIGNALS.name]
    if not fields or not signals or signals["urgency"] != "high":
        return None
    least = {name: float(os.environ.get(variable) or default) for name, (variable, default) in THRESHOLDS.items()}
    if not any(signals[name] is not None and signals[name] >= least[name] for name in least):
        return None
    told = {
        "session_id": fields["_session_id"],
        "ended_at": instant(record.ended_ms(fields["_timestamp"])),
    }
    return {**told, **signals, **{name: fields[name] for name in _TOLD}}
