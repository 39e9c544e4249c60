"""The promise of the ServiceNow desk, as its own verdicts show it: the calendar and the policy it was judged by."""

from typing import Any, Final

from deploy.imports.door import FrontDoor

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
    "hours": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), _WHOLE_DAY),
}

POLICY: Final[dict[str, Any]] = {
    "name": "ServiceNow: opened to closed",
    "order": 0,  # before every policy for all tickets: this one is for imported ones only
    "conditions": {"all": [{"field": "channel", "op": "is", "value": "import"}]},
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


async def ensure(door: FrontDoor) -> list[str]:
    """Define both through sla's API unless they are there; what is there stays as somebody made it.

    Returns:
        What was defined just now.
    """
    made = []
    for what, name, document in (
        ("calendars", CALENDAR_ID, CALENDAR),  # first: the policy speaks of it
        ("policies", POLICY_ID, POLICY),
    ):
        address = f"/v1/{what}/{name}"
        if await door.find(address) is None:
            await door.ask("PUT", address, document)
            made.append(name)
    return made
