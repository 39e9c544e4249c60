"""The desk: given a floor, when something happens, then these events; three tests for a rule."""

from datetime import timedelta

import pytest

from services.routing.domain.commands import (
    AgentIsInactive,
    GroupIsInactive,
    NothingToPull,
    TicketIsClosed,
)
from services.routing.domain.people import define_group
from shared.errors import Conflict, NotFound
from shared.events.agents import (
    GroupProfile,
    Presence,
    RoutingRule,
    RoutingSettings,
    Strategy,
)
from shared.events.assignments import (
    Candidate,
    GroupChanged,
    TicketAssigned,
    TicketQueued,
    TicketUnassigned,
    TicketWithdrawn,
)
from shared.events.base import Actor, ActorKind, Event, Priority, StatusCategory
from shared.events.conditions import Condition
from shared.events.tickets import PriorityChanged
from shared.events.triage import TriageRequested
from tests.unit.routing.builders import START, Floor, a_floor, a_rule, by_hand

PENDING = StatusCategory.PENDING
OPEN = StatusCategory.OPEN


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


# A new ticket.


def test_a_new_ticket_goes_by_rule_to_a_group_and_to_an_agent_who_is_told_why() -> None:
    floor = a_floor(Strategy.LEAST_LOADED, "ann", "bob")
    ticket = floor.opened()
    changed, assigned = floor.log[-2:]
    assert isinstance(changed, GroupChanged)
    assert (changed.group_id, changed.mode, changed.rule) == ("support", "rule", "default")
    assert isinstance(assigned, TicketAssigned)
    assert assigned.why == "Ann was the least loaded of 2 who could take it (load 1)."
    assert (assigned.load_before, assigned.load_after) == (0, 1)
    assert assigned.candidates_count == 2
    assert assigned.correlation_id == f"about-{ticket}"
    assert assigned.causation_id == f"intake:{ticket}:1"
    assert [changed.version, assigned.version] == [1, 2]


def test_a_ticket_that_nobody_can_take_is_queued_with_the_reasons() -> None:
    floor = a_floor()
    floor.agent("ann", presence=Presence.AWAY)
    floor.agent("bob", capacity=0)
    floor.opened()
    queued = floor.log[-1]
    assert isinstance(queued, TicketQueued)
    assert queued.reasons == {"away": 1, "at_capacity": 1}
    assert queued.why == "Nobody can take it now: 1 with full hands, 1 away."
    assert queued.queued_at == START


def test_a_ticket_that_no_rule_takes_waits_without_a_group() -> None:
    floor = Floor()
    floor.group()
    floor.agent("ann")
    floor.opened()
    assert kinds(floor.log[-1:]) == ["TicketQueued"]
    assert floor.log[-1].reasons == {"no_group": 1}  # type: ignore[attr-defined]


def test_a_ticket_opened_as_solved_needs_nobody() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    ticket = floor.opened(category=StatusCategory.SOLVED)
    assert floor.holder(ticket) is None
    assert kinds(floor.log[-1:]) == ["GroupChanged"]


def test_skills_of_the_rule_are_asked_of_the_agent() -> None:
    floor = a_floor()
    floor.rules(a_rule("german", "support", ("tags", "contains", "de"), german=3))
    floor.agent("ann", skills={"german": 2})
    ticket = floor.opened(tags=("de",))
    assert floor.log[-1].reasons == {"skill_missing": 1}  # type: ignore[attr-defined]
    floor.agent("bob", skills={"german": 3})
    assert floor.holder(ticket) == "bob"


def test_nobody_gets_a_ticket_of_their_own() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob")
    assert [floor.holder(floor.opened(requester="ann")) for _ in range(3)] == ["bob"] * 3


# The queue.


def test_capacity_that_returns_takes_the_most_urgent_then_the_earliest_due_then_the_longest_wait() -> (
    None
):
    floor = a_floor()
    floor.agent("ann", capacity=1)
    held = floor.opened()
    waiting = []
    for priority in (Priority.NORMAL, Priority.NORMAL, Priority.NORMAL, Priority.URGENT):
        floor.later(60)
        waiting.append(floor.opened(priority=priority))
    floor.due(waiting[2], floor.now + timedelta(hours=1))
    order = []
    for _ in waiting:
        floor.later(60)
        floor.moved(held, StatusCategory.SOLVED)
        held = next(one for one in waiting if floor.holder(one) == "ann" and one not in order)
        order.append(held)
    assert order == [waiting[3], waiting[2], waiting[0], waiting[1]]


def test_a_priority_raised_while_waiting_moves_it_forward() -> None:
    floor = a_floor()
    floor.agent("ann", presence=Presence.OFFLINE, capacity=1)
    first, second = floor.opened(), floor.opened()
    floor.reprioritised(second, Priority.HIGH)
    floor.presence("ann", Presence.ONLINE)
    assert (floor.holder(first), floor.holder(second)) == (None, "ann")


