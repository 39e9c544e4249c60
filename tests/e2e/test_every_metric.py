"""Every metric of the engine, live: promised by a policy put over HTTP, moved by what people do, read from query."""

from typing import Any

import pytest

from tests.e2e.test_a_ticket_from_http_to_dashboard import a_ticket, row, seen
from tests.support.product import Product

pytestmark = pytest.mark.e2e

METRICS = (
    "first_reply", "next_reply", "resolution", "total_resolution", "first_resolution", "requester_wait",
    "agent_work", "periodic_update", "pausable_update", "group_ownership", "first_assign", "speed_of_answer",
)  # fmt: skip
POLICY: dict[str, Any] = {
    "order": -1,
    "conditions": {"all": [{"field": "type", "value": "every-metric"}]},
    "targets": [{"metric": metric, "seconds": 3_600} for metric in METRICS],
    "warnings": [],
}


def clocks(ticket: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Cycle and state of each metric's newest clock."""
    return {one["metric"]: (one["cycle"], one["state"]) for one in row(ticket)["clocks"]}


async def test_every_metric_begins_and_ends_by_what_people_do(product: Product) -> None:
    product.door("supervisor", "sue").call("PUT", "/v1/policies/every-metric", POLICY)
    ticket_id = a_ticket(product, ticket_type="every-metric")
    assigned = await seen(
        product, ticket_id, lambda t: clocks(t).get("speed_of_answer") == (1, "met")
    )
    assert row(assigned)["policy_id"] == "every-metric"
    told = clocks(assigned)
    assert told["first_assign"] == (1, "met")
    assert told["group_ownership"][1] == "running"
    for metric in ("first_reply", "resolution", "total_resolution", "first_resolution"):
        assert told[metric] == (1, "running"), metric
    for metric in ("requester_wait", "agent_work"):
        assert told[metric] == (1, "running"), metric
    assert not {"next_reply", "periodic_update", "pausable_update"} & told.keys()

    agent, customer = product.door("agent", "anna", name="Anna"), product.door("customer", "carl")
    agent.call("POST", f"/v1/tickets/{ticket_id}/replies", {"body": "We are on it."})
    replied = await seen(product, ticket_id, lambda t: "periodic_update" in clocks(t))
    told = clocks(replied)
    assert told["first_reply"] == (1, "met")
    assert told["periodic_update"] == told["pausable_update"] == (1, "running")

    customer.call("POST", f"/v1/tickets/{ticket_id}/replies", {"body": "It hums again."})
    await seen(product, ticket_id, lambda t: clocks(t).get("next_reply") == (1, "running"))
    agent.call("POST", f"/v1/tickets/{ticket_id}/replies", {"body": "Now the belt."})
    again = await seen(product, ticket_id, lambda t: clocks(t).get("next_reply") == (1, "met"))
    assert clocks(again)["periodic_update"] == (2, "running")

    agent.call("POST", f"/v1/tickets/{ticket_id}/resolve", {"summary": "Belt changed."})
    solved = await seen(
        product, ticket_id, lambda t: clocks(t)["periodic_update"] == (2, "cancelled")
    )
    told = clocks(solved)
    for metric in (
        "resolution", "total_resolution", "first_resolution", "requester_wait", "agent_work",
    ):  # fmt: skip
        assert told[metric] == (1, "met"), metric
    assert told["group_ownership"][1] == "met"
    assert set(told) == set(METRICS)
