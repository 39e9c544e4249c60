"""What callers send: one struct a command, unknown fields refused by name."""

from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from services.intake.api.words import (
    Body,
    Email,
    Fields,
    Identity,
    Language,
    Moment,
    Name,
    Reason,
    Subject,
    Summary,
    Tags,
    Uploads,
    Version,
    Word,
)
from services.intake.domain.commands import Relation
from shared.events import Actor, ActorKind, Channel, Priority, StatusCategory


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
    """The customer. `id` is what the customer's token calls its subject."""

    id: Identity
    name: Name | None = None
    email: Email | None = None
    organization: Name | None = None
    tier: Word | None = None


class Open(Asked, frozen=True, kw_only=True):
    """A new ticket. A customer opens own tickets only and leaves `requester` away."""

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


class Status(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a ticket shall go. `until` with `postponed` only. `category` left away: only the label changes."""

    category: StatusCategory | None = None
    label: Word | None = None
    until: Moment | None = None


class Resolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was done."""

    summary: Summary
    code: Word | None = None


class Reply(Asked, frozen=True, kw_only=True):
    """A public message. An agent may say in the same breath how the ticket stands: `status` or `resolve`."""

    body: Body
    is_automatic: bool | None = None
    status: Status | None = None
    resolve: Resolution | None = None
    attachments: Uploads = ()


class Note(Asked, frozen=True, kw_only=True):
    """An internal note."""

    body: Body
    attachments: Uploads = ()


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


class Resolve(Asked, frozen=True, kw_only=True):
    """Solved, with a summary of what was done."""

    summary: Summary
    code: Word | None = None


class Close(Asked, frozen=True, kw_only=True):
    """Closed for good."""

    reason: Reason | None = None


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
