"""Rules on trial over HTTP: on a sample, and on the tickets that came; nothing is stored."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace as replaced

from shared.events.base import Channel, Priority
from shared.events.base import StatusCategory as Category
from tests.integration.routing.office import Office

pytestmark = pytest.mark.integration

VIP = {"field": "tags", "op": "contains", "value": "vip"}
REFUND = {"field": "body", "op": "contains", "value": "refund"}


def rules(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"rules": list(rules), "default_group": "support"} | more


async def tried(office: Office, document: dict[str, Any], **more: Any) -> dict[str, Any]:
    return await office.done("POST", "/v1/routing/rules/dry-run", document | more)


async def test_a_sample_is_told_ticket_by_ticket_with_what_changes(office: Office) -> None:
    await office.ready("ann")
    await office.group("care")
    wanted = rules(
        {"id": "refunds", "group": "care", "when": [REFUND], "priority": "high", "tags": ["money"]},
        {"id": "vips", "group": "support", "when": [VIP], "strategy": "longest_idle"},
    )
    told = await tried(
        office,
        wanted,
        tickets=[
            {"id": "a", "body": "I want a Refund", "tags": ["vip"]},
            {"id": 7, "body": "Thanks", "tags": ["vip"], "subject": "x", "unknown": 1},
            {"body": ""},
        ],
    )
    assert (told["against_version"], told["changed_count"], told["unmatched_count"]) == (1, 2, 0)
    assert told["by_rule"] == {"refunds": 1, "vips": 1, "default": 1}
    assert told["moved"] == {"support": {"care": 1}}
    first, second, third = told["tickets"]
    assert (first["id"], first["outcome"]["rules"]) == ("a", ["refunds"])
    assert {one["what"]: (one["before"], one["after"]) for one in first["changes"]} == {
        "group": ("support", "care"),
        "priority": ("normal", "high"),
        "tags": (["vip"], ["vip", "money"]),
    }
    assert (second["id"], [one["what"] for one in second["changes"]]) == ("7", ["strategy"])
    assert (third["id"], third["changes"], third["doubt"]) == ("2", [], None)
    assert (await office.done("GET", "/v1/routing/rules"))["version"] == 1


async def test_the_tickets_of_the_last_days_are_judged_and_doubt_is_told(office: Office) -> None:
    await office.ready("ann")
    await office.group("care")
    await office.opened(tags=("vip",), priority=Priority.HIGH)
    plain = await office.opened()
    old = office.tickets.opened(via=Channel.EMAIL, tags=("vip",))
    await office.hear(replaced(old, occurred_at=datetime(2020, 1, 1, tzinfo=UTC)))
    await office.moved(plain, Category.SOLVED)
    wanted = rules(
        {"id": "vips", "group": "care", "when": [VIP]},
        {"id": "refunds", "group": "care", "when": [REFUND]},
    )
    told = await tried(office, wanted, days=30)
    assert (told["tickets_count"], told["changed_count"], told["doubtful_count"]) == (2, 1, 1)
    doubtful, sure = told["tickets"]
    assert doubtful["doubt"] == (
        "new: default, or refunds if its message says so (messages are not kept here)"
    )
    assert (sure["outcome"]["rules"], sure["doubt"]) == (["vips"], None)
    assert sure["outcome"]["priority"] == "high"
    assert len(told["notes"]) == 2


async def test_faults_and_odd_requests_are_refused(office: Office) -> None:
    await office.ready("ann")
    for body, field in (
        (rules({"id": "r", "group": "nowhere"}, tickets=[]), "rules[0].group"),
        (rules(), "tickets"),
        (rules(tickets=[], days=3), "tickets"),
        (rules(days=0), "days"),
        (rules(tickets=[{"channel": "fax"}]), "tickets[0].channel"),
        (rules(tickets=[{"opened_at": "2026-01-01T00:00:00"}]), "tickets[0].opened_at"),
        (rules(tickets=[{}] * 2_001), "tickets"),
    ):
        answer = await office.ask("POST", "/v1/routing/rules/dry-run", body)
        assert answer.status_code == 422, answer.text
        assert [one["field"] for one in answer.json()["errors"]] == [field]


async def test_a_rule_in_the_shade_of_others_is_found_among_tickets(office: Office) -> None:
    await office.ready("ann")
    pay, bill = ({"field": "tags", "op": "matches", "value": word} for word in ("pa[iy]", "bil+"))
    wanted = rules(
        {"id": "pay", "group": "support", "when": [pay]},
        {"id": "bill", "group": "support", "when": [bill]},
        {"id": "never", "group": "support", "when": [VIP]},
    )
    sample = [{"id": "a", "tags": ["paid", "bill"]}, {"id": "b", "tags": ["pay"]}]
    told = await tried(office, wanted, tickets=sample)
    assert told["overshadowed"] == [
        {"rule": "bill", "held_count": 1, "by": {"pay": 1}, "example": "a"}
    ]
    told = await tried(office, wanted, tickets=[*sample, {"id": "c", "tags": ["Bill"]}])
    assert told["overshadowed"] == [], "it decides one"
    every = {**wanted, "mode": "all"}
    told = await tried(office, every, tickets=sample)
    assert [one["rule"] for one in told["overshadowed"]] == ["bill"], "its group was set already"
    await office.opened(tags=("paid", "bill"))
    for at_most, cut in ((1, True), (10, False)):
        told = await tried(office, wanted, days=2, at_most=at_most)
        assert [one["rule"] for one in told["overshadowed"]] == ["bill"]
        assert told["is_cut_short"] is cut
