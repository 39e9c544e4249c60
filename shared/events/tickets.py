"""Events of intake: the life of a ticket. Stream = ticket."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from shared.events.base import Event, Owner, Priority, StatusCategory


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person on the customer's side. `id` is what the customer's token says about itself (`sub`)."""

    id: str
    name: str | None = None
    email: str | None = None
    organization: str | None = None


class Changed(msgspec.Struct, frozen=True):
    """One field's new and previous value (`null`: not set)."""

    value: Any
    previous: Any


class _TicketEvent(Event, frozen=True, kw_only=True):
    OWNER: ClassVar[Owner] = Owner.INTAKE

    ticket_id: UUID

    @property
    def stream_id(self) -> UUID:
        return self.ticket_id


class TicketOpened(_TicketEvent, frozen=True, kw_only=True, tag="ticket.opened.v1"):
    """A request became a ticket. The opening message is part of it.

    `is_outbound`: an agent wrote to the customer first, so nobody waits for a first reply.
    `number` is for people; `ticket_id` is for programs. `category` is `new` unless an import or agent says otherwise.
    """

    number: int
    subject: str
    message_id: UUID
    body: str
    requester: Person
    priority: Priority
    category: StatusCategory
    label: str | None = None
    ticket_type: str | None = None
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = {}
    language: str | None = None
    is_outbound: bool = False
    external_id: str | None = None


class CustomerReplied(_TicketEvent, frozen=True, kw_only=True, tag="ticket.customer_replied.v1"):
    """Somebody on the customer's side wrote."""

    message_id: UUID
    body: str


class AgentReplied(_TicketEvent, frozen=True, kw_only=True, tag="ticket.agent_replied.v1"):
    """An agent wrote to the customer. `is_automatic`: a robot did, which meets no promise (rule S1)."""

    message_id: UUID
    body: str
    is_automatic: bool = False


class NoteAdded(_TicketEvent, frozen=True, kw_only=True, tag="ticket.note_added.v1"):
    """An internal note; no customer ever sees it."""

    message_id: UUID
    body: str


class StatusChanged(_TicketEvent, frozen=True, kw_only=True, tag="ticket.status_changed.v1"):
    """The status moved between open categories, by hand or because of who spoke (`cause`).

    `cause`: `requested`, `agent_replied`, `customer_replied`, `postponement_over`. `until`: only with `postponed`.
    Solved, closed and reopened have events of their own.
    """

    category: StatusCategory
    previous_category: StatusCategory
    label: str | None = None
    previous_label: str | None = None
    cause: str = "requested"
    until: datetime | None = None


class PriorityChanged(_TicketEvent, frozen=True, kw_only=True, tag="ticket.priority_changed.v1"):
    """How urgent it is changed."""

    priority: Priority
    previous: Priority


class TypeChanged(_TicketEvent, frozen=True, kw_only=True, tag="ticket.type_changed.v1"):
    """What kind of request it is changed (incident, question, …; free words)."""

    ticket_type: str | None
    previous: str | None


class SubjectChanged(_TicketEvent, frozen=True, kw_only=True, tag="ticket.subject_changed.v1"):
    """The ticket has a more telling subject."""

    subject: str
    previous: str


class FieldsChanged(_TicketEvent, frozen=True, kw_only=True, tag="ticket.fields_changed.v1"):
    """Custom fields changed; only those that did are listed."""

    changes: dict[str, Changed]


class TagsChanged(_TicketEvent, frozen=True, kw_only=True, tag="ticket.tags_changed.v1"):
    """Tags came or went; `tags` is the whole set afterwards, sorted."""

    tags: tuple[str, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class TicketResolved(_TicketEvent, frozen=True, kw_only=True, tag="ticket.resolved.v1"):
    """Solved, with a summary of what was done. `resolution_count` is 1 for the first time."""

    summary: str
    previous_category: StatusCategory
    resolution_count: int
    code: str | None = None


class TicketClosed(_TicketEvent, frozen=True, kw_only=True, tag="ticket.closed.v1"):
    """Closed for good. `reason` is for instance `confirmed`, `spam`, `imported`."""

    previous_category: StatusCategory
    reason: str | None = None


class TicketReopened(_TicketEvent, frozen=True, kw_only=True, tag="ticket.reopened.v1"):
    """A solved (or closed) ticket is open again. `cause`: `requested`, `customer_replied`, `imported`."""

    category: StatusCategory
    previous_category: StatusCategory
    reopen_count: int
    cause: str = "requested"
    reason: str | None = None


class TicketMerged(_TicketEvent, frozen=True, kw_only=True, tag="ticket.merged.v1"):
    """This ticket became part of another one; later replies go there. It ends in category `closed`."""

    into_ticket_id: UUID
    into_number: int
    previous_category: StatusCategory


class MergeReceived(_TicketEvent, frozen=True, kw_only=True, tag="ticket.merge_received.v1"):
    """Another ticket became part of this one. `has_open_customer_message`: it brought an unanswered one (S15)."""

    from_ticket_id: UUID
    from_number: int
    has_open_customer_message: bool = False


class TicketLinked(_TicketEvent, frozen=True, kw_only=True, tag="ticket.linked.v1"):
    """Two tickets belong together; both streams say so. `relation`: `related`, `parent`, `child`, `duplicate`."""

    other_ticket_id: UUID
    other_number: int
    relation: str


class TicketUnlinked(_TicketEvent, frozen=True, kw_only=True, tag="ticket.unlinked.v1"):
    """The link was taken away again."""

    other_ticket_id: UUID
    other_number: int
    relation: str


TicketEvent = (
    TicketOpened
    | CustomerReplied
    | AgentReplied
    | NoteAdded
    | StatusChanged
    | PriorityChanged
    | TypeChanged
    | SubjectChanged
    | FieldsChanged
    | TagsChanged
    | TicketResolved
    | TicketClosed
    | TicketReopened
    | TicketMerged
    | MergeReceived
    | TicketLinked
    | TicketUnlinked
)
