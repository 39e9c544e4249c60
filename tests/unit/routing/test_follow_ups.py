"""Follow-ups and reopened tickets go back to who had them, when the life policy says so and they are there."""

import pytest

from shared.events import StatusCategory
from shared.events.agents import Presence, Strategy
from shared.events.assignments import GroupChanged, TicketAssigned, TicketUnassigned
from shared.events.tickets import Origin
from shared.identifiers import new_id
from tests.unit.routing.builders import Floor, a_floor


def after(floor: Floor, *, keeps_owner: bool = True, group: str | None = "support"):
    origin = Origin(
        kind="follow_up",
        ticket_id=new_id(),
        number=41,
        keeps_owner=keeps_owner,
        group_id=group,
        agent_id="bob",
    )
    return floor.opened(origin=origin)


def test_it_goes_to_the_agent_who_had_the_older_one() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob")
    ticket = after(floor)
    assert floor.holder(ticket) == "bob"
    moved, given = floor.log[-2:]
    assert isinstance(moved, GroupChanged)
    assert isinstance(given, TicketAssigned)
    assert (moved.mode, given.mode) == ("follow_up", "follow_up")
    assert "#41" in given.why
    floor.check()


def test_when_that_agent_is_away_its_group_finds_another_one() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob")
    floor.presence("bob", Presence.AWAY)
    assert floor.holder(after(floor)) == "ann"
    floor.check()


def test_a_cleared_owner_or_an_unknown_group_leaves_it_to_the_rules() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob")
    assert floor.holder(after(floor, keeps_owner=False)) == "ann"
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob")
    assert floor.holder(after(floor, group="gone")) == "ann"


@pytest.mark.parametrize(("keeps_owner", "holder"), [(True, "ann"), (False, "bob")])
def test_a_reopened_ticket_goes_to_who_had_it_or_to_whoever_is_next(
    keeps_owner: bool, holder: str
) -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob")
    ticket = floor.opened()
    assert floor.holder(ticket) == "ann"
    floor.moved(ticket, StatusCategory.SOLVED)
    said = floor.moved(ticket, StatusCategory.OPEN, keeps_owner=keeps_owner)
    assert floor.holder(ticket) == holder
    let_go = [event for event in said if isinstance(event, TicketUnassigned)]
    assert [event.reason for event in let_go] == ([] if keeps_owner else ["reopened"])
    floor.check()
