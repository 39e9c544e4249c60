"""The Kafka topics: one owner each, created explicitly, kept for ever."""

from enum import StrEnum
from typing import Final

from shared.events.base import Owner

PARTITIONS: Final = 24
"""Fixed at creation: adding partitions later would move keys, and with them the order of a ticket's events."""

RECORD_BYTES_MAX: Final = 8 * 1024 * 1024
"""The largest record: a 256 KiB text whose every character needs a six-character escape, several times over."""


class Topic(StrEnum):
    """A topic's name without the installation's prefix."""

    TICKETS = "tickets.v1"
    ASSIGNMENTS = "assignments.v1"
    AGENTS = "agents.v1"
    SLA = "sla.v1"
    POLICIES = "policies.v1"
    CONFIGURATION = "configuration.v1"
    TRIAGE = "triage.v1"
    CONTACTS = "contacts.v1"


WATERMARKS: Final = "watermarks.v1"
"""Not events: one compacted partition in which each relay says until when everything of its service is published."""

OWNERS: Final = {
    Topic.TICKETS: Owner.INTAKE,
    Topic.ASSIGNMENTS: Owner.ROUTING,
    Topic.AGENTS: Owner.ROUTING,
    Topic.SLA: Owner.SLA,
    Topic.POLICIES: Owner.SLA,
    Topic.CONFIGURATION: Owner.INTAKE,
    Topic.TRIAGE: Owner.ROUTING,
    Topic.CONTACTS: Owner.INTAKE,
}

_BY_NOUN: Final = {
    "ticket": Topic.TICKETS,
    "assignment": Topic.ASSIGNMENTS,
    "agent": Topic.AGENTS,
    "group": Topic.AGENTS,
    "routing_rules": Topic.AGENTS,
    "routing_settings": Topic.AGENTS,
    "sla": Topic.SLA,
    "sla_policy": Topic.POLICIES,
    "calendar": Topic.POLICIES,
    "configuration": Topic.CONFIGURATION,
    "article": Topic.CONFIGURATION,
    "reading": Topic.CONFIGURATION,
    "intake_operation": Topic.CONFIGURATION,
    "routing_operation": Topic.AGENTS,
    "sla_operation": Topic.POLICIES,
    "triage": Topic.TRIAGE,
    "contact": Topic.CONTACTS,
    "organization": Topic.CONTACTS,
    "oncall_rota": Topic.POLICIES,
    "oncall_contact": Topic.POLICIES,
    "alert_sink": Topic.POLICIES,
}


def topic_of(wire_type: str) -> Topic:
    """Where events of this wire type are published.

    Raises:
        KeyError: the noun before the first dot belongs to no topic; a new noun is added above.
    """
    return _BY_NOUN[wire_type.partition(".")[0]]


def all_topics(prefix: str) -> list[str]:
    """Every topic's full name in an installation, for example `ticketing.tickets.v1`."""
    return [prefix + topic for topic in Topic]
