"""Intake asks for another group, and routing moves the ticket or says in the log why not."""

from typing import Any
from uuid import UUID

from services.routing.domain.observing import observe
from services.routing.domain.requests import follow_request
from shared.events.assignments import GroupChanged, TicketAssigned, TicketUnassigned
from shared.events.base import Event
from shared.events.tickets import GroupRequested
from tests.unit.routing.builders import Floor
from tests.unit.routing.test_tiers import a_floor


def asked(floor: Floor, ticket_id: UUID, group_id: str) -> list[Event]:
    event = GroupRequested(**floor.stamp(ticket_id), ticket_id=ticket_id, group_id=group_id)

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


def test_the_group_it_is_in_and_one_that_nobody_knows_move_nothing() -> None:
    floor = a_floor()
    ticket = floor.opened()
    assert asked(floor, ticket, "support") == []
    assert asked(floor, ticket, "nowhere") == []
    assert floor.holder(ticket) == "ann"
