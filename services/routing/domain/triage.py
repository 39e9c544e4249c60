"""What the rules ask of intake: another priority, more tags. Routing records the wish and acts on it at once."""

from services.routing.domain.desk import Cause, Desk
from services.routing.domain.rules import Verdict
from services.routing.domain.ticket import RANKS, Ticket
from shared.events.triage import TriageRequested


def ask(desk: Desk, ticket: Ticket, verdict: Verdict, because: str, cause: Cause) -> None:
    """Ask for what the ticket does not have yet; nothing when it has all of it.

    The queue goes by the wanted priority from now on; what intake makes of the wish comes back as its own event.
    """
    has = ticket.facts.tags if ticket.facts is not None else ()
    tags = tuple(tag for tag in verdict.tags if tag not in has)
    previous = ticket.priority
    priority = verdict.priority if verdict.priority is not previous else None
    if priority is None and not tags:
        return
    stamp = desk.stamp(ticket, cause)
    number, stamp["version"] = stamp["version"], 1
    desk.events.append(
        TriageRequested(
            **stamp,
            ticket_id=ticket.ticket_id,
            number=number,
            rule=verdict.name,
            rules_version=desk.roster.book.version,
            previous_priority=previous,
            priority=priority,
            tags=tags,
            why=because,
        )
    )
    if priority is not None:
        ticket.rank = RANKS[priority]
