"""Whatever a policy, a rota or a sink is damaged to, it is accepted or refused with the field; nothing ever breaks."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.sla import engine
from services.sla.alerts.documents import read_sink
from services.sla.promises.documents import check_conditions, read_policy
from shared.calendar import parse_calendar
from shared.errors import Invalid
from shared.oncall import InvalidRota, parse_rota, survey
from tests.unit.sla.test_evaluation_fuzz import OFFICE, TICKET, damaged

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LADDER = {
    "metric": "resolution",
    "acknowledged_by": ["answered", "assigned"],
    "steps": [
        {"percent": 50, "raise_priority": "next", "notify": ["assignee", "role:supervisor"]},
        {
            "seconds_after": 60,
            "time": "calendar",
            "move_to_group": "next",
            "page": {"levels": [{"rota": "first"}, {"agent": "ada"}], "repeats": 2},
        },
    ],
}
POLICY = TICKET["policies"][0] | {"name": "P", "escalation": [LADDER], "enabled": True}
ROTA = {
    "name": "First line",
    "timezone": "Europe/Berlin",
    "layers": [
        {
            "name": "days",
            "members": ["ada", "bob"],
            "starts_on": "2026-01-05",
            "hours": {"mon": [["09:00", "17:00"]], "fri": [["22:00", "02:00"]]},
        }
    ],
}
SINK = {
    "kind": "jsm",
    "api_key": "env:TICKETING_SINK_KEY",
    "url": "https://alerts.example.com",
    "responders": [{"id": "team-1", "type": "team"}],
    "tags": ["sla"],
    "per_minute_max": 10,
    "when": {"priorities": ["urgent"], "metrics": ["first_reply"], "groups": ["billing"]},
}


def read_new_policy(document: dict[str, Any]) -> None:
    given_id = {name: value for name, value in document.items() if name not in ("id", "version")}
    policy = read_policy("p", 1, given_id)
    check_conditions(policy, ["office"])
    engine.impossible(policy, {"office": parse_calendar({"id": "office", **OFFICE})}, at=NOW)


def read_rota(document: dict[str, Any]) -> None:
    survey(parse_rota(document), NOW)


@pytest.mark.parametrize(
    ("whole", "read"), [(POLICY, read_new_policy), (ROTA, read_rota), (SINK, read_sink)]
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_document_is_accepted_or_refused_by_field(
    whole: dict[str, Any], read: Callable[[dict[str, Any]], object], data: st.DataObject
) -> None:
    read(whole)
    document = data.draw(damaged(whole))
    errors = None
    try:
        read(document)
    except (Invalid, InvalidRota) as refusal:
        errors = refusal.errors
    assert errors is None or errors, "a field is named"
