"""Events of sla about promises themselves: policies and calendars. Stream = policy or calendar."""

from typing import Any, ClassVar
from uuid import UUID

from shared.events.base import Event, Owner
from shared.identifiers import derived_id


class SlaPolicyDefined(Event, frozen=True, kw_only=True, tag="sla_policy.defined.v1"):
    """A policy version. `definition` is the document as accepted; `version` of the stream is the policy's version."""

    OWNER: ClassVar[Owner] = Owner.SLA

    policy_id: str
    definition: dict[str, Any]
    previous: dict[str, Any] | None = None

    @property
    def stream_id(self) -> UUID:
        return policy_stream(self.policy_id)


class CalendarDefined(Event, frozen=True, kw_only=True, tag="calendar.defined.v1"):
    """A calendar version (C1). `tzdata_version` tells which zone data it was checked with (C10)."""

    OWNER: ClassVar[Owner] = Owner.SLA

    calendar_id: str
    definition: dict[str, Any]
    previous: dict[str, Any] | None = None
    tzdata_version: str | None = None

    @property
    def stream_id(self) -> UUID:
        return calendar_stream(self.calendar_id)


def policy_stream(policy_id: str) -> UUID:
    """The stream of one policy."""
    return derived_id("sla_policy", policy_id)


def calendar_stream(calendar_id: str) -> UUID:
    """The stream of one calendar."""
    return derived_id("calendar", calendar_id)


PolicyEvent = SlaPolicyDefined | CalendarDefined
