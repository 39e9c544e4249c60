"""What routing's rules ask of a ticket that is not routing's to change. Stream = one asking; intake does it."""

from typing import ClassVar, Final
from uuid import UUID

from shared.events.base import Actor, ActorKind, Event, Owner, Priority
from shared.identifiers import derived_id

RULES: Final = Actor(kind=ActorKind.SYSTEM, id="routing", name="Routing rules")
"""In this name intake does what the rules ask."""


def is_of_rules(event: Event) -> bool:
    """Whether intake did this because the rules asked for it."""
    return event.actor.kind is RULES.kind and event.actor.id == RULES.id


class TriageRequested(Event, frozen=True, kw_only=True, tag="triage.requested.v1"):
    """A rule wants another priority, or tags to be added. Intake does so unless a person has said otherwise meanwhile.

    `number` tells the askings about one ticket apart. `previous_priority`: what the rule saw. `priority`: `null` when
    it shall stay. `tags`: to add; those that the rule saw already are not named. `why` is one plain sentence.
    """

    OWNER: ClassVar[Owner] = Owner.ROUTING

    ticket_id: UUID
    number: int
    rule: str
    rules_version: int
    previous_priority: Priority
    priority: Priority | None = None
    tags: tuple[str, ...] = ()
    why: str = ""

    @property
    def stream_id(self) -> UUID:
        return derived_id("triage", self.ticket_id, self.number)


TriageEvent = TriageRequested
