"""The verbs on tickets: take facts, let time speak, apply a new calendar. All of one transaction each.

Consumers and timers come through here and nowhere else (S26): load the tickets locked, let the
engine judge, write states, alerts and events together (S25).
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from services.sla import engine
from services.sla.alerts import outbox
from services.sla.alerts.sink import Sink
from services.sla.engine.state import to_us
from services.sla.escalation.calling import Calling
from services.sla.promises.books import Books, asks_for_assignments
from services.sla.tickets import states
from services.sla.tickets.events import Cause, event_of
from services.sla.tickets.facts import catch_up_facts, fact_of, note_assignment
from services.sla.tickets.imports import note_import
from services.sla.tickets.paging import Paging
from services.sla.tickets.states import Row
from shared.errors import NotFound, Unreadable
from shared.events.base import Channel, Event
from shared.events.tickets import TicketOpened
from shared.eventstore import EventTransaction
from shared.http.origin import Origin
from shared.messaging import Received
from shared.observability import metrics

log = structlog.get_logger(__name__)

FAILED_TIMER_PAUSE: Final = timedelta(minutes=5)
"""A ticket that cannot be judged must not stop all the others; it is tried again, and said again."""

Tx = EventTransaction[Any]


class Judging:
    """Judges tickets.

    Args:
        books: gives the policies and calendars in force.
        sinks: where pages go.
        pages_warnings: whether warnings page too.
    """

    def __init__(
        self, *, books: Books, sinks: Sequence[Sink], pages_warnings: bool = False
    ) -> None:
        self._books = books
        self._sinks = sinks
        self._pages_warnings = pages_warnings

    def take(self, tx: Tx, batch: Sequence[Received]) -> None:
        """Judge what happened; each fact at its own moment, which for imports lies in the past.

        Raises:
            Unreadable: a ticket is spoken of that was never opened.
        """
        rules = self._books.current(tx)
        rows = states.load(tx, {received.event.stream_id for received in batch})
        work = self._work(tx, rules)
        with_assignments = asks_for_assignments(rules)
        for received in batch:
            event = received.event
            row = rows[event.stream_id]
            _note_origin(event, row)
            for fact in _facts(event, row, with_assignments=with_assignments):
                work.judge(row, fact, event)
            note_assignment(event, row)
            work.calling.hear(event, row)
            work.paging.note_ending(event)
        if any(received.event.via is Channel.IMPORT for received in batch):
            note_import(tx, now=tx.now)
        self._finish(work, rows.values())

    def let_time_speak(self, tx: Tx, horizon: datetime, *, limit: int) -> int:
        """Fire the timers that are due at `horizon`, first things first; returns how many (S24)."""
        rows = states.load_due(tx, horizon, limit=limit)
        if rows:
            work = self._work(tx, self._books.current(tx))
            for row in rows:
                work.advance(row, horizon)
            # Time's own outcomes ascend within a ticket; sorted, they do so across tickets as well.
            work.events.sort(key=lambda event: event.occurred_at)
            self._finish(work, rows)
        return len(rows)

    def recalculate(
        self, tx: Tx, calendar_id: str, rows: Sequence[Row], *, correlation_id: str
    ) -> None:
        """Move the open clocks of these tickets to the calendar's version in force (S12)."""
        work = self._work(tx, self._books.current(tx))
        touched = [
            row
            for row in rows
            if row.state is not None
            and any(c.is_open and c.calendar_id == calendar_id for c in row.state.clocks)
        ]
        cause = Cause(correlation_id, None, tx.now)
        for row in touched:
            fact = engine.CalendarChanged(at=tx.now, calendar_id=calendar_id)
            work.tell(row, cause, engine.fold(row.state, fact, work.rules))
        self._finish(work, touched)

    def reapply(self, tx: Tx, rows: Sequence[Row], *, correlation_id: str) -> tuple[int, int]:
        """Match the policies in force anew (S10); how many tickets have a living clock, and how many changed."""
        work = self._work(tx, self._books.current(tx))
        touched = [
            row
            for row in rows
            if row.state is not None and any(clock.is_alive for clock in row.state.clocks)
        ]
        cause = Cause(correlation_id, None, tx.now)
        changed = 0
        for row in touched:
            assert row.state is not None, "rows without a state were left out"
            before = len(work.events)
            # A person's choice for this ticket stands.
            fact = engine.PolicyChanged(at=tx.now, policy_id=row.state.chosen_policy_id)
            work.tell(row, cause, engine.fold(row.state, fact, work.rules))
            changed += len(work.events) > before
        self._finish(work, touched)
        return len(touched), changed

    def rebuild_timers(self, tx: Tx, rows: Sequence[Row], *, mends: bool) -> int:
        """Work timers out anew from clocks and ladders (S23); how many were stored otherwise."""
        work = self._work(tx, self._books.current(tx))
        for row in rows:
            work.calling.settle(row, Cause(row.correlation_id, None, tx.now))
        wrong = [
            row for row in rows if states.timer_of(row, now=tx.now) != (row.next_due, row.held_due)
        ]
        if mends:
            self._finish(work, wrong)
        return len(wrong)

    def review(
        self,
        tx: Tx,
        ticket_id: UUID,
        metric: str,
        cycle: int,
        *,
        stands: bool,
        note: str | None,
        origin: Origin,
    ) -> None:
        """A person decides about a breach in doubt (S20).

        Raises:
            NotFound: no such decision is waited for.
        """
        row = states.load(tx, [ticket_id])[ticket_id]
        asked = row.state.review(metric, cycle) if row.state is not None else None
        if row.state is None or asked is None:
            raise NotFound(
                f"No breach of {metric}, round {cycle}, waits for a decision.", field="metric"
            )
        work = self._work(tx, self._books.current(tx))
        state, (decision, *further) = engine.review(
            row.state, asked, work.rules, stands=stands, at=tx.now
        )
        work.tell(
            row, Cause(origin.correlation_id, None, tx.now, origin.actor), (state, [decision])
        )
        work.events[-1] = msgspec.structs.replace(work.events[-1], note=note)
        work.tell(row, Cause(origin.correlation_id, None, tx.now), (state, further))
        self._finish(work, [row])

    def acknowledge(
        self, tx: Tx, ticket_id: UUID, metric: str, cycle: int, *, origin: Origin
    ) -> None:
        """Somebody looks after a clock: its ladder stops, its alerts are acknowledged. Again: nothing."""
        rows = states.load(tx, [ticket_id])
        work = self._work(tx, self._books.current(tx))
        cause = Cause(origin.correlation_id, None, tx.now)
        for row in rows.values():
            work.calling.acknowledge(row, metric, cycle, origin.actor, "acknowledged", cause)
        self._finish(work, rows.values())
        outbox.acknowledge_all(
            tx, ticket_id, metric, cycle, by=origin.actor.id, now=tx.now, sinks=self._sinks
        )

    def _work(self, tx: Tx, rules: engine.Rulebook) -> "_Work":
        return _Work(tx, rules, Paging(rules, pages_warnings=self._pages_warnings))

    def _finish(self, work: "_Work", rows: Collection[Row]) -> None:
        for row in rows:
            work.calling.settle(row, Cause(row.correlation_id, None, work.tx.now))
        states.save(work.tx, rows, now=work.tx.now)
        work.paging.batch.write(work.tx, self._sinks, now=work.tx.now)
        for row, metric, cycle, actor in work.calling.answered:
            outbox.acknowledge_all(
                work.tx,
                row.ticket_id,
                metric,
                cycle,
                by=actor.id,
                now=work.tx.now,
                sinks=self._sinks,
            )
        # Last, so that a batch that fails before leaves no event behind in the transaction.
        work.tx.append(*work.events)


