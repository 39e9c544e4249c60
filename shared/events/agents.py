"""Events of routing about people and rules. Stream = agent, group or rule set."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

from shared.events.base import Event, Owner, Priority
from shared.events.conditions import Condition
from shared.identifiers import derived_id


class Presence(StrEnum):
    """Whether an agent can take work now."""

    ONLINE = "online"
    AWAY = "away"
    BUSY = "busy"
    OFFLINE = "offline"


class Strategy(StrEnum):
    """How a group picks among its eligible agents (R6)."""

    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"
    MOST_SPARE = "most_spare"
    LONGEST_IDLE = "longest_idle"
    WEIGHTED = "weighted"
    MANUAL = "manual"


class AgentProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is. `capacity` in units of work (`null`: no limit); `skills`: name → level 1-5.

    `channel_capacity`: channel → units of that channel's tickets at most, beside `capacity`. `shift_calendar`: id of
    the calendar of the agent's working hours; outside them nothing is given by rule (`null`: always on duty).
    """

    name: str
    email: str | None = None
    groups: tuple[str, ...] = ()
    skills: dict[str, int] = {}
    capacity: float | None = None
    is_active: bool = True
    channel_capacity: dict[str, float] = {}
    shift_calendar: str | None = None


class CapacityUnits(msgspec.Struct, frozen=True, kw_only=True):
    """How much room one ticket takes: `channels` (else `default`) times `priorities` times `states`.

    A priority or state that is not named is 1. `states`: of `new`, `open`, `answered`; in every other state a ticket
    takes no room (R5).
    """

    default: float = 1.0
    channels: dict[str, float] = {}
    priorities: dict[str, float] = {}
    states: dict[str, float] = {}


class WideningStep(msgspec.Struct, frozen=True, kw_only=True):
    """After so long in the queue these skills are no longer asked (in this order), and these groups may help (R7)."""

    after_seconds: int
    relax: tuple[str, ...] = ()
    overflow: tuple[str, ...] = ()


