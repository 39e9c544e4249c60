"""A step of a policy's escalation ladder hands a ticket to the next tier."""

from typing import Final

import structlog

from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk
from services.routing.domain.escalation import escalate
from shared.errors import Refused
from shared.events.sla import SlaEscalationStep

log = structlog.get_logger(__name__)

NEXT: Final = "next"
"""In place of a group's id: the group to which the ticket's group escalates."""


def follow_ladder(desk: Desk, event: SlaEscalationStep) -> None:
    """Hand it over as if a person escalated it. A tier that cannot take it leaves it where it is, and says so."""
    if event.move_to_group is None:
        return
    ticket = desk.ticket(event.ticket_id)
    cause = Cause.by_router(event.correlation_id, event.event_id)
    metric = event.metric.replace("_", " ")
    reason = f"step {event.step} of the ladder of {metric}"
    group_id = None if event.move_to_group == NEXT else event.move_to_group
    if not ticket.is_known and group_id in desk.roster.groups:
        # Topics come in any order: its opening is still on the way and will find the group set.
        because = f"The promise asks for it before the ticket was heard of: {reason}."
        desk.move_to_group(ticket, group_id, mode="escalation", because=because, cause=cause)
        return
    try:
        escalate(desk, ticket, reason, cause, group_id=group_id)
    except Refused as refusal:
        log.warning("tier_not_moved", ticket_id=str(event.ticket_id), reason=refusal.code)
