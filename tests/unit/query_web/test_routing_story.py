"""Why a ticket is where it is, from routing's own events."""

from typing import Any
from uuid import uuid4

import msgspec

from services.query.web.directory import Names
from services.query.web.routing_story import story
from shared.events import Event, Priority, encode
from shared.events.assignments import (
    Candidate,
    GroupChanged,
    TicketAssigned,
    TicketQueued,
    TicketUnassigned,
)
from shared.identifiers import new_id
from tests.support.events import NOON, stamp

NAMES = Names(
    groups=[{"id": "desk", "name": "Service desk"}],
    agents=[{"id": "anna", "name": "Anna Berg"}, {"id": "bob", "name": "Bob Okafor"}],
)
TICKET = uuid4()


def entry(event: Event) -> dict[str, Any]:
    """The event as the timeline gives it."""
    return {"type": event.wire_type, "data": msgspec.json.decode(encode(event))}


def assigned(version: int) -> Event:
    return TicketAssigned(
        **stamp(version),
        ticket_id=TICKET,
        agent_id="anna",
        agent_name="Anna Berg",
        previous_agent_id=None,
        group_id="desk",
        mode="auto",
        strategy="least_loaded",
        decision_id=new_id(),
        why="Anna Berg was the least loaded of 2 who could take it (load 1 of 5).",
        load_before=1.0,
        load_after=2.0,
        capacity=5.0,
        candidates=(
            Candidate("anna", 1.0, 5.0, 0.2),
            Candidate("carl", 2.0, 5.0, 0.4),
            Candidate("bob", 5.0, 5.0, None, "at_capacity"),
        ),
        candidates_count=12,
        refused_counts={"at_capacity": 4, "offline": 6},
    )


def queued(version: int) -> Event:
    return TicketQueued(
        **stamp(version),
        ticket_id=TICKET,
        group_id="desk",
        queued_at=NOON,
        priority=Priority.HIGH,
        reasons={"offline": 2},
        why="Nobody can take it now: 2 offline.",
    )


def test_an_assignment_tells_reason_candidates_and_how_many_could_not() -> None:
    moved = GroupChanged(
        **stamp(1),
        ticket_id=TICKET,
        group_id="desk",
        previous_group_id=None,
        mode="rule",
        why="Rule printers matched.",
    )
    told = story([entry(moved), entry(assigned(2))], NAMES)
    assert told.headline == "Anna Berg has it."
    assert told.reason.startswith("Anna Berg was the least loaded")
    assert told.group_reason == "Rule printers matched."
    assert [(each.name, each.score, each.verdict) for each in told.candidates] == [
        ("Anna Berg", "20% full", "chosen"),
        ("carl", "40% full", "could too"),
        ("Bob Okafor", "\N{EN DASH}", "full hands"),
    ]
    assert told.candidates_count == 12
    assert told.refused == [("offline", 6), ("full hands", 4)]


def test_a_queued_ticket_says_whose_queue_and_why_nobody() -> None:
    told = story([entry(queued(1))], NAMES)
    assert told.headline == "Waits in the queue of Service desk."
    assert told.refused == [("offline", 2)]


def test_the_newest_decision_counts() -> None:
    taken = TicketUnassigned(
        **stamp(3),
        ticket_id=TICKET,
        previous_agent_id="anna",
        group_id="desk",
        reason="agent_offline",
    )
    told = story([entry(queued(1)), entry(assigned(2)), entry(taken)], NAMES)
    assert told.headline == "Nobody has it; it was taken from Anna Berg (agent offline)."
    assert told.candidates == []


def test_without_a_word_of_routing_the_page_says_so() -> None:
    assert "not said anything" in story([], NAMES).headline
