"""What callers send: one struct a command, unknown fields refused by name."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from services.intake.api.words import (
    Body,
    Email,
    Fields,
    Identity,
    Language,
    Moment,
    Name,
    Phone,
    Reason,
    Subject,
    Summary,
    SurveyComment,
    Tags,
    Uploads,
    Version,
    Word,
)
from services.intake.domain import limits
from services.intake.domain.commands import ParticipantRole, Relation
from shared.events import Actor, ActorKind, Channel, Priority, StatusCategory
from shared.events.messages import Prepared
from shared.events.satisfaction import Score


class SpokenFor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """In whose name a machine account or an admin acts: an importer, a channel."""

    kind: ActorKind
    id: Identity
    name: Name | None = None

    def to_actor(self) -> Actor:
        """The same as events name it."""
        return Actor(kind=self.kind, id=self.id, name=self.name)


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every command may say beside its own fields.

    `via`: the channel. `occurred_at` and `actor`: for machine accounts and admins, when and by whom it was done.
    `expected_version`: as `If-Match`.
    """

    via: Channel | None = None
    occurred_at: Moment | None = None
    actor: SpokenFor | None = None
    expected_version: Version | None = None


class Requester(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The customer. `id` is what the customer's token calls its subject.

    Left away, it is looked up by `phone` and `email`, and made from them when nobody is known by either. `phone` with
    `id`: from now on that number is theirs.
    """

    id: Identity | None = None
    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    organization: Name | None = None
    tier: Word | None = None


class Open(Asked, frozen=True, kw_only=True):
    """A new ticket. A customer opens own tickets only and leaves `requester` away.

    `is_internal`: no customer ever sees it; `requester` may be left away. `form`: the form whose answers `fields` are.
    """

    subject: Subject
    body: Body
    requester: Requester | None = None
    priority: Priority = Priority.NORMAL
    category: StatusCategory | None = None
    label: Word | None = None
    ticket_type: Word | None = None
    tags: Tags = ()
    fields: Fields = {}
    language: Language | None = None
    is_outbound: bool = False
    external_id: Identity | None = None
    attachments: Uploads = ()
    is_internal: bool = False
    form: Word | None = None


class Status(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a ticket shall go. `until` with `postponed` only. `category` left away: only the label changes."""

    category: StatusCategory | None = None
    label: Word | None = None
    until: Moment | None = None


class Resolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was done."""

    summary: Summary
    code: Word | None = None


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A prepared text or an article, by its name."""

    kind: Literal["answer", "article"]
    name: Word

    def to_prepared(self) -> Prepared:
        """The same as events name it; the version is found when it is stored."""
        return Prepared(self.kind, self.name)


class Reply(Asked, frozen=True, kw_only=True):
    """A public message. An agent may say in the same breath how the ticket stands: `status` or `resolve`.

    `quotes`: the id of the message that it answers. `seen_version`: of the ticket that the writer has read: 412 if
    another agent has answered since (other changes do not matter; `If-Match` would refuse those too). `sources`: the
    prepared texts and articles that went into it.
    """

    body: Body
    seen_version: Version | None = None
    is_automatic: bool | None = None
    status: Status | None = None
    resolve: Resolution | None = None
    attachments: Uploads = ()
    quotes: UUID | None = None
    sources: Annotated[tuple[Source, ...], Meta(max_length=limits.SOURCES_MAX)] = ()


class Note(Asked, frozen=True, kw_only=True):
    """An internal note. `quotes`: the id of the message that it speaks of."""

    body: Body
    attachments: Uploads = ()
    quotes: UUID | None = None


class Patch(Asked, frozen=True, kw_only=True):
    """Several changes that happen together or not at all. Fields left away stay as they are."""

    subject: Subject | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    ticket_type: Word | UnsetType | None = UNSET
    fields: Fields | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    add_tags: Tags = ()
    remove_tags: Tags = ()
    status: Status | UnsetType = UNSET


class Comment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is written on each open child: a note, or (`is_public`) to its customer."""

    body: Body
    is_public: bool = False


class Resolve(Asked, frozen=True, kw_only=True):
    """Solved, with a summary of what was done. `comment_children`: also written on the open children."""

    summary: Summary
    code: Word | None = None
    comment_children: Comment | None = None


class Close(Asked, frozen=True, kw_only=True):
    """Closed for good. `comment_children`: also written on the open children."""

    reason: Reason | None = None
    comment_children: Comment | None = None


class Confirm(Asked, frozen=True, kw_only=True):
    """The customer says that it is solved."""


class Reopen(Asked, frozen=True, kw_only=True):
    """Solved, but not after all."""

    category: StatusCategory = StatusCategory.OPEN
    reason: Reason | None = None


class Merge(Asked, frozen=True, kw_only=True):
    """This ticket becomes part of `into`."""

    into: UUID


class Link(Asked, frozen=True, kw_only=True):
    """`relation` says what `ticket_id` is to this ticket."""

    ticket_id: UUID
    relation: Relation = Relation.RELATED


class Unlink(Asked, frozen=True, kw_only=True):
    """The link is taken away; the other ticket stands in the address."""


class Unmerge(Asked, frozen=True, kw_only=True):
    """The ticket stands by itself again."""


class Split(Asked, frozen=True, kw_only=True):
    """These messages become a ticket of their own."""

    message_ids: Annotated[
        tuple[UUID, ...], Meta(min_length=1, max_length=limits.SPLIT_MESSAGES_MAX)
    ]
    subject: Subject


class Unsplit(Asked, frozen=True, kw_only=True):
    """The messages that became `ticket_id` come back."""

    ticket_id: UUID


class ApplyMacro(Asked, frozen=True, kw_only=True):
    """The macro stands in the address."""


class UndoStep(Asked, frozen=True, kw_only=True):
    """The step stands in the address."""


class Satisfaction(Asked, frozen=True, kw_only=True):
    """What the customer thinks of the solution: the whole answer, instead of the one before."""

    score: Score
    comment: SurveyComment | None = None
    reason: Word | None = None


class FamilyRule(Asked, frozen=True, kw_only=True):
    """Whether the ticket waits for its children before it is solved or closed."""

    waits_for_children: bool


class Task(Asked, frozen=True, kw_only=True):
    """Something to do. `owner`: an agent's id; `checklist`: the list it is an item of."""

    title: Subject
    checklist: Word | None = None
    owner: Identity | None = None
    owner_name: Name | None = None
    due_at: Moment | None = None


class Checklist(Asked, frozen=True, kw_only=True):
    """Several tasks at once, in this order, under one name."""

    name: Word
    items: Annotated[tuple[Subject, ...], Meta(min_length=1, max_length=limits.TASKS_MAX)]
    owner: Identity | None = None
    owner_name: Name | None = None
    due_at: Moment | None = None


class TaskPatch(Asked, frozen=True, kw_only=True):
    """What changes about a task. Fields left away stay; `null` takes owner, date and list away."""

    title: Subject | UnsetType = UNSET
    checklist: Word | UnsetType | None = UNSET
    owner: Identity | UnsetType | None = UNSET
    owner_name: Name | UnsetType | None = UNSET
    due_at: Moment | UnsetType | None = UNSET
    is_done: bool | UnsetType = UNSET


class Removal(Asked, frozen=True, kw_only=True):
    """Something is taken away; it stands in the address."""


class Participant(Asked, frozen=True, kw_only=True):
    """Somebody takes part: `cc` is written to like the requester, a `follower` is an agent who is told."""

    person: Requester
    role: ParticipantRole = ParticipantRole.CC
