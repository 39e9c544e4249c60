"""The verbs of intake: each loads, decides and saves in one transaction, whatever entrance asked."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import msgspec
import psycopg

from services.intake.attachments import shelf
from services.intake.domain import (
    Command,
    Context,
    OpenTicket,
    Ticket,
    check_opening,
    decide,
    limits,
    open_ticket,
)
from services.intake.domain.commands import (
    ChangePriority,
    EndPostponement,
    LinkTo,
    Merge,
    ReceiveMerge,
    Relation,
    Unlink,
)
from services.intake.domain.refusals import (
    ExternalIdIsTaken,
    FamilyIsTooDeep,
    TicketIsMerged,
    TicketMeetsItself,
)
from services.intake.domain.status import ENDED
from services.intake.external_ids import ExternalIds
from services.intake.numbers import Numbers
from services.intake.postponements import Postponements
from shared.errors import Conflict, NotFound, Refused
from shared.events import Actor, ActorKind, Channel, Priority, StatusCategory
from shared.events.messages import AttachedFile
from shared.events.tickets import TicketEvent, TicketOpened
from shared.eventstore import Claim, EventStore, EventTransaction, GroupCommitter, Outcome
from shared.eventstore.claims import find_claims

R = TypeVar("R")
Tx = EventTransaction[Ticket]

_URGENCY: Final = tuple(Priority)
_SYSTEM: Final = Actor(kind=ActorKind.SYSTEM, id="intake")


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, through what, and on which conditions.

    Attributes:
        occurred_at: when it happened in the world; `None`: now.
        own_tickets_of: a customer's id: other people's tickets do not exist for them.
        expected_version: the version that the caller has looked at.
        claim: makes the request happen once.
        causation_id: the event of another service that made this one happen.
    """

    actor: Actor
    via: Channel
    correlation_id: str
    occurred_at: datetime | None = None
    own_tickets_of: str | None = None
    expected_version: int | None = None
    claim: Claim | None = None
    causation_id: str | None = None

    def at(self, now: datetime) -> datetime:
        """When it happened."""
        return now if self.occurred_at is None else self.occurred_at

    def context(self, now: datetime) -> Context:
        """The circumstances as events name them."""
        return Context(
            actor=self.actor,
            via=self.via,
            correlation_id=self.correlation_id,
            recorded_at=now,
            causation_id=self.causation_id,
        )


class ByExternalId(msgspec.Struct, frozen=True):
    """A ticket named by the id of another system under which it was opened."""

    external_id: str


