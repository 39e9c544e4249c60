"""The verbs that change more than one ticket, beside merging and linking: undo, split, families."""

from uuid import UUID

import msgspec
from msgspec.structs import replace

from services.intake.app import Intake
from services.intake.asking import Asking, Receipt, Reference
from services.intake.domain import OpenTicket, Ticket, open_ticket
from services.intake.domain.commands import (
    AddAgentReply,
    AddCustomerReply,
    AddNote,
    Close,
    Command,
    ForgetMerge,
    Merge,
    ReceiveMerge,
    Resolve,
    SplitOff,
    UndoSplit,
    Unmerge,
)
from services.intake.domain.refusals import (
    MessageIsNotHere,
    SplitLeavesNothing,
    SplitNeedsAMessage,
)
from services.intake.domain.status import ENDED
from services.intake.steps import Tx, without_conditions
from shared.events import StatusCategory
from shared.events.tickets import (
    AgentReplied,
    Copied,
    CustomerReplied,
    NoteAdded,
    Origin,
    TicketEvent,
    TicketOpened,
)
from shared.eventstore import Outcome
from shared.identifiers import new_id

Message = TicketOpened | CustomerReplied | AgentReplied | NoteAdded


class Splitting(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages become a ticket of their own, under which subject."""

    message_ids: tuple[UUID, ...]
    subject: str


class ChildrenComment(msgspec.Struct, frozen=True, kw_only=True):
    """What is written on each open child when its parent ends: a note, or (`is_public`) to its customer."""

    body: str
    is_public: bool = False


class Reshaping:
    """The verbs.

    Args:
        intake: whose steps they are made of.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def unmerge(self, which: Reference, asking: Asking) -> Outcome[Receipt]:
        """Undo a merge: the ticket stands by itself again. What was written at the other one stays there.

        Raises:
            TicketIsNotMerged: there is nothing to undo.
            NotFound, Conflict: as for `Intake.change`.
        """

        def work(tx: Tx) -> Receipt:
            intake = self._intake
            ticket = intake.load(tx, which, asking)
            alone = intake.decided(tx, ticket, Unmerge(), asking)
            assert ticket.merged_into is not None, "or it would have been refused"
            other = tx.state(ticket.merged_into)
            assert other is not None, "a merge leads to a ticket that exists"
            forget = ForgetMerge(other_ticket_id=ticket.id, other_number=ticket.number)
            told = intake.decided(tx, other, forget, without_conditions(asking))
            intake.save(tx, other, told)
            return Receipt.of(intake.save(tx, ticket, alone))

        return await self._intake.submit(work, self._intake.streams(which), asking)

    async def split(self, which: Reference, wanted: Splitting, asking: Asking) -> Outcome[Receipt]:
        """Make a ticket of chosen messages; they stay readable where they were. The receipt is the new ticket's.

        Its first message is the first chosen one that is not a note. Requester, priority, type, tags and
        fields are those of the old ticket. Copied answers of agents meet no promise, and its clocks begin now.

        Raises:
            MessageIsNotHere: a message is not of this ticket.
            SplitNeedsAMessage: only notes were chosen. SplitLeavesNothing: everything was.
            NotFound, Conflict, Refused: as for `Intake.change`.
        """
        ticket_id = new_id()

        def work(tx: Tx) -> Receipt:
            ticket = self._intake.load(tx, which, asking)
            chosen = _chosen(tx, ticket, wanted.message_ids)
            first = next(message for message in chosen if not isinstance(message, NoteAdded))
            opening = _opening(ticket, first, wanted.subject, ticket_id)
            off = SplitOff(
                into_ticket_id=ticket_id,
                into_number=0,
                message_ids=tuple(message.message_id for message in chosen),
            )
            self._intake.decided(tx, ticket, off, asking)  # refuses before a number is drawn
            free = without_conditions(asking)
            event = open_ticket(
                opening,
                number=self._intake.next_number(tx),
                context=asking.context(tx.now),
                at=asking.at(tx.now),
            )
            self._intake.begun(tx, event)
            for message in chosen:
                if message is not first:
                    self._copy(tx, ticket, message, ticket_id, free)
            off = replace(off, into_number=event.number)
            self._intake.save(tx, ticket, self._intake.decided(tx, ticket, off, asking))
            made = tx.state(ticket_id)
            assert made is not None, "it has just been opened"
            return Receipt.of(made, event.message_id)

        return await self._intake.submit(work, self._intake.streams(which), asking)

    async def unsplit(self, which: Reference, other: Reference, asking: Asking) -> Outcome[Receipt]:
        """Undo a split: the messages are the old ticket's again, and the ticket they had become is merged into it.

        Raises:
            NothingWasSplit: that ticket was not split from this one.
            NotFound, Conflict, Refused: as for `Intake.change`.
        """

        def work(tx: Tx) -> Receipt:
            intake, free = self._intake, without_conditions(asking)
            ticket = intake.load(tx, which, asking)
            made = intake.load(tx, other, free, field="ticket_id")
            undone = intake.decided(tx, ticket, UndoSplit(into_ticket_id=made.id), asking)
            leaving: list[TicketEvent] = []
            received = ReceiveMerge(
                from_ticket_id=made.id,
                from_number=made.number,
                has_open_customer_message=made.is_waiting_for_us and made.category not in ENDED,
            )
            if made.category is not StatusCategory.CLOSED:
                away = Merge(into_ticket_id=ticket.id, into_number=ticket.number)
                leaving = intake.decided(tx, made, away, free)
                intake.decided(tx, ticket, received, free)  # refuses before anything is written
            after = intake.save(tx, ticket, undone)
            if leaving:
                after = intake.save(tx, after, intake.decided(tx, after, received, free))
                intake.save(tx, made, leaving)
            return Receipt.of(after)

        streams = (*self._intake.streams(which), *self._intake.streams(other))
        return await self._intake.submit(work, streams, asking)

    async def end_family(
        self, which: Reference, command: Resolve | Close, comment: ChildrenComment, asking: Asking
    ) -> Outcome[Receipt]:
        """Solve or close a ticket and write on each of its open children, all or nothing.

        Raises:
            NotFound, Conflict, Refused: as for `Intake.change`.
        """

        def work(tx: Tx) -> Receipt:
            intake, free = self._intake, without_conditions(asking)
            ticket = intake.load(tx, which, asking)
            ending = intake.decided(tx, ticket, command, asking)
            tx.prefetch([link.ticket_id for link in ticket.children])
            told = []
            for link in ticket.children if ending else ():
                child = tx.state(link.ticket_id)
                if child is not None and child.category not in ENDED:
                    said = _comment(comment, child)
                    told.append((child, intake.decided(tx, child, said, free)))
            for child, events in told:
                intake.save(tx, child, events)
            return Receipt.of(intake.save(tx, ticket, ending))

        return await self._intake.submit(work, self._intake.streams(which), asking)

    def _copy(self, tx: Tx, ticket: Ticket, message: Message, into: UUID, asking: Asking) -> None:
        made = tx.state(into)
        assert made is not None, "it was opened before"
        assert not isinstance(message, TicketOpened), "an opening message is the first"
        author, copied = message.actor, message.copied
        source = copied or Copied(
            ticket.id, ticket.number, message.message_id, message.occurred_at, author
        )
        command: Command
        match message:
            case CustomerReplied():
                command = AddCustomerReply(
                    message_id=new_id(),
                    body=message.body,
                    attachments=message.attachments,
                    is_third_party=message.is_third_party,
                    copied=source,
                )
            case AgentReplied():
                command = AddAgentReply(
                    message_id=new_id(),
                    body=message.body,
                    attachments=message.attachments,
                    is_automatic=True,
                    copied=source,
                )
            case NoteAdded():
                command = AddNote(
                    message_id=new_id(),
                    body=message.body,
                    attachments=message.attachments,
                    copied=source,
                )
        self._intake.save(tx, made, self._intake.decided(tx, made, command, asking))


def _chosen(tx: Tx, ticket: Ticket, message_ids: tuple[UUID, ...]) -> list[Message]:
    """The messages in their order."""
    messages = {
        event.message_id: event for event in tx.history(ticket.id) if isinstance(event, Message)
    }
    for place, message_id in enumerate(message_ids):
        if message_id not in messages:
            raise MessageIsNotHere(ticket.number, message_id, field=f"message_ids[{place}]")
    wanted = set(message_ids)
    chosen = [message for message_id, message in messages.items() if message_id in wanted]
    if all(isinstance(message, NoteAdded) for message in chosen):
        raise SplitNeedsAMessage
    if len(chosen) == len(messages):
        raise SplitLeavesNothing(ticket.number)
    return chosen


def _opening(ticket: Ticket, first: Message, subject: str, ticket_id: UUID) -> OpenTicket:
    is_outbound = isinstance(first, AgentReplied) or (
        isinstance(first, TicketOpened) and first.is_outbound
    )
    return OpenTicket(
        ticket_id=ticket_id,
        message_id=new_id(),
        subject=subject,
        body=first.body,
        requester=ticket.requester,
        priority=ticket.priority,
        ticket_type=ticket.ticket_type,
        tags=ticket.tags,
        fields=ticket.fields,
        attachments=first.attachments,
        is_outbound=is_outbound,
        is_internal=ticket.is_internal,
        origin=Origin(
            kind="split",
            ticket_id=ticket.id,
            number=ticket.number,
            message_id=first.message_id,
            sent_at=first.occurred_at,
            author=first.actor,
        ),
    )


def _comment(comment: ChildrenComment, child: Ticket) -> Command:
    if comment.is_public and not child.is_internal:
        return AddAgentReply(message_id=new_id(), body=comment.body)
    return AddNote(message_id=new_id(), body=comment.body)
