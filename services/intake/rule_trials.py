"""The verbs of a dry run: rules tried on what has really happened to one ticket, or to the newest ones."""

import asyncio
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec

from services.intake.app import Intake
from services.intake.asking import Asking
from services.intake.configuration import documents
from services.intake.domain import Ticket
from services.intake.domain.actions import Answer
from services.intake.domain.commands import Together
from services.intake.domain.rules import RuleBook, RuleSet
from services.intake.domain.rules.subject import Owner
from services.intake.domain.rules.trial import WouldRun, replay
from services.intake.owners import owner_of
from services.intake.steps import Tx
from shared.errors import NotFound
from shared.events import Actor, Channel
from shared.events.tickets import TicketEvent

TICKETS_MAX: Final = 500
"""Of one dry run; each is read whole and played through every rule."""


class TriedTicket(msgspec.Struct, frozen=True, kw_only=True):
    """One ticket, and what the rules would have done to it."""

    ticket_id: UUID
    number: int
    subject: str
    runs: list[WouldRun]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules would have done, and nothing was done.

    Attributes:
        tickets_count: looked at. `tickets`: those that a rule would have touched, newest first.
        by_rule: how often each rule would have run.
        notes: what the answer cannot know.
    """

    tickets_count: int
    tickets: list[TriedTicket]
    by_rule: Mapping[str, int]
    notes: tuple[str, ...] = (
        "The group and the agent are those of now; what routing and sla said then is not played.",
    )


class RuleTrials:
    """The verbs.

    Args:
        intake: whose tickets they are.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def try_on(self, rules: RuleSet | None, *, ticket_id: UUID | None, recent: int) -> Tried:
        """Play the rules over one ticket, or over those that were opened last.

        Args:
            rules: without faults; None: those in force.
            ticket_id: of one ticket; None: the newest.
            recent: how many of these.

        Raises:
            NotFound: there is no such ticket.
        """

        def look(tx: Tx) -> Tried:
            book = self._book(tx, rules)
            ids = _newest(tx, recent) if ticket_id is None else [ticket_id]
            tried = [self._tried(tx, one, book) for one in ids]
            by_rule: dict[str, int] = {}
            for run in (run for ticket in tried for run in ticket.runs):
                by_rule[run.rule] = by_rule.get(run.rule, 0) + (run.outcome == "applied")
            return Tried(
                tickets_count=len(tried),
                tickets=[ticket for ticket in tried if ticket.runs],
                by_rule=by_rule,
            )

        return await asyncio.to_thread(self._intake.read, look)

    def _book(self, tx: Tx, rules: RuleSet | None) -> RuleBook:
        in_force = self._intake.configuration.rules(tx)
        if rules is None:
            return in_force or RuleBook(RuleSet(), 0, {}, {})
        texts = {
            one.name: msgspec.convert(one.definition, Answer) for one in documents(tx, "answer")
        }
        version = in_force.version if in_force else 0
        return RuleBook(rules, version + 1, self._intake.configuration.house.calendars, texts)

    def _tried(self, tx: Tx, ticket_id: UUID, book: RuleBook) -> TriedTicket:
        ticket = tx.state(ticket_id)
        if ticket is None:
            raise NotFound(f"there is no ticket {ticket_id}", field="ticket_id")

        def decide(
            state: Ticket, commands: Together, actor: Actor, causation_id: str
        ) -> list[TicketEvent]:
            asking = Asking(
                actor=actor, via=Channel.SYSTEM, correlation_id="", causation_id=causation_id
            )
            return self._intake.decided(tx, state, commands, asking)

        def look_up() -> tuple[str | None, str | None]:
            owner = owner_of(tx, ticket_id)
            return owner.group_id, owner.agent_id

        history = [event for event in tx.history(ticket_id) if isinstance(event, TicketEvent)]
        runs = replay(history, book, decide, Owner(look_up), tx.now)
        return TriedTicket(
            ticket_id=ticket.id, number=ticket.number, subject=ticket.subject, runs=runs
        )


def _newest(tx: Tx, count: int) -> list[UUID]:
    tx.cursor.execute(
        "SELECT originator_id FROM intake_events WHERE topic = 'ticket.opened.v1'"
        " AND originator_version = 1 ORDER BY notification_id DESC LIMIT %s",
        (count,),
    )
    return [row["originator_id"] for row in tx.cursor.fetchall()]
