"""Which outcomes page somebody, and which end a page."""

from datetime import datetime

from services.sla import engine
from services.sla.alerts.notice import Alert, Kind
from services.sla.alerts.outbox import AlertBatch, Ending
from services.sla.tickets.events import threshold
from services.sla.tickets.states import Row
from shared.events import tickets
from shared.events.base import Event
from shared.identifiers import derived_id


class Paging:
    """Gathers what one transaction has to say to people on call.

    Breaches page, warnings only where that is wanted, imported history never. A page ends when its
    promise is met, cancelled or shown to have been kept, and with the ticket. Where the policy has a
    ladder that calls people, the ladder alone says whom and when: the right person, once.
    """

    def __init__(self, rules: engine.Rulebook, *, pages_warnings: bool) -> None:
        self._rules = rules
        self.batch = AlertBatch()
        self._pages_warnings = pages_warnings

    def note(self, outcome: engine.Outcome, row: Row, *, now: datetime) -> None:
        """Look at one outcome."""
        match outcome:
            case engine.Breached() | engine.Warned() if self._has_ladder(outcome):
                pass
            case engine.Breached() if not row.is_imported:
                self.batch.open(_breach(outcome, row, now))
            case engine.Warned() if self._pages_warnings and not row.is_imported:
                self.batch.open(_warning(outcome, row, now))
            case engine.Met():
                self._end(outcome, row, "met", outcome.met_at)
            case engine.Cancelled():
                self._end(outcome, row, f"cancelled: {outcome.reason}", outcome.at)
            case engine.BreachRetracted():
                self._end(outcome, row, "retracted", now)
            case _:
                pass

    def note_ending(self, event: Event) -> None:
        """A ticket that is solved, closed or merged away needs nobody any more."""
        match event:
            case tickets.TicketResolved():
                resolution = "solved"
            case tickets.TicketClosed():
                resolution = "closed"
            case tickets.TicketMerged():
                resolution = "merged"
            case _:
                return
        self.batch.end(Ending(event.ticket_id, None, None, resolution, event.occurred_at))

    def _has_ladder(self, outcome: engine.ClockOutcome) -> bool:
        policy = self._rules.policy(outcome.policy_id, outcome.policy_version)
        ladder = policy.ladder(outcome.metric) if policy is not None else None
        return ladder is not None and ladder.tells_somebody

    def _end(self, outcome: engine.ClockOutcome, row: Row, resolution: str, at: datetime) -> None:
        self.batch.end(Ending(row.ticket_id, outcome.metric, outcome.cycle, resolution, at))


def dedupe_key(row: Row, outcome: engine.ClockOutcome) -> str:
    """`sla:<ticket>:<metric>:<cycle>`: what receivers group by."""
    return f"sla:{row.ticket_id}:{outcome.metric}:{outcome.cycle}"


def _breach(outcome: engine.Breached, row: Row, now: datetime) -> Alert:
    identity = row.ticket_id, outcome.metric, outcome.cycle, outcome.attempt
    return Alert(
        alert_id=derived_id("sla_alert", *identity),
        dedupe_key=dedupe_key(row, outcome),
        kind=Kind.BREACH,
        ticket_id=row.ticket_id,
        number=row.number,
        metric=outcome.metric,
        cycle=outcome.cycle,
        priority=outcome.priority,
        policy_id=outcome.policy_id,
        policy_version=outcome.policy_version,
        group_id=row.group_id,
        agent_id=row.agent_id,
        due_at=outcome.due_at or outcome.breached_at,
        breached_at=outcome.breached_at,
        detected_at=now,
    )


def _warning(outcome: engine.Warned, row: Row, now: datetime) -> Alert:
    level = threshold(outcome)
    return Alert(
        alert_id=derived_id("sla_warning", row.ticket_id, outcome.metric, outcome.cycle, level),
        dedupe_key=f"{dedupe_key(row, outcome)}:{level}",
        kind=Kind.WARNING,
        ticket_id=row.ticket_id,
        number=row.number,
        metric=outcome.metric,
        cycle=outcome.cycle,
        priority=outcome.priority,
        policy_id=outcome.policy_id,
        policy_version=outcome.policy_version,
        group_id=row.group_id,
        agent_id=row.agent_id,
        due_at=outcome.due_at or outcome.at,
        breached_at=None,
        detected_at=now,
    )
