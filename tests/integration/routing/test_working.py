"""Offers, room, widening, grace, shifts, tiers over HTTP on the real PostgreSQL; what time does survives a restart."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.events.assignments import (
    TicketAssigned,
    TicketEscalated,
    TicketOfferEnded,
    TicketQueued,
    TicketSkipped,
    TicketUnassigned,
)
from shared.events.base import Actor, ActorKind, Channel, Priority, StatusCategory
from shared.events.policies import CalendarDefined
from shared.events.sla import SlaWarning
from shared.observability import metrics
from shared.security import Role
from tests.integration.routing.office import Office
from tests.support.events import stamp

pytestmark = pytest.mark.integration

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


async def group(office: Office, group_id: str = "support", **working: Any) -> Any:
    body = {"name": group_id.title(), "strategy": "round_robin"} | working
    return await office.done("PUT", f"/v1/groups/{group_id}", body)


async def time_passes(office: Office) -> None:
    """Everything that waits for a moment finds it come, as if the clock had been put forward by an hour."""
    for column in ("offer_until", "lease_until", "forgive_at", "waits_since", "timer_at"):
        await office.rows(f"UPDATE tickets SET {column} = {column} - interval '1 hour'")
    await office.rows(
        "UPDATE agents SET left_at = left_at - interval '1 hour',"
        " grace_at = grace_at - interval '1 hour'"
    )
    await office.rows("UPDATE desk SET stamp = gen_random_uuid()")
    await office.swept()


async def offered_to(office: Office, ticket: UUID) -> str | None:
    (row,) = await office.rows("SELECT offered_to FROM tickets WHERE ticket_id = %s", ticket)
    return row["offered_to"]


async def reasons(office: Office, ticket: UUID) -> list[str]:
    return [one.reason for one in await office.events(ticket) if isinstance(one, TicketUnassigned)]


async def load(office: Office, agent: str) -> float:
    return (await office.done("GET", f"/v1/agents/{agent}"))["load"]


async def answer(office: Office, ticket: UUID, what: str, agent: str, **body: Any) -> Any:
    path = f"/v1/tickets/{ticket}/offer/{what}"
    return await office.ask("POST", path, body, as_=agent, role=Role.AGENT)


async def test_an_offer_reserves_is_declined_with_a_reason_expires_and_is_accepted(
    office: Office,
) -> None:
    await office.ready("ann", "bob", "cyd", capacity=1)
    await group(office, offer={"seconds": 60})
    ticket = await office.opened()
    assert await offered_to(office, ticket) == "ann"
    assert await office.holder(ticket) is None
    assert await load(office, "ann") == 1
    assert (await answer(office, ticket, "accept", "bob")).status_code == 409
    nameless = await answer(office, ticket, "decline", "ann", reason=" ")
    assert (nameless.status_code, nameless.json()["errors"][0]["field"]) == (409, "reason")
    assert (await answer(office, ticket, "decline", "ann", reason="no access")).status_code == 200
    assert await offered_to(office, ticket) == "bob"
    assert await load(office, "ann") == 0
    await time_passes(office)
    assert await offered_to(office, ticket) == "cyd"
    assert (await answer(office, ticket, "accept", "cyd")).json()["agent_id"] == "cyd"
    again = await answer(office, ticket, "accept", "cyd")
    assert (again.status_code, await load(office, "cyd")) == (200, 1)
    ended = [one for one in await office.events(ticket) if isinstance(one, TicketOfferEnded)]
    assert [(one.agent_id, one.outcome, one.reason) for one in ended] == [
        ("ann", "declined", "no access"),
        ("bob", "expired", "Not answered in time."),
    ]
    taken = (await office.events(ticket))[-1]
    assert isinstance(taken, TicketAssigned)
    assert (taken.mode, taken.load_before, taken.load_after) == ("offer", 0, 1)
    await office.check()


async def test_an_offer_ends_with_the_ticket_by_hand_and_with_the_agent_who_goes(
    office: Office,
) -> None:
    await office.ready("ann", "bob")
    await group(office, offer={"seconds": 60, "away_after": 1})
    solved, given, left, missed = [await office.opened() for _ in range(4)]
    assert [await offered_to(office, one) for one in (solved, given, left, missed)] == [
        "ann", "bob", "ann", "bob",
    ]  # fmt: skip
    await office.moved(solved, StatusCategory.SOLVED)
    assert await office.names(solved) == [
        "GroupChanged", "TicketOffered", "TicketOfferEnded", "TicketWithdrawn",
    ]  # fmt: skip
    await office.done("POST", f"/v1/tickets/{given}/assign", {"agent_id": "ann"})
    assert await office.holder(given) == "ann"
    assert await offered_to(office, given) is None
    await office.done("POST", "/v1/agents/ann/presence", {"presence": "offline"})
    await office.swept()
    assert await offered_to(office, left) == "bob"
    assert await office.holder(given) == "ann"
    await time_passes(office)
    assert (await office.done("GET", "/v1/agents/bob"))["presence"] == "away"
    assert await offered_to(office, missed) is None
    await office.check()


async def test_room_is_by_channel_priority_and_state_and_limits_hold_for_each_channel(
    office: Office,
) -> None:
    await office.done(
        "PUT",
        "/v1/routing/settings",
        {
            "units": {
                "channels": {"chat": 2},
                "priorities": {"urgent": 2},
                "states": {"answered": 0.5},
            }
        },
    )
    await office.ready("ann", capacity=6, channel_capacity={"chat": 4})
    chats = [await office.opened(via=Channel.CHAT) for _ in range(3)]
    assert [await office.holder(one) for one in chats] == ["ann", "ann", None]
    mail = await office.opened(priority=Priority.URGENT)
    assert await office.holder(mail) == "ann"
    agent = await office.done("GET", "/v1/agents/ann")
    assert (agent["load"], agent["channel_loads"]) == (6, {"chat": 4, "email": 2})
    (queued,) = [one for one in await office.events(chats[2]) if isinstance(one, TicketQueued)]
    assert (queued.reasons, queued.units) == ({"channel_full": 1}, 2)
    await office.moved(mail, StatusCategory.ANSWERED)
    assert await load(office, "ann") == 5
    await office.moved(mail, StatusCategory.OPEN)
    assert await load(office, "ann") == 6
    await office.moved(chats[0], StatusCategory.PENDING)
    assert await office.holder(chats[2]) == "ann"
    forced = await office.opened()
    await office.done("POST", f"/v1/tickets/{forced}/assign", {"agent_id": "ann"})
    assert await load(office, "ann") == 7
    await office.check()


async def test_faults_name_their_field_and_nothing_is_half_applied(office: Office) -> None:
    await office.ready("ann")
    await group(office, "second", widening=[{"after_seconds": 60, "overflow": ["support"]}])

    async def fault(path: str, body: dict[str, Any]) -> str:
        refused = await office.ask("PUT", path, {"name": "X"} | body)
        assert refused.status_code == 422, refused.text
        return refused.json()["errors"][0]["field"]

    ann = "/v1/agents/ann"
    assert await fault(ann, {"channel_capacity": {"email": -1}}) == "channel_capacity.email"
    assert await fault(ann, {"channel_capacity": {"fax": 1}}) == "channel_capacity.fax"
    assert await fault(ann, {"shift_calendar": "nights"}) == "shift_calendar"
    support = "/v1/groups/support"
    circle = {"widening": [{"after_seconds": 60, "overflow": ["second"]}]}
    assert await fault(support, circle) == "widening[0].overflow[0]"
    assert await fault(support, {"escalates_to": "support"}) == "escalates_to"
    assert await fault(support, {"units": {"channels": {"email": -1}}}) == "units.channels.email"
    assert await fault(support, {"offer": {"seconds": 0}}) == "offer.seconds"
    assert await fault(support, {"on_sla_warning": ["panic"]}) == "on_sla_warning[0]"
    settings = await office.ask("PUT", "/v1/routing/settings", {"reroute_on": ["mood"]})
    assert settings.json()["errors"][0]["field"] == "reroute_on[0]"
    assert (await office.done("GET", "/v1/agents/ann"))["profile"]["channel_capacity"] == {}
    assert (await office.done("GET", support))["profile"]["widening"] == []


async def test_waiting_gives_up_skills_and_then_asks_other_groups(office: Office) -> None:
    await group(office, "helpers")
    await office.ready("ann", skills={"german": 5}, capacity=1)
    await office.agent("han", groups=["helpers"])
    steps = [
        {"after_seconds": 60, "relax": ["german"]},
        {"after_seconds": 120, "overflow": ["helpers"]},
    ]
    await group(office, widening=steps)
    rule = {"id": "german", "group": "support", "when": [], "skills": {"german": 3}}
    await office.rules(rule, default=None)
    first, second = await office.opened(), await office.opened()
    await office.agent("bob", capacity=0)
    assert await office.holder(second) is None
    (row,) = await office.rows(
        "SELECT timer_at - waits_since AS at FROM tickets WHERE lane IS NOT NULL"
    )
    assert row["at"] == timedelta(seconds=60)
    await office.rows(
        "UPDATE tickets SET waits_since = waits_since - interval '90 s', timer_at = now()"
    )
    await office.swept()
    queued = (await office.events(second))[-1]
    assert isinstance(queued, TicketQueued)
    assert (queued.relaxed, queued.reasons) == (("german",), {"at_capacity": 2})
    assert "Not asked any more: german." in queued.why
    await time_passes(office)
    assert await office.holder(second) == "han"
    taken = (await office.events(second))[-1]
    assert isinstance(taken, TicketAssigned)
    assert (taken.relaxed, taken.overflow) == (("german",), ("helpers",))
    assert any(one.is_overflow for one in taken.candidates)
    assert await office.holder(first) == "ann"
    await office.check()


async def test_who_stays_away_gives_back_what_is_unanswered_and_keeps_the_rest(
    office: Office, second_office: Office
) -> None:
    await office.ready("ann")
    await group(office, grace_seconds=300)
    open_, answered, resting = [await office.opened() for _ in range(3)]
    await office.moved(answered, StatusCategory.ANSWERED)
    await office.moved(resting, StatusCategory.PENDING)
    by_hand = await office.opened()
    await office.done("POST", f"/v1/tickets/{by_hand}/unassign")
    await office.done("POST", f"/v1/tickets/{by_hand}/assign", {"agent_id": "ann"})
    (before,) = await office.rows("SELECT queued_at FROM tickets WHERE ticket_id = %s", open_)
    await office.agent("bob")
    await office.done("POST", "/v1/agents/ann/presence", {"presence": "away"})
    await second_office.swept()
    assert await office.holder(open_) == "ann"
    await office.done("POST", "/v1/agents/ann/presence", {"presence": "online"})
    await time_passes(second_office)
    assert await office.holder(open_) == "ann", "back within the grace time"
    await office.done("POST", "/v1/agents/ann/presence", {"presence": "offline"})
    await time_passes(second_office)
    assert await office.holder(open_) == "bob"
    assert [await office.holder(one) for one in (answered, resting, by_hand)] == ["ann"] * 3
    (after,) = await office.rows("SELECT queued_at FROM tickets WHERE ticket_id = %s", open_)
    assert after == before
    assert await reasons(office, open_) == ["agent_away"]
    await office.moved(answered, StatusCategory.OPEN)
    assert await office.holder(answered) == "bob"
    await office.check()


async def test_who_leaves_for_longer_gives_back_at_once_what_is_unanswered(office: Office) -> None:
    await office.ready("ann")
    await group(office, grace_seconds=3_600)
    unanswered, answered, by_hand = [await office.opened() for _ in range(3)]
    await office.moved(answered, StatusCategory.ANSWERED)
    await office.done("POST", f"/v1/tickets/{by_hand}/unassign")
    await office.done("POST", f"/v1/tickets/{by_hand}/assign", {"agent_id": "ann"})
    await office.agent("bob")
    body = {"presence": "busy", "reassign": True}
    refused = await office.ask("POST", "/v1/agents/ann/presence", body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "reassign")
    await office.done("POST", "/v1/agents/ann/presence", body | {"presence": "away"})
    assert [await office.holder(one) for one in (unanswered, answered, by_hand)] == [
        "bob", "ann", "ann",
    ]  # fmt: skip
    assert await reasons(office, unanswered) == ["agent_away"]
    await office.check()


async def test_what_goes_above_a_limit_by_hand_is_counted(office: Office) -> None:
    def counted() -> float:
        (family,) = metrics.ROUTING_OVER_CAPACITY.collect()
        return next(one.value for one in family.samples if one.name.endswith("_total"))

    await office.ready("ann", capacity=1)
    await office.opened()
    waiting = await office.opened()
    before = counted()
    await office.done("POST", f"/v1/tickets/{waiting}/assign", {"agent_id": "ann"})
    assert counted() == before + 1
    assert (await office.done("GET", "/v1/agents/ann"))["load"] == 2


async def test_outside_the_shift_nobody_gets_work_and_it_comes_when_the_shift_begins(
    office: Office,
) -> None:
    def hours(version: int, *spans: list[str]) -> CalendarDefined:
        definition = {"timezone": "UTC", "hours": {day: list(spans) for day in DAYS}}
        return CalendarDefined(**stamp(version), calendar_id="early", definition=definition)

    minute = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=2)
    later = [f"{minute:%H:%M}", f"{minute + timedelta(minutes=1):%H:%M}"]
    await office.hear(hours(1, later))
    await office.ready("ann", shift_calendar="early")
    ticket = await office.opened()
    assert await office.holder(ticket) is None
    view = await office.done("GET", f"/v1/tickets/{ticket}/routing")
    assert view["waits_because"] == ["off_shift"]
    await office.hear(hours(2, ["00:00", "24:00"]))
    await office.swept()
    assert await office.holder(ticket) == "ann"
    assert (await office.done("GET", "/v1/agents/ann"))["left_at"] is None


async def test_a_pulled_ticket_is_leased_and_a_skip_says_why(office: Office) -> None:
    await office.ready("ann", "bob", strategy="manual")
    await group(office, strategy="manual", pull_lease_seconds=60)
    kept, idle = await office.opened(), await office.opened()
    for _ in range(2):
        await office.done("POST", "/v1/queue/next", {"agent_id": "ann"})
    reply = office.tickets.moved(kept, StatusCategory.ANSWERED)
    ann = Actor(kind=ActorKind.AGENT, id="ann")
    await office.hear(msgspec.structs.replace(reply, actor=ann))
    await time_passes(office)
    assert await office.holder(idle) is None
    assert await office.holder(kept) == "ann"
    assert await reasons(office, idle) == ["lease_expired"]
    body = {"ticket_id": str(idle), "reason": ""}
    refused = await office.ask("POST", "/v1/queue/skip", body, as_="bob", role=Role.AGENT)
    assert refused.status_code == 409
    body["reason"] = "not my product"
    await office.done("POST", "/v1/queue/skip", body, as_="bob", role=Role.AGENT)
    (skipped,) = [one for one in await office.events(idle) if isinstance(one, TicketSkipped)]
    assert (skipped.agent_id, skipped.reason, skipped.held) == ("bob", "not my product", False)
    other = await office.ask(
        "POST", "/v1/queue/skip", {**body, "agent_id": "ann"}, as_="bob", role=Role.AGENT
    )
    assert other.status_code == 403
    await office.check()


async def test_a_higher_tier_gets_it_with_the_whole_story(office: Office) -> None:
    await group(office, "second")
    await office.ready("ann")
    await office.agent("sue", groups=["second"])
    ticket = await office.opened()
    path = f"/v1/tickets/{ticket}/escalate"
    assert (await office.ask("POST", path, {"reason": "too hard"})).status_code == 409
    await group(office, escalates_to="second")
    await office.done("POST", path, {"reason": "too hard", "note": "Tried the cable."})
    assert await office.holder(ticket) == "sue"
    (told,) = [one for one in await office.events(ticket) if isinstance(one, TicketEscalated)]
    assert (told.previous_agent_id, told.agents, told.note) == ("ann", ("ann",), "Tried the cable.")
    view = await office.done("GET", f"/v1/tickets/{ticket}/routing")
    said = [one["said"] for one in view["told"]]
    assert any("Escalated to second: too hard" in one for one in said)
    assert any("Load 0 before, 1 after." in one for one in said)
    await office.check()


async def test_a_warning_acts_on_what_nobody_looks_after(office: Office) -> None:
    await office.ready("ann", presence="offline")
    await group(office, on_sla_warning=["raise", "reassign"], grace_seconds=3_600)
    first, second = await office.opened(), await office.opened()

    def warned(ticket: UUID, version: int = 1) -> SlaWarning:
        now = datetime.now(UTC)
        return SlaWarning(
            **stamp(version, now), ticket_id=ticket, metric="first_reply", cycle=1, policy_id="gold",
            policy_version=1, priority=Priority.NORMAL, target_seconds=60, threshold="75", due_at=now,
            elapsed_seconds=45, remaining_seconds=15, detected_at=now,
        )  # fmt: skip

    await office.hear(warned(second))
    waiting = (await office.done("GET", "/v1/queue/tickets"))["tickets"]
    assert [one["ticket_id"] for one in waiting] == [str(second), str(first)]
    await office.done("POST", "/v1/agents/ann/presence", {"presence": "online"})
    assert await office.holder(first) == "ann"
    await office.done("POST", "/v1/agents/ann/presence", {"presence": "away"})
    await office.agent("bob")
    await office.hear(warned(first))
    assert await office.holder(first) == "bob"
    assert await reasons(office, first) == ["sla_warning"]
    await office.check()


async def test_a_change_asks_the_rules_again_where_nobody_has_chosen(office: Office) -> None:
    await group(office, "vip")
    await office.ready("ann")
    await office.agent("vera", groups=["vip"])
    rule = {
        "id": "urgent",
        "group": "vip",
        "when": [{"field": "priority", "op": "is", "value": "urgent"}],
    }
    await office.rules(rule)
    await office.done("PUT", "/v1/routing/settings", {"reroute_on": ["priority"]})
    pushed, chosen = await office.opened(), await office.opened()
    await office.done("POST", f"/v1/tickets/{chosen}/unassign")
    await office.done("POST", f"/v1/tickets/{chosen}/assign", {"agent_id": "ann"})
    await office.hear(
        *(office.tickets.reprioritised(one, Priority.URGENT) for one in (pushed, chosen))
    )
    assert [await office.holder(one) for one in (pushed, chosen)] == ["vera", "ann"]
    assert await reasons(office, pushed) == ["rerouted"]
    await office.check()


async def test_two_processes_share_offers_and_never_overfill(
    office: Office, second_office: Office
) -> None:
    await office.ready("ann", "bob", capacity=5)
    await group(office, offer={"seconds": 60})
    events = [office.tickets.opened() for _ in range(30)]
    await asyncio.gather(
        asyncio.to_thread(office.hear_now, events[::2]),
        asyncio.to_thread(second_office.hear_now, events[1::2]),
    )
    rows = await office.rows(
        "SELECT ticket_id, offered_to FROM tickets WHERE offered_to IS NOT NULL"
    )
    assert len(rows) == 10
    accepted = await asyncio.gather(
        *(
            answer(one, row["ticket_id"], "accept", row["offered_to"])
            for row in rows
            for one in (office, second_office)
        )
    )
    assert {one.status_code for one in accepted} == {200}
    assert [await load(office, agent) for agent in ("ann", "bob")] == [5, 5]
    for row in rows:
        taken = [
            one for one in await office.events(row["ticket_id"]) if isinstance(one, TicketAssigned)
        ]
        assert len(taken) == 1
    await office.check()


async def test_lighter_units_reach_what_waits_and_what_is_in_hand_keeps_its_room(
    office: Office,
) -> None:
    await office.done("PUT", "/v1/routing/settings", {"units": {"default": 2}})
    await office.ready("ann", capacity=3)
    held, waiting = await office.opened(), await office.opened()
    assert [await office.holder(one) for one in (held, waiting)] == ["ann", None]
    await office.done("PUT", "/v1/routing/settings", {"units": {"default": 1}})
    await office.swept()
    assert await office.holder(waiting) == "ann"
    assert await load(office, "ann") == 3
    lanes = await office.rows("SELECT 1 FROM lanes WHERE is_retired")
    assert lanes == []
    await office.check()
