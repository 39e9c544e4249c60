"""Groups that offer, widen and hand upwards, on a floor where time passes as in the service."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from services.routing.domain import commands, escalation, offers, people, timing
from services.routing.domain.agent import Agent, Group
from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk
from services.routing.domain.hours import CalendarVersion
from services.routing.domain.pace import Pace
from services.routing.domain.roster import Lane, Roster
from services.routing.domain.ticket import Ticket
from shared.events.agents import AgentProfile, GroupProfile, Presence, RoutingSettings, Strategy
from shared.events.base import Event, StatusCategory
from shared.events.sla import SlaWarning
from tests.unit.routing.builders import Floor, by_hand

NIGHTS = {"timezone": "UTC", "hours": {"mon": [["09:30", "17:00"]], "tue": [["09:00", "17:00"]]}}
"""The floor's time begins half an hour before it opens."""


class Working:
    """What the floor does with the new verbs, and its memory as time asks it."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor

    # Who is there.

    def group(self, group_id: str, strategy: Strategy, **working: Any) -> None:
        profile = GroupProfile(name=group_id.title(), strategy=strategy, **working)
        self.floor.at_desk(lambda desk: people.define_group(desk, group_id, profile, by_hand()))

    def agent(self, agent_id: str, groups: tuple[str, ...], **profile: Any) -> None:
        said = AgentProfile(name=agent_id.title(), groups=groups, **profile)

        def act(desk: Desk) -> None:
            people.define_agent(desk, agent_id, said, by_hand())
            people.choose_presence(desk, agent_id, Presence.ONLINE, by_hand())

        self.floor.at_desk(act)

    def change(self, agent_id: str, **profile: Any) -> None:
        agent = self.floor.roster.agents[agent_id]
        said = msgspec.structs.replace(agent.profile, **profile)
        self.floor.at_desk(lambda desk: people.define_agent(desk, agent_id, said, by_hand()))

    def settings(self, settings: RoutingSettings) -> None:
        self.floor.at_desk(lambda desk: people.define_settings(desk, settings, by_hand()))
        self.pass_time()  # the service is nudged

    def calendar(self, name: str, definition: dict[str, Any]) -> None:
        version = CalendarVersion(calendar_id=name, version=1, definition=definition)
        self.floor.roster.learn_calendar(version)

    # What people and sla say.

    def accept(self, ticket_id: UUID, agent_id: str) -> list[Event]:
        ticket = self.floor.tickets[ticket_id]
        return self.floor.at_desk(lambda desk: offers.accept(desk, ticket, agent_id, by_hand()))

    def decline(self, ticket_id: UUID, agent_id: str, reason: str = "no") -> list[Event]:
        ticket = self.floor.tickets[ticket_id]
        return self.floor.at_desk(
            lambda desk: offers.decline(desk, ticket, agent_id, reason, by_hand())
        )

    def skip(self, ticket_id: UUID, agent_id: str) -> list[Event]:
        ticket = self.floor.tickets[ticket_id]
        return self.floor.at_desk(
            lambda desk: commands.skip(desk, ticket, agent_id, "not mine", by_hand())
        )

    def escalate(self, ticket_id: UUID) -> list[Event]:
        ticket = self.floor.tickets[ticket_id]
        return self.floor.at_desk(
            lambda desk: escalation.escalate(desk, ticket, "too hard", by_hand())
        )

    def warned(self, ticket_id: UUID) -> list[Event]:
        ticket = self.floor.tickets[ticket_id]
        event = SlaWarning(
            **self.floor.stamp(ticket_id),
            ticket_id=ticket_id,
            metric="first_reply",
            cycle=1,
            policy_id="gold",
            policy_version=1,
            priority=ticket.priority,
            target_seconds=60.0,
            threshold="75",
            due_at=self.floor.now,
            elapsed_seconds=45.0,
            remaining_seconds=15.0,
            detected_at=self.floor.now,
        )
        self.floor.versions[ticket_id] -= 1  # it is an event of another stream
        return self.floor.promised(event)

    # Time.

    def later(self, seconds: float) -> list[Event]:
        """Every moment on the way does what it does, at its own time."""
        until = self.floor.now + timedelta(seconds=seconds)
        events: list[Event] = []
        while (moment := self.next_moment()) is not None and moment <= until:
            self.floor.now = max(moment, self.floor.now)
            events += self.pass_time()
        self.floor.now = until
        return events + self.pass_time()

    def next_moment(self) -> datetime | None:
        desk = Desk(now=self.floor.now, roster=self.floor.roster)
        moments = [ticket.timer_at for ticket in self.floor.tickets.values()]
        moments += [self.floor.next_room_at, timing.next_of_agents(desk)]
        return min((moment for moment in moments if moment is not None), default=None)

    def pass_time(self) -> list[Event]:
        cause = Cause.by_router("time")
        return self.floor.at_desk(
            lambda desk: timing.pass_time(desk, self, cause, at_most=10_000), everywhere=True
        )

    def due(self) -> list[Ticket]:
        now = self.floor.now
        return [one for one in self.floor.tickets.values() if one.timer_at and one.timer_at <= now]

    def left_behind(self, agent_id: str, groups: Sequence[str]) -> list[Ticket]:
        return [
            one
            for one in self.floor.tickets.values()
            if one.agent_id == agent_id
            and one.group_id in groups
            and one.category in {StatusCategory.NEW, StatusCategory.OPEN}
            and not one.is_by_hand
        ]

    def offered_to(self, agents: Sequence[str]) -> list[Ticket]:
        return [one for one in self.floor.tickets.values() if one.offered_to in agents]

    def waiting_in(self, lanes: Sequence[int]) -> list[Ticket]:
        return [one for one in self.floor.tickets.values() if one.lane in lanes]

    # What can be seen.

    def pace(self, group_id: str | None) -> Pace | None:
        group = self.floor.roster.groups.get(group_id or "")
        return None if group is None else Pace.of(group, self.floor.now)

    def restart(self) -> None:
        """Another process reads what this one has written, and nothing else."""
        before = self.floor.roster
        self.floor.roster = Roster(
            agents=_again(list(before.agents.values()), list[Agent]),
            groups=_again(list(before.groups.values()), list[Group]),
            lanes=_again(list(before.lanes.values()), list[Lane]),
            book=before.book,
            turn=before.turn,
            settings=before.settings,
            settings_version=before.settings_version,
            calendars=before.calendars,
        )
        tickets = _again(list(self.floor.tickets.values()), list[Ticket])
        self.floor.tickets = {ticket.ticket_id: ticket for ticket in tickets}


def _again(rows: Any, kind: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(rows), type=kind)
