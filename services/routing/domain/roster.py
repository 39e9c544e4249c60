"""Who is there and by which rules: agents, groups, the rule book and the queue's lanes."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from services.routing.domain.agent import Agent, Group
from services.routing.domain.choice import Demand
from services.routing.domain.hours import Calendars, CalendarVersion
from services.routing.domain.rules import Known, RuleBook
from services.routing.domain.shifts import next_change
from shared.events.agents import RoutingSettings


class Lane(msgspec.Struct, kw_only=True):
    """The queue of all tickets that ask the same of an agent: either its head can be taken, or none of it.

    So a ticket that nobody can take never stands in the way of one that somebody can (R3), and looking for
    the next ticket costs one look per lane, however long the lanes are.
    """

    lane: int
    group_id: str | None
    skills: tuple[tuple[str, int], ...] = ()
    excluded: tuple[str, ...] = ()
    strategy: str | None = None
    waiting: int = 0
    channel: str = ""
    units: float = 1.0
    optional: tuple[tuple[str, int], ...] = ()
    overflow: tuple[str, ...] = ()
    is_retired: bool = False

    @property
    def demand(self) -> Demand:
        """What its tickets ask of an agent."""
        return Demand(
            self.group_id,
            self.skills,
            self.excluded,
            self.strategy,
            self.channel,
            self.units,
            self.optional,
            self.overflow,
        )


class Roster:
    """All agents, groups, rules and lanes, in memory; the tables hold the same.

    Attributes:
        turn: counts assignments over all agents (R6).
        is_importing: an import is running; its tickets are left alone.
        settings: what holds for every group; `settings_version` is that of their stream.
        calendars: business hours as sla has defined them, for rules and shifts.
    """

    def __init__(
        self,
        *,
        agents: Iterable[Agent] = (),
        groups: Iterable[Group] = (),
        book: RuleBook | None = None,
        lanes: Iterable[Lane] = (),
        turn: int = 0,
        is_importing: bool = False,
        settings: RoutingSettings = RoutingSettings(),  # noqa: B008  # frozen
        settings_version: int = 0,
        calendars: Calendars | None = None,
    ) -> None:
        self.agents = {agent.agent_id: agent for agent in agents}
        self.groups = {group.group_id: group for group in groups}
        self.book = book or RuleBook()
        self.lanes = {lane.lane: lane for lane in lanes}
        self.turn = turn
        self.is_importing = is_importing
        self.settings = settings
        self.settings_version = settings_version
        self.calendars = calendars or Calendars()
        self._lane_of = {lane.demand: lane for lane in self.lanes.values() if not lane.is_retired}
        self._shift_calendars: set[str] | None = None
        self._shift_changes: dict[str, datetime] = {}
        self._members: dict[str, list[Agent]] | None = None

    def members(self, group_id: str | None) -> Sequence[Agent]:
        """The agents of a group in order of joining."""
        if self._members is None:
            self._members = {}
            for agent in sorted(self.agents.values(), key=lambda agent: agent.position):
                for group in agent.profile.groups:
                    self._members.setdefault(group, []).append(agent)
        return self._members.get(group_id, ()) if group_id is not None else ()

    def helpers(self, demand: Demand) -> Sequence[Agent]:
        """The agents of the demand's secondary groups who are not of its group, group by group (R7)."""
        if not demand.overflow:
            return ()
        found = {
            agent.agent_id: agent
            for group_id in demand.overflow
            for agent in self.members(group_id)
            if demand.group_id not in agent.profile.groups
        }
        return list(found.values())

    def membership_changed(self) -> None:
        """Agents came, left or joined groups, or work by another calendar."""
        self._members = None
        self._shift_calendars = None

    def learn_calendar(self, version: CalendarVersion) -> None:
        """A calendar has a new version: rules that ask for its hours, and shifts, use it from now on."""
        self.calendars.learn(version)
        self._shift_changes.clear()
        self.book = self.book.with_calendars(self.calendars.open_at)

    def known(self) -> Known:
        """What rules may name."""
        skills = {skill for agent in self.agents.values() for skill in agent.profile.skills}
        return Known(self.groups.keys(), skills, self.calendars.by_id.keys())

    @property
    def is_sticky(self) -> bool:
        """Whether any group asks for a customer's last agent, so that these are worth knowing."""
        return any(group.profile.sticky_seconds is not None for group in self.groups.values())

    def closed_at(self, moment: datetime) -> frozenset[str]:
        """The calendars of agents' shifts in which it is not working time at this moment; cheap without any."""
        return frozenset(
            calendar_id
            for calendar_id in self.shift_calendars()
            if (calendar := self.calendars.by_id.get(calendar_id)) and not calendar.is_open(moment)
        )

    def shift_calendars(self) -> Collection[str]:
        """The calendars that somebody's shifts follow."""
        if self._shift_calendars is None:
            self._shift_calendars = {
                agent.profile.shift_calendar
                for agent in self.agents.values()
                if agent.profile.shift_calendar is not None
            }
        return self._shift_calendars

    def next_shift_change(self, now: datetime) -> datetime | None:
        """When somebody's shift begins or ends next; remembered, as it is asked with every sweep."""
        moments = []
        for calendar_id in self.shift_calendars():
            moment = self._shift_changes.get(calendar_id)
            calendar = self.calendars.by_id.get(calendar_id)
            if calendar is not None and (moment is None or moment <= now):
                moment = next_change(calendar, now)
            if moment is not None:
                self._shift_changes[calendar_id] = moment
                moments.append(moment)
        return min(moments, default=None)

    def pushes_kept(self, agent: Agent) -> int:
        """How many of an agent's latest pushes must be known to judge the pace in each of the agent's groups (R4)."""
        limits = (
            self.groups[group_id].profile.rate_limit
            for group_id in agent.profile.groups
            if group_id in self.groups
        )
        return max((limit.count for limit in limits if limit is not None), default=0)

    def lane_for(self, demand: Demand) -> Lane:
        """The lane of this demand; made when it is the first."""
        lane = self._lane_of.get(demand)
        if lane is None:
            lane = Lane(
                lane=max(self.lanes, default=0) + 1,
                group_id=demand.group_id,
                skills=demand.skills,
                excluded=demand.excluded,
                strategy=demand.strategy,
                channel=demand.channel,
                units=demand.units,
                optional=demand.optional,
                overflow=demand.overflow,
            )
            self.lanes[lane.lane] = lane
            self._lane_of[demand] = lane
        return lane

    def forget_lane(self, lane: Lane) -> None:
        """Nobody waits in it, and perhaps nobody ever will again."""
        del self.lanes[lane.lane]
        if self._lane_of.get(lane.demand) is lane:
            del self._lane_of[lane.demand]

    def retire_lanes(self, groups: Collection[str]) -> list[Lane]:
        """Tickets of these groups ask for something else from now on: those that wait are to be moved (R3)."""
        retired = [
            lane for lane in self.lanes.values() if lane.group_id in groups and not lane.is_retired
        ]
        for lane in retired:
            lane.is_retired = True
            self._lane_of.pop(lane.demand, None)
        return retired

    def lanes_of(self, groups: Iterable[str]) -> list[Lane]:
        """The lanes in which somebody waits for agents of these groups."""
        wanted = set(groups)
        return [
            lane
            for lane in self.lanes.values()
            if lane.waiting
            and (
                lane.group_id in wanted or (lane.overflow and not wanted.isdisjoint(lane.overflow))
            )
        ]