def test_the_head_of_the_line_never_blocks() -> None:
    floor = a_floor()
    floor.rules(
        a_rule("german", "support", ("tags", "contains", "de"), german=3), default="support"
    )
    floor.agent("ann", presence=Presence.OFFLINE)
    head = floor.opened(priority=Priority.URGENT, tags=("de",))
    behind = floor.opened()
    floor.presence("ann", Presence.ONLINE)
    assert (floor.holder(head), floor.holder(behind)) == (None, "ann")


def test_a_new_ticket_does_not_overtake_those_who_wait() -> None:
    floor = a_floor()
    floor.agent("ann", presence=Presence.OFFLINE, capacity=1)
    old = floor.opened()
    # The room appears in the same transaction in which the new ticket comes.
    floor.roster.agents["ann"].presence = Presence.ONLINE
    floor.later(1)
    new = floor.opened()
    assert (floor.holder(old), floor.holder(new)) == ("ann", None)


def test_a_long_queue_is_drained_in_bounded_steps_until_nothing_is_left() -> None:
    floor = a_floor()
    floor.agent("ann", presence=Presence.OFFLINE)
    tickets = [floor.opened() for _ in range(120)]
    events = floor.presence("ann", Presence.ONLINE)
    assert kinds(events).count("TicketAssigned") == 50
    steps = 1
    while floor.is_more:
        floor.sweep()
        steps += 1
    assert steps == 3
    assert all(floor.holder(ticket) == "ann" for ticket in tickets)


def test_a_waiting_ticket_is_told_once_when_the_reasons_change_and_not_when_only_counts_do() -> (
    None
):
    floor = a_floor()
    floor.agent("ann", presence=Presence.OFFLINE)
    floor.opened()
    tell = lambda: floor.at_desk(  # noqa: E731
        lambda desk: desk.tell_reasons(list(floor.tickets.values()), by_hand())
    )
    assert tell() == []
    floor.agent("bob", presence=Presence.OFFLINE)
    assert tell() == []
    floor.presence("bob", Presence.AWAY)
    assert kinds(tell()) == ["TicketQueued"]
    assert floor.log[-1].reasons == {"offline": 1, "away": 1}  # type: ignore[attr-defined]
    assert floor.log[-1].queued_at == START  # type: ignore[attr-defined]
    assert tell() == []


@pytest.mark.parametrize(
    ("category", "reason"),
    [(StatusCategory.SOLVED, "solved"), (StatusCategory.CLOSED, "closed"), (PENDING, "pending")],
)
def test_a_waiting_ticket_that_needs_nobody_any_more_is_withdrawn(
    category: StatusCategory, reason: str
) -> None:
    floor = a_floor()
    ticket = floor.opened()
    floor.later(30)
    (withdrawn,) = floor.moved(ticket, category)
    assert isinstance(withdrawn, TicketWithdrawn)
    assert (withdrawn.reason, withdrawn.waited_seconds) == (reason, 30)


# Capacity.


@pytest.mark.parametrize(
    "category",
    [PENDING, StatusCategory.HOLD, StatusCategory.POSTPONED, StatusCategory.SOLVED],
)
def test_a_ticket_that_rests_frees_the_hands_and_keeps_its_agent(category: StatusCategory) -> None:
    floor = a_floor()
    ann = floor.agent("ann", capacity=1)
    first, second = floor.opened(), floor.opened()
    floor.moved(first, category)
    assert floor.holder(first) == "ann"
    assert floor.holder(second) == "ann"
    assert ann.load == 1


def test_an_answered_ticket_still_takes_room() -> None:
    floor = a_floor()
    ann = floor.agent("ann", capacity=1)
    ticket = floor.opened()
    assert floor.moved(ticket, StatusCategory.ANSWERED) == []
    assert ann.load == 1


def test_a_ticket_that_comes_back_goes_to_the_same_agent_even_above_the_limit() -> None:
    floor = a_floor()
    ann = floor.agent("ann", capacity=1)
    first = floor.opened()
    floor.moved(first, StatusCategory.SOLVED)
    floor.opened()
    assert floor.moved(first, OPEN) == []
    assert floor.holder(first) == "ann"
    assert ann.load == 2


def test_a_ticket_that_comes_back_to_an_absent_agent_goes_to_the_queue() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    floor.agent("bob", presence=Presence.AWAY)
    ticket = floor.opened()
    floor.moved(ticket, PENDING)
    floor.presence("ann", Presence.OFFLINE)
    unassigned, queued = floor.moved(ticket, OPEN)
    assert isinstance(unassigned, TicketUnassigned)
    assert unassigned.reason == "agent_offline"
    assert isinstance(queued, TicketQueued)
    assert queued.reasons == {"offline": 1, "away": 1}
    assert floor.roster.agents["ann"].load == 0


