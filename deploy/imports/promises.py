"""The promise of the ServiceNow desk, as found out from its own verdicts: the calendar and the policy it was judged by."""

from typing import Any, Final

CALENDAR_ID: Final = "servicenow-weekdays"
POLICY_ID: Final = "servicenow"
VERDICT_FIELD: Final = "made_sla"
"""The custom field in which an imported ticket carries the other desk's own verdict."""

_HOUR_SECONDS: Final = 3600

LIMIT_SECONDS: Final = {
    "urgent": round(6.4 * _HOUR_SECONDS),
    "normal": round(153.4 * _HOUR_SECONDS),
    "low": round(345.6 * _HOUR_SECONDS),
}
"""Business seconds from opened to closed. `high` has no limit that its verdicts would agree on."""

_WHOLE_DAY: Final = [["00:00", "24:00"]]

CALENDAR: Final[dict[str, Any]] = {
    "name": "ServiceNow: Monday to Friday, around the clock",
    "timezone": "UTC",
    "hours": {day: _WHOLE_DAY for day in ("mon", "tue", "wed", "thu", "fri")},
}

POLICY: Final[dict[str, Any]] = {
    "name": "ServiceNow: opened to closed",
    "order": 0,  # before every policy for all tickets: this one is for imported ones only
    "conditions": {"all": [{"field": "via", "op": "is", "value": "import"}]},
    "targets": [
        {
            "metric": "resolution",
            "priority": priority,
            "seconds": seconds,
            "calendar_id": CALENDAR_ID,
        }
        for priority, seconds in LIMIT_SECONDS.items()
    ],
    "metrics": {"resolution": {"stops_at": "closed", "pauses": []}},
    "warnings": [],  # of the past nobody needs to be warned
}
