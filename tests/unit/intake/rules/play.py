"""Tickets, rules and what the rules make of an event, played without a database."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from services.intake.domain import Context, Ticket, decide
from services.intake.domain.rules import Ground, RuleBook, RuleSet, chain
from services.intake.domain.rules.subject import Owner
from shared.events import Channel, Event
from shared.events.tickets import TicketEvent
from tests.unit.intake.givens import LATER, after


def a_book(*rules: dict, version: int = 3, calendars=None, answers=None) -> RuleBook:
    """Rules as somebody writes them; title and actions may be left away."""
    whole = [
        {"id": f"r{place}", "title": f"Rule {place}", "actions": {"add_tags": ["ran"]}} | rule
        for place, rule in enumerate(rules)
    ]
    return RuleBook(
        msgspec.convert({"rules": whole}, RuleSet), version, calendars or {}, answers or {}
    )


def ground(book: RuleBook, *, now: datetime = LATER, group=None, agent=None) -> Ground:
    def decided(ticket, commands, actor, causation_id):
        context = Context(
            actor=actor,
            via=Channel.SYSTEM,
            correlation_id="c",
            recorded_at=now,
            causation_id=causation_id,
        )
        return decide(ticket, commands, context=context, at=now)

    return Ground(
        book=book,
        decide=decided,
        owner=Owner(lambda: (group, agent)),
        now=now,
        correlation_id="c",
    )


def followed(
    ticket: Ticket, events: Sequence[Event], book: RuleBook, **more
) -> tuple[list[TicketEvent], Ticket]:
    """What the rules make of these events, which the ticket has had; and the ticket afterwards."""
    made = chain.follow(ticket, events, ground(book, **more))
    return made, after(ticket, made)


def passed(
    ticket: Ticket, book: RuleBook, now: datetime, **more
) -> tuple[list[TicketEvent], Ticket]:
    """What time makes of it."""
    made = chain.follow_time(ticket, ground(book, now=now, **more))
    return made, after(ticket, made)


def names(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]
