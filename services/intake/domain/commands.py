"""What can be asked of a ticket. Frozen words without behaviour; `decide` answers them."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from shared.events import Priority, StatusCategory
from shared.events.messages import AttachedFile, MailHeaders, Prepared
from shared.events.satisfaction import Score
from shared.events.tickets import Copied, Origin, Person


class Relation(StrEnum):
    """What the other ticket is to this one."""

    RELATED = "related"
    PARENT = "parent"
    CHILD = "child"
    DUPLICATE = "duplicate"
    ORIGINAL = "original"
    FOLLOW_UP = "follow_up"
    PREDECESSOR = "predecessor"

    @property
    def reverse(self) -> "Relation":
        """What this ticket is to the other one."""
        return _REVERSE[self]


_REVERSE = {
    Relation.RELATED: Relation.RELATED,
    Relation.PARENT: Relation.CHILD,
    Relation.CHILD: Relation.PARENT,
    Relation.DUPLICATE: Relation.ORIGINAL,
    Relation.ORIGINAL: Relation.DUPLICATE,
    Relation.FOLLOW_UP: Relation.PREDECESSOR,
    Relation.PREDECESSOR: Relation.FOLLOW_UP,
}


class _Command(msgspec.Struct, frozen=True, kw_only=True):
    """The common form."""


class OpenTicket(_Command, frozen=True, kw_only=True):
    """Make a ticket. `category`: `None` lets the rules say (`new`, or `answered` when `is_outbound`).

    `asks_nothing`: it came by a way on which nobody could be asked for the fields that it should have.
    """

    ticket_id: UUID
    message_id: UUID
    subject: str
    body: str
    requester: Person
    priority: Priority = Priority.NORMAL
    category: StatusCategory | None = None
    label: str | None = None
    ticket_type: str | None = None
    tags: tuple[str, ...] = ()
    fields: Mapping[str, Any] = {}
    language: str | None = None
    is_outbound: bool = False
    external_id: str | None = None
    attachments: tuple[AttachedFile, ...] = ()
    mail: MailHeaders | None = None
    is_internal: bool = False
    form: str | None = None
    origin: Origin | None = None
    asks_nothing: bool = False


class AddCustomerReply(_Command, frozen=True, kw_only=True):
    """The customer's side writes. `is_third_party`: not the requester, but somebody around them.

    `quotes`: the message it answers. `written_to`: the number of the merged ticket it was written to.
    `copied`: a split brings it here.
    """

    message_id: UUID
    body: str
    attachments: tuple[AttachedFile, ...] = ()
    mail: MailHeaders | None = None
    is_third_party: bool = False
    quotes: UUID | None = None
    written_to: int | None = None
    copied: Copied | None = None


class RecordMessage(_Command, frozen=True, kw_only=True):
    """Keep what came and let it move nothing: automatic replies, bounces, loops. Also on a closed ticket."""

    message_id: UUID
    body: str
    kind: str
    reason: str
    failed_recipients: tuple[str, ...] = ()
    attachments: tuple[AttachedFile, ...] = ()
    mail: MailHeaders | None = None


class RecordSent(_Command, frozen=True, kw_only=True):
    """A message has left the house. Also on a ticket that has ended meanwhile."""

    message_id: UUID
    kind: str
    sent_by: str
    recipients: tuple[str, ...]
    mail_id: str | None = None


class RecordNotDelivered(_Command, frozen=True, kw_only=True):
    """A message has not reached these recipients, and nobody tries any more."""

    message_id: UUID
    kind: str
    sent_by: str
    recipients: tuple[str, ...]
    cause: str
    reason: str
    code: int | None = None


class ChangeStatus(_Command, frozen=True, kw_only=True):
    """Move between open categories. `category`: `None` keeps it, to change only the label.

    `until`: with `postponed` only, and required there (aware).
    """

    category: StatusCategory | None = None
    label: str | None = None
    until: datetime | None = None


class Resolve(_Command, frozen=True, kw_only=True):
    """Solved: `summary` says what was done, `code` groups it for reports."""

    summary: str
    code: str | None = None


class AddAgentReply(_Command, frozen=True, kw_only=True):
    """An agent writes to the customer.

    `then`: what the agent says about the status in the same breath; it replaces the rule "who speaks".
    `is_automatic`: a robot writes; it moves nothing and meets no promise (rule S1). `seen_version`: of the ticket that
    the writer has read; somebody else's answer after it is in the way. `sources`: what went into it.
    """

    message_id: UUID
    body: str
    is_automatic: bool = False
    then: ChangeStatus | Resolve | None = None
    attachments: tuple[AttachedFile, ...] = ()
    quotes: UUID | None = None
    written_to: int | None = None
    copied: Copied | None = None
    seen_version: int | None = None
    sources: tuple[Prepared, ...] = ()


class AddNote(_Command, frozen=True, kw_only=True):
    """An internal note, also on a closed ticket: a review after the fact is worth keeping."""

    message_id: UUID
    body: str
    attachments: tuple[AttachedFile, ...] = ()
    quotes: UUID | None = None
    copied: Copied | None = None


class ChangePriority(_Command, frozen=True, kw_only=True):
    """How urgent it is."""

    priority: Priority


class ChangeType(_Command, frozen=True, kw_only=True):
    """What kind of request it is; `None`: not said."""

    ticket_type: str | None


class ChangeSubject(_Command, frozen=True, kw_only=True):
    """A more telling subject."""

    subject: str


class ChangeFields(_Command, frozen=True, kw_only=True):
    """Set custom fields; `None` removes one. Fields not named stay."""

    fields: Mapping[str, Any]


class ChangeTags(_Command, frozen=True, kw_only=True):
    """Replace all tags by `tags` (when given), then add, then remove."""

    tags: tuple[str, ...] | None = None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class Close(_Command, frozen=True, kw_only=True):
    """Close for good."""

    reason: str | None = None


class Confirm(_Command, frozen=True, kw_only=True):
    """The customer says that it is solved indeed, which closes it."""


class CloseWhenDue(_Command, frozen=True, kw_only=True):
    """The moment `close_at` has come. Says nothing when somebody acted meanwhile."""

    close_at: datetime


class Reopen(_Command, frozen=True, kw_only=True):
    """Take up a solved ticket again. A closed one only when history is imported."""

    category: StatusCategory = StatusCategory.OPEN
    reason: str | None = None


class Merge(_Command, frozen=True, kw_only=True):
    """Make this ticket part of another one, which must exist and not be merged itself."""

    into_ticket_id: UUID
    into_number: int


class ReceiveMerge(_Command, frozen=True, kw_only=True):
    """The other half of a merge, asked of the ticket that stays."""

    from_ticket_id: UUID
    from_number: int
    has_open_customer_message: bool


class Unmerge(_Command, frozen=True, kw_only=True):
    """Undo the merge of this ticket."""


class ForgetMerge(_Command, frozen=True, kw_only=True):
    """The other half of an undone merge, asked of the ticket that the other one was part of."""

    other_ticket_id: UUID
    other_number: int


class SplitOff(_Command, frozen=True, kw_only=True):
    """These messages have become a ticket of their own."""

    into_ticket_id: UUID
    into_number: int
    message_ids: tuple[UUID, ...]


class UndoSplit(_Command, frozen=True, kw_only=True):
    """The messages that became that ticket belong here again."""

    into_ticket_id: UUID


class SetFamilyRule(_Command, frozen=True, kw_only=True):
    """Whether this ticket waits for its children before it is solved or closed."""

    waits_for_children: bool


class AddTask(_Command, frozen=True, kw_only=True):
    """Something to do about the ticket; `checklist` names the list it is an item of."""

    task_id: UUID
    title: str
    checklist: str | None = None
    owner_id: str | None = None
    owner_name: str | None = None
    due_at: datetime | None = None


class ChangeTask(_Command, frozen=True, kw_only=True):
    """Change a task: `title`, `checklist`, `owner_id`, `owner_name`, `due_at`, `is_done`."""

    task_id: UUID
    changes: Mapping[str, Any]


class RemoveTask(_Command, frozen=True, kw_only=True):
    """Take a task away that was a mistake."""

    task_id: UUID


class ParticipantRole(StrEnum):
    """How somebody takes part: written to like the requester, or an agent who is told."""

    CC = "cc"
    FOLLOWER = "follower"


class AddParticipant(_Command, frozen=True, kw_only=True):
    """Somebody takes part, or in another role. `is_trusted` false: nobody who works here has let them in."""

    person: Person
    role: ParticipantRole
    is_trusted: bool = True


class RemoveParticipant(_Command, frozen=True, kw_only=True):
    """Somebody no longer takes part."""

    person_id: str


class LinkTo(_Command, frozen=True, kw_only=True):
    """Say what another ticket is to this one. Asked of both, with the reverse relation."""

    other_ticket_id: UUID
    other_number: int
    relation: Relation


class Unlink(_Command, frozen=True, kw_only=True):
    """Take the link to another ticket away. Asked of both."""

    other_ticket_id: UUID


class RequestGroup(_Command, frozen=True, kw_only=True):
    """Ask routing to move the ticket."""

    group_id: str
    previous_group_id: str | None = None


class RequestNotice(_Command, frozen=True, kw_only=True):
    """Tell people who work here; see `NoticeRequested`."""

    to: tuple[str, ...]
    subject: str
    body: str
    nobody: tuple[str, ...] = ()


class OfferSurvey(_Command, frozen=True, kw_only=True):
    """The moment `survey_at` has come. Says nothing when the ticket has moved on.

    `leaves_by`: the channel that reaches the requester. `group_id`, `agent_id`: who has the ticket.
    """

    survey_at: datetime
    leaves_by: str | None = None
    group_id: str | None = None
    agent_id: str | None = None


class RateSatisfaction(_Command, frozen=True, kw_only=True):
    """The customer's whole answer, instead of the one before. `survey_id` None: to the newest question."""

    score: Score
    comment: str | None = None
    reason: str | None = None
    survey_id: UUID | None = None


class EndPostponement(_Command, frozen=True, kw_only=True):
    """The moment `until` has come. Says nothing when the ticket has moved on or was postponed anew."""

    until: datetime


class Together(_Command, frozen=True, kw_only=True):
    """Several changes that happen all or not at all, in this order."""

    commands: tuple["Command", ...]


Command = (
    AddCustomerReply
    | AddAgentReply
    | AddNote
    | RecordMessage
    | RecordSent
    | RecordNotDelivered
    | ChangeStatus
    | ChangePriority
    | ChangeType
    | ChangeSubject
    | ChangeFields
    | ChangeTags
    | Resolve
    | Close
    | Reopen
    | Merge
    | ReceiveMerge
    | LinkTo
    | Unlink
    | EndPostponement
    | Confirm
    | CloseWhenDue
    | Unmerge
    | ForgetMerge
    | SplitOff
    | UndoSplit
    | SetFamilyRule
    | AddTask
    | ChangeTask
    | RemoveTask
    | AddParticipant
    | RemoveParticipant
    | RequestGroup
    | RequestNotice
    | OfferSurvey
    | RateSatisfaction
    | Together
)
