"""Events of sla about its documents: policies, calendars, rotas, contacts, sinks. Stream = the document."""

from datetime import datetime
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


class _RotaEvent(Event, frozen=True, kw_only=True):
    OWNER: ClassVar[Owner] = Owner.SLA

    rota_id: str

    @property
    def stream_id(self) -> UUID:
        return rota_stream(self.rota_id)


class RotaDefined(_RotaEvent, frozen=True, kw_only=True, tag="oncall_rota.defined.v1"):
    """A rota was made or changed; in force from `recorded_at` on, the first one since ever."""

    definition: dict[str, Any]
    previous: dict[str, Any] | None = None
    tzdata_version: str | None = None


class RotaOverridden(_RotaEvent, frozen=True, kw_only=True, tag="oncall_rota.overridden.v1"):
    """Another person is on call in `[starts_at, ends_at)`; with `instead_of` only where that one would be."""

    override_id: UUID
    agent_id: str
    starts_at: datetime
    ends_at: datetime
    instead_of: str | None = None
    reason: str | None = None


class RotaOverrideEnded(_RotaEvent, frozen=True, kw_only=True, tag="oncall_rota.override_ended.v1"):
    """An override was taken back: from `occurred_at` on it no longer holds."""

    override_id: UUID
    agent_id: str
    starts_at: datetime
    ends_at: datetime


class AlertSinkDefined(Event, frozen=True, kw_only=True, tag="alert_sink.defined.v1"):
    """A sink of alerts was made or changed. `source`: `api` or `file`.

    Of each URL only the origin is told, because the rest of one may be as good as a password; secrets are not even in
    the document.
    """

    OWNER: ClassVar[Owner] = Owner.SLA

    sink_id: str
    definition: dict[str, Any]
    previous: dict[str, Any] | None = None
    source: str

    @property
    def stream_id(self) -> UUID:
        return sink_stream(self.sink_id)


class OncallContactDefined(Event, frozen=True, kw_only=True, tag="oncall_contact.defined.v1"):
    """How somebody is reached was changed. `target`: `agent:anna`, `lead:technical`, `group:…` or `role:…`.

    `ways`: which addresses there are (`email`, `phone`, `slack`), never the addresses: those can be forgotten.
    `agents`: who else is meant by it.
    """

    OWNER: ClassVar[Owner] = Owner.SLA

    target: str
    ways: tuple[str, ...]
    agents: tuple[str, ...] = ()
    previous_ways: tuple[str, ...] = ()
    previous_agents: tuple[str, ...] = ()

    @property
    def stream_id(self) -> UUID:
        return contact_stream(self.target)


def policy_stream(policy_id: str) -> UUID:
    """The stream of one policy."""
    return derived_id("sla_policy", policy_id)


def calendar_stream(calendar_id: str) -> UUID:
    """The stream of one calendar."""
    return derived_id("calendar", calendar_id)


def rota_stream(rota_id: str) -> UUID:
    """The stream of one on-call rota."""
    return derived_id("oncall_rota", rota_id)


def sink_stream(sink_id: str) -> UUID:
    """The stream of one sink of alerts."""
    return derived_id("alert_sink", sink_id)


def contact_stream(target: str) -> UUID:
    """The stream of how one target is reached."""
    return derived_id("oncall_contact", target)


PolicyEvent = (
    SlaPolicyDefined
    | CalendarDefined
    | RotaDefined
    | RotaOverridden
    | RotaOverrideEnded
    | AlertSinkDefined
    | OncallContactDefined
)