class _Work:
    """One transaction's judging: what it appends, and whom it pages."""

    def __init__(self, tx: Tx, rules: engine.Rulebook, paging: Paging) -> None:
        self.tx = tx
        self.rules = rules
        self.paging = paging
        self.events: list[Event] = []
        self.calling = Calling(tx, rules, paging.batch, self.events)

    def judge(self, row: Row, fact: engine.Fact, event: Event) -> None:
        """One fact, heard of when its owner recorded it; imports know no lateness (S20)."""
        fact, was_ahead = engine.clamped(fact, known_at=event.recorded_at)
        if was_ahead:
            log.warning("fact_from_the_future", event_id=event.event_id)
        known_at = None if row.is_imported else event.recorded_at
        cause = Cause(event.correlation_id, event.event_id, self.tx.now)
        try:
            judged = engine.fold(row.state, fact, self.rules, known_at=known_at)
        except engine.TicketNotCreated as error:
            raise Unreadable(f"{event.event_id}: the ticket was never opened") from error
        self.tell(row, cause, judged)

    def advance(self, row: Row, horizon: datetime) -> None:
        """Time alone. A ticket that fails is put aside for a while, loudly; the others go on."""
        assert row.state is not None, "only a state has timers"
        cause = Cause(row.correlation_id, None, self.tx.now)
        try:
            judged = engine.advance(row.state, horizon, self.rules)
            self.tell(row, cause, judged)
            self.calling.fire(row, to_us(horizon), cause)
        except Exception:
            log.exception("timer_failed", ticket_id=str(row.ticket_id))
            metrics.SLA_OUTCOMES.labels("", "failed").inc()
            row.retry_at = self.tx.now + FAILED_TIMER_PAUSE

    def tell(
        self, row: Row, cause: Cause, judged: tuple[engine.State, list[engine.Outcome]]
    ) -> None:
        """Take the engine's word: state, events, pages, metrics."""
        row.state, outcomes = judged
        for outcome in outcomes:
            self.events.append(event_of(outcome, row, cause))
            self.paging.note(outcome, row, now=self.tx.now)
            if isinstance(outcome, engine.PolicyApplied):
                continue
            metrics.SLA_OUTCOMES.labels(outcome.metric, outcome.__struct_config__.tag).inc()
            if isinstance(outcome, engine.Unschedulable):
                log.error(
                    "sla_unschedulable",
                    ticket_id=str(row.ticket_id),
                    metric=outcome.metric,
                    policy_id=outcome.policy_id,
                    calendar_id=outcome.calendar_id,
                    reason=outcome.reason,
                )
            elif isinstance(outcome, engine.Breached) and not row.is_imported:
                late = (self.tx.now - outcome.breached_at).total_seconds()
                metrics.SLA_DETECTION_SECONDS.observe(max(late, 0.0))


def _note_origin(event: Event, row: Row) -> None:
    if isinstance(event, TicketOpened):
        row.number, row.correlation_id = event.number, event.correlation_id
    if event.OWNER == "intake" and event.via is not Channel.SYSTEM:
        row.is_imported = event.via is Channel.IMPORT


def _facts(event: Event, row: Row, *, with_assignments: bool) -> list[engine.Fact]:
    fact = fact_of(event, row, with_assignments=with_assignments)
    if fact is None:
        if row.state is None and event.OWNER == "intake":
            raise Unreadable(f"{event.event_id}: the ticket was never opened")
        return []
    if with_assignments and row.state is not None:
        return [*catch_up_facts(event, row), fact]
    return [fact]
