"""Agents, groups and rules come, change and go; presence changes. Each change is an event with what was before."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from services.routing.domain.agent import ABSENT, Agent, Group
from services.routing.domain.cause import Cause
from services.routing.domain.desk import Desk
from services.routing.domain.roster import Roster
from services.routing.domain.rules import FAULTS_TOLD_MAX, RuleBook, faults, skill_faults
from services.routing.domain.sharing import sharing_faults
from services.routing.domain.working import (
    CAPACITY_MAX,
    channel_capacity_faults,
    settings_faults,
    working_faults,
)
from shared.errors import Conflict, FieldError, Invalid, NotFound
from shared.events.agents import (
    AgentDefined,
    AgentPresenceChanged,
    AgentProfile,
    GroupDefined,
    GroupProfile,
    Presence,
    RoutingRule,
    RoutingRulesDefined,
    RoutingSettings,
    RoutingSettingsDefined,
    RuleMode,
)
from shared.events.base import Stamp
from shared.identifiers import is_slug

GROUPS_PER_AGENT_MAX = 100
"""An agent in more groups is in all of them, and every queue would look at everybody."""

SKILLS_PER_AGENT_MAX = 100
"""More than any desk names; keeps a profile, and with it every event about it, small."""

NAME_CHARACTERS_MAX = 200


def define_agent(
    desk: Desk, agent_id: str, profile: AgentProfile, cause: Cause, *, expected: int | None = None
) -> Agent:
    """Add the agent, or change what it is. A newcomer starts offline and at the end of every rotation (R6).

    Raises:
        Invalid: malformed id or profile, unknown group; every fault is named. Conflict.
    """
    _refuse(_agent_faults(desk, agent_id, profile))
    agent = desk.roster.agents.get(agent_id)
    _check(expected, agent.version if agent else 0)
    previous = agent.profile if agent else None
    if previous == profile:
        assert agent is not None
        return agent
    if agent is None:
        desk.roster.turn += 1
        agent = Agent(
            agent_id=agent_id,
            position=max((one.position for one in desk.roster.agents.values()), default=0) + 1,
            profile=profile,
            turn=desk.roster.turn,
            idle_since=desk.now,
            presence_since=desk.now,
        )
        desk.roster.agents[agent_id] = agent
    _set_profile(desk, agent, profile, previous, cause)
    return agent


def change_profile(desk: Desk, agent: Agent, profile: AgentProfile, cause: Cause) -> None:
    """The agent is another one from now on; the profile has been checked."""
    if agent.profile != profile:
        _set_profile(desk, agent, profile, agent.profile, cause)


def define_group(
    desk: Desk, group_id: str, profile: GroupProfile, cause: Cause, *, expected: int | None = None
) -> Group:
    """Add the group, or change how it shares out its work.

    Raises:
        Invalid, Conflict.
    """
    _refuse(_group_faults(desk, group_id, profile))
    group = desk.roster.groups.get(group_id)
    _check(expected, group.version if group else 0)
    previous = group.profile if group else None
    if group is not None and previous == profile:
        return group
    if group is None:
        group = desk.roster.groups[group_id] = Group(group_id=group_id, profile=profile)
    event = GroupDefined(
        **_stamp(desk, group.version, cause), group_id=group_id, profile=profile, previous=previous
    )
    desk.events.append(event)
    group.version = event.version
    group.profile = profile
    if previous is not None and previous.weights != profile.weights:
        group.saved_turns = {}
    desk.changed_groups.add(group_id)
    desk.stir_groups((group_id,))
    if previous is not None and _waits_by(previous) != _waits_by(profile):
        desk.retire_lanes((group_id,))
    if previous is None or previous.grace_seconds != profile.grace_seconds:
        for agent in desk.roster.agents.values():
            if agent.left_at is not None:
                agent.grace_at = _grace_end(desk, agent)
                desk.changed_agents[agent.agent_id] = agent
    return group


def _waits_by(profile: GroupProfile) -> tuple[object, ...]:
    """What decides in which lane and until when a ticket of the group waits."""
    return profile.units, profile.widening, profile.wait_seconds_max


def define_rules(
    desk: Desk,
    rules: tuple[RoutingRule, ...],
    cause: Cause,
    *,
    mode: RuleMode = RuleMode.FIRST,
    expected: int | None = None,
) -> RuleBook:
    """Replace the whole ordered rule set. Tickets that have a group keep it.

    Raises:
        Invalid: with the path of every fault; nothing is changed then. Conflict.
    """
    book = desk.roster.book
    _check(expected, book.version)
    check_rules(desk.roster, rules, mode)
    if (rules, mode) == (book.rules, book.mode):
        return book
    event = RoutingRulesDefined(
        **_stamp(desk, book.version, cause),
        rules=rules,
        previous=book.rules,
        mode=mode,
        previous_mode=book.mode,
    )
    desk.events.append(event)
    desk.roster.book = RuleBook(rules, event.version, mode, desk.roster.calendars.open_at)
    desk.is_book_changed = True
    return desk.roster.book


def check_rules(roster: Roster, rules: tuple[RoutingRule, ...], mode: RuleMode) -> None:
    """Refuse a rule set with faults.

    Raises:
        Invalid: with the path of every fault and the rule's name.
    """
    _refuse(faults(rules, roster.known(), mode))


def choose_presence(desk: Desk, agent_id: str, presence: Presence, cause: Cause) -> Agent:
    """The agent says so. Coming online wakes the queues of its groups (R2).

    Raises:
        NotFound: there is no such agent.
    """
    agent = _agent(desk, agent_id)
    agent.chosen_presence = presence
    desk.changed_agents[agent_id] = agent
    become(desk, agent, presence, "requested", cause)
    return agent


def lose_heartbeat(desk: Desk, agent_id: str, cause: Cause) -> None:
    """The lease ran out: offline until a heartbeat comes again; what the agent chose is kept (R15)."""
    agent = _agent(desk, agent_id)
    if agent.is_leased:
        become(desk, agent, Presence.OFFLINE, "heartbeat_lost", cause)


def regain_heartbeat(desk: Desk, agent_id: str, cause: Cause) -> Agent:
    """A heartbeat came: from now on its absence means something, and what the agent chose holds again."""
    agent = _agent(desk, agent_id)
    if not agent.is_leased:
        agent.is_leased = True
        desk.changed_agents[agent_id] = agent
    become(desk, agent, agent.chosen_presence, "heartbeat_back", cause)
    return agent


def become(desk: Desk, agent: Agent, presence: Presence, reason: str, cause: Cause) -> None:
    """The agent's presence is this from now on."""
    if agent.presence is presence:
        return
    event = AgentPresenceChanged(
        **_stamp(desk, agent.version, cause),
        agent_id=agent.agent_id,
        presence=presence,
        previous=agent.presence,
        reason=reason,
    )
    desk.events.append(event)
    agent.version = event.version
    agent.presence = presence
    agent.presence_since = desk.now
    if presence is Presence.ONLINE:
        agent.idle_since = desk.now
        agent.expired_count = 0
    review_absence(desk, agent)
    desk.stir(agent)


