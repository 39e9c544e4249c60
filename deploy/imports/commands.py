"""The lines that an import sends: one command each, in the words of the two batch addresses."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from shared.events.base import ActorKind, Channel, Priority, StatusCategory


class Who(msgspec.Struct, frozen=True):
    """Who did it there."""

    kind: ActorKind
    id: str
    name: str


class Requester(msgspec.Struct, frozen=True):
    """Whose ticket it is."""

    id: str
    name: str


class Which(msgspec.Struct, frozen=True):
    """The ticket, by the number it has in the other system."""

    external_id: str


class Status(msgspec.Struct, frozen=True):
    """Where the ticket goes; the label is the other system's own word."""

    category: StatusCategory
    label: str | UnsetType = UNSET


class _IntakeLine(msgspec.Struct, frozen=True, kw_only=True):
    """The common part of what intake is told. `occurred_at`: aware UTC."""

    key: str
    via: Channel
    occurred_at: datetime
    actor: Who | UnsetType = UNSET


class Open(_IntakeLine, frozen=True, kw_only=True, tag_field="op", tag="open"):
    """A ticket begins."""

    external_id: str
    subject: str
    body: str
    requester: Requester
    priority: Priority
    category: StatusCategory
    label: str | UnsetType = UNSET
    ticket_type: str
    fields: dict[str, Any]


class Patch(_IntakeLine, frozen=True, kw_only=True, tag_field="op", tag="patch"):
    """Priority, fields and open status, together."""

    ticket: Which
    priority: Priority | UnsetType = UNSET
    fields: dict[str, Any] | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class Resolve(_IntakeLine, frozen=True, kw_only=True, tag_field="op", tag="resolve"):
    """Solved."""

    ticket: Which
    summary: str
    code: str | UnsetType = UNSET


class Close(_IntakeLine, frozen=True, kw_only=True, tag_field="op", tag="close"):
    """Closed."""

    ticket: Which
    reason: str | UnsetType = UNSET


class Reopen(_IntakeLine, frozen=True, kw_only=True, tag_field="op", tag="reopen"):
    """Taken up again."""

    ticket: Which
    category: StatusCategory
    reason: str


class _RoutingLine(msgspec.Struct, frozen=True, kw_only=True):
    """The common part of what routing is told."""

    key: str
    ticket: Which
    occurred_at: datetime


class ToGroup(_RoutingLine, frozen=True, kw_only=True, tag_field="op", tag="group"):
    """It belongs to this group from then on."""

    group_id: str
    group_name: str


class Assign(_RoutingLine, frozen=True, kw_only=True, tag_field="op", tag="assign"):
    """This agent has it from then on."""

    agent_id: str
    agent_name: str


class Unassign(_RoutingLine, frozen=True, kw_only=True, tag_field="op", tag="unassign"):
    """Nobody has it from then on."""


IntakeLine = Open | Patch | Resolve | Close | Reopen
RoutingLine = ToGroup | Assign | Unassign


class History(msgspec.Struct, frozen=True):
    """One ticket's past: what intake and what routing are told, each in its order."""

    number: str
    intake: tuple[IntakeLine, ...]
    routing: tuple[RoutingLine, ...]
