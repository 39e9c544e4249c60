"""The lines of a batch: one command each, told apart by `op`."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from services.intake.api import bodies
from services.intake.api.words import Identity
from services.intake.app import ByExternalId, Reference
from services.intake.domain.commands import Relation
from shared.errors import Invalid
from shared.http.problems import Problem

Key = Annotated[str, Meta(min_length=1, max_length=255)]


class WhichTicket(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A ticket, by its own id or by the id of another system under which it was opened: one of the two."""

    id: UUID | None = None
    external_id: Identity | None = None

    def reference(self, field: str = "ticket") -> Reference:
        """The same for the verbs.

        Raises:
            Invalid: neither is said, or both.
        """
        if self.id is not None and self.external_id is None:
            return self.id
        if self.external_id is not None and self.id is None:
            return ByExternalId(self.external_id)
        raise Invalid.of(field, "expected either `id` or `external_id`")


class OpenLine(bodies.Open, frozen=True, kw_only=True, tag_field="op", tag="open"):
    """`{"op": "open", "subject": …}`; `key` is the line's Idempotency-Key."""

    key: Key | None = None


class ReplyLine(bodies.Reply, frozen=True, kw_only=True, tag_field="op", tag="reply"):
    """`{"op": "reply", "ticket": {"external_id": "INC1"}, "body": …}`."""

    ticket: WhichTicket
    key: Key | None = None


class NoteLine(bodies.Note, frozen=True, kw_only=True, tag_field="op", tag="note"):
    """An internal note."""

    ticket: WhichTicket
    key: Key | None = None


class PatchLine(bodies.Patch, frozen=True, kw_only=True, tag_field="op", tag="patch"):
    """Status, priority, type, subject, fields, tags."""

    ticket: WhichTicket
    key: Key | None = None


class ResolveLine(bodies.Resolve, frozen=True, kw_only=True, tag_field="op", tag="resolve"):
    """Solved."""

    ticket: WhichTicket
    key: Key | None = None


class CloseLine(bodies.Close, frozen=True, kw_only=True, tag_field="op", tag="close"):
    """Closed."""

    ticket: WhichTicket
    key: Key | None = None


class ReopenLine(bodies.Reopen, frozen=True, kw_only=True, tag_field="op", tag="reopen"):
    """Taken up again."""

    ticket: WhichTicket
    key: Key | None = None


class MergeLine(bodies.Asked, frozen=True, kw_only=True, tag_field="op", tag="merge"):
    """Part of another ticket from now on."""

    ticket: WhichTicket
    into: WhichTicket
    key: Key | None = None


class LinkLine(bodies.Asked, frozen=True, kw_only=True, tag_field="op", tag="link"):
    """`relation` says what `other` is to `ticket`."""

    ticket: WhichTicket
    other: WhichTicket
    relation: Relation = Relation.RELATED
    key: Key | None = None


class UnlinkLine(bodies.Asked, frozen=True, kw_only=True, tag_field="op", tag="unlink"):
    """The link is taken away."""

    ticket: WhichTicket
    other: WhichTicket
    key: Key | None = None


ChangeLine = ReplyLine | NoteLine | PatchLine | ResolveLine | CloseLine | ReopenLine
BatchLine = OpenLine | ChangeLine | MergeLine | LinkLine | UnlinkLine


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one line. `status`: what a request of its own would have got.

    Attributes:
        index: the line's place, from 0; blank lines do not count.
        replayed: it was asked before; this is the first answer.
    """

    index: int
    status: int
    ticket_id: UUID | None = None
    number: int | None = None
    version: int | None = None
    category: str | None = None
    replayed: bool = False
    problem: Problem | None = None
