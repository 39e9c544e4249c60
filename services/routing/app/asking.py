"""What people ask of routing: each verb loads, decides, places what became free, and answers."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from services.routing.app import tables
from services.routing.app.deciding import SWEEP_TICKETS_MAX, count_decisions
from services.routing.app.desks import Desks
from services.routing.domain import commands, people
from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk
from services.routing.domain.ticket import Ticket
from shared.errors import NotYet
from shared.events.agents import (
    AgentProfile,
    GroupProfile,
    Presence,
    RoutingRule,
    RoutingSettings,
    RuleMode,
)
from shared.eventstore import EventTransaction


class AssignmentView(msgspec.Struct, frozen=True):
    """Who has a ticket now. `version` is that of the assignment, not of the ticket."""

    ticket_id: UUID
    number: int | None
    version: int
    group_id: str | None
    agent_id: str | None
    is_queued: bool
    offered_to: str | None = None
    offer_until: datetime | None = None


class PulledView(msgspec.Struct, frozen=True):
    """The ticket that an agent asked for."""

    ticket_id: UUID
    number: int | None
    version: int
    group_id: str | None
    priority: str
    waited_seconds: float
    why: str


class AgentView(msgspec.Struct, frozen=True):
    """An agent as routing knows it now. `load` in capacity units."""

    agent_id: str
    version: int
    profile: AgentProfile
    presence: Presence
    chosen_presence: Presence
    load: float
    channel_loads: dict[str, float] = {}
    left_at: datetime | None = None


class GroupView(msgspec.Struct, frozen=True):
    """A group."""

    group_id: str
    version: int
    profile: GroupProfile


class RulesView(msgspec.Struct, frozen=True):
    """The whole rule set; `version` 0 when there is none yet."""

    version: int
    rules: tuple[RoutingRule, ...]
    mode: RuleMode = RuleMode.FIRST


class SettingsView(msgspec.Struct, frozen=True):
    """What holds for every group; `version` 0 while nothing was ever said."""

    version: int
    settings: RoutingSettings


class ImportView(msgspec.Struct, frozen=True):
    """Whether an import is running."""

    is_importing: bool


Act = Callable[[Desk, Ticket], None]
"""What is asked of one ticket; refuses by raising, and then nothing has changed."""


class Asking:
    """The verbs of the HTTP entrance; each runs inside the transaction it is given.

    Args:
        desks: where decisions are taken.
        nudge: called when more could be placed at once.
    """

    def __init__(self, desks: Desks, *, nudge: Callable[[], None] = lambda: None) -> None:
        self._desks = desks
        self._nudge = nudge

    def about(
        self, tx: EventTransaction[Any], ticket_id: UUID, cause: Cause, act: Act
    ) -> AssignmentView:
        """Do something to one ticket, and place what became free by it.

        Raises:
            NotYet: routing has not heard of the ticket. Others: as `act` says.
        """
        with self._desks.open(tx, (ticket_id,)) as desk:
            ticket = desk.tickets.get(ticket_id)
            if ticket is None or not ticket.is_known:
                raise NotYet(f"routing has not heard of ticket {ticket_id} yet")
            act(desk, ticket)
            self._place(tx, desk, cause)
        return view_assignment(ticket)

    def define_settings(
        self,
        tx: EventTransaction[Any],
        settings: RoutingSettings,
        cause: Cause,
        expected: int | None,
    ) -> SettingsView:
        """Change what holds for every group.

        Raises:
            Invalid, Conflict.
        """
        with self._desks.open(tx) as desk:
            people.define_settings(desk, settings, cause, expected=expected)
            self._place(tx, desk, cause)
            self._nudge()  # what waits may ask for something else now
        return SettingsView(desk.roster.settings_version, desk.roster.settings)

    def pull(self, tx: EventTransaction[Any], agent_id: str, cause: Cause) -> PulledView:
        """The next ticket for this agent: exactly one winner, in the order of the queue (R3).

        Raises:
            NotFound: there is no such agent. NothingToPull: none, with the reasons.
        """
        with self._desks.open(tx) as desk:
            agent = commands.known_agent(desk, agent_id)
            lanes = commands.lanes_for(desk, agent)
            heads = desk.add(tables.heads(tx, {lane.lane: 1 for lane in lanes}, at_most=1))
            ticket = commands.pull(desk, agent, heads, cause)
            event = desk.events[-1]
        count_decisions(desk)
        return PulledView(
            ticket_id=ticket.ticket_id,
            number=ticket.number,
            version=ticket.version,
            group_id=ticket.group_id,
            priority=ticket.priority.value,
            waited_seconds=event.waited_seconds,  # type: ignore[attr-defined]
            why=event.why,  # type: ignore[attr-defined]
        )

    def define_agent(
        self,
        tx: EventTransaction[Any],
        agent_id: str,
        profile: AgentProfile,
        presence: Presence | None,
        cause: Cause,
        expected: int | None,
    ) -> AgentView:
        """Add or change an agent, and say where it is when `presence` is given.

        Raises:
            Invalid, Conflict.
        """
        with self._desks.open(tx) as desk:
            agent = people.define_agent(desk, agent_id, profile, cause, expected=expected)
            if presence is not None:
                people.choose_presence(desk, agent_id, presence, cause)
            self._place(tx, desk, cause)
            if not profile.is_active:
                self._nudge()
        return view_agent(agent)

    def choose_presence(
        self,
        tx: EventTransaction[Any],
        agent_id: str,
        presence: Presence,
        cause: Cause,
        *,
        reassign: bool = False,
    ) -> AgentView:
        """The agent comes, goes or is busy; with `reassign`, unanswered tickets need not wait for a grace time.

        Raises:
            NotFound: there is no such agent.
        """
        with self._desks.open(tx) as desk:
            agent = people.choose_presence(desk, agent_id, presence, cause)
            if reassign:
                groups = list(desk.roster.groups)
                left = tables.left_behind(tx, agent_id, groups, at_most=SWEEP_TICKETS_MAX)
                commands.leave_unanswered(desk, agent, desk.add(left), cause)
            self._place(tx, desk, cause)
            if not agent.is_online:
                self._nudge()  # what is offered to the agent goes to the next one
        return view_agent(agent)

    def regain_heartbeat(self, tx: EventTransaction[Any], agent_id: str, cause: Cause) -> AgentView:
        """A heartbeat came from an agent whose lease was lost, or who never had one.

        Raises:
            NotFound: there is no such agent.
        """
        with self._desks.open(tx) as desk:
            agent = people.regain_heartbeat(desk, agent_id, cause)
            self._place(tx, desk, cause)
        return view_agent(agent)

    def define_group(
        self,
        tx: EventTransaction[Any],
        group_id: str,
        profile: GroupProfile,
        cause: Cause,
        expected: int | None,
    ) -> GroupView:
        """Add or change a group.

        Raises:
            Invalid, Conflict.
        """
        with self._desks.open(tx) as desk:
            group = people.define_group(desk, group_id, profile, cause, expected=expected)
            self._place(tx, desk, cause)
            self._nudge()  # what waits may ask for something else now, and time may have ended some grace
        return GroupView(group.group_id, group.version, group.profile)

    def define_rules(
        self,
        tx: EventTransaction[Any],
        rules: tuple[RoutingRule, ...],
        mode: RuleMode,
        cause: Cause,
        expected: int | None,
    ) -> RulesView:
        """Replace the rule set.

        Raises:
            Invalid, Conflict.
        """
        with self._desks.open(tx) as desk:
            book = people.define_rules(desk, rules, cause, mode=mode, expected=expected)
        return RulesView(book.version, book.rules, book.mode)

    def set_importing(self, tx: EventTransaction[Any], running: bool) -> ImportView:
        """An import begins or has ended; after the end its quiet tickets join queues and loads bit by bit."""
        with self._desks.open(tx) as desk:
            desk.is_import_changed = desk.roster.is_importing is not running
            desk.roster.is_importing = running
            self._nudge()
        return ImportView(running)

    def _place(self, tx: EventTransaction[Any], desk: Desk, cause: Cause) -> None:
        if self._desks.place(tx, desk, cause=cause):
            self._nudge()
        count_decisions(desk)


def view_assignment(ticket: Ticket) -> AssignmentView:
    """What callers see of a ticket's assignment."""
    return AssignmentView(
        ticket_id=ticket.ticket_id,
        number=ticket.number,
        version=ticket.version,
        group_id=ticket.group_id,
        agent_id=ticket.agent_id,
        is_queued=ticket.lane is not None,
        offered_to=ticket.offered_to,
        offer_until=ticket.offer_until,
    )


def view_agent(agent: Any) -> AgentView:
    """What callers see of an agent."""
    return AgentView(
        agent_id=agent.agent_id,
        version=agent.version,
        profile=agent.profile,
        presence=agent.presence,
        chosen_presence=agent.chosen_presence,
        load=agent.load,
        channel_loads=agent.channel_loads,
        left_at=agent.left_at,
    )
