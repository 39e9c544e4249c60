"""The verb of routing's wishes: priority and tags that its rules ask for, done once and never against a person."""

from collections.abc import Sequence

import structlog

from services.intake.domain import Context, decide
from services.intake.domain.triage import follow
from services.intake.steps import Steps, Tx
from shared.errors import Refused
from shared.events import Channel
from shared.events.triage import RULES, TriageRequested

log = structlog.get_logger(__name__)


def do_triage(steps: Steps, tx: Tx, wishes: Sequence[TriageRequested]) -> None:
    """Do what is asked, each in its own right: what one ticket refuses (too many tags, say) is left and logged."""
    tx.prefetch([wish.ticket_id for wish in wishes])
    for wish in wishes:
        ticket = tx.state(wish.ticket_id)
        command = None if ticket is None else follow(ticket, wish)
        if ticket is None or command is None:
            continue
        context = Context(
            actor=RULES,
            via=Channel.SYSTEM,
            correlation_id=wish.correlation_id,
            recorded_at=tx.now,
            causation_id=wish.event_id,
        )
        try:
            steps.save(tx, ticket, decide(ticket, command, context=context, at=tx.now))
        except Refused as refusal:
            log.warning(
                "triage_refused",
                ticket_id=str(wish.ticket_id),
                rule=wish.rule,
                reason=refusal.code,
            )
