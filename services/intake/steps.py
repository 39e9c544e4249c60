"""The steps of the verbs inside one transaction: find the ticket, decide, append, let the tables follow."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import structlog
from msgspec.structs import replace

from services.intake import people, uses
from services.intake.asking import Asking, Receipt, Reference
from services.intake.attachments import shelf
from services.intake.configuration import Configuration
from services.intake.contacts import Contacts
from services.intake.domain import (
    Command,
    Context,
    OpenTicket,
    Ticket,
    check_opening,
    decide,
    open_ticket,
)
from services.intake.domain.commands import (
    AddAgentReply,
    AddCustomerReply,
    AddNote,
    Close,
    CloseWhenDue,
    Confirm,
    LinkTo,
    OfferSurvey,
    RateSatisfaction,
    Relation,
    Resolve,
    Together,
)
from services.intake.domain.conversation import is_follow_up, refuse_crossing
from services.intake.domain.house import EMPTY
from services.intake.domain.life_policy import NO_TERMS
from services.intake.domain.refusals import (
    ExternalIdIsTaken,
    TicketIsMerged,
)
from services.intake.domain.status import ENDED
from services.intake.domain.survey_policy import NO_SURVEY, SurveyTerms
from services.intake.external_ids import ExternalIds
from services.intake.numbers import Numbers
from services.intake.outgoing import NoticeChannel, Outgoing, Reader, carrier, hand_over
from services.intake.owners import owner_of
from services.intake.postponements import Postponements
from services.intake.ruling import Ruling
from services.intake.walks import (
    end_of_chain,
    newest,
    open_children,
    refuse_ring,
    refuse_strange_quote,
)
from shared.errors import Conflict, NotFound, Refused, Unreadable
from shared.events import Channel, Event
from shared.events.steps import NoticeRequested
from shared.events.tickets import Origin, Person, TicketEvent, TicketOpened
from shared.eventstore import Claim, EventTransaction
from shared.eventstore.claims import find_claims
from shared.identifiers import new_id
from shared.observability import metrics

log = structlog.get_logger(__name__)

Tx = EventTransaction[Ticket]


class Steps:
    """What verbs and channels are made of; each step runs in the caller's transaction.

    Attributes:
        configuration: the rules of the house.
        contacts: who is behind an address.
        postponements: tickets that somebody looks at again. `closings`: solved ones that close by themselves.
        surveys_due: solved ones whose requester will be asked what they think of it.
        ruling: what the rules make of everything.
        outgoing: the channels that carry an agent's words to the customer.
        notices: the one that carries a rule's words to people who work here, if there is one.
    """

    def __init__(self) -> None:
        self.configuration = Configuration()
        self.contacts = Contacts()
        self.outgoing: list[Outgoing] = []
        self.notices: NoticeChannel | None = None
        self.postponements = Postponements()
        self.closings = Postponements("closings")
        self.surveys_due = Postponements("surveys_due")
        self.ruling = Ruling()
        self._numbers = Numbers()
        self._external_ids = ExternalIds()

    def opening(
        self,
        tx: Tx,
        command: OpenTicket,
        asking: Asking,
        *,
        beside: Mapping[str, Any] | None = None,
    ) -> TicketOpened:
        """A step: a ticket with the next number. Raises as `open_ticket`.

        `beside`: custom fields that the channel sets and no customer may (its group, its brand).
        """
        context = self._opening_context(asking, tx.now)
        if not context.is_import:
            command = self.configuration.house.filled(
                command, by_customer=asking.own_tickets_of is not None
            )
        if beside:
            command = replace(command, fields={**command.fields, **beside})
        if command.is_outbound:
            reader = Reader(command.requester, asking.via, command.fields, is_outbound=True)
            leaves_by = carrier(self.outgoing, reader)
            context = replace(context, leaves_by=leaves_by)
        check_opening(command, context)
        if command.external_id is not None:
            self._take_external_id(tx, command.external_id, command.ticket_id, asking.claim)
        event = open_ticket(
            command,
            number=self._numbers.take(tx),
            context=context,
            at=asking.at(tx.now),
        )
        self.begun(tx, event)
        metrics.INTAKE_TICKETS_OPENED.labels(event.via).inc()
        return event

    def begun(self, tx: Tx, event: TicketOpened) -> Ticket:
        """A step: the ticket of this event, kept, and what the rules make of it."""
        tx.append(event)
        shelf.note(tx, event)
        opened = tx.state(event.ticket_id)
        assert opened is not None, "it has just been opened"
        if event.leaves_by is not None:
            hand_over(self.outgoing, tx, opened, [event])
        return self._ruled(tx, None, opened, [event])

    def heard(self, tx: Tx, event: Event, ticket_id: UUID) -> None:
        """A step: what the rules make of something that another service says of a ticket.

        Raises:
            Unreadable: it was never opened here.
        """
        ticket = tx.state(ticket_id)
        if ticket is None:
            raise Unreadable(f"{event.event_id}: there is no ticket {ticket_id}")
        self._ruled(tx, None, ticket, [event])

    def changing(self, tx: Tx, which: Reference, command: Command, asking: Asking) -> Ticket:
        """A step: the ticket after the command. Raises as `change`.

        It is another one than was asked for when a message was written to a ticket that has ended: the ticket that it
        became part of, or a follow-up.
        """
        ticket = self.load(tx, which, asking)
        if isinstance(command, AddCustomerReply | AddAgentReply | AddNote):
            return self._conversing(tx, ticket, command, asking)
        return self.save(tx, ticket, self.decided(tx, ticket, command, asking))

    def linking(
        self, tx: Tx, which: Reference, other: Reference, relation: Relation, asking: Asking
    ) -> Receipt:
        """A step: both tickets say what the other one is. Raises as `link`."""
        ticket = self.load(tx, which, asking)
        linked = self.load(tx, other, without_conditions(asking), field="ticket_id")
        refuse_ring(tx, ticket, linked, relation)
        here = LinkTo(other_ticket_id=linked.id, other_number=linked.number, relation=relation)
        there = LinkTo(
            other_ticket_id=ticket.id, other_number=ticket.number, relation=relation.reverse
        )
        return self.both(tx, (ticket, here), (linked, there), asking)

    def introducing(self, tx: Tx, addresses: Sequence[str], person: Person, asking: Asking) -> None:
        """A step: from now on these addresses are this person's."""
        people.introduce(tx, addresses, person, asking.stamp(tx.now))
        self.contacts.is_empty = False

    def next_number(self, tx: Tx) -> int:
        """A step: the number of a ticket that is about to be opened by other means than `opening`."""
        return self._numbers.take(tx)

    def standing(self, tx: Tx, ticket_id: UUID) -> Ticket | None:
        """A step: the ticket that this one lives on as, after all merges; None when there is none."""
        return None if tx.state(ticket_id) is None else end_of_chain(tx, ticket_id)

    def streams(self, which: Reference) -> tuple[UUID, ...]:
        """What to load with the whole group; a wrong guess only costs a query."""
        if isinstance(which, UUID):
            return (which,)
        hint = self._external_ids.remembered(which.external_id)
        return () if hint is None else (hint,)

    def load(self, tx: Tx, which: Reference, asking: Asking, *, field: str | None = None) -> Ticket:
        ticket = self._find(tx, which)
        if ticket is None or not self._may_see(tx, ticket, asking):
            named = which if isinstance(which, UUID) else f"external_id {which.external_id!r}"
            raise NotFound(f"there is no ticket {named}", field=field)
        expected = asking.expected_version
        if expected is not None and not ticket.version_of_news <= expected <= ticket.version:
            refuse_crossing(ticket, expected, asking.actor.id)
            raise Conflict(f"ticket {ticket.number} is at version {ticket.version}, not {expected}")
        return ticket

    def _may_see(self, tx: Tx, ticket: Ticket, asking: Asking) -> bool:
        """A customer knows of own tickets only, whichever of their addresses they came from, and of none internal."""
        if asking.own_tickets_of is None:
            return True
        if ticket.is_internal:
            return False
        own = (asking.own_tickets_of, *asking.own_addresses)
        return self.contacts.are_same(tx, own, ticket.requester_id)

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

    def decided(
        self, tx: Tx, ticket: Ticket, command: Command, asking: Asking
    ) -> list[TicketEvent]:
        """What follows from the command; nothing is appended yet."""
        context = self._context(tx, ticket, command, asking)
        try:
            return decide(ticket, command, context=context, at=asking.at(tx.now))
        except TicketIsMerged as refusal:
            final = end_of_chain(tx, refusal.into_ticket_id)
            raise TicketIsMerged(ticket.number, final.id, final.number) from None

    def both(
        self, tx: Tx, here: tuple[Ticket, Command], there: tuple[Ticket, Command], asking: Asking
    ) -> Receipt:
        """Decide on both tickets before anything is saved on either."""
        decided = [
            (ticket, self.decided(tx, ticket, said, asking)) for ticket, said in (here, there)
        ]
        after = [self.save(tx, ticket, events) for ticket, events in decided]
        return Receipt.of(after[0])

    def save(self, tx: Tx, before: Ticket, events: Sequence[TicketEvent]) -> Ticket:
        """Append, let the tables follow, and the rules. Nothing may be refused from here on."""
        if not events:
            return before
        after = self.store(tx, before, events)
        return self._ruled(tx, before, after, events)

    def store(self, tx: Tx, before: Ticket, events: Sequence[TicketEvent]) -> Ticket:
        """The same without rules: what they have made themselves."""
        tx.append(*events)
        for event in events:
            shelf.note(tx, event)
        after = tx.state(before.id)
        assert after is not None, "it has just been appended to"
        if self.outgoing:
            hand_over(self.outgoing, tx, after, events)
        if self.notices is not None:
            for event in events:
                if isinstance(event, NoticeRequested) and event.leaves_by is not None:
                    self.notices.notify(tx, after, event)
        if after.until != before.until:
            self.postponements.note(tx, after.id, after.until)
        if after.close_at != before.close_at:
            self.closings.note(tx, after.id, after.close_at)
        if after.survey_at != before.survey_at:
            self.surveys_due.note(tx, after.id, after.survey_at)
        return after

    def _ruled(
        self, tx: Tx, before: Ticket | None, after: Ticket, events: Sequence[Event]
    ) -> Ticket:
        """The ticket after what the rules make of the events. Imported history has happened as it was."""
        book = self.configuration.rules(tx)
        if book is None or after.is_imported or events[0].via is Channel.IMPORT:
            return after
        more = self.ruling.follow(tx, book, after, events, self.decided)
        if more:
            after = self.store(tx, after, more)
        self.ruling.arm(tx, book, before, after)
        return after

    def _opening_context(self, asking: Asking, now: datetime) -> Context:
        return replace(asking.context(now), definitions=self.configuration.house.definitions)

    def _context(self, tx: Tx, ticket: Ticket, command: Command, asking: Asking) -> Context:
        """The circumstances; the tables are asked only when a rule needs what is in them."""
        house = self.configuration.house
        context = asking.context(tx.now)
        if self.notices is not None:
            context = replace(context, notices_leave_by=self.notices.name)
        if _writes(command) and not context.is_import:
            leaves_by = carrier(self.outgoing, Reader.of(ticket))
            context = replace(context, leaves_by=leaves_by)
        if ticket.waits_for_children and _ends(command):
            context = replace(context, open_children=open_children(tx, ticket))
        if house is EMPTY or context.is_import:
            return context
        terms, survey = NO_TERMS, NO_SURVEY
        if house.life and (_ends(command) or ticket.category in ENDED):
            terms = house.terms(owner_of(tx, ticket.id).group_id)
        if house.surveys:
            survey = self._survey(tx, ticket, command)
        return replace(context, definitions=house.definitions, terms=terms, survey=survey)

    def _survey(self, tx: Tx, ticket: Ticket, command: Command) -> SurveyTerms:
        """An answer is held to the policy that asked; who is asked, to that of the group that has the ticket."""
        house = self.configuration.house
        if isinstance(command, RateSatisfaction):
            asked = ticket.survey(command.survey_id)
            return NO_SURVEY if asked is None else house.survey(asked.policy_group)
        if isinstance(command, OfferSurvey):
            return house.survey(command.group_id)
        return house.survey(owner_of(tx, ticket.id).group_id) if _ends(command) else NO_SURVEY

    def _conversing(
        self,
        tx: Tx,
        ticket: Ticket,
        command: AddCustomerReply | AddAgentReply | AddNote,
        asking: Asking,
    ) -> Ticket:
        """The ticket that the message has come to, after it."""
        if command.quotes is not None:
            refuse_strange_quote(tx, ticket, command.quotes, asking)
        if isinstance(command, AddAgentReply) and command.sources:
            command = replace(command, sources=uses.resolved(tx, command.sources))
        if isinstance(command, AddNote) or asking.via is Channel.IMPORT:
            return self.save(tx, ticket, self.decided(tx, ticket, command, asking))
        addressee: Ticket | None = end_of_chain(tx, ticket.id)
        if isinstance(command, AddCustomerReply):
            addressee = self._addressee(tx, ticket, command, asking)
        if addressee is None:
            return self._follow_up(tx, ticket, command, asking)
        if addressee.id != ticket.id:
            command = replace(command, written_to=ticket.number)
        after = self.save(tx, addressee, self.decided(tx, addressee, command, asking))
        if isinstance(command, AddAgentReply) and command.sources:
            uses.note(tx, command.sources, tx.now)
        return after

    def _addressee(
        self, tx: Tx, ticket: Ticket, command: AddCustomerReply, asking: Asking
    ) -> Ticket | None:
        """The ticket that takes the customer's words: through merges, and to the newest follow-up that still stands.

        `None`: a follow-up is to be opened.
        """
        seen: set[UUID] = set()
        while ticket.id not in seen:
            seen.add(ticket.id)
            ticket = end_of_chain(tx, ticket.id)
            context = self._context(tx, ticket, command, asking)
            if not is_follow_up(ticket, command, asking.at(tx.now), context):
                return ticket
            later = [link for link in ticket.links if link.relation == Relation.FOLLOW_UP]
            following = tx.state(later[-1].ticket_id) if later else None
            if following is None or following.requester_id != ticket.requester_id:
                return None
            ticket = following
        return None

    def _follow_up(
        self, tx: Tx, named: Ticket, command: AddCustomerReply | AddAgentReply, asking: Asking
    ) -> Ticket:
        """A new ticket for what was written after the end; both say so."""
        assert isinstance(command, AddCustomerReply), "an agent's word opens no follow-up"
        old = newest(tx, end_of_chain(tx, named.id))
        owner = owner_of(tx, old.id)
        policy = self.configuration.house.terms(owner.group_id).policy
        is_stranger = command.is_third_party
        opening = OpenTicket(
            ticket_id=new_id(),
            message_id=command.message_id,
            subject=old.subject,
            body=command.body,
            requester=Person(id=asking.actor.id, name=asking.actor.name)
            if is_stranger
            else old.requester,
            priority=old.priority,
            ticket_type=old.ticket_type,
            tags=old.tags,
            fields=old.fields,
            attachments=command.attachments,
            mail=command.mail,
            origin=Origin(
                kind="follow_up",
                ticket_id=old.id,
                number=old.number,
                keeps_owner=policy.follow_up_owner == "keep",
                group_id=owner.group_id,
                agent_id=owner.agent_id,
            ),
        )
        event = open_ticket(
            opening,
            number=self._numbers.take(tx),
            context=self._opening_context(asking, tx.now),
            at=asking.at(tx.now),
        )
        opened = self.begun(tx, event)
        if is_stranger:
            return opened
        return self._linked_to_predecessor(tx, opened, old, asking)

    def _linked_to_predecessor(self, tx: Tx, opened: Ticket, old: Ticket, asking: Asking) -> Ticket:
        here = LinkTo(
            other_ticket_id=old.id, other_number=old.number, relation=Relation.PREDECESSOR
        )
        there = LinkTo(
            other_ticket_id=opened.id, other_number=opened.number, relation=Relation.FOLLOW_UP
        )
        free = without_conditions(asking)
        try:
            self.both(tx, (opened, here), (old, there), free)
        except Refused as refusal:  # it has all the links it may have; the message counts more
            log.warning("follow_up_not_linked", ticket_id=old.id, reason=refusal.code)
        after = tx.state(opened.id)
        assert after is not None, "it has just been opened"
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


def without_conditions(asking: Asking) -> Asking:
    """The same asking about the other ticket, of which no version was named."""
    return msgspec.structs.replace(asking, expected_version=None)


def _ends(command: Command) -> bool:
    """Whether the command solves or closes."""
    match command:
        case Resolve() | Close() | Confirm() | CloseWhenDue():
            return True
        case AddAgentReply(then=Resolve()):
            return True
        case Together(commands=commands):
            return any(map(_ends, commands))
        case _:
            return False


def _writes(command: Command) -> bool:
    """Whether the command says something to the customer."""
    match command:
        case AddAgentReply():
            return True
        case Together(commands=commands):
            return any(map(_writes, commands))
        case _:
            return False
