"""Another service asks for a move: a step of an SLA ladder, a macro. What cannot be is told on the ticket."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from services.routing.domain.observing import observe, observe_promise
from services.routing.domain.requests import follow_ladder, follow_request
from shared.events.assignments import (
    GroupChanged,
    MoveRefused,
    TicketAssigned,
    TicketEscalated,
    TicketUnassigned,
)
from shared.events.base import Actor, ActorKind, Event, Priority, StatusCategory
from shared.events.sla import SlaEscalationStep
from shared.events.steps import GroupRequested
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


def test_a_step_without_a_tier_or_with_the_same_moves_nothing() -> None:
    floor = a_floor()
    ticket = floor.opened()
    assert stepped(floor, ticket, None) == []
    assert stepped(floor, ticket, "support") == []
    assert floor.holder(ticket) == "ann"


@pytest.mark.parametrize(
    ("tier", "asked_group", "code"),
    [("nowhere", "nowhere", "not_found"), ("next", None, "no_higher_tier")],
)
def test_a_tier_that_there_is_not_is_told_on_the_ticket_which_stays(
    tier: str, asked_group: str | None, code: str
) -> None:
    floor = a_floor()
    ticket = floor.opened()
    (refused,) = stepped(floor, ticket, tier)
    assert isinstance(refused, MoveRefused)
    assert (refused.asked_by, refused.asked_group_id, refused.code) == ("ladder", asked_group, code)
    assert refused.group_id == "support"
    assert floor.holder(ticket) == "ann"


def test_a_closed_ticket_stays_where_it_is() -> None:
    floor = a_floor()
    ticket = floor.opened()
    floor.moved(ticket, StatusCategory.CLOSED)
    (refused,) = stepped(floor, ticket)
    assert isinstance(refused, MoveRefused)
    assert refused.code == "ticket_is_closed"


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


A_RULE = Actor(kind=ActorKind.SYSTEM, id="rule:late", name="Late is loud")


def asked(floor: Floor, ticket_id: UUID, group_id: str, by: Actor | None = None) -> list[Event]:
    stamp = floor.stamp(ticket_id)
    if by is not None:
        stamp["actor"] = by
    event = GroupRequested(**stamp, ticket_id=ticket_id, group_id=group_id)

    def act(desk: Any) -> None:
        observe(desk, event)
        follow_request(desk, event)

    return list(floor.at_desk(act))


def test_the_ticket_moves_in_the_name_of_who_asked_and_finds_an_agent_there() -> None:
    floor = a_floor()
    ticket = floor.opened()
    changed, left, taken = asked(floor, ticket, "technical")
    assert isinstance(changed, GroupChanged)
    assert (changed.group_id, changed.mode) == ("technical", "manual")
    assert changed.causation_id is not None
    assert changed.causation_id.startswith(f"intake:{ticket}:")
    assert isinstance(left, TicketUnassigned)
    assert isinstance(taken, TicketAssigned)
    assert taken.agent_id == "tess"


def test_what_somebody_gave_by_hand_no_ladder_and_no_trigger_takes_away() -> None:
    floor = a_floor()
    ticket = floor.opened()
    floor.agent("bob")
    floor.assign(ticket, "bob")
    for events, by in (
        (stepped(floor, ticket), "ladder"),
        (asked(floor, ticket, "technical", A_RULE), "request"),
    ):
        (refused,) = events
        assert isinstance(refused, MoveRefused)
        assert (refused.asked_by, refused.code) == (by, "given_by_hand")
        assert refused.why == "Bob was given it by hand, which no rule undoes; it stays in support."
    assert floor.holder(ticket) == "bob"


def test_a_person_may_and_a_rule_that_leaves_it_with_its_agent_may_too() -> None:
    floor = a_floor()
    floor.agent("bob", groups=("support", "technical"))
    mine, theirs = floor.opened(), floor.opened()
    floor.assign(mine, "bob")
    (changed,) = asked(floor, mine, "technical", A_RULE)
    assert isinstance(changed, GroupChanged)
    assert floor.holder(mine) == "bob"
    floor.assign(theirs, "ann")
    asked(floor, theirs, "technical")
    assert floor.holder(theirs) in {"tess", "bob"}


def test_the_group_it_is_in_already_moves_nothing() -> None:
    floor = a_floor()
    ticket = floor.opened()
    assert asked(floor, ticket, "support") == []


def test_a_group_that_nobody_knows_is_told_on_the_ticket_in_the_name_of_who_asked() -> None:
    floor = a_floor()
    ticket = floor.opened()
    (refused,) = asked(floor, ticket, "nowhere")
    assert isinstance(refused, MoveRefused)
    assert (refused.asked_by, refused.asked_group_id, refused.code) == (
        "request",
        "nowhere",
        "not_found",
    )
    assert refused.why == "there is no group nowhere; it stays in support."
    assert refused.actor.id == "cora"
    assert floor.holder(ticket) == "ann"
    floor.check_log()
