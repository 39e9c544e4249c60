"""Imported tickets: told of their past, left alone until the import has ended, then part of the live desk."""

from datetime import timedelta

from services.routing.domain import commands
from shared.events.agents import Presence, Strategy
from shared.events.assignments import GroupChanged, TicketAssigned, TicketQueued
from shared.events.base import Channel, Event, StatusCategory
from tests.unit.routing.builders import START, Floor, a_floor, by_hand, by_import

PAST = START - timedelta(days=300)


def released(floor: Floor, ticket_id: object) -> list[Event]:
    ticket = floor.tickets[ticket_id]  # type: ignore[index]
    return floor.at_desk(lambda desk: commands.release(desk, ticket, by_hand()))


def given_in_the_past(floor: Floor, ticket_id: object, agent_id: str) -> list[Event]:
    ticket = floor.tickets[ticket_id]  # type: ignore[index]
    return floor.at_desk(lambda desk: commands.assign(desk, ticket, agent_id, by_import(PAST)))


def test_live_routing_leaves_an_imported_ticket_alone() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    events = len(floor.log)
    ticket = floor.opened(via=Channel.IMPORT)
    floor.moved(ticket, StatusCategory.PENDING)
    floor.moved(ticket, StatusCategory.OPEN)
    floor.sweep()
    assert len(floor.log) == events


def test_what_the_import_tells_happened_then_and_is_no_load() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN)
    ann = floor.agent("ann", capacity=1)
    ticket = floor.opened(via=Channel.IMPORT)
    row = floor.tickets[ticket]
    (group,) = floor.at_desk(
        lambda desk: commands.change_group(desk, row, "support", by_import(PAST))
    )
    assert isinstance(group, GroupChanged)
    assert (group.mode, group.occurred_at, group.recorded_at) == ("import", PAST, START)
    (assigned,) = given_in_the_past(floor, ticket, "ann")
    assert isinstance(assigned, TicketAssigned)
    assert (assigned.mode, assigned.occurred_at) == ("import", PAST)
    assert ann.load == 0
    assert floor.holder(floor.opened()) == "ann"
    floor.check()


def test_a_closed_imported_ticket_never_counts() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN)
    ann = floor.agent("ann")
    ticket = floor.opened(via=Channel.IMPORT)
    given_in_the_past(floor, ticket, "ann")
    floor.moved(ticket, StatusCategory.CLOSED)
    assert released(floor, ticket) == []
    assert ann.load == 0
    floor.check()


def test_after_the_import_an_open_ticket_joins_its_agents_load() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN)
    ann = floor.agent("ann", capacity=0, presence=Presence.OFFLINE)
    ticket = floor.opened(via=Channel.IMPORT)
    given_in_the_past(floor, ticket, "ann")
    assert released(floor, ticket) == []
    assert released(floor, ticket) == []
    assert ann.load == 1
    floor.check()


def test_after_the_import_an_open_ticket_without_agent_joins_the_queue_with_its_own_waiting_time() -> (
    None
):
    floor = a_floor(Strategy.ROUND_ROBIN)
    ticket = floor.opened(via=Channel.IMPORT)
    floor.later(500)
    moved, queued = released(floor, ticket)
    assert isinstance(moved, GroupChanged)
    assert moved.mode == "rule"
    assert isinstance(queued, TicketQueued)
    assert queued.queued_at == START
    floor.agent("ann")
    assert floor.holder(ticket) == "ann"
    floor.check()


def test_an_import_may_tell_of_a_ticket_that_is_closed_by_now() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    ticket = floor.opened(via=Channel.IMPORT)
    floor.moved(ticket, StatusCategory.CLOSED)
    assert [type(one) for one in given_in_the_past(floor, ticket, "ann")] == [TicketAssigned]
