"""Intake asks for another group: a macro, say. Routing moves the ticket as if a person had asked."""

import structlog

from services.routing.domain.cause import Cause
from services.routing.domain.commands import change_group
from services.routing.domain.desk import Desk
from shared.errors import Refused
from shared.events.tickets import GroupRequested

log = structlog.get_logger(__name__)


def follow_request(desk: Desk, event: GroupRequested) -> None:
    """Move it in the name of whoever asked. A group that cannot take it leaves it where it is, and the log says so."""
    ticket = desk.ticket(event.ticket_id)
    cause = Cause(event.actor, event.via, event.correlation_id, event.event_id)
    try:
        change_group(desk, ticket, event.group_id, cause)
    except Refused as refusal:
        log.warning("group_not_changed", ticket_id=str(event.ticket_id), reason=refusal.code)