# By hand.


def test_a_manual_assignment_wins_and_may_exceed_the_limit() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    bob = floor.agent("bob", capacity=0)
    ticket = floor.opened()
    (assigned,) = floor.assign(ticket, "bob")
    assert isinstance(assigned, TicketAssigned)
    assert (assigned.mode, assigned.previous_agent_id) == ("manual", "ann")
    assert assigned.why == "Berta Boss gave it to Bob (load then 1, above the limit of 0)."
    assert bob.load == 1
    assert floor.sweep() == []


def test_what_speaks_against_an_assignment_by_hand_is_told_and_nothing_against_one_asked_for() -> (
    None
):
    floor = a_floor(Strategy.MANUAL)
    floor.agent("ann", capacity=1)
    first, second = floor.opened(), floor.opened()
    (asked,) = floor.pull("ann")
    (given,) = floor.assign(second, "ann")
    assert isinstance(asked, TicketAssigned)
    assert isinstance(given, TicketAssigned)
    assert (asked.ticket_id, asked.candidates) == (first, (Candidate("ann", 0.0, 1),))
    assert given.candidates == (Candidate("ann", 1.0, 1, refused="at_capacity"),)
    assert (given.load_before, given.load_after) == (1.0, 2.0)


def test_a_manual_assignment_takes_a_ticket_out_of_the_queue() -> None:
    floor = a_floor()
    floor.agent("ann", capacity=0)
    ticket = floor.opened()
    floor.assign(ticket, "ann")
    assert floor.tickets[ticket].lane is None
    floor.check()


def test_a_manual_assignment_is_refused_for_the_wrong_agent_version_or_ticket() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    floor.agent("zoe", is_active=False)
    ticket = floor.opened()
    with pytest.raises(NotFound, match="there is no agent nobody"):
        floor.assign(ticket, "nobody")
    with pytest.raises(AgentIsInactive):
        floor.assign(ticket, "zoe")
    with pytest.raises(Conflict, match="at version 2, not 1"):
        floor.assign(ticket, "ann", expected=1)
    floor.moved(ticket, StatusCategory.CLOSED)
    with pytest.raises(TicketIsClosed):
        floor.assign(ticket, "ann")
    floor.check()


def test_the_same_agent_again_changes_nothing() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    ticket = floor.opened()
    assert floor.assign(ticket, "ann") == []
    assert floor.change_group(ticket, "support") == []


def test_who_gives_a_ticket_back_does_not_get_it_again() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    ticket = floor.opened()
    unassigned, queued = floor.unassign(ticket)
    assert isinstance(unassigned, TicketUnassigned)
    assert isinstance(queued, TicketQueued)
    assert queued.reasons == {"excluded": 1}
    assert floor.unassign(ticket) == []
    floor.agent("bob")
    assert floor.holder(ticket) == "bob"


def test_a_ticket_given_back_keeps_its_waiting_time() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    ticket = floor.opened()
    floor.later(600)
    *_, queued = floor.unassign(ticket)
    assert queued.queued_at == START  # type: ignore[attr-defined]


def test_another_group_keeps_its_member_and_else_takes_the_ticket_away() -> None:
    floor = a_floor()
    floor.group("second")
    floor.group("third")
    floor.agent("ann", groups=("support", "second"))
    floor.agent("cyd", groups=("third",))
    ticket = floor.opened()
    assert kinds(floor.change_group(ticket, "second")) == ["GroupChanged"]
    assert floor.holder(ticket) == "ann"
    events = floor.change_group(ticket, "third")
    assert kinds(events) == ["GroupChanged", "TicketUnassigned", "TicketAssigned"]
    assert floor.holder(ticket) == "cyd"
    with pytest.raises(NotFound):
        floor.change_group(ticket, "fourth")
    gone = GroupProfile(name="Gone", is_active=False)
    floor.at_desk(lambda desk: define_group(desk, "gone", gone, by_hand()))
    with pytest.raises(GroupIsInactive):
        floor.change_group(ticket, "gone")
    floor.check()


# Pull.


def test_pull_gives_the_next_ticket_of_all_my_groups() -> None:
    floor = Floor()
    for group in ("one", "two"):
        floor.group(group, Strategy.MANUAL)
    floor.rules(a_rule("two", "two", ("tags", "contains", "two")), default="one")
    floor.agent("ann", groups=("one", "two"))
    low, high = floor.opened(), floor.opened(tags=("two",), priority=Priority.HIGH)
    floor.later(90)
    (first,) = floor.pull("ann")
    assert isinstance(first, TicketAssigned)
    assert first.ticket_id == high
    assert first.mode == "pull"
    assert first.why == "Ann asked for the next ticket; it had waited 90 s."
    assert [event.ticket_id for event in floor.pull("ann")] == [low]  # type: ignore[attr-defined]
    floor.check()