Reference = UUID | ByExternalId


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a command has come to: the ticket as it is now."""

    ticket_id: UUID
    number: int
    version: int
    category: StatusCategory
    message_id: UUID | None = None


class Intake:
    """The verbs.

    Args:
        store: where tickets live; folds with `domain.evolve`.
        committer: the way of commands into the store.
    """

    def __init__(self, store: EventStore[Ticket], committer: GroupCommitter[Ticket]) -> None:
        self.postponements = Postponements()
        self._store = store
        self._committer = committer
        self._numbers = Numbers()
        self._external_ids = ExternalIds()
        store.on_commit(self._numbers.committed)

    async def open_ticket(self, command: OpenTicket, asking: Asking) -> Outcome[Receipt]:
        """Make a ticket and give it the next number.

        Raises:
            ExternalIdIsTaken: another ticket was opened under this id.
            Refused: see `domain.check_opening`.
        """
        if command.external_id is not None:
            self._external_ids.expect(command.external_id, command.ticket_id)

        def work(tx: Tx) -> Receipt:
            event = self.opening(tx, command, asking)
            return Receipt(
                ticket_id=event.ticket_id,
                number=event.number,
                version=event.version,
                category=event.category,
                message_id=event.message_id,
            )

        self._numbers.expect()
        try:
            return await self._submit(work, (), asking)
        finally:
            self._numbers.forget()

    async def change(
        self, which: Reference, command: Command, asking: Asking, *, message_id: UUID | None = None
    ) -> Outcome[Receipt]:
        """Ask something of one ticket. `message_id` is repeated in the receipt.

        Raises:
            NotFound: there is no such ticket, or not for this caller.
            Conflict: the ticket has moved on from the expected version.
            Refused: the rules of the ticket say no.
        """

        def work(tx: Tx) -> Receipt:
            return _receipt(self.changing(tx, which, command, asking), message_id)

        return await self._submit(work, self._streams(which), asking)

    async def merge(self, which: Reference, into: Reference, asking: Asking) -> Outcome[Receipt]:
        """Make one ticket part of another; when that was merged itself, of the one it lives on as.

        Raises:
            NotFound, Conflict, Refused: as for `change`; nothing happens to either ticket.
        """

        def work(tx: Tx) -> Receipt:
            source = self._load(tx, which, asking)
            requested = self._load(tx, into, _without_conditions(asking), field="into")
            if source.merged_into == requested.id:
                return _receipt(source)
            target = _end_of_chain(tx, requested.id)
            has_open_message = source.is_waiting_for_us and source.category not in ENDED
            away = Merge(into_ticket_id=target.id, into_number=target.number)
            received = ReceiveMerge(
                from_ticket_id=source.id,
                from_number=source.number,
                has_open_customer_message=has_open_message,
            )
            leaving = self._decide(tx, source, away, asking)
            receiving = self._decide(tx, target, received, asking)
            self._save(tx, target, receiving)
            return _receipt(self._save(tx, source, leaving))

        return await self._submit(work, (*self._streams(which), *self._streams(into)), asking)

    async def link(
        self, which: Reference, other: Reference, relation: Relation, asking: Asking
    ) -> Outcome[Receipt]:
        """Say on both tickets what the other one is.

        Raises:
            NotFound, Conflict, Refused: as for `change`; nothing happens to either ticket.
        """

        def work(tx: Tx) -> Receipt:
            return self.linking(tx, which, other, relation, asking)

        return await self._submit(work, (*self._streams(which), *self._streams(other)), asking)

    async def unlink(self, which: Reference, other: Reference, asking: Asking) -> Outcome[Receipt]:
        """Take the link away on both tickets."""

        def work(tx: Tx) -> Receipt:
            ticket = self._load(tx, which, asking)
            linked = self._load(tx, other, _without_conditions(asking), field="ticket_id")
            here, there = Unlink(other_ticket_id=linked.id), Unlink(other_ticket_id=ticket.id)
            return self._both(tx, (ticket, here), (linked, there), asking)

        return await self._submit(work, (*self._streams(which), *self._streams(other)), asking)

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

    def opening(self, tx: Tx, command: OpenTicket, asking: Asking) -> TicketOpened:
        """A step: a ticket with the next number. Raises as `open_ticket`."""
        check_opening(command)
        if command.external_id is not None:
            self._take_external_id(tx, command.external_id, command.ticket_id, asking.claim)
        event = open_ticket(
            command,
            number=self._numbers.take(tx),
            context=asking.context(tx.now),
            at=asking.at(tx.now),
        )
        tx.append(event)
        shelf.note(tx, event)
        return event

    def changing(self, tx: Tx, which: Reference, command: Command, asking: Asking) -> Ticket:
        """A step: the ticket after the command. Raises as `change`."""
        ticket = self._load(tx, which, asking)
        return self._save(tx, ticket, self._decide(tx, ticket, command, asking))

    def linking(
        self, tx: Tx, which: Reference, other: Reference, relation: Relation, asking: Asking
    ) -> Receipt:
        """A step: both tickets say what the other one is. Raises as `link`."""
        ticket = self._load(tx, which, asking)
        linked = self._load(tx, other, _without_conditions(asking), field="ticket_id")
        _refuse_ring(tx, ticket, linked, relation)
        here = LinkTo(other_ticket_id=linked.id, other_number=linked.number, relation=relation)
        there = LinkTo(
            other_ticket_id=ticket.id, other_number=ticket.number, relation=relation.reverse
        )
        return self._both(tx, (ticket, here), (linked, there), asking)

    def standing(self, tx: Tx, ticket_id: UUID) -> Ticket | None:
        """A step: the ticket that this one lives on as, after all merges; None when there is none."""
        return None if tx.state(ticket_id) is None else _end_of_chain(tx, ticket_id)

    async def look(self, which: Reference, *, own_tickets_of: str | None) -> Ticket:
        """The ticket as it is now.

        Raises:
            NotFound: there is none, or not for this customer.
        """
        asking = Asking(
            actor=_SYSTEM, via=Channel.SYSTEM, correlation_id="", own_tickets_of=own_tickets_of
        )
        return await asyncio.to_thread(
            self._store.transact, lambda tx: self._load(tx, which, asking)
        )

    async def attached(self, upload_ids: Sequence[UUID], owner_id: str) -> tuple[AttachedFile, ...]:
        """The caller's uploads as files of a message. Raises Invalid: one of them is none."""
        return await shelf.attached(self._store, upload_ids, owner_id)

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
        ticket = self._load(tx, which, asking)
        if _URGENCY.index(ticket.priority) >= _URGENCY.index(priority):
            return False
        try:
            events = self._decide(tx, ticket, ChangePriority(priority=priority), asking)
        except Refused:  # closed or merged meanwhile: nobody needs it more urgently
            return False
        self._save(tx, ticket, events)
        return bool(events)

    def end_postponements(self, correlation_id: str) -> datetime | None:
        """Open the tickets whose moment has come. Returns when the next one ends. Blocks.

        It happened when it was due, however late we are: `occurred_at` is the moment itself.
        """

        def work(tx: Tx) -> datetime | None:
            due = self.postponements.due(tx)
            tx.prefetch([one.ticket_id for one in due])
            for one in due:
                asking = Asking(
                    actor=_SYSTEM,
                    via=Channel.SYSTEM,
                    correlation_id=correlation_id,
                    occurred_at=one.until,
                )
                ticket = self._load(tx, one.ticket_id, asking)
                events = self._decide(tx, ticket, EndPostponement(until=one.until), asking)
                if not self._save(tx, ticket, events).until:
                    continue
                self.postponements.note(
                    tx, ticket.id, ticket.until
                )  # the row was behind the ticket
            return self.postponements.next_moment(tx)

        return self._store.transact(work)

    async def _submit(
        self, work: Callable[[Tx], Receipt], streams: Sequence[UUID], asking: Asking
    ) -> Outcome[Receipt]:
        outcome = await self._committer.submit(work, streams=streams, claim=asking.claim)
        if outcome.replayed:
            receipt = msgspec.convert(outcome.result, Receipt)
            return Outcome(receipt, replayed=True)
        if outcome.result.category is StatusCategory.POSTPONED:
            self.postponements.changed.set()
        return outcome

    def _streams(self, which: Reference) -> tuple[UUID, ...]:
        """What to load with the whole group; a wrong guess only costs a query."""
        if isinstance(which, UUID):
            return (which,)
        hint = self._external_ids.remembered(which.external_id)
        return () if hint is None else (hint,)

    def _load(
        self, tx: Tx, which: Reference, asking: Asking, *, field: str | None = None
    ) -> Ticket:
        ticket = self._find(tx, which)
        if ticket is None or asking.own_tickets_of not in {None, ticket.requester_id}:
            named = which if isinstance(which, UUID) else f"external_id {which.external_id!r}"
            raise NotFound(f"there is no ticket {named}", field=field)
        if asking.expected_version not in {None, ticket.version}:
            raise Conflict(
                f"ticket {ticket.number} is at version {ticket.version},"
                f" not {asking.expected_version}"
            )
        return ticket

    def _find(self, tx: Tx, which: Reference) -> Ticket | None:
        if isinstance(which, UUID):
            return tx.state(which)
        hint = self._external_ids.remembered(which.external_id)
        if hint is not None and (ticket := tx.state(hint)):
            return ticket
        found = self._external_ids.find(tx, (which.external_id,)).get(which.external_id)
        if found is None:
            return None
        self._external_ids.remember(which.external_id, found)
        return tx.state(found)

    def _decide(
        self, tx: Tx, ticket: Ticket, command: Command, asking: Asking
    ) -> list[TicketEvent]:
        try:
            return decide(ticket, command, context=asking.context(tx.now), at=asking.at(tx.now))
        except TicketIsMerged as refusal:
            final = _end_of_chain(tx, refusal.into_ticket_id)
            raise TicketIsMerged(ticket.number, final.id, final.number) from None

    def _both(
        self, tx: Tx, here: tuple[Ticket, Command], there: tuple[Ticket, Command], asking: Asking
    ) -> Receipt:
        """Decide on both tickets before anything is saved on either."""
        decided = [
            (ticket, self._decide(tx, ticket, said, asking)) for ticket, said in (here, there)
        ]
        after = [self._save(tx, ticket, events) for ticket, events in decided]
        return _receipt(after[0])

    def _save(self, tx: Tx, before: Ticket, events: Sequence[TicketEvent]) -> Ticket:
        """Append, and let the tables follow. Nothing may be refused from here on."""
        if not events:
            return before
        tx.append(*events)
        for event in events:
            shelf.note(tx, event)
        after = tx.state(before.id)
        assert after is not None, "it has just been appended to"
        if after.until != before.until:
            self.postponements.note(tx, after.id, after.until)
        return after

    def _take_external_id(
        self, tx: Tx, external_id: str, ticket_id: UUID, claim: Claim | None
    ) -> None:
        owner = self._external_ids.claim(tx, external_id, ticket_id)
        self._external_ids.remember(external_id, owner)
        if owner == ticket_id:
            return
        if claim is not None and find_claims(tx, (claim.id,)):
            # Another process answered this very request after the committer had looked, while we waited
            # for its external id. A violated claim is what the committer looks at again.
            raise psycopg.errors.UniqueViolation("the claim was made meanwhile")
        raise ExternalIdIsTaken(external_id, owner)


