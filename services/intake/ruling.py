"""Rules at work in the caller's transaction: what follows from what has just happened, and when time speaks next."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import psycopg
import structlog

from services.intake.asking import Asking
from services.intake.domain import Command, Ticket
from services.intake.domain.commands import Together
from services.intake.domain.rules import Ground, RuleBook, chain
from services.intake.domain.rules.subject import Owner
from services.intake.owners import owner_of
from services.intake.postponements import Postponements
from shared.errors import TicketingError
from shared.events import Actor, Channel, Event
from shared.events.steps import RuleApplied, RuleNotApplied
from shared.events.tickets import TicketEvent
from shared.eventstore import EventTransaction
from shared.observability import metrics

log = structlog.get_logger(__name__)

Tx = EventTransaction[Ticket]
Decided = Callable[[Tx, Ticket, Command, Asking], list[TicketEvent]]
"""The commands of a rule, decided as those of a person are."""

SOON: Final = timedelta(seconds=60)
"""What comes later is found by the timer itself, which looks at least every 30 seconds."""

_RING_SECONDS: Final = 5.0
"""A moment that comes soon is committed within this time, or not at all."""


class Ruling:
    """Plays the rules and keeps the moments of time rules.

    Attributes:
        timers: tickets that a time rule looks at; its `changed` wakes the timer.
    """

    def __init__(self) -> None:
        self.timers = Postponements("rule_timers")
        self._ring_until = 0.0

    def follow(
        self, tx: Tx, book: RuleBook, ticket: Ticket, events: Sequence[Event], decided: Decided
    ) -> list[TicketEvent]:
        """What the rules make of these events, to be stored with them. Nothing is written yet."""
        ground = self._ground(tx, book, ticket, events[0].correlation_id, decided)
        return _counted(chain.follow(ticket, events, ground))

    def follow_time(
        self, tx: Tx, book: RuleBook, ticket: Ticket, correlation_id: str, decided: Decided
    ) -> list[TicketEvent]:
        """What the time rules that are due make of the ticket. Nothing is written yet."""
        ground = self._ground(tx, book, ticket, correlation_id, decided)
        return _counted(chain.follow_time(ticket, ground))

    def arm(self, tx: Tx, book: RuleBook, before: Ticket | None, after: Ticket) -> None:
        """Keep the next moment of the ticket, if what has happened has moved it."""
        if not book.timed:
            return
        was = None if before is None else chain.next_moment(before, book, tx.now)
        due_at = chain.next_moment(after, book, tx.now)
        if due_at == was:
            return
        self.timers.note(tx, after.id, None if due_at is None else max(due_at, tx.now))
        if due_at is not None and due_at < tx.now + SOON:
            self._ring_until = time.monotonic() + _RING_SECONDS

    def arm_again(
        self, tx: Tx, book: RuleBook, ticket: Ticket, correlation_id: str, decided: Decided
    ) -> None:
        """After time has spoken: keep the next moment, whatever was kept before."""
        ground = self._ground(tx, book, ticket, correlation_id, decided)
        self.timers.note(tx, ticket.id, chain.look_again(ticket, ground))

    @property
    def rings(self) -> bool:
        """Whether a moment that comes soon was stored just now, so that the timer looks again after a commit."""
        return time.monotonic() < self._ring_until

    def _ground(
        self, tx: Tx, book: RuleBook, ticket: Ticket, correlation_id: str, decided: Decided
    ) -> Ground:
        def decide(
            state: Ticket, commands: Together, actor: Actor, causation_id: str
        ) -> list[TicketEvent]:
            asking = Asking(
                actor=actor,
                via=Channel.SYSTEM,
                correlation_id=correlation_id,
                causation_id=causation_id,
            )
            try:
                return decided(tx, state, commands, asking)
            except (TicketingError, psycopg.Error):
                raise
            except Exception as error:
                # What a rule cannot do must not keep the customer's word from being stored.
                log.exception("rule_failed", actor=actor.id, ticket_id=str(ticket.id))
                raise chain.RuleFailed(f"a fault of ours: {type(error).__name__}") from error

        def look_up() -> tuple[str | None, str | None]:
            owner = owner_of(tx, ticket.id)
            return owner.group_id, owner.agent_id

        return Ground(
            book=book,
            decide=decide,
            owner=Owner(look_up),
            now=tx.now,
            correlation_id=correlation_id,
        )


def _counted(events: list[TicketEvent]) -> list[TicketEvent]:
    for event in events:
        if isinstance(event, RuleApplied):
            metrics.INTAKE_RULES.labels("applied").inc()
        elif isinstance(event, RuleNotApplied):
            metrics.INTAKE_RULES.labels(event.why).inc()
            log.warning(
                "rule_not_applied",
                ticket_id=str(event.ticket_id),
                rule=event.rule,
                why=event.why,
                after=event.after,
            )
    return events