@pytest.mark.parametrize(
    ("agent", "reasons"),
    [
        ({"presence": Presence.AWAY}, {"away": 2}),
        ({"capacity": 0}, {"at_capacity": 2}),
        ({"groups": ()}, {"no_groups": 1}),
        ({"groups": ("empty",)}, {"queue_empty": 1}),
    ],
)
def test_pull_says_why_there_is_nothing(agent: dict, reasons: dict[str, int]) -> None:
    floor = a_floor(Strategy.MANUAL)
    floor.group("empty")
    floor.opened()
    floor.opened()
    floor.agent("ann", **agent)
    with pytest.raises(NothingToPull) as refused:
        floor.pull("ann")
    assert refused.value.reasons == reasons


def test_versions_of_a_tickets_stream_are_consecutive() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann", "bob")
    ticket = floor.opened()
    floor.assign(ticket, "bob")
    floor.unassign(ticket)
    floor.moved(ticket, PENDING)
    floor.moved(ticket, OPEN)
    versions = [event.version for event in floor.log if event.stream_id == ticket]
    assert versions == list(range(1, len(versions) + 1))
    assert floor.tickets[ticket].version == versions[-1]


# What rules ask beside the group.


def test_a_rule_asks_intake_for_priority_and_tags_and_the_queue_goes_by_it_at_once() -> None:
    floor = a_floor()
    floor.agent("ann", presence=Presence.OFFLINE, capacity=1)
    vip = Condition("tags", "contains", "vip")
    floor.rules(
        RoutingRule(
            id="vip",
            group="support",
            when=(vip,),
            priority=Priority.URGENT,
            tags=("vip", "care"),
        ),
        default="support",
    )
    plain, favoured = floor.opened(priority=Priority.HIGH), floor.opened(tags=("vip",))
    (wish,) = [event for event in floor.log if isinstance(event, TriageRequested)]
    assert (wish.ticket_id, wish.rule, wish.rules_version) == (favoured, "vip", 2)
    assert (wish.previous_priority, wish.priority, wish.tags) == (
        Priority.NORMAL,
        Priority.URGENT,
        ("care",),
    )
    assert wish.why.endswith("asked for: priority urgent, tag vip, tag care.")
    floor.presence("ann", Presence.ONLINE)
    assert (floor.holder(plain), floor.holder(favoured)) == (None, "ann")


def test_a_rule_asks_for_nothing_that_is_there_already() -> None:
    floor = a_floor()
    floor.rules(
        RoutingRule(id="r", group="support", priority=Priority.NORMAL, tags=("a",)),
    )
    floor.opened(tags=("a",))
    assert "TriageRequested" not in kinds(floor.log)


def test_what_intake_did_for_the_rules_does_not_ask_them_again() -> None:
    floor = a_floor()
    floor.roster.settings = RoutingSettings(reroute_on=("priority",))
    floor.group("urgent")
    high = Condition("priority", "gte", "high")
    floor.rules(
        RoutingRule(id="up", group="support", when=(GERMAN,), priority=Priority.HIGH),
        RoutingRule(id="down", group="urgent", when=(high,), priority=Priority.LOW),
        default="support",
    )
    ticket = floor.opened(tags=("de",))
    event = PriorityChanged(
        **floor.stamp(ticket) | {"actor": Actor(kind=ActorKind.SYSTEM, id="routing")},
        ticket_id=ticket,
        priority=Priority.HIGH,
        previous=Priority.NORMAL,
    )
    assert floor.heard(event) == []
    assert floor.tickets[ticket].rule == "up"
    other = floor.opened()
    moved = floor.reprioritised(other, Priority.URGENT)
    assert kinds(moved)[0] == "GroupChanged", "a person's change does ask them"
    assert "TriageRequested" not in kinds(moved), "and never for another priority"


def test_the_trail_tells_what_no_event_of_ours_does() -> None:
    floor = a_floor(Strategy.ROUND_ROBIN, "ann")
    ticket = floor.opened(priority=Priority.HIGH)
    floor.due(ticket, floor.later(60) + timedelta(hours=1))
    floor.later(60)
    floor.moved(ticket, PENDING)
    floor.later(60)
    floor.moved(ticket, OPEN)
    assert [(at - START, what, value) for at, what, value in floor.tickets[ticket].trail] == [
        (timedelta(0), "opened", "high"),
        (timedelta(seconds=60), "due", (START + timedelta(seconds=3660)).isoformat()),
        (timedelta(seconds=120), "freed", "pending"),
        (timedelta(seconds=180), "needed", "open"),
    ]


GERMAN = Condition("tags", "contains", "de")
