"""A step of an escalation ladder moves a ticket to the next tier."""

from typing import Any
from uuid import UUID

import msgspec

from services.routing.domain.observing import observe_promise
from services.routing.domain.tiers import follow_ladder
from shared.events.assignments import (
    GroupChanged,
    TicketAssigned,
    TicketEscalated,
    TicketUnassigned,
)
from shared.events.base import Event, Priority, StatusCategory
from shared.events.sla import SlaEscalationStep
from shared.identifiers import new_id
from tests.unit.routing.builders import Floor


def a_floor() -> Floor:
    floor = Floor()
    for group in ("support", "technical"):
        floor.group(group)
    floor.agent("ann")
    floor.agent("tess", groups=("technical",))
    floor.rules(default="support")
    return floor


def stepped(floor: Floor, ticket_id: UUID, group_id: str | None = "technical") -> list[Event]:
    event = SlaEscalationStep(
        **floor.stamp(ticket_id),
        ticket_id=ticket_id,
        metric="first_reply",
        cycle=1,
        policy_id="gold",
        policy_version=1,
        priority=Priority.NORMAL,
        target_seconds=3600,
        step=2,
        steps_count=3,
        planned_at=floor.now,
        move_to_group=group_id,
    )

    def act(desk: Any) -> None:
        observe_promise(desk, event)
        follow_ladder(desk, event)

    return list(floor.at_desk(act))


def test_the_ticket_leaves_its_agent_and_finds_one_in_the_next_tier() -> None:
    floor = a_floor()
    ticket = floor.opened()
    assert floor.holder(ticket) == "ann"
    escalated, changed, left, taken = stepped(floor, ticket)
    assert isinstance(escalated, TicketEscalated)
    assert escalated.reason == "step 2 of the ladder of first reply"
    assert isinstance(changed, GroupChanged)
    assert (changed.group_id, changed.mode) == ("technical", "escalation")
    assert changed.causation_id == f"sla:{ticket}:{floor.versions[ticket]}"
    assert isinstance(left, TicketUnassigned)
    assert isinstance(taken, TicketAssigned)
    assert taken.agent_id == "tess"


def test_a_step_without_a_tier_the_same_tier_or_an_unknown_one_moves_nothing() -> None:
    floor = a_floor()
    ticket = floor.opened()
    assert stepped(floor, ticket, None) == []
    assert stepped(floor, ticket, "support") == []
    assert stepped(floor, ticket, "nowhere") == []
    assert stepped(floor, ticket, "next") == [], "support has no next tier"
    assert floor.holder(ticket) == "ann"


def test_a_closed_ticket_stays_where_it_is() -> None:
    floor = a_floor()
    ticket = floor.opened()
    floor.moved(ticket, StatusCategory.CLOSED)
    assert stepped(floor, ticket) == []


def test_a_step_heard_of_before_the_ticket_itself_is_not_lost() -> None:
    floor = a_floor()
    ticket = new_id()
    (changed,) = stepped(floor, ticket)
    assert isinstance(changed, GroupChanged)
    floor.versions[ticket] = 0
    floor.opened(ticket_id=ticket)
    assert floor.tickets[ticket].group_id == "technical"
    assert floor.holder(ticket) == "tess"


def test_next_is_the_tier_to_which_its_group_escalates() -> None:
    floor = a_floor()
    group = floor.roster.groups["support"]
    group.profile = msgspec.structs.replace(group.profile, escalates_to="technical")
    ticket = floor.opened()
    stepped(floor, ticket, "next")
    assert floor.holder(ticket) == "tess"
