"""Random tickets with a past, and the past worked out again from their raw events by other code."""

import json
import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from shared.events import Event, Priority, StatusCategory, encode
from tests.integration.query.stories import Story
from tests.support.events import NOON

OPEN = [
    StatusCategory.OPEN, StatusCategory.ANSWERED, StatusCategory.PENDING, StatusCategory.HOLD, StatusCategory.NEW,
]  # fmt: skip
ENDED = {"solved", "closed"}


def a_world(seed: int, *, count: int = 25, steps_back: bool = False) -> list[Story]:
    """Tickets whose events lie in four days; many share an instant. `steps_back`: as imports sometimes do."""
    chance = random.Random(seed)
    return [_a_life(chance, number, steps_back=steps_back) for number in range(1, count + 1)]


def _a_life(chance: random.Random, number: int, *, steps_back: bool) -> Story:
    story = Story(number, at=NOON + chance.randrange(48) * timedelta(hours=1))
    story.opened(
        priority=chance.choice(list(Priority)),
        category=chance.choice([StatusCategory.NEW, StatusCategory.CLOSED])
        if number % 9 == 0
        else StatusCategory.NEW,
    )
    hours = 0.0
    for _ in range(chance.randrange(12)):
        hours += chance.choice([0, 0.5, 1, 1, 5])
        at = max(hours - 2, 0) if steps_back and chance.random() < 0.2 else hours
        match chance.randrange(7):
            case 0 if story.category not in ENDED:
                story.solve(at)
            case 0 | 1 if story.category in ENDED:
                story.reopen(at)
            case 1 if story.category == "solved":
                story.close(at)
            case 2:
                story.prioritise(at, chance.choice(list(Priority)))
            case 3:
                story.give_group(at, chance.choice(["desk", "billing", None]))
            case 4 if story.agent is not None and chance.random() < 0.4:
                story.unassign(hours)
            case 4 | 5:
                story.assign(hours, chance.choice(["anna", "berta"]))
            case _ if story.category not in ENDED:
                story.move(at, chance.choice(OPEN))
    return story


def state_at(events: Iterable[Event], instant: datetime) -> dict[str, Any] | None:
    """One ticket's status, priority, group and assignee, from the JSON of its events alone."""
    values: dict[str, Any] = {"status": None, "priority": None, "group": None, "assignee": None}
    reached: dict[str, datetime] = {}
    raws = sorted((json.loads(encode(event)) for event in events), key=lambda raw: raw["version"])
    for raw in raws:
        for field, value in _said(raw):
            at = max(
                datetime.fromisoformat(raw["occurred_at"]),
                reached.get(field, datetime.min.replace(tzinfo=NOON.tzinfo)),
            )
            reached[field] = at
            if at <= instant:
                values[field] = value
    return values if values["status"] is not None else None


def _said(raw: dict[str, Any]) -> list[tuple[str, Any]]:  # noqa: PLR0911  # one line a kind
    match raw["type"]:
        case "ticket.opened.v1":
            return [("status", raw["category"]), ("priority", raw["priority"])]
        case "ticket.status_changed.v1" | "ticket.reopened.v1":
            return [("status", raw["category"])]
        case "ticket.resolved.v1":
            return [("status", "solved")]
        case "ticket.closed.v1":
            return [("status", "closed")]
        case "ticket.priority_changed.v1":
            return [("priority", raw["priority"])]
        case "assignment.group_changed.v1":
            return [("group", raw["group_id"])]
        case "assignment.assigned.v1":
            return [("assignee", raw["agent_id"])]
        case "assignment.unassigned.v1":
            return [("assignee", None)]
        case _:
            return []


def states_at(stories: Iterable[Story], instant: datetime) -> dict[str, dict[str, Any]]:
    """Ticket id → its state; tickets that were not there yet are left out."""
    found = {str(story.ticket_id): state_at(story.events, instant) for story in stories}
    return {ticket_id: state for ticket_id, state in found.items() if state is not None}


def backlog(states: dict[str, dict[str, Any]], field: str) -> Counter[Any]:
    """How many open tickets had each value."""
    return Counter(state[field] for state in states.values() if state["status"] not in ENDED)
