"""Which tables belong together: the unit in which projections are rebuilt."""

from enum import StrEnum
from typing import Final

from shared.topics import Topic


class Group(StrEnum):
    """Tables that are folded from the same events, and from nothing that another group holds."""

    TICKETS = "tickets"
    TIMELINE = "timeline"
    ORGANISATION = "organisation"
    ONCALL = "oncall"
    CONTACTS = "contacts"


TABLES: Final[dict[Group, tuple[str, ...]]] = {
    Group.TICKETS: (
        "tickets", "messages", "tasks", "surveys", "split_messages", "spans", "open_periods", "assignments",
        "sla_cycles", "search_documents", "facets", "open_counts",
    ),
    Group.TIMELINE: ("timeline",),
    Group.ORGANISATION: ("agents", "groups", "definitions", "configuration", "open_hours"),
    Group.ONCALL: ("oncall_rotas", "oncall_overrides", "oncall_pages"),
    Group.CONTACTS: ("contacts", "contact_identities", "organizations"),
}  # fmt: skip

TOPICS: Final[dict[Group, tuple[Topic, ...]]] = {
    Group.TICKETS: (Topic.TICKETS, Topic.ASSIGNMENTS, Topic.SLA),
    Group.TIMELINE: tuple(Topic),
    Group.ORGANISATION: (Topic.AGENTS, Topic.POLICIES, Topic.CONFIGURATION),
    Group.ONCALL: (Topic.POLICIES, Topic.SLA),
    Group.CONTACTS: (Topic.CONTACTS,),
}

ABOUT: Final[dict[Group, str]] = {
    Group.TICKETS: "tickets, conversations, search, promises, stints, what was open when",
    Group.TIMELINE: "every event as it came: audit and timeline",
    Group.ORGANISATION: "agents, groups, documents that rule, configuration",
    Group.ONCALL: "rotas, swaps, pages",
    Group.CONTACTS: "persons with their addresses, organisations",
}