def review_absence(desk: Desk, agent: Agent) -> None:
    """Note since when the agent is away, offline or off shift, and when the first grace time ends (R9).

    Whoever comes back before it ends keeps everything.
    """
    is_off_shift = agent.profile.shift_calendar in desk.closed_calendars()
    if agent.presence in ABSENT or is_off_shift:
        if agent.left_at is None:
            agent.left_at = desk.now
            agent.grace_at = _grace_end(desk, agent)
            desk.changed_agents[agent.agent_id] = agent
    elif agent.left_at is not None:
        agent.left_at = agent.grace_at = None
        desk.stir(agent)


def _grace_end(desk: Desk, agent: Agent) -> datetime | None:
    graces = [
        group.profile.grace_seconds
        for group in desk.roster.groups.values()
        if group.profile.grace_seconds is not None
    ]
    if not graces or agent.left_at is None:
        return None
    return agent.left_at + timedelta(seconds=min(graces))


def define_settings(
    desk: Desk, settings: RoutingSettings, cause: Cause, *, expected: int | None = None
) -> RoutingSettings:
    """Change what holds for every group. What is in hand keeps the room that it was given (R5).

    Raises:
        Invalid, Conflict.
    """
    roster = desk.roster
    _check(expected, roster.settings_version)
    _refuse(settings_faults(settings))
    if settings == roster.settings and roster.settings_version:
        return settings
    event = RoutingSettingsDefined(
        **_stamp(desk, roster.settings_version, cause),
        settings=settings,
        previous=roster.settings if roster.settings_version else None,
    )
    desk.events.append(event)
    if roster.settings.units != settings.units:
        desk.retire_lanes(roster.groups)
    roster.settings = settings
    roster.settings_version = event.version
    desk.is_settings_changed = True
    desk.stir_groups(roster.groups)
    return settings