class OfferMode(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket is offered to one agent, who has `seconds` to accept (R10).

    `away_after`: so many offers that ran out one after the other set the agent to away (`null`: never).
    `again_seconds`: when everybody who could take it has declined, they are asked again after so long.
    """

    seconds: int = 60
    away_after: int | None = None
    again_seconds: int = 300


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `count` tickets are pushed to one agent in any window `(now - seconds, now]` (R4)."""

    count: int
    seconds: int


class GroupProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a group is and how it shares out its work.

    `weights`: agent → share under `weighted` (not named: 1). `sticky_seconds`: a customer's next ticket within that
    time of the last goes to the same agent, if eligible (`null`: no such preference). `rate_limit`: `null` for none.
    `units`: `null` as the settings say. `widening`: steps, earliest first. `grace_seconds`: so long an agent may be
    away, offline or off shift before unanswered tickets go back to the queue (`null`: for ever, R9). `offer`: `null`
    to assign without asking. `pull_lease_seconds`: so long may a ticket that was asked for stay untouched (`null`: for
    ever). `wait_seconds_max`: what waits longer is served before all others, the longest first (`null`: no such end).
    `escalates_to`: the next tier. `on_sla_warning`: of `raise`, `overflow`, `reassign` (R16). `one_writer`: whoever
    writes an answer first keeps the others from sending theirs, unless they insist.
    """

    name: str
    strategy: Strategy = Strategy.LEAST_LOADED
    is_active: bool = True
    weights: dict[str, int] = {}
    sticky_seconds: int | None = None
    rate_limit: RateLimit | None = None
    units: CapacityUnits | None = None
    widening: tuple[WideningStep, ...] = ()
    grace_seconds: int | None = None
    offer: OfferMode | None = None
    pull_lease_seconds: int | None = None
    escalates_to: str | None = None
    on_sla_warning: tuple[str, ...] = ()
    one_writer: bool = False
    wait_seconds_max: int | None = None


class RoutingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every group.

    `reroute_on`: which changes of a ticket ask the rules again (`priority`, `tags`, `subject`, `type`, `fields`).
    """

    units: CapacityUnits = CapacityUnits()
    reroute_on: tuple[str, ...] = ()


class AgentDefined(Event, frozen=True, kw_only=True, tag="agent.defined.v1"):
    """An agent was added or changed; the whole profile before and after."""

    OWNER: ClassVar[Owner] = Owner.ROUTING

    agent_id: str
    profile: AgentProfile
    previous: AgentProfile | None = None

    @property
    def stream_id(self) -> UUID:
        return agent_stream(self.agent_id)


class AgentPresenceChanged(Event, frozen=True, kw_only=True, tag="agent.presence_changed.v1"):
    """An agent came, went or turned busy.

    `reason`: `requested`, `heartbeat_lost`, `heartbeat_back`, `offers_expired`.
    """

    OWNER: ClassVar[Owner] = Owner.ROUTING

    agent_id: str
    presence: Presence
    previous: Presence
    reason: str = "requested"

    @property
    def stream_id(self) -> UUID:
        return agent_stream(self.agent_id)


class GroupDefined(Event, frozen=True, kw_only=True, tag="group.defined.v1"):
    """A group was added or changed."""

    OWNER: ClassVar[Owner] = Owner.ROUTING

    group_id: str
    profile: GroupProfile
    previous: GroupProfile | None = None

    @property
    def stream_id(self) -> UUID:
        return group_stream(self.group_id)


class RuleMode(StrEnum):
    """Which of the rules that match count: the first one, or all of them, each setting what none before it has set."""

    FIRST = "first"
    ALL = "all"


class RoutingRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When all `when` hold: what becomes of the ticket. What is not named stays as it is.

    `group`: where it goes; under mode `first` every rule names one. `skills`: name → least level an agent must have.
    `optional_skills`: whoever has more of them is preferred; nobody is refused for want of one.
    `strategy`: shares out this ticket in place of the group's own. `priority` and `tags` (to add) are intake's to
    set: routing asks for them (`TriageRequested`). A rule that is not enabled is kept and not asked.
    """

    id: str
    group: str | None = None
    when: tuple[Condition, ...] = ()
    skills: dict[str, int] = {}
    priority: Priority | None = None
    tags: tuple[str, ...] = ()
    strategy: Strategy | None = None
    note: str = ""
    is_enabled: bool = True
    optional_skills: dict[str, int] = {}


class RoutingRulesDefined(Event, frozen=True, kw_only=True, tag="routing_rules.defined.v1"):
    """The ordered rule set was replaced; `version` of this stream is the rules' version. `mode`: which rules count."""

    OWNER: ClassVar[Owner] = Owner.ROUTING

    rules: tuple[RoutingRule, ...]
    previous: tuple[RoutingRule, ...] = ()
    mode: RuleMode = RuleMode.FIRST
    previous_mode: RuleMode = RuleMode.FIRST

    @property
    def stream_id(self) -> UUID:
        return RULES_STREAM


class RoutingSettingsDefined(Event, frozen=True, kw_only=True, tag="routing_settings.defined.v1"):
    """What holds for every group was changed. What is in hand keeps the room that it was given."""

    OWNER: ClassVar[Owner] = Owner.ROUTING

    settings: RoutingSettings
    previous: RoutingSettings | None = None

    @property
    def stream_id(self) -> UUID:
        return SETTINGS_STREAM


def agent_stream(agent_id: str) -> UUID:
    """The stream of one agent."""
    return derived_id("agent", agent_id)


def group_stream(group_id: str) -> UUID:
    """The stream of one group."""
    return derived_id("group", group_id)


RULES_STREAM = derived_id("routing_rules")
SETTINGS_STREAM = derived_id("routing_settings")

AgentEvent = (
    AgentDefined
    | AgentPresenceChanged
    | GroupDefined
    | RoutingRulesDefined
    | RoutingSettingsDefined
)
