"""An agent and a group as the decisions see them: flat, with the load and the turn of each agent."""

from datetime import UTC, datetime

import msgspec

from shared.events.agents import AgentProfile, GroupProfile, Presence
from shared.events.base import TAKING_CAPACITY, StatusCategory

OPEN: frozenset[StatusCategory] = TAKING_CAPACITY
"""Categories in which a ticket needs an agent and takes room in the agent's hands (R5)."""

ABSENT: frozenset[Presence] = frozenset({Presence.AWAY, Presence.OFFLINE})
"""Not at the desk: after the grace time unanswered tickets go back (R9). Who is busy is at the desk."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Agent(msgspec.Struct, kw_only=True):
    """Somebody who can be given tickets.

    Attributes:
        version: of the agent's own stream.
        position: order of joining; the last tie-breaker of every strategy.
        presence: what counts now. `chosen_presence`: what the agent said; they differ only while a
            heartbeat lease is lost (R15).
        is_leased: this agent's programs send heartbeats, so their absence means something.
        load: capacity units in hand (R5).
        turn: rises with every assignment over all agents, so the smallest had its turn longest ago (R6).
        idle_since: last assignment, last freed ticket or coming online, whichever is latest (R6).
        channel_loads: the part of `load` that each channel has; channels without any are not here.
        left_at: since when the agent is away, offline or off shift; None while at the desk (R9).
        grace_at: the next moment at which some group's grace time for the agent's tickets ends; None: nothing to do.
        expired_count: offers that ran out since the agent last did anything about one (R10).
        pushed_at: when routing pushed work to this agent, earliest first; as many as a rate limit of the agent's
            groups may count, so none where there is no limit (R4).
    """

    agent_id: str
    position: int
    profile: AgentProfile
    version: int = 0
    presence: Presence = Presence.OFFLINE
    chosen_presence: Presence = Presence.OFFLINE
    presence_since: datetime = _LONG_AGO
    is_leased: bool = False
    load: float = 0.0
    turn: int = 0
    idle_since: datetime = _LONG_AGO
    pushed_at: tuple[datetime, ...] = ()
    channel_loads: dict[str, float] = {}
    left_at: datetime | None = None
    grace_at: datetime | None = None
    expired_count: int = 0

    @property
    def is_online(self) -> bool:
        """Whether work may be pushed to this agent."""
        return self.presence is Presence.ONLINE and self.profile.is_active


class Group(msgspec.Struct, kw_only=True):
    """A team with one queue and one way of sharing it out.

    Attributes:
        version: of the group's own stream.
        saved_turns: under `weighted`, what each agent has saved up so far; agents who are not here have nothing (R6).
    """

    group_id: str
    profile: GroupProfile
    version: int = 0
    saved_turns: dict[str, int] = {}

    @property
    def strategy(self) -> str:
        """The name of the way of sharing."""
        return self.profile.strategy.value

    def weight(self, agent_id: str) -> int:
        """The agent's share under `weighted`; one, where nothing else was said."""
        return self.profile.weights.get(agent_id, 1)
