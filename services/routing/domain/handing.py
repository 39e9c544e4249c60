"""The statements about one ticket: it waits, it is handed over, taken away, moved, withdrawn; each with its reason."""

from services.routing.domain import why
from services.routing.domain.agent import TICKET_UNITS, Agent
from services.routing.domain.cause import Cause
from services.routing.domain.choice import Decision
from services.routing.domain.ledger import Ledger
from services.routing.domain.ticket import Ticket
from shared.events.assignments import (
    GroupChanged,
    TicketAssigned,
    TicketQueued,
    TicketUnassigned,
    TicketWithdrawn,
)
from shared.identifiers import derived_id


class Handing(Ledger):
    """What may be said of a ticket here. Callers have decided; nothing is refused."""

    def wait(self, ticket: Ticket, cause: Cause) -> None:
        """The ticket needs somebody: `place` will find one or queue it."""
        if ticket.lane is None and ticket.ticket_id not in self._newcomers:
            ticket.generation += 1
        if ticket.queued_at is None:
            ticket.queued_at = self.now
        self._newcomers[ticket.ticket_id] = cause

    def withdraw(self, ticket: Ticket, reason: str, cause: Cause) -> None:
        """The ticket no longer needs anybody (R12)."""
        self._newcomers.pop(ticket.ticket_id, None)
        if ticket.lane is not None:
            self.record(
                ticket,
                TicketWithdrawn(
                    **self.stamp(ticket, cause),
                    ticket_id=ticket.ticket_id,
                    group_id=ticket.group_id,
                    reason=reason,
                    waited_seconds=self._waited(ticket),
                ),
            )

    def drop(self, ticket: Ticket) -> None:
        """Somebody is named for it by hand: `place` need not look for anybody."""
        self._newcomers.pop(ticket.ticket_id, None)

    def move_to_group(
        self, ticket: Ticket, group_id: str | None, *, mode: str, because: str, cause: Cause
    ) -> None:
        """The ticket belongs to another group from now on; it leaves its old queue place."""
        self.record(
            ticket,
            GroupChanged(
                **self.stamp(ticket, cause),
                ticket_id=ticket.ticket_id,
                group_id=group_id,
                previous_group_id=ticket.group_id,
                mode=mode,
                why=because,
                rule=ticket.rule if mode == "rule" else None,
                rules_version=ticket.rules_version if mode == "rule" else None,
            ),
        )

    def hand_over(
        self,
        ticket: Ticket,
        agent: Agent,
        *,
        mode: str,
        because: str,
        cause: Cause,
        strategy: str | None = None,
        decision: Decision | None = None,
    ) -> None:
        """Record that this agent has it now."""
        counts = ticket.needs_agent
        units = TICKET_UNITS if counts and ticket.agent_id != agent.agent_id else 0.0
        self.record(
            ticket,
            TicketAssigned(
                **self.stamp(ticket, cause),
                ticket_id=ticket.ticket_id,
                agent_id=agent.agent_id,
                agent_name=agent.profile.name,
                previous_agent_id=ticket.agent_id,
                group_id=ticket.group_id,
                mode=mode,
                strategy=strategy,
                decision_id=derived_id(
                    "decision", ticket.ticket_id, ticket.generation, ticket.version
                ),
                why=because,
                load_before=agent.load,
                load_after=agent.load + units,
                capacity=agent.profile.capacity,
                candidates=decision.candidates() if decision else (),
                candidates_count=len(decision.ranked) if decision else 0,
                refused_counts=decision.refused_counts if decision else {},
                rule=ticket.rule,
                rules_version=ticket.rules_version,
                waited_seconds=self._waited(ticket),
                ticket_version=ticket.ticket_version,
            ),
        )

    def take_away(self, ticket: Ticket, reason: str, because: str, cause: Cause) -> None:
        """Record that its agent no longer has it; the caller lets it wait when it needs somebody."""
        assert ticket.agent_id is not None
        self.record(
            ticket,
            TicketUnassigned(
                **self.stamp(ticket, cause),
                ticket_id=ticket.ticket_id,
                previous_agent_id=ticket.agent_id,
                group_id=ticket.group_id,
                reason=reason,
                why=because,
            ),
        )

    def queue(self, ticket: Ticket, decision: Decision | None, cause: Cause) -> None:
        """Queue it with the reasons; without a decision it only waits for its turn."""
        reasons = decision.refused_counts if decision else {"waiting_turn": 1}
        assert ticket.queued_at is not None
        self.record(
            ticket,
            TicketQueued(
                **self.stamp(ticket, Cause.by_router(cause.correlation_id, cause.causation_id)),
                ticket_id=ticket.ticket_id,
                group_id=ticket.group_id,
                queued_at=ticket.queued_at,
                priority=ticket.priority,
                reasons=reasons,
                candidates=decision.candidates() if decision else (),
                rule=ticket.rule,
                rules_version=ticket.rules_version,
                why=why.nobody(reasons),
            ),
        )

    def _waited(self, ticket: Ticket) -> float:
        if ticket.queued_at is None:
            return 0.0
        return max(0.0, (self.now - ticket.queued_at).total_seconds())
