"""What sla tells about a ticket."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared.events.base import Priority
from shared.events.sla import SlaStarted
from tests.support.events import stamp


def due(ticket_id: UUID, *, minutes: float) -> SlaStarted:
    """The first reply is promised in so many minutes."""
    now = datetime.now(UTC)
    return SlaStarted(
        **stamp(1, now),
        ticket_id=ticket_id,
        metric="first_reply",
        cycle=1,
        policy_id="gold",
        policy_version=1,
        priority=Priority.NORMAL,
        target_seconds=minutes * 60,
        started_at=now,
        due_at=now + timedelta(minutes=minutes),
    )
