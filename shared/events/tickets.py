"""Events of intake: the life of a ticket. Stream = ticket."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.events.base import Actor, Priority, StatusCategory
from shared.events.messages import AttachedFile, MailHeaders, Prepared
from shared.events.of_tickets import OfTicket
from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated
from shared.events.steps import (
    ActionsApplied,
    ActionsUndone,
    GroupRequested,
    NoticeRequested,
    RuleApplied,
    RuleNotApplied,
)


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person on the customer's side. `id` is what the customer's token says about itself (`sub`).

    `tier`: what kind of customer, in the installation's own words (`gold`); only staff and machines say it.
    `contact_id`: the known person whose id this is. A person has several ids; the ticket keeps the one it came with.
    """

    id: str
    name: str | None = None
    email: str | None = None
    organization: str | None = None
    tier: str | None = None
    contact_id: UUID | None = None


class Changed(msgspec.Struct, frozen=True):
    """One field's new and previous value (`null`: not set)."""

    value: Any
    previous: Any


class Origin(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The ticket that this one came out of.

    Attributes:
        kind: `follow_up` (the customer wrote after the reopen window) or `split` (messages were moved out).
        ticket_id: of the older ticket.
        number: of the older ticket, for people.
        keeps_owner: routing gives a follow-up to the group and agent that had the older ticket.
        group_id: who had it, as far as intake has heard.
        agent_id: who had it, as far as intake has heard.
        message_id: of a split: the message of the older ticket that became the opening one.
        sent_at: when that message was written (aware UTC).
        author: who wrote it.
    """

    kind: str
    ticket_id: UUID
    number: int
    keeps_owner: bool = False
    group_id: str | None = None
    agent_id: str | None = None
    message_id: UUID | None = None
    sent_at: datetime | None = None
    author: Actor | None = None


class Copied(msgspec.Struct, frozen=True):
    """A message that was written on another ticket and moved here by a split, whose actor is who split."""

    ticket_id: UUID
    number: int
    message_id: UUID
    sent_at: datetime
    author: Actor


class Courtesy(msgspec.Struct, frozen=True):
    """Why a message after the solution was taken for a mere "thank you": the rule, the language, the words."""

    rule: str
    language: str
    words: str


class TicketOpened(OfTicket, frozen=True, kw_only=True, tag="ticket.opened.v1"):
    """A request became a ticket. The opening message is part of it.

    `is_outbound`: an agent wrote to the customer first, so nobody waits for a first reply.
    `number` is for people; `ticket_id` is for programs. `category` is `new` unless an import or agent says otherwise.
    `is_internal`: among people who work here; no customer ever sees it. `form`: the form it was asked through.
    `origin`: the ticket it came out of, as a follow-up or by a split. `leaves_by`: as in `AgentReplied`, when outbound.
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
    is_internal: bool = False
    form: str | None = None
    origin: Origin | None = None
    attachments: tuple[AttachedFile, ...] = ()
    mail: MailHeaders | None = None
    leaves_by: str | None = None


class CustomerReplied(OfTicket, frozen=True, kw_only=True, tag="ticket.customer_replied.v1"):
    """Somebody on the customer's side wrote.

    `courtesy`: a mere "thank you" after the solution: it reopens nothing and moves no clock. `quotes`: the message it
    answers. `written_to`: the number of the merged ticket it was written to. `copied`: it was moved here by a split.
    `is_third_party`: not the requester, but somebody who was written to or forwarded the mail; nobody checked who.
    """

    message_id: UUID
    body: str
    courtesy: Courtesy | None = None
    quotes: UUID | None = None
    written_to: int | None = None
    copied: Copied | None = None
    attachments: tuple[AttachedFile, ...] = ()
    mail: MailHeaders | None = None
    is_third_party: bool = False


class AgentReplied(OfTicket, frozen=True, kw_only=True, tag="ticket.agent_replied.v1"):
    """An agent wrote to the customer. `is_automatic`: a robot did, which meets no promise (rule S1).

    `quotes`, `written_to` and `copied` are as in `CustomerReplied`; a copied answer is automatic.
    `leaves_by`: the channel whose outbox has it (`email`); `MessageSent` or `MessageNotDelivered` follows.
    `sources`: the prepared texts and articles that went into it.
    """

    message_id: UUID
    body: str
    is_automatic: bool = False
    quotes: UUID | None = None
    written_to: int | None = None
    copied: Copied | None = None
    attachments: tuple[AttachedFile, ...] = ()
    leaves_by: str | None = None
    sources: tuple[Prepared, ...] = ()


class NoteAdded(
    OfTicket, frozen=True, kw_only=True, tag="ticket.note_added.v1", omit_defaults=True
):
    """An internal note; no customer ever sees it. `quotes` and `copied` are as in `CustomerReplied`."""

    message_id: UUID
    body: str
    quotes: UUID | None = None
    copied: Copied | None = None
    attachments: tuple[AttachedFile, ...] = ()


class MessageRecorded(OfTicket, frozen=True, kw_only=True, tag="ticket.message_recorded.v1"):
    """Something came that is kept and answers nothing: it moves no status, starts no clock, and nobody answers it.

    `kind`: `auto_reply`, `bounce`, `loop` (our own mail came back), `flood` (too many from one sender),
    `program` (an automatic message that is no reply).
    `reason` names what says so. `failed_recipients`: of a bounce, the addresses that were not reached.
    """

    message_id: UUID
    body: str
    kind: str
    reason: str
    failed_recipients: tuple[str, ...] = ()
    attachments: tuple[AttachedFile, ...] = ()
    mail: MailHeaders | None = None


class MessageSent(OfTicket, frozen=True, kw_only=True, tag="ticket.message_sent.v1"):
    """A message left the house: the next server has taken it for these recipients.

    `kind`: `reply`, or `acknowledgement` (a program told the customer that their message came).
    `message_id`: the reply, or the customer's message that is acknowledged. `sent_by`: the channel. `mail_id`: its
    Message-ID, without brackets.
    """

    message_id: UUID
    kind: str
    sent_by: str
    recipients: tuple[str, ...]
    mail_id: str | None = None


class MessageNotDelivered(
    OfTicket, frozen=True, kw_only=True, tag="ticket.message_not_delivered.v1"
):
    """A message did not reach these recipients, and nobody tries any more.

    `message_id`, `kind`, `sent_by` are as in `MessageSent`. `cause`: `refused` (the server will not have it), `bounced`
    (it came back later), `given_up` (tried for days), `withheld` (no program may write there), `in_doubt` (the
    process ended while it was handed over: it may have arrived), `discarded` (by hand). `reason`: in the words of the
    server. `code`: its reply code.
    """

    message_id: UUID
    kind: str
    sent_by: str
    recipients: tuple[str, ...]
    cause: str
    reason: str
    code: int | None = None


class StatusChanged(OfTicket, frozen=True, kw_only=True, tag="ticket.status_changed.v1"):
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


class PriorityChanged(OfTicket, frozen=True, kw_only=True, tag="ticket.priority_changed.v1"):
    """How urgent it is changed."""

    priority: Priority
    previous: Priority


class TypeChanged(OfTicket, frozen=True, kw_only=True, tag="ticket.type_changed.v1"):
    """What kind of request it is changed (incident, question, …; free words)."""

    ticket_type: str | None
    previous: str | None


class SubjectChanged(OfTicket, frozen=True, kw_only=True, tag="ticket.subject_changed.v1"):
    """The ticket has a more telling subject."""

    subject: str
    previous: str


class FieldsChanged(OfTicket, frozen=True, kw_only=True, tag="ticket.fields_changed.v1"):
    """Custom fields changed; only those that did are listed."""

    changes: dict[str, Changed]


class TagsChanged(OfTicket, frozen=True, kw_only=True, tag="ticket.tags_changed.v1"):
    """Tags came or went; `tags` is the whole set afterwards, sorted."""

    tags: tuple[str, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class TicketResolved(OfTicket, frozen=True, kw_only=True, tag="ticket.resolved.v1"):
    """Solved, with a summary of what was done. `resolution_count` is 1 for the first time.

    `reopen_until`: a reply reopens it until then, later it opens a follow-up (`null`: as long as it is not closed).
    `close_at`: when it closes by itself unless somebody acts. Both follow from version `life_version` of the life
    policy of group `life_group` (`*`: the policy of all other groups), in force now; a later edit does not move them.
    `survey_at`: when the requester is asked what they think of it (`null`: they are not).
    """

    summary: str
    previous_category: StatusCategory
    resolution_count: int
    code: str | None = None
    reopen_until: datetime | None = None
    close_at: datetime | None = None
    life_group: str | None = None
    life_version: int | None = None
    survey_at: datetime | None = None


class TicketClosed(OfTicket, frozen=True, kw_only=True, tag="ticket.closed.v1"):
    """Closed for good. `reason` is for instance `confirmed_by_customer`, `spam`, `imported`, `time_passed`.

    `rule`: for `time_passed`, in words, which rule closed it.
    """

    previous_category: StatusCategory
    reason: str | None = None
    rule: str | None = None


class TicketReopened(OfTicket, frozen=True, kw_only=True, tag="ticket.reopened.v1"):
    """A solved (or closed) ticket is open again.

    `cause`: `requested`, `customer_replied`, `imported`, `courtesy_overruled` (it was more than a "thank you").
    `keeps_owner`: the agent who had it gets it back; else routing gives it to whoever of the group is next.
    """

    category: StatusCategory
    previous_category: StatusCategory
    reopen_count: int
    cause: str = "requested"
    reason: str | None = None
    keeps_owner: bool = True


class TicketMerged(OfTicket, frozen=True, kw_only=True, tag="ticket.merged.v1"):
    """This ticket became part of another one; later replies go there. It ends in category `closed`."""

    into_ticket_id: UUID
    into_number: int
    previous_category: StatusCategory


class MergeReceived(OfTicket, frozen=True, kw_only=True, tag="ticket.merge_received.v1"):
    """Another ticket became part of this one. `has_open_customer_message`: it brought an unanswered one (S15)."""

    from_ticket_id: UUID
    from_number: int
    has_open_customer_message: bool = False


class TicketLinked(OfTicket, frozen=True, kw_only=True, tag="ticket.linked.v1"):
    """Two tickets belong together; both streams say so. `relation`: `related`, `parent`, `child`, `duplicate`."""

    other_ticket_id: UUID
    other_number: int
    relation: str


class TicketUnlinked(OfTicket, frozen=True, kw_only=True, tag="ticket.unlinked.v1"):
    """The link was taken away again."""

    other_ticket_id: UUID
    other_number: int
    relation: str


class TicketUnmerged(OfTicket, frozen=True, kw_only=True, tag="ticket.unmerged.v1"):
    """The merge was undone: this ticket stands by itself again, in the category that it had before."""

    from_ticket_id: UUID
    from_number: int
    category: StatusCategory
    previous_category: StatusCategory


class MergeUndone(OfTicket, frozen=True, kw_only=True, tag="ticket.merge_undone.v1"):
    """A ticket that had become part of this one stands by itself again. What was written here meanwhile stays."""

    other_ticket_id: UUID
    other_number: int


class MessagesSplit(OfTicket, frozen=True, kw_only=True, tag="ticket.messages_split.v1"):
    """Chosen messages became a ticket of their own; they stay readable here."""

    into_ticket_id: UUID
    into_number: int
    message_ids: tuple[UUID, ...]


class SplitUndone(OfTicket, frozen=True, kw_only=True, tag="ticket.split_undone.v1"):
    """The messages belong to this ticket again; the ticket that they had become was merged into this one."""

    into_ticket_id: UUID
    into_number: int
    message_ids: tuple[UUID, ...]


class FamilyRuleChanged(OfTicket, frozen=True, kw_only=True, tag="ticket.family_rule_changed.v1"):
    """Whether this ticket may be solved and closed before its children are."""

    waits_for_children: bool
    previous: bool


class TaskAdded(OfTicket, frozen=True, kw_only=True, tag="ticket.task_added.v1"):
    """Something to do about the ticket. `checklist`: the list that it is an item of."""

    task_id: UUID
    title: str
    checklist: str | None = None
    owner_id: str | None = None
    owner_name: str | None = None
    due_at: datetime | None = None


class TaskChanged(OfTicket, frozen=True, kw_only=True, tag="ticket.task_changed.v1"):
    """A task was done, taken up again, renamed, given to somebody or moved; `title` is the one after it.

    `changes` names what changed: `title`, `owner_id`, `owner_name`, `due_at`, `is_done`, `checklist`.
    """

    task_id: UUID
    title: str
    changes: dict[str, Changed]


class TaskRemoved(OfTicket, frozen=True, kw_only=True, tag="ticket.task_removed.v1"):
    """The task was a mistake."""

    task_id: UUID
    title: str


class ParticipantAdded(OfTicket, frozen=True, kw_only=True, tag="ticket.participant_added.v1"):
    """Somebody beside the requester takes part. `role`: `cc` (is written to) or `follower` (an agent who is told).

    `is_trusted` false: nobody who works here has let this person in (a stranger who wrote to the ticket's address).
    """

    person: Person
    role: str
    is_trusted: bool = True


class ParticipantRemoved(OfTicket, frozen=True, kw_only=True, tag="ticket.participant_removed.v1"):
    """Somebody no longer takes part."""

    person_id: str
    role: str


TicketEvent = (
    TicketOpened
    | CustomerReplied
    | AgentReplied
    | NoteAdded
    | MessageRecorded
    | MessageSent
    | MessageNotDelivered
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
    | TicketUnmerged
    | MergeUndone
    | MessagesSplit
    | SplitUndone
    | FamilyRuleChanged
    | TaskAdded
    | TaskChanged
    | TaskRemoved
    | ParticipantAdded
    | ParticipantRemoved
    | ActionsApplied
    | ActionsUndone
    | GroupRequested
    | NoticeRequested
    | SatisfactionOffered
    | SatisfactionRated
    | RuleApplied
    | RuleNotApplied
)
