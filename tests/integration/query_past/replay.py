"""The past worked out again from the JSON of raw events, by code that shares nothing with the service's."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.events import Event, encode

ENDED = {"solved", "closed"}
PRIORITIES = ["low", "normal", "high", "urgent"]
CUSTOMER_STATES = {
    "hold": "open",
    "pending": "answered",
    "solved": "resolved",
    "closed": "resolved",
}
_EARLIEST = datetime.min.replace(tzinfo=UTC)

State = dict[str, Any]


def raws_of(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Their JSON, each stream in its order."""
    return sorted((json.loads(encode(event)) for event in events), key=lambda raw: raw["version"])


def state_at(events: Iterable[Event], instant: datetime) -> State | None:
    """One ticket as it was; None: it was not there."""
    values: State = dict.fromkeys(("status", "priority", "group", "assignee", "type"))
    values |= {"tags": []}
    reached: dict[str, datetime] = {}
    raws = raws_of(events)
    for raw in raws:
        for field, value in _said(raw):
            reached[field] = max(_moment(raw["occurred_at"]), reached.get(field, _EARLIEST))
            if reached[field] <= instant:
                values[field] = value
    if values["status"] is None:
        return None
    known = [raw for raw in raws if _moment(raw["occurred_at"]) <= instant]
    opening = known[0]
    return {
        **{name: value for name, value in values.items() if not name.startswith("field.")},
        "fields": {
            name.removeprefix("field."): value
            for name, value in values.items()
            if name.startswith("field.") and value is not None
        },
        **_clocks([raw for raw in known if raw["type"].startswith("sla.")]),
        "changed": max(
            _moment(raw["occurred_at"]) for raw in known if not raw["type"].startswith("sla.")
        ),
        "created": _moment(opening["occurred_at"]),
        "words": set(re.findall(r"\w+", " ".join(map(_text, known)).lower())),
        **{name: opening[name] for name in ("number", "requester", "via")},
        "external_id": opening.get("external_id"),
        "language": opening.get("language"),
    }


def states_at(lives: dict[str, list[Event]], instant: datetime) -> dict[str, State]:
    """Ticket id → its state; tickets that were not there yet are left out."""
    found = {ticket_id: state_at(events, instant) for ticket_id, events in lives.items()}
    return {ticket_id: state for ticket_id, state in found.items() if state is not None}


def backlog(states: dict[str, State], field: str) -> Counter[Any]:
    """How many open tickets had each value."""
    return Counter(state[field] for state in states.values() if state["status"] not in ENDED)


def groups_of(agent: str, events: Iterable[Event], instant: datetime) -> list[str]:
    """The groups of an agent then."""
    groups: list[str] = []
    for raw in raws_of(events):
        if raw.get("agent_id") == agent and _moment(raw["occurred_at"]) <= instant:
            groups = raw["profile"].get("groups", [])
    return groups


def ids_of(requester: str, events: Iterable[Event], instant: datetime) -> set[str]:
    """All ids of the person who had this one then."""
    persons: dict[str, set[str]] = {}
    for raw in raws_of(events):
        if "contact_id" in raw and _moment(raw["occurred_at"]) <= instant:
            contact = raw["contact"]
            ids = {*contact.get("logins", []), *map("mailto:{}".format, contact.get("emails", []))}
            persons[raw["contact_id"]] = set() if raw["type"] == "contact.merged.v1" else ids
    return {requester}.union(*(ids for ids in persons.values() if requester in ids))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _said(raw: dict[str, Any]) -> list[tuple[str, Any]]:  # noqa: PLR0911  # one line a kind
    match raw["type"]:
        case "ticket.opened.v1":
            fields = raw.get("fields", {}).items()
            return [
                ("status", raw["category"]), ("priority", raw["priority"]), ("type", raw.get("ticket_type")),
                ("tags", raw.get("tags", [])), *((f"field.{name}", value) for name, value in fields),
            ]  # fmt: skip
        case "ticket.status_changed.v1" | "ticket.reopened.v1" | "ticket.unmerged.v1":
            return [("status", raw["category"])]
        case "ticket.resolved.v1":
            return [("status", "solved")]
        case "ticket.closed.v1" | "ticket.merged.v1":
            return [("status", "closed")]
        case "ticket.priority_changed.v1":
            return [("priority", raw["priority"])]
        case "ticket.type_changed.v1":
            return [("type", raw["ticket_type"])]
        case "ticket.tags_changed.v1":
            return [("tags", raw["tags"])]
        case "ticket.fields_changed.v1":
            return [(f"field.{name}", change["value"]) for name, change in raw["changes"].items()]
        case "assignment.group_changed.v1":
            return [("group", raw["group_id"])]
        case "assignment.assigned.v1":
            return [("assignee", raw["agent_id"])]
        case "assignment.unassigned.v1":
            return [("assignee", None)]
        case _:
            return []


