"""The statements about one ticket: it waits, it is handed over, taken away, moved, withdrawn; each with its reason."""

from datetime import datetime, timedelta

from services.routing.domain import why
from services.routing.domain.agent import Agent
from services.routing.domain.cause import Cause
from services.routing.domain.choice import Decision, refusal
from services.routing.domain.ledger import Ledger
from services.routing.domain.needs import (
    demand_of,
    overdue_since,
    overflow,
    relaxed,
    step_at,
    steps_taken,
    units_of,
)
from services.routing.domain.ticket import Ticket
from shared.events.assignments import (
    Candidate,
    GroupChanged,
    TicketAssigned,
    TicketOffered,
    TicketOfferEnded,
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
        if ticket.waits_since is None:
            ticket.waits_since = self.now
        ticket.step = step_at(ticket, self.roster, self.now)
        ticket.overdue_since = overdue_since(ticket, self.roster, self.now)
        self._newcomers[ticket.ticket_id] = cause

    def withdraw(self, ticket: Ticket, reason: str, cause: Cause) -> None:
        """The ticket no longer needs anybody (R12)."""
        self._newcomers.pop(ticket.ticket_id, None)
        is_offered = ticket.offered_to is not None
        self.end_offer(ticket, "withdrawn", cause, reason=reason)
        if ticket.lane is not None or is_offered:
            self.record(
                ticket,
                TicketWithdrawn(
                    **self.stamp(ticket, cause),
                    ticket_id=ticket.ticket_id,
                    group_id=ticket.group_id,
                    reason=reason,
                    waited_seconds=self.waited(ticket),
                ),
            )

    def drop(self, ticket: Ticket) -> None:
        """Somebody is named for it by hand: `place` need not look for anybody."""
        self._newcomers.pop(ticket.ticket_id, None)

    def move_to_group(
        self, ticket: Ticket, group_id: str | None, *, mode: str, because: str, cause: Cause
    ) -> None:
        """The ticket belongs to another group from now on; it leaves its old queue place."""
        self.end_offer(ticket, "cancelled", cause, reason=because)
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
        leased_until: datetime | None = None,
    ) -> None:
        """Record that this agent has it now. An offer to somebody else is over; one to this agent is accepted."""
        if ticket.offered_to is not None and ticket.offered_to != agent.agent_id:
            self.end_offer(ticket, "cancelled", cause, reason=because)
        counts = ticket.needs_agent and ticket.agent_id != agent.agent_id
        units = units_of(ticket, self.roster) if counts else 0.0
        before = agent.load
        if ticket.offered_to is not None:
            units = ticket.units
            before = round(agent.load - units, 3)
        steps = steps_taken(ticket, self.roster)
        candidates = decision.candidates() if decision else (self._named(ticket, agent, before),)
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
                load_before=before,
                load_after=round(before + units, 3),
                capacity=agent.profile.capacity,
                candidates=candidates,
                candidates_count=len(decision.ranked) if decision else 1,
                refused_counts=decision.refused_counts if decision else {},
                rule=ticket.rule,
                rules_version=ticket.rules_version,
                waited_seconds=self.waited(ticket),
                ticket_version=ticket.ticket_version,
                units=units,
                skills=ticket.skills,
                relaxed=relaxed(steps),
                overflow=overflow(steps, ticket.group_id),
                leased_until=leased_until,
            ),
        )

    def _named(self, ticket: Ticket, agent: Agent, load: float) -> Candidate:
        """The only one looked at, when no strategy chose: with what would have kept the rules from it, if anything."""
        is_asked = ticket.offered_to == agent.agent_id  # and the room is kept already
        refused = None if is_asked else refusal(agent, demand_of(ticket, self.roster))
        return Candidate(agent.agent_id, load, agent.profile.capacity, refused=refused)

    def offer(
        self,
        ticket: Ticket,
        agent: Agent,
        *,
        seconds: int,
        strategy: str,
        because: str,
        cause: Cause,
        decision: Decision,
    ) -> None:
        """Record that this agent is asked, and keep the room for it (R10)."""
        units = units_of(ticket, self.roster)
        steps = steps_taken(ticket, self.roster)
        self.record(
            ticket,
            TicketOffered(
                **self.stamp(ticket, cause),
                ticket_id=ticket.ticket_id,
                agent_id=agent.agent_id,
                agent_name=agent.profile.name,
                group_id=ticket.group_id,
                strategy=strategy,
                decision_id=derived_id(
                    "decision", ticket.ticket_id, ticket.generation, ticket.version
                ),
                expires_at=self.now + timedelta(seconds=seconds),
                why=because,
                load_before=agent.load,
                load_after=round(agent.load + units, 3),
                capacity=agent.profile.capacity,
                candidates=decision.candidates(),
                candidates_count=len(decision.ranked),
                refused_counts=decision.refused_counts,
                rule=ticket.rule,
                rules_version=ticket.rules_version,
                waited_seconds=self.waited(ticket),
                units=units,
                relaxed=relaxed(steps),
                overflow=overflow(steps, ticket.group_id),
            ),
        )

    def end_offer(self, ticket: Ticket, outcome: str, cause: Cause, *, reason: str = "") -> None:
        """Record that the offer is over, if there is one; the caller lets the ticket wait when it needs somebody."""
        if ticket.offered_to is None:
            return
        since = ticket.offered_at or self.now
        self.record(
            ticket,
            TicketOfferEnded(
                **self.stamp(ticket, cause),
                ticket_id=ticket.ticket_id,
                agent_id=ticket.offered_to,
                group_id=ticket.group_id,
                outcome=outcome,
                reason=reason,
                offered_seconds=max(0.0, (self.now - since).total_seconds()),
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
        steps = steps_taken(ticket, self.roster)
        given_up, helping = relaxed(steps), overflow(steps, ticket.group_id)
        is_overdue = ticket.overdue_since is not None
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
                why=why.nobody(reasons)
                + why.widened(given_up, helping)
                + why.hurried(is_raised=ticket.is_raised, is_overdue=is_overdue),
                waited_seconds=self.waited(ticket),
                skills=ticket.skills,
                relaxed=given_up,
                overflow=helping,
                is_raised=ticket.is_raised,
                units=units_of(ticket, self.roster),
                is_overdue=is_overdue,
            ),
        )

    def waited(self, ticket: Ticket) -> float:
        """Seconds since it began to need somebody; 0 when it needs nobody."""
        if ticket.queued_at is None:
            return 0.0
        return max(0.0, (self.now - ticket.queued_at).total_seconds())
