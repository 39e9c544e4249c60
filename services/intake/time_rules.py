"""The verbs of time rules: running those whose moment has come, and finding the moments of all tickets anew."""

import asyncio
import contextlib
from datetime import datetime
from typing import Final
from uuid import UUID

from services.intake.app import Intake
from services.intake.domain import Ticket
from services.intake.domain.rules import RuleBook
from services.intake.steps import Tx
from shared.eventstore import EventStore
from shared.observability import metrics

TICKETS_TOGETHER: Final = 200
"""Looked at in one transaction when the rules have changed: others pass between two."""

EVENTS_TOGETHER: Final = 20_000
"""Events among which these are looked for."""


class TimeRules:
    """The verbs.

    Args:
        intake: whose rules and tickets they are.
        store: whose commits wake the timer.
    """

    def __init__(self, intake: Intake, store: EventStore[Ticket]) -> None:
        self._intake = intake
        self._timers = intake.ruling.timers
        self._armed: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        store.on_commit(self._committed)

    @property
    def changed(self) -> asyncio.Event:
        """Set when a moment was stored that comes soon."""
        return self._timers.changed

    def wake_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on `changed` is set there, whichever thread commits."""
        self._loop = loop

    def run_due(self, correlation_id: str) -> datetime | None:
        """Run the rules whose moment has come. Returns when the next one comes. Blocks.

        A run and the row that it was for are one transaction, and the ticket knows for which moment a rule has run: a
        process that dies in between leaves both or none.
        """

        def work(tx: Tx) -> datetime | None:
            book = self._intake.configuration.rules(tx)
            due = self._timers.due(tx)
            tx.prefetch([one.ticket_id for one in due])
            for one in due:
                late_seconds = (tx.now - one.until).total_seconds()
                if self._passed(tx, book, one.ticket_id, correlation_id):
                    metrics.INTAKE_RULE_DELAY_SECONDS.observe(late_seconds)
            return self._timers.next_moment(tx)

        return self._intake.read(work)

    def _passed(self, tx: Tx, book: RuleBook | None, ticket_id: UUID, correlation_id: str) -> bool:
        """Whether a rule had its turn on the ticket."""
        ticket = tx.state(ticket_id)
        if book is None or ticket is None:
            self._timers.note(tx, ticket_id, None)
            return False
        ruling, decided = self._intake.ruling, self._intake.decided
        made = ruling.follow_time(tx, book, ticket, correlation_id, decided)
        after = self._intake.store(tx, ticket, made) if made else ticket
        ruling.arm_again(tx, book, after, correlation_id, decided)
        return bool(made)

    def arm_some(self) -> bool:
        """After a change of the rules: find the next moments of some more tickets. Whether there are more. Blocks.

        Rules count for tickets that were there before them, too. An imported ticket is left alone until somebody has
        touched it here: history must not set off hundreds of letters.
        """
        if self._armed == self._revision:
            return False
        return self._intake.read(self._arm)

    @property
    def _revision(self) -> str:
        """Of everything that moments follow from."""
        house = self._intake.configuration.house
        return f"{house.rules.version if house.rules else 0}.{house.calendars_version}"

    def _arm(self, tx: Tx) -> bool:
        book, revision = self._intake.configuration.rules(tx), self._revision
        tx.cursor.execute("SELECT revision, position, until FROM rule_arming FOR UPDATE")
        row = tx.cursor.fetchone()
        assert row is not None, "the migration made it"
        position, until = row["position"], row["until"]
        if row["revision"] != revision:
            tx.cursor.execute("SELECT coalesce(max(notification_id), 0) AS last FROM intake_events")
            last = tx.cursor.fetchone()
            assert last is not None, "an aggregate has a row"
            # Without time rules there is no moment to find; those that are kept find that out themselves.
            position, until = (0, last["last"]) if book and book.timed else (0, 0)
        if book is not None and position < until:
            position = self._arm_next(tx, book, position, until)
        tx.cursor.execute(
            "UPDATE rule_arming SET revision = %s, position = %s, until = %s",
            (revision, position, until),
        )
        if position < until:
            return True
        self._armed = revision
        return False

    def _arm_next(self, tx: Tx, book: RuleBook, position: int, until: int) -> int:
        """The position up to which tickets have been looked at."""
        end = min(until, position + EVENTS_TOGETHER)
        tx.cursor.execute(
            "SELECT notification_id, originator_id FROM intake_events"
            " WHERE notification_id > %s AND notification_id <= %s AND topic = 'ticket.opened.v1'"
            " AND originator_version = 1 ORDER BY notification_id LIMIT %s",
            (position, end, TICKETS_TOGETHER),
        )
        rows = tx.cursor.fetchall()
        tx.prefetch([row["originator_id"] for row in rows])
        for row in rows:
            ticket = tx.state(row["originator_id"])
            assert ticket is not None, "its first event has just been read"
            self._intake.ruling.arm(tx, book, None, ticket)
        return end if len(rows) < TICKETS_TOGETHER else int(rows[-1]["notification_id"])

    def _committed(self) -> None:
        if self._loop is not None and self._intake.ruling.rings:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody sleeps any more
                self._loop.call_soon_threadsafe(self.changed.set)