def _set_profile(
    desk: Desk, agent: Agent, profile: AgentProfile, previous: AgentProfile | None, cause: Cause
) -> None:
    event = AgentDefined(
        **_stamp(desk, agent.version, cause),
        agent_id=agent.agent_id,
        profile=profile,
        previous=previous,
    )
    desk.events.append(event)
    agent.version = event.version
    agent.profile = profile
    if previous is not None:
        desk.stir_groups(previous.groups)
    desk.roster.membership_changed()
    if previous is not None or profile.shift_calendar is not None:
        desk.forget_closed()
        review_absence(desk, agent)
    desk.stir(agent)


def _agent(desk: Desk, agent_id: str) -> Agent:
    agent = desk.roster.agents.get(agent_id)
    if agent is None:
        raise NotFound(f"there is no agent {agent_id}")
    return agent


def _agent_faults(desk: Desk, agent_id: str, profile: AgentProfile) -> Iterator[FieldError]:
    if not is_slug(agent_id):
        yield FieldError("path agent_id", "must match [a-z0-9][a-z0-9._-]{0,63}")
    yield from _name_faults(profile.name)
    if len(profile.groups) > GROUPS_PER_AGENT_MAX:
        yield FieldError("groups", f"at most {GROUPS_PER_AGENT_MAX}")
    for place, group in enumerate(profile.groups):
        if group not in desk.roster.groups:
            yield FieldError(f"groups[{place}]", f"there is no group {group[:64]!r}")
        elif group in profile.groups[:place]:
            yield FieldError(f"groups[{place}]", f"{group!r} is named twice")
    if len(profile.skills) > SKILLS_PER_AGENT_MAX:
        yield FieldError("skills", f"at most {SKILLS_PER_AGENT_MAX}")
    for fault in skill_faults(profile.skills, ""):
        yield FieldError(fault.field.lstrip("."), fault.message)
    if profile.capacity is not None and not 0 <= profile.capacity <= CAPACITY_MAX:
        yield FieldError("capacity", f"0 to {CAPACITY_MAX:g}, or null for no limit")
    yield from channel_capacity_faults(profile.channel_capacity)
    calendar_id = profile.shift_calendar
    if calendar_id is not None and calendar_id not in desk.roster.calendars.by_id:
        yield FieldError("shift_calendar", f"there is no calendar {calendar_id[:64]!r}")


def _group_faults(desk: Desk, group_id: str, profile: GroupProfile) -> Iterator[FieldError]:
    if not is_slug(group_id):
        yield FieldError("path group_id", "must match [a-z0-9][a-z0-9._-]{0,63}")
    yield from _name_faults(profile.name)
    yield from sharing_faults(
        profile.weights, profile.sticky_seconds, profile.rate_limit, desk.roster.agents
    )
    yield from working_faults(group_id, profile, desk.roster.groups)


def _name_faults(name: str) -> Iterator[FieldError]:
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX:
        yield FieldError("name", f"1 to {NAME_CHARACTERS_MAX} characters")


def _refuse(found: Iterator[FieldError]) -> None:
    errors = list(islice(found, FAULTS_TOLD_MAX))
    if errors:
        raise Invalid(f"{errors[0].field}: {errors[0].message}", errors=errors)


def _check(expected: int | None, version: int) -> None:
    if expected is not None and expected != version:
        raise Conflict(f"it is at version {version}, not {expected}")


def _stamp(desk: Desk, version: int, cause: Cause) -> Stamp:
    return {
        "version": version + 1,
        "occurred_at": cause.occurred_at or desk.now,
        "recorded_at": desk.now,
        "actor": cause.actor,
        "via": cause.via,
        "correlation_id": cause.correlation_id,
        "causation_id": cause.causation_id,
    }