def _clocks(raws: list[dict[str, Any]]) -> State:
    due: dict[tuple[str, int], str | None] = {}
    running, warned, breached = set(), set(), set()
    for raw in raws:
        if "metric" not in raw:
            continue
        clock = raw["metric"], raw["cycle"]
        match raw["type"].split(".")[1]:
            case "started" | "resumed":
                running.add(clock)
                due[clock] = raw["due_at"]
            case "paused":
                running.discard(clock)
            case "met" | "cancelled":
                running.discard(clock)
                warned.discard(clock)
            case "due_changed":
                due[clock] = raw["due_at"]
            case "warning":
                warned.add(clock)
            case "breached":
                breached.add(clock)
            case "breach_retracted" if not raw.get("needs_review"):
                breached.discard(clock)
    deadlines = [_moment(at) for clock in running if (at := due[clock]) is not None]
    return {
        "due": min(deadlines, default=None),
        "at_risk": bool(warned - breached),
        "breached": bool(breached),
    }


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _text(raw: dict[str, Any]) -> str:
    tags = raw.get("tags" if raw["type"] == "ticket.opened.v1" else "added", [])
    return " ".join(filter(None, (raw.get("subject"), raw.get("body"), raw.get("summary"), *tags)))


def is_wanted(  # noqa: C901, PLR0911, PLR0912  # one line a filter
    state: State, name: str, wanted: Any, instant: datetime, others: list[Event]
) -> bool:
    """Whether a ticket that was so passes this one filter of the list."""
    match name:
        case "status" | "priority" | "type" | "language":
            return state[name] in wanted
        case "customer_state":
            return CUSTOMER_STATES.get(state["status"], state["status"]) in wanted
        case "group":
            mine = groups_of("anna", others, instant) if "mine" in wanted else []
            return (state["group"] or "none") in [*wanted, *mine]
        case "assignee":
            return (state["assignee"] or "none") in [{"me": "anna"}.get(one, one) for one in wanted]
        case "channel":
            return state["via"] in wanted
        case "organization":
            return state["requester"].get("organization") in wanted
        case "tag":
            return set(wanted) <= set(state["tags"])
        case "requester":
            return state["requester"]["id"] in ids_of(wanted, others, instant)
        case "external_id":
            return state["external_id"] == wanted
        case "created_from" | "updated_from":
            return state[{"c": "created", "u": "changed"}[name[0]]] >= _moment(wanted)
        case "created_before" | "updated_before":
            return state[{"c": "created", "u": "changed"}[name[0]]] < _moment(wanted)
        case "is_open":
            return (state["status"] not in ENDED) is wanted
        case "breached" | "at_risk":
            return state[name] is wanted
        case "due_within":
            soon = instant + timedelta(minutes=wanted)
            return state["due"] is not None and instant < state["due"] <= soon
        case "q":
            return all(
                (word.lstrip("-") in state["words"]) is not word.startswith("-")
                for word in wanted.split()
            )
        case "field.cost" if ".." in wanted:
            low, high = (
                float(end or default)
                for end, default in zip(wanted.split(".."), ("-inf", "inf"), strict=True)
            )
            cost = state["fields"].get("cost")
            return cost is not None and float(low or "-inf") <= cost <= float(high or "inf")
        case _:
            value = state["fields"].get(name.removeprefix("field."), [])
            return wanted in map(_word, value if isinstance(value, list) else [value])


def key_of(state: State, sort: str) -> Any:
    """By what the list puts this ticket into order; None: it is not in this list."""
    match sort.removeprefix("-"):
        case "created":
            return state["created"]
        case "updated":
            return state["changed"]
        case "priority":
            return PRIORITIES.index(state["priority"])
        case "due":
            return state["due"] or datetime.max.replace(tzinfo=UTC)
        case name:
            return state["fields"].get(name.removeprefix("field."))