def _receipt(ticket: Ticket, message_id: UUID | None = None) -> Receipt:
    return Receipt(
        ticket_id=ticket.id,
        number=ticket.number,
        version=ticket.version,
        category=ticket.category,
        message_id=message_id,
    )


def _without_conditions(asking: Asking) -> Asking:
    """The same asking about the other ticket, of which no version was named."""
    return msgspec.structs.replace(asking, expected_version=None)


def _end_of_chain(tx: Tx, ticket_id: UUID) -> Ticket:
    """The ticket that this one lives on as. Merges form no rings (see `domain.bonds`), so the walk ends."""
    while True:
        ticket = tx.state(ticket_id)
        assert ticket is not None, "a merge leads to a ticket that exists"
        if ticket.merged_into is None:
            return ticket
        ticket_id = ticket.merged_into


def _refuse_ring(tx: Tx, ticket: Ticket, other: Ticket, relation: Relation) -> None:
    """A ticket is not its own ancestor. Raises TicketMeetsItself or FamilyIsTooDeep."""
    match relation:
        case Relation.PARENT:
            child, ancestor = ticket, other
        case Relation.CHILD:
            child, ancestor = other, ticket
        case _:
            return
    for _ in range(limits.FAMILY_DEPTH_MAX):
        if ancestor.id == child.id:
            raise TicketMeetsItself(child.number)
        parent = ancestor.parent
        if parent is None:
            return
        above = tx.state(parent.ticket_id)
        assert above is not None, "a link leads to a ticket that exists"
        ancestor = above
    raise FamilyIsTooDeep(limits.FAMILY_DEPTH_MAX)
