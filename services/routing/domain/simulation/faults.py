"""What is wrong with a scenario: every fault with the path of its field, before anything is played."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from services.routing.domain.agent import ABSENT
from services.routing.domain.people import NAME_CHARACTERS_MAX
from services.routing.domain.rules import skill_faults
from services.routing.domain.sharing import sharing_faults
from services.routing.domain.simulation.scenario import (
    Action,
    AgentGiven,
    Assign,
    ChangeCapacity,
    ChangeDue,
    ChangePresence,
    ChangeSkills,
    ChangeTeam,
    Config,
    GroupSettings,
    Resolve,
    Scenario,
)
from services.routing.domain.simulation.setting import levels, roster_of
from services.routing.domain.working import (
    CAPACITY_MAX,
    channel_capacity_faults,
    working_faults,
)
from shared.calendar import InvalidCalendar, parse_calendar
from shared.errors import FieldError, Invalid
from shared.events.agents import Strategy

AGENTS_MAX: Final = 2_000
"""The largest desk that the service is made for."""

ACTIONS_MAX: Final = 10_000
"""A few seconds of one processor."""

LOADS_MAX: Final = 500_000
"""Agents times actions: every action tells every load, so an answer stays below some 10 MB."""

SECONDS_MAX: Final = 100 * 366 * 86_400
"""A hundred years."""

_YEARS: Final = range(1971, 2201)
"""Far from where dates end, so that windows and offsets can be added."""

_KNOWN: Final = tuple(one.value for one in Strategy)


def check(scenario: Scenario) -> None:
    """Refuse what cannot be played.

    Raises:
        Invalid: every fault with its path.
    """
    found = list(_faults(scenario)) or list(_working_faults(scenario))
    if found:
        raise Invalid(f"{found[0].field}: {found[0].message}", errors=found)


def _faults(scenario: Scenario) -> Iterator[FieldError]:
    if len(scenario.agents) > AGENTS_MAX:
        yield FieldError("agents", f"at most {AGENTS_MAX}")
    if len(scenario.actions) > ACTIONS_MAX:
        yield FieldError("actions", f"at most {ACTIONS_MAX}")
    if len(scenario.agents) * len(scenario.actions) > LOADS_MAX:
        yield FieldError("actions", f"agents times actions: at most {LOADS_MAX}")
    yield from _config_faults(scenario.config, {agent.id for agent in scenario.agents})
    seen: set[str] = set()
    for place, agent in enumerate(scenario.agents):
        yield from _agent_faults(agent, f"agents[{place}]", seen)
        seen.add(agent.id)
        yield from _shift_faults(agent, f"agents[{place}]", scenario.config)
    yield from _calendar_faults(scenario.config)
    yield from _moment_faults(scenario.start_at, "start_at")
    for place, action in enumerate(scenario.actions):
        yield from _action_faults(action, f"actions[{place}]")


def _config_faults(config: Config, agents: set[str]) -> Iterator[FieldError]:
    yield from _capacity_faults(config.capacity_default, "config.capacity_default")
    everywhere = GroupSettings(
        strategy=config.strategy,
        weights=config.weights,
        rate_limit=config.rate_limit,
        sticky_seconds=config.sticky_seconds,
    )
    yield from _group_faults(everywhere, "config", agents)
    for group_id, said in config.groups.items():
        yield from _group_faults(said, f"config.groups.{group_id[:64]}", agents)


def _working_faults(scenario: Scenario) -> Iterator[FieldError]:
    """Of what a group says of its own, and of what `config` says for all; each once."""
    groups = roster_of(scenario).groups
    told: set[str] = set()
    for group_id, group in groups.items():
        said = scenario.config.groups.get(group_id, GroupSettings())
        for fault in working_faults(group_id, group.profile, groups):
            name = fault.field.partition(".")[0].partition("[")[0]
            is_own = getattr(said, name) is not msgspec.UNSET
            path = f"config.groups.{group_id[:64]}" if is_own else "config"
            if f"{path}.{fault.field}" not in told:
                told.add(f"{path}.{fault.field}")
                yield FieldError(f"{path}.{fault.field}", fault.message)


def _calendar_faults(config: Config) -> Iterator[FieldError]:
    for name, definition in config.calendars.items():
        try:
            parse_calendar(definition)
        except InvalidCalendar as invalid:
            for error in invalid.errors:
                yield FieldError(f"config.calendars.{name[:64]}.{error.field}", error.message)


def _shift_faults(agent: AgentGiven, path: str, config: Config) -> Iterator[FieldError]:
    for fault in channel_capacity_faults(agent.channel_capacity):
        yield FieldError(f"{path}.{fault.field}", fault.message)
    if agent.shift_calendar is not None and agent.shift_calendar not in config.calendars:
        yield FieldError(f"{path}.shift_calendar", "is not among config.calendars")


def _group_faults(said: GroupSettings, path: str, agents: set[str]) -> Iterator[FieldError]:
    if not isinstance(said.strategy, msgspec.UnsetType) and said.strategy not in _KNOWN:
        yield FieldError(f"{path}.strategy", f"one of {', '.join(_KNOWN)}")
    for fault in sharing_faults(
        {} if isinstance(said.weights, msgspec.UnsetType) else said.weights,
        None if isinstance(said.sticky_seconds, msgspec.UnsetType) else said.sticky_seconds,
        None if isinstance(said.rate_limit, msgspec.UnsetType) else said.rate_limit,
        agents,
    ):
        yield FieldError(f"{path}.{fault.field}", fault.message)


def _agent_faults(agent: AgentGiven, path: str, seen: set[str]) -> Iterator[FieldError]:
    if not 1 <= len(agent.id) <= NAME_CHARACTERS_MAX:
        yield FieldError(f"{path}.id", f"1 to {NAME_CHARACTERS_MAX} characters")
    elif agent.id in seen:
        yield FieldError(f"{path}.id", f"{agent.id[:64]!r} is used twice")
    if not isinstance(agent.capacity, msgspec.UnsetType):
        yield from _capacity_faults(agent.capacity, f"{path}.capacity")
    if not 0 <= agent.open_load <= CAPACITY_MAX:
        yield FieldError(f"{path}.open_load", f"0 to {CAPACITY_MAX:g}")
    if agent.weight is not None:
        for fault in sharing_faults({agent.id: agent.weight}, None, None, {agent.id}):
            yield FieldError(f"{path}.weight", fault.message)
    yield from skill_faults(levels(agent.skills), path)
    yield from _moment_faults(agent.last_assigned_at, f"{path}.last_assigned_at")
    yield from _moment_faults(agent.idle_since, f"{path}.idle_since")
    for place, moment in enumerate(agent.pushed_at or ()):
        yield from _moment_faults(moment, f"{path}.pushed_at[{place}]")


def _action_faults(action: Action, path: str) -> Iterator[FieldError]:
    if isinstance(action.at, datetime):
        yield from _moment_faults(action.at, f"{path}.at")
    elif action.at is not None and not 0 <= action.at <= SECONDS_MAX:
        yield FieldError(f"{path}.at", f"0 to {SECONDS_MAX} seconds after the start")
    match action:
        case Assign():
            yield from skill_faults(levels(action.skills), path)
            yield from skill_faults(levels(action.optional_skills), f"{path}.optional_skills")
            yield from _moment_faults(action.due_at, f"{path}.due_at")
        case ChangeSkills():
            yield from skill_faults(levels(action.skills), path)
        case ChangeDue():
            yield from _moment_faults(action.due_at, f"{path}.due_at")
        case ChangePresence() if action.reassign and action.presence not in ABSENT:
            yield FieldError(f"{path}.reassign", "only with away or offline")
        case ChangeCapacity():
            yield from _capacity_faults(action.capacity, f"{path}.capacity")
        case Resolve() if (action.ticket is None) == (action.agent is None):
            yield FieldError(path, "needs either a ticket, or an agent with open load")
        case ChangeTeam():
            is_of_ticket = action.ticket is not None and action.group is not None
            is_of_agent = action.agent is not None and action.groups is not None
            if is_of_ticket == is_of_agent:
                yield FieldError(path, "needs either ticket and group, or agent and groups")
        case _:
            pass


def _capacity_faults(capacity: float | None, path: str) -> Iterator[FieldError]:
    if capacity is not None and not 0 <= capacity <= CAPACITY_MAX:
        yield FieldError(path, f"0 to {CAPACITY_MAX:g}, or null for no limit")


def _moment_faults(moment: datetime | None, path: str) -> Iterator[FieldError]:
    if moment is None:
        return
    if moment.tzinfo is None:
        yield FieldError(path, "needs a time zone, 2026-01-31T09:00:00Z")
    elif moment.year not in _YEARS:
        yield FieldError(path, f"the years {_YEARS[0]} to {_YEARS[-1]}")
