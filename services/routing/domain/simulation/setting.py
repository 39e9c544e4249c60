"""The beginning of a scenario: who is there, in which groups, and when each action happens."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from services.routing.domain.agent import Agent, Group
from services.routing.domain.hours import Calendars, CalendarVersion
from services.routing.domain.roster import Roster
from services.routing.domain.simulation.scenario import AgentGiven, GroupSettings, Scenario, Skills
from shared.errors import Invalid
from shared.events.agents import AgentProfile, GroupProfile, Strategy

WORKING: Final = (
    *("units", "widening", "grace_seconds", "offer", "pull_lease_seconds", "escalates_to"),
    *("on_sla_warning", "wait_seconds_max"),
)
"""What a group may say of its own about how it works; else what `config` says holds."""

_DEFAULT_GROUP: Final = "default"
_DEFAULT_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def moments(scenario: Scenario) -> list[datetime]:
    """The moment of each action (UTC).

    Raises:
        Invalid: a moment lies before the one before it.
    """
    start = now = start_of(scenario)
    found = []
    for place, action in enumerate(scenario.actions):
        at = action.at
        if at is not None:
            moment = at if isinstance(at, datetime) else start + timedelta(seconds=at)
            if moment < now:
                raise Invalid.of(f"actions[{place}].at", "lies before the action before it")
            now = moment.astimezone(UTC)
        found.append(now)
    return found


def start_of(scenario: Scenario) -> datetime:
    """The moment from which seconds count (UTC)."""
    if scenario.start_at is not None:
        return scenario.start_at.astimezone(UTC)
    for action in scenario.actions:
        if isinstance(action.at, datetime):
            return action.at.astimezone(UTC)
    told = [moment for agent in scenario.agents for moment in _moments_of(agent)]
    return max(told, default=_DEFAULT_START).astimezone(UTC)


def roster_of(scenario: Scenario) -> Roster:
    """Who is there at the beginning, in the order in which they are given."""
    home = home_group(scenario)
    agents = [
        _agent(scenario, place, given, home) for place, given in enumerate(scenario.agents, start=1)
    ]
    # Equal moments are the same turn, and nobody's turn yet comes first (R6).
    assigned = sorted({one.last_assigned_at for one in scenario.agents if one.last_assigned_at})
    turns = {moment: turn for turn, moment in enumerate(assigned, start=1)}
    for agent, given in zip(agents, scenario.agents, strict=True):
        agent.turn = turns[given.last_assigned_at] if given.last_assigned_at else 0
    return Roster(
        agents=agents,
        groups=[_group(scenario, group_id) for group_id in sorted(_groups(scenario) | {home})],
        turn=len(turns),
        calendars=Calendars(
            CalendarVersion(calendar_id=name, version=1, definition=definition)
            for name, definition in scenario.config.calendars.items()
        ),
    )


def home_group(scenario: Scenario) -> str:
    """Where whoever and whatever belongs that names no group."""
    if scenario.config.group is not None:
        return scenario.config.group
    named = _groups(scenario)
    return named.pop() if len(named) == 1 else _DEFAULT_GROUP


def levels(skills: Skills) -> dict[str, int]:
    """Skills with their levels."""
    return skills if isinstance(skills, dict) else dict.fromkeys(skills, 1)


def _groups(scenario: Scenario) -> set[str]:
    named = set(scenario.config.groups)
    if scenario.config.group is not None:
        named.add(scenario.config.group)
    for agent in scenario.agents:
        named.update(agent.groups or ())
    return named


def _agent(scenario: Scenario, position: int, given: AgentGiven, home: str) -> Agent:
    capacity = given.capacity
    if isinstance(capacity, msgspec.UnsetType):
        capacity = scenario.config.capacity_default
    pushed = given.pushed_at
    if pushed is None:
        pushed = (given.last_assigned_at,) if given.last_assigned_at else ()
    agent = Agent(
        agent_id=given.id,
        position=position,
        profile=AgentProfile(
            name=given.name or given.id,
            groups=(home,) if given.groups is None else given.groups,
            skills=levels(given.skills),
            capacity=capacity,
            is_active=given.is_active,
            channel_capacity=given.channel_capacity,
            shift_calendar=given.shift_calendar,
        ),
        presence=given.presence,
        chosen_presence=given.presence,
        load=given.open_load,
        pushed_at=tuple(sorted(pushed)),
    )
    idle_since = given.idle_since or given.last_assigned_at
    if idle_since is not None:
        agent.idle_since = idle_since
    return agent


def _group(scenario: Scenario, group_id: str) -> Group:
    config = scenario.config
    said = config.groups.get(group_id, GroupSettings())
    weights = config.weights if isinstance(said.weights, msgspec.UnsetType) else said.weights
    working = {
        name: getattr(config if getattr(said, name) is msgspec.UNSET else said, name)
        for name in WORKING
    }
    own = {one.id: one.weight for one in scenario.agents if one.weight is not None}
    return Group(
        group_id=group_id,
        profile=GroupProfile(
            name=group_id,
            strategy=Strategy(
                config.strategy if isinstance(said.strategy, msgspec.UnsetType) else said.strategy
            ),
            is_active=said.is_active,
            **working,
            weights={**own, **weights},
            rate_limit=config.rate_limit
            if isinstance(said.rate_limit, msgspec.UnsetType)
            else said.rate_limit,
            sticky_seconds=config.sticky_seconds
            if isinstance(said.sticky_seconds, msgspec.UnsetType)
            else said.sticky_seconds,
        ),
    )


def _moments_of(agent: AgentGiven) -> list[datetime]:
    told = (agent.last_assigned_at, agent.idle_since, *(agent.pushed_at or ()))
    return [moment for moment in told if moment is not None]
