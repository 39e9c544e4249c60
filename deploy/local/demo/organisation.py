"""The demo organisation: who works there, what it promises, where requests go."""

from datetime import UTC, datetime
from typing import Any, Final

import holidays

from deploy.front_door import FrontDoor
from deploy.local.demo.knowledge import ANSWERS, ARTICLES
from deploy.local.stack import Stack
from shared.oncall import WEEKDAYS
from shared.security.principal import Role

GROUPS: Final[dict[str, dict[str, Any]]] = {
    "service-desk": {"name": "Service desk", "strategy": "least_loaded"},
    "billing": {"name": "Billing", "strategy": "round_robin"},
    "technical": {"name": "Technical support", "strategy": "longest_idle"},
}

AGENTS: Final[dict[str, dict[str, Any]]] = {
    "anna": {"name": "Anna Berg", "groups": ["service-desk"], "capacity": 6},
    "ben": {"name": "Ben Okafor", "groups": ["service-desk"], "capacity": 6},
    "chloe": {"name": "Chloé Martin", "groups": ["service-desk", "billing"], "capacity": 5},
    "dmitri": {"name": "Dmitri Volkov", "groups": ["billing"], "capacity": 5},
    "elif": {"name": "Elif Kaya", "groups": ["technical"], "skills": {"network": 4}, "capacity": 4},
    "farid": {
        "name": "Farid Nazari",
        "groups": ["technical"],
        "skills": {"database": 5},
        "capacity": 4,
    },
    "grace": {
        "name": "Grace Liu",
        "groups": ["technical"],
        "skills": {"network": 2, "database": 3},
        "capacity": 4,
    },
    "hugo": {"name": "Hugo Silva", "groups": ["service-desk"], "capacity": 6},
}

AWAY: Final = frozenset({"hugo"})

_RULES: Final[dict[str, Any]] = {
    "rules": [
        {
            "id": "money",
            "group": "billing",
            "when": [{"field": "type", "op": "is", "value": "billing"}],
        },
        {
            "id": "outages",
            "group": "technical",
            "when": [{"field": "priority", "op": "gte", "value": "high"}],
        },
        {
            "id": "incidents",
            "group": "technical",
            "when": [{"field": "type", "op": "is", "value": "incident"}],
        },
    ],
    "default_group": "service-desk",
}

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE

_POLICY: Final[dict[str, Any]] = {
    "name": "Standard support",
    "conditions": {"all": [{"field": "channel", "op": "is_not", "value": "import"}]},
    # Short promises around the clock for urgent and high, so that a visitor sees clocks run, warn and break.
    "targets": [
        {"metric": "first_reply", "priority": "urgent", "seconds": 2 * _MINUTE},
        {"metric": "first_reply", "priority": "high", "seconds": 10 * _MINUTE},
        {"metric": "first_reply", "seconds": 4 * _HOUR, "calendar_id": "office-berlin"},
        {"metric": "next_reply", "priority": "urgent", "seconds": 5 * _MINUTE},
        {"metric": "next_reply", "seconds": 8 * _HOUR, "calendar_id": "office-berlin"},
        {"metric": "resolution", "priority": "urgent", "seconds": 30 * _MINUTE},
        {"metric": "resolution", "priority": "high", "seconds": 4 * _HOUR},
        {"metric": "resolution", "seconds": 24 * _HOUR, "calendar_id": "office-berlin"},
    ],
    "warnings": [{"percent": 75}],
    "escalation": [
        {
            "metric": "first_reply",
            "acknowledged_by": ["answered", "assigned"],
            "steps": [
                {"percent": 75, "notify": ["assignee"]},
                {
                    "seconds_after": 0,
                    "raise_priority": "next",
                    "page": {
                        "levels": [
                            {"rota": "technical", "acknowledge_within_seconds": 2 * _MINUTE},
                            {"rota": "leads", "acknowledge_within_seconds": 5 * _MINUTE},
                        ]
                    },
                },
                {"seconds_after": 10 * _MINUTE, "time": "calendar", "move_to_group": "technical"},
            ],
        },
        {
            "metric": "resolution",
            "steps": [{"percent": 90, "notify": ["assignee", "role:supervisor"]}],
        },
    ],
}

_FORM: Final[dict[str, Any]] = {
    "title": "Contact the service desk",
    "service": "Service desk",
    "description": "We answer by mail, usually within four hours of our working day.",
    "tags": ["form"],
}

_WEEK: Final = {"starts_on": "2024-01-01", "hand_over_on": "mon", "hand_over_at": "09:00"}

# Technical support around the clock: a week each, other people at night; and who leads.
_ROTAS: Final[dict[str, dict[str, Any]]] = {
    "technical": {
        "name": "Technical support",
        "timezone": "Europe/Berlin",
        "layers": [
            {"name": "week", "members": ["elif", "farid", "grace"], **_WEEK},
            {
                "name": "nights",
                "members": ["farid", "grace"],
                "starts_on": "2024-01-01",
                "hand_over_at": "20:00",
                "rotation": {"unit": "days"},
                "hours": {day: [["20:00", "08:00"]] for day in WEEKDAYS},
            },
        ],
    },
    "leads": {
        "name": "Duty leads",
        "timezone": "Europe/Berlin",
        "layers": [{"name": "lead", "members": ["anna", "chloe", "dmitri"], **_WEEK}],
    },
}


def seed(stack: Stack) -> None:
    """Define the organisation through the front door; what is there already stays as people have left it."""
    assert stack.issuer is not None, "the stack is started first"
    token = stack.issuer.issue("demo-setup", Role.ADMIN, name="Demo set-up")
    with FrontDoor(stack.front_door, token) as door:
        if door.call("GET", "/v1/groups").get("items"):
            return
        door.call("PUT", "/v1/calendars/office-berlin", _office_hours(datetime.now(UTC).year))
        for rota_id, rota in _ROTAS.items():
            door.call("PUT", f"/v1/oncall/rotas/{rota_id}", rota)
        door.call("PUT", "/v1/policies/standard", _POLICY)
        for group_id, group in GROUPS.items():
            door.call("PUT", f"/v1/groups/{group_id}", group)
        door.call("PUT", "/v1/routing/rules", _RULES)
        for agent_id, agent in AGENTS.items():
            presence = "away" if agent_id in AWAY else "online"
            profile = {**agent, "email": f"{agent_id}@support.example"}
            door.call("PUT", f"/v1/agents/{agent_id}", {**profile, "presence": presence})
        door.call("PUT", "/v1/forms/contact", _FORM)
        for name, article in ARTICLES.items():
            door.call("PUT", f"/v1/articles/{name}", article)
        for name, prepared in ANSWERS.items():
            door.call("PUT", f"/v1/answers/{name}", prepared)


def _office_hours(year: int) -> dict[str, Any]:
    """Weekdays with a lunch break in Berlin, without its public holidays of this year and the next."""
    days = holidays.country_holidays("DE", subdiv="BE", years=(year, year + 1))
    open_hours = [["08:00", "12:30"], ["13:15", "18:00"]]
    return {
        "timezone": "Europe/Berlin",
        "hours": dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), open_hours),
        "holidays": sorted(day.isoformat() for day in days),
    }
