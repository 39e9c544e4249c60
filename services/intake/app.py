"""The verbs of intake: each loads, decides and saves in one transaction, whatever entrance asked."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from services.intake import contacts, people
from services.intake.asking import Asking, ByExternalId, Receipt, Reference
from services.intake.attachments import shelf
from services.intake.configuration import Document, Kind
from services.intake.domain import Command, OpenTicket, Ticket
from services.intake.domain.actions import Answer, AnswerFile
from services.intake.domain.commands import (
    ChangePriority,
    CloseWhenDue,
    EndPostponement,
    Merge,
    ReceiveMerge,
    Relation,
    Unlink,
)
from services.intake.domain.refusals import ChildrenAreOpen
from services.intake.domain.status import ENDED
from services.intake.postponements import Postponements
from services.intake.steps import Steps, Tx, without_conditions
from services.intake.walks import end_of_chain
from shared.errors import Refused
from shared.events import Actor, ActorKind, Channel, Priority, Stamp, StatusCategory
from shared.events.messages import AttachedFile
from shared.events.tickets import Person, TicketOpened
from shared.eventstore import Claim, EventStore, GroupCommitter, Outcome
from shared.identifiers import new_id
from shared.observability import metrics
from shared.security import Principal
from shared.subjects import why_uninformative

__all__ = ["Asking", "ByExternalId", "Intake", "Receipt", "Reference", "Tx"]

R = TypeVar("R")

LOOK_AT_CHILDREN_AGAIN: Final = timedelta(hours=1)
"""A parent that should close and waits for its children; nothing tells it when the last one ends."""

_URGENCY: Final = tuple(Priority)
_SYSTEM: Final = Actor(kind=ActorKind.SYSTEM, id="intake")


class Intake(Steps):
    """The verbs.

    Args:
        store: where tickets live; folds with `domain.evolve`.
        committer: the way of commands into the store.
    """

    def __init__(self, store: EventStore[Ticket], committer: GroupCommitter[Ticket]) -> None:
        super().__init__()
        self._store = store
        self._committer = committer
        store.on_commit(self._numbers.committed)

    async def open_ticket(self, command: OpenTicket, asking: Asking) -> Outcome[Receipt]:
        """Make a ticket and give it the next number.

        Raises:
            ExternalIdIsTaken: another ticket was opened under this id.
            Refused: see `domain.check_opening`.
        """
        if command.external_id is not None:
            self._external_ids.expect(command.external_id, command.ticket_id)
        command = await self._introduced(command, asking)

        def work(tx: Tx) -> Receipt:
            event = self.opening(tx, command, asking)
            opened = tx.state(event.ticket_id)
            assert opened is not None, "it has just been opened"
            return replace(Receipt.of(opened, event.message_id), hint=_hint(event, asking))

        self._numbers.expect()
        try:
            return await self.submit(work, (), asking)
        finally:
            self._numbers.forget()

    async def _introduced(self, command: OpenTicket, asking: Asking) -> OpenTicket:
        """With what we know of the requester: one look-up beside the writer, none while nobody is known.

        An address in the body counts when somebody answers for it: who works here, or the customer's token.
        """
        if self.contacts.is_empty or asking.via is Channel.IMPORT:
            return command
        person = command.requester
        is_sure = asking.own_tickets_of is None or f"mailto:{person.email}" in asking.own_addresses
        pool = await self._store.pool()
        async with pool.connection() as connection:
            found = await connection.execute(
                contacts.FIND, contacts.asked(person.id, person.email if is_sure else None)
            )
            return replace(command, requester=contacts.told(person, await found.fetchone()))

    async def change(
        self,
        which: Reference,
        command: Command,
        asking: Asking,
        *,
        message_id: UUID | None = None,
        task_id: UUID | None = None,
    ) -> Outcome[Receipt]:
        """Ask something of one ticket. `message_id` and `task_id` are repeated in the receipt.

        Raises:
            NotFound: there is no such ticket, or not for this caller.
            Conflict: the ticket has moved on from the expected version.
            Refused: the rules of the ticket say no.
        """

        def work(tx: Tx) -> Receipt:
            asked_of = self.load(tx, which, asking)
            after = self.changing(tx, asked_of.id, command, asking)
            receipt = Receipt.of(after, message_id, asked_of=asked_of)
            return receipt if task_id is None else replace(receipt, task_id=task_id)

        return await self.submit(work, self.streams(which), asking)

    async def merge(self, which: Reference, into: Reference, asking: Asking) -> Outcome[Receipt]:
        """Make one ticket part of another; when that was merged itself, of the one it lives on as.

        Raises:
            NotFound, Conflict, Refused: as for `change`; nothing happens to either ticket.
        """

        def work(tx: Tx) -> Receipt:
            source = self.load(tx, which, asking)
            requested = self.load(tx, into, without_conditions(asking), field="into")
            if source.merged_into == requested.id:
                return Receipt.of(source)
            target = end_of_chain(tx, requested.id)
            has_open_message = source.is_waiting_for_us and source.category not in ENDED
            away = Merge(into_ticket_id=target.id, into_number=target.number)
            received = ReceiveMerge(
                from_ticket_id=source.id,
                from_number=source.number,
                has_open_customer_message=has_open_message,
            )
            leaving = self.decided(tx, source, away, asking)
            receiving = self.decided(tx, target, received, asking)
            self.save(tx, target, receiving)
            return Receipt.of(self.save(tx, source, leaving))

        return await self.submit(work, (*self.streams(which), *self.streams(into)), asking)

    async def link(
        self, which: Reference, other: Reference, relation: Relation, asking: Asking
    ) -> Outcome[Receipt]:
        """Say on both tickets what the other one is.

        Raises:
            NotFound, Conflict, Refused: as for `change`; nothing happens to either ticket.
        """

        def work(tx: Tx) -> Receipt:
            return self.linking(tx, which, other, relation, asking)

        return await self.submit(work, (*self.streams(which), *self.streams(other)), asking)

    async def unlink(self, which: Reference, other: Reference, asking: Asking) -> Outcome[Receipt]:
        """Take the link away on both tickets."""

        def work(tx: Tx) -> Receipt:
            ticket = self.load(tx, which, asking)
            linked = self.load(tx, other, without_conditions(asking), field="ticket_id")
            here, there = Unlink(other_ticket_id=linked.id), Unlink(other_ticket_id=ticket.id)
            return self.both(tx, (ticket, here), (linked, there), asking)

        return await self.submit(work, (*self.streams(which), *self.streams(other)), asking)

    async def together(
        self,
        work: Callable[[Tx], R],
        returns: type[R],
        *,
        claim: Claim | None = None,
        streams: Sequence[UUID] = (),
    ) -> Outcome[R]:
        """Several of the steps below in one transaction, once; for channels that find out in it what is to be done.

        Args:
            work: refuses before it writes; reads and changes with `opening`, `changing`, `linking`.
            returns: what `work` returns; a repetition gets the first answer, which is kept as JSON.
            claim: makes it happen once.
            streams: tickets that it probably speaks of.
        """
        self._numbers.expect()
        try:
            outcome = await self._committer.submit(work, streams=streams, claim=claim)
        finally:
            self._numbers.forget()
        if outcome.replayed:
            return Outcome(msgspec.convert(outcome.result, returns), replayed=True)
        return outcome

    async def look(
        self,
        which: Reference,
        *,
        own_tickets_of: str | None,
        own_addresses: tuple[str, ...] = (),
    ) -> Ticket:
        """The ticket as it is now.

        Raises:
            NotFound: there is none, or not for this customer.
        """
        asking = Asking(
            actor=_SYSTEM,
            via=Channel.SYSTEM,
            correlation_id="",
            own_tickets_of=own_tickets_of,
            own_addresses=own_addresses,
        )
        return await asyncio.to_thread(
            self._store.transact, lambda tx: self.load(tx, which, asking)
        )

    async def attached(
        self, upload_ids: Sequence[UUID], principal: Principal
    ) -> tuple[AttachedFile, ...]:
        """The caller's uploads, and who works here also files of prepared texts, as files of a message.

        Raises:
            Invalid: one of them is none.
        """
        found = await shelf.known(
            self._store, upload_ids, principal.id, has_prepared=not principal.is_customer
        )
        # An id of its own for each use: the same file may go out with a reply and stay inside with a note.
        return tuple(
            AttachedFile(new_id(), one.name, one.content_type, one.size, one.sha256)
            for one in found
        )

    async def with_files(self, answer: Answer, owner_id: str) -> Answer:
        """The prepared text with all that is known of its files. Raises Invalid: one of them is none."""
        ids = [one.id for one in answer.files]
        found = await shelf.known(self._store, ids, owner_id, has_prepared=True, field="files")
        files = tuple(msgspec.convert(msgspec.to_builtins(one), AnswerFile) for one in found)
        return replace(answer, files=files)

    async def known_as(self, addresses: Sequence[str]) -> Person | None:
        """Who is known by the first of these addresses that is anybody's (see `people`)."""
        return await people.look_up(self._store, addresses)

    async def introduce(self, addresses: Sequence[str], person: Person, asking: Asking) -> None:
        """From now on these addresses are this person's."""
        await asyncio.to_thread(
            self._store.transact, lambda tx: self.introducing(tx, addresses, person, asking)
        )

    async def meet(self, external_ids: Collection[str]) -> dict[str, UUID]:
        """Learn at once which tickets these ids stand for, before many commands name them one by one."""
        if not external_ids:
            return {}
        pool = await self._store.pool()
        async with pool.connection() as connection:
            found = await connection.execute(
                "SELECT external_id, ticket_id FROM external_ids WHERE external_id = ANY(%s)",
                (list(external_ids),),
            )
            known = {row["external_id"]: row["ticket_id"] async for row in found}
        for external_id, ticket_id in known.items():
            self._external_ids.remember(external_id, ticket_id)
        return known

    def raise_priority(self, tx: Tx, which: UUID, priority: Priority, asking: Asking) -> bool:
        """Raise it to this, in the caller's transaction; never lower, and nothing on an ended ticket.

        Raises:
            NotFound: there is no such ticket.
        """
        ticket = self.load(tx, which, asking)
        if _URGENCY.index(ticket.priority) >= _URGENCY.index(priority):
            return False
        try:
            events = self.decided(tx, ticket, ChangePriority(priority=priority), asking)
        except Refused:  # closed or merged meanwhile: nobody needs it more urgently
            return False
        self.save(tx, ticket, events)
        return bool(events)

    def end_postponements(self, correlation_id: str) -> datetime | None:
        """Open the tickets whose moment has come. Returns when the next one ends. Blocks.

        It happened when it was due, however late we are: `occurred_at` is the moment itself.
        """

        def work(tx: Tx) -> datetime | None:
            for until, ticket, asking in self._due(tx, self.postponements, correlation_id):
                events = self.decided(tx, ticket, EndPostponement(until=until), asking)
                if events:
                    late = (tx.now - until).total_seconds()
                    metrics.INTAKE_POSTPONEMENT_DELAY_SECONDS.observe(max(late, 0.0))
                if not self.save(tx, ticket, events).until:
                    continue
                self.postponements.note(
                    tx, ticket.id, ticket.until
                )  # the row was behind the ticket
            return self.postponements.next_moment(tx)

        return self._store.transact(work)

    def _due(
        self, tx: Tx, moments: Postponements, correlation_id: str
    ) -> Iterator[tuple[datetime, Ticket, Asking]]:
        """The tickets whose moment has come, each with it and with an asking that says it happened then."""
        due = moments.due(tx)
        tx.prefetch([one.ticket_id for one in due])
        for one in due:
            asking = Asking(
                actor=_SYSTEM,
                via=Channel.SYSTEM,
                correlation_id=correlation_id,
                occurred_at=one.until,
            )
            yield one.until, self.load(tx, one.ticket_id, asking), asking

    def close_due(self, correlation_id: str) -> datetime | None:
        """Close the solved tickets whose moment has come. Returns when the next one closes. Blocks.

        It happened when it was due. One that waits for its children is looked at again later.
        """

        def work(tx: Tx) -> datetime | None:
            for _, ticket, asking in self._due(tx, self.closings, correlation_id):
                if ticket.close_at is None or ticket.close_at > tx.now:
                    self.closings.note(tx, ticket.id, ticket.close_at)  # the row was behind
                    continue
                command = CloseWhenDue(close_at=ticket.close_at)
                then = replace(asking, occurred_at=ticket.close_at)
                try:
                    events = self.decided(tx, ticket, command, then)
                except ChildrenAreOpen:
                    self.closings.note(tx, ticket.id, tx.now + LOOK_AT_CHILDREN_AGAIN)
                    continue
                self.save(tx, ticket, events)
            return self.closings.next_moment(tx)

        return self._store.transact(work)

    def refresh_configuration(self) -> None:
        """Take up what other processes have configured. Blocks."""
        self._store.transact(self._refresh)

    def _refresh(self, tx: Tx) -> None:
        self.configuration.refresh(tx)
        self.contacts.refresh(tx)

    def read(self, look: Callable[[Tx], R]) -> R:
        """What the tables say now. Blocks."""
        return self._store.transact(look)

    async def define(
        self,
        kind: Kind,
        name: str,
        definition: dict[str, Any] | None,
        stamp: Stamp,
        *,
        expected: int | None = None,
        claim: Claim | None = None,
    ) -> Document:
        """Give a document of the configuration a new version, in force here when this returns.

        Raises:
            Conflict, NotFound: see `Configuration.define`.
        """

        def work(tx: Tx) -> Document:
            return self.configuration.define(tx, kind, name, definition, stamp, expected=expected)

        outcome = await self._committer.submit(work, claim=claim)
        await asyncio.to_thread(self.refresh_configuration)
        return msgspec.convert(outcome.result, Document) if outcome.replayed else outcome.result

    async def submit(
        self, work: Callable[[Tx], Receipt], streams: Sequence[UUID], asking: Asking
    ) -> Outcome[Receipt]:
        outcome = await self._committer.submit(work, streams=streams, claim=asking.claim)
        if outcome.replayed:
            receipt = msgspec.convert(outcome.result, Receipt)
            return Outcome(receipt, replayed=True)
        if outcome.result.category is StatusCategory.POSTPONED:
            self.postponements.changed.set()
        elif outcome.result.category is StatusCategory.SOLVED:
            self.closings.changed.set()
            self.surveys_due.changed.set()
        return outcome


def _hint(event: TicketOpened, asking: Asking) -> str | None:
    """For an agent only: a customer is helped, not taught."""
    is_agent = asking.actor.kind is ActorKind.AGENT and asking.via is not Channel.IMPORT
    return why_uninformative(event.subject) if is_agent else None
