"""The past as a backtest needs it: one setting, what agents did, and every ticket with its trail; one JSON a line."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from services.routing.domain.hours import CalendarVersion
from services.routing.domain.ticket import Facts
from services.routing.domain.trail import Entry
from shared.events.agents import (
    AgentProfile,
    GroupProfile,
    Presence,
    RoutingRule,
    RoutingSettings,
    RuleMode,
)


class AgentThen(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as the window began."""

    agent_id: str
    position: int
    profile: AgentProfile
    presence: Presence


class Setting(msgspec.Struct, frozen=True, kw_only=True, tag="setting", tag_field="line"):
    """The first line. The window is `[since, until)`; groups, settings and rules are those in force at its end."""

    since: datetime
    until: datetime
    rules_version: int
    rules: tuple[RoutingRule, ...]
    mode: RuleMode
    settings: RoutingSettings
    groups: dict[str, GroupProfile]
    agents: tuple[AgentThen, ...]
    calendars: tuple[CalendarVersion, ...] = ()


class AgentMoment(msgspec.Struct, frozen=True, kw_only=True, tag="agent", tag_field="line"):
    """An agent came, went, or was changed."""

    at: datetime
    agent_id: str
    position: int
    presence: Presence | None = None
    profile: AgentProfile | None = None


class Handed(msgspec.Struct, frozen=True, array_like=True):
    """Who got the ticket when, in which way (`auto`, `manual`, `pull` …)."""

    at: datetime
    agent_id: str
    mode: str


class PastTicket(msgspec.Struct, frozen=True, kw_only=True, tag="ticket", tag_field="line"):
    """A ticket that came in the window."""

    ticket_id: UUID
    opened_at: datetime
    requester_id: str | None
    facts: Facts
    trail: tuple[Entry, ...]
    handed: tuple[Handed, ...] = ()


Line = Setting | AgentMoment | PastTicket


class Material(msgspec.Struct, frozen=True):
    """Everything about one window. `moments` in the order of time, `tickets` by coming."""

    setting: Setting
    moments: tuple[AgentMoment, ...]
    tickets: tuple[PastTicket, ...]


def read_material(lines: Iterable[bytes]) -> Material:
    """Read the lines of a history.

    Raises:
        msgspec.DecodeError: a line is none of them, or the setting is missing.
    """
    decoder = msgspec.json.Decoder(Line)
    setting: Setting | None = None
    moments: list[AgentMoment] = []
    tickets: list[PastTicket] = []
    for raw in lines:
        if not raw.strip():
            continue
        line: Line = decoder.decode(raw)
        match line:
            case Setting():
                setting = line
            case AgentMoment():
                moments.append(line)
            case PastTicket():
                tickets.append(line)
    if setting is None:
        raise msgspec.DecodeError("there is no setting: the history is cut off")
    return Material(
        setting,
        tuple(sorted(moments, key=lambda one: (one.at, one.position))),
        tuple(sorted(tickets, key=lambda one: (one.opened_at, one.ticket_id))),
    )
