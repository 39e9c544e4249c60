"""A promise that nobody keeps: priority up, next tier, who is on call paged; somebody acknowledges, and it is over."""

from typing import Any

import pytest

from tests.support.alert_receiver import AlertReceiver
from tests.support.product import Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


def a_rota(*members: str) -> dict[str, Any]:
    layer = {"name": "all", "members": list(members), "starts_on": "2026-01-05"}
    return {"name": "Hotline", "timezone": "Europe/Berlin", "layers": [layer]}


@pytest.fixture
def ladder(product: Product) -> None:
    """Tickets of type `outage` are promised a reply within a second."""
    admin = product.door("admin", "set-up")
    admin.call("PUT", "/v1/groups/tier-2", {"name": "Tier 2", "strategy": "round_robin"})
    profile = {"name": "Tess", "groups": ["tier-2"], "presence": "online"}
    admin.call("PUT", "/v1/agents/tess", profile)
    admin.call("PUT", "/v1/oncall/rotas/hotline", a_rota("ben"))
    page = {"levels": [{"rota": "hotline", "acknowledge_within_seconds": 600}]}
    admin.call(
        "PUT",
        "/v1/policies/outages",
        {
            "name": "Outages",
            "order": 1,
            "conditions": {"all": [{"field": "type", "op": "is", "value": "outage"}]},
            "targets": [{"metric": "first_reply", "seconds": 1}],
            "warnings": [],
            "escalation": [
                {
                    "metric": "first_reply",
                    "steps": [
                        {"seconds_after": 0, "raise_priority": "urgent", "page": page},
                        {"seconds_after": 1, "move_to_group": "tier-2"},
                    ],
                }
            ],
        },
    )


async def test_the_ladder_is_climbed_through_every_service_and_ends_with_the_answer(
    product: Product, ladder: None, alerts: AlertReceiver
):
    customer, ben = product.door("customer", "carl"), product.door("agent", "ben", name="Ben")
    opened = customer.call(
        "POST",
        "/v1/tickets",
        {"subject": "Mail is down", "body": "All of it.", "ticket_type": "outage"},
    )
    ticket_id = opened["ticket_id"]

    def ticket() -> dict[str, Any]:
        try:
            found = ben.call("GET", f"/v1/tickets/{ticket_id}")
        except Exception as error:
            if getattr(error, "status", None) == 404:
                return {}  # not there yet
            raise
        return found.get("ticket", found)

    def has_climbed() -> bool:
        now = ticket()
        return now.get("priority") == "urgent" and now.get("group_id") == "tier-2"

    await eventually(has_climbed, what="urgent, and with tier 2")
    await eventually(lambda: ticket()["assignee_id"] == "tess", what="somebody of tier 2 has it")

    def open_alerts() -> list[dict[str, Any]]:
        path = f"/v1/oncall/alerts?ticket_id={ticket_id}&state=firing"
        return ben.call("GET", path)["items"]

    (alert,) = await eventually(open_alerts, what="one page, and nothing beside it")
    assert (alert["targets"], alert["step"]) == (["agent:ben"], "1:1")
    assert alert["dedupe_key"] == f"sla:{ticket_id}:first_reply:1"
    await eventually(lambda: alerts.about(ticket_id), what="the page is delivered")
    assert ben.call("GET", "/v1/oncall/hotline")["agent_id"] == "ben"

    taken = ben.call("POST", f"/v1/oncall/alerts/{alert['dedupe_key']}/acknowledge")
    assert (taken["state"], taken["acknowledged_by"]) == ("acknowledged", "ben")
    ben.call("POST", f"/v1/tickets/{ticket_id}/replies", {"body": "We are on it."})

    def sentences() -> list[str]:
        events = product.door("supervisor", "sue").call("GET", f"/v1/tickets/{ticket_id}/timeline")[
            "events"
        ]
        return [event["sentence"] for event in events]

    def is_over() -> list[str] | None:
        told = sentences()
        return (
            told
            if "sla ended the page about first_reply: the promise was fulfilled" in told
            else None
        )

    told = await eventually(is_over, what="the page is over")
    assert "sla paged ben about first_reply, level 1 of 1" in told
    assert "Ben acknowledged the page about first_reply" in told
    assert sum("escalated first_reply, step" in sentence for sentence in told) == 2
