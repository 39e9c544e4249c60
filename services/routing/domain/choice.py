"""Who gets the next ticket of a lane, and why nobody else does (R4, R6). A pure function."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from services.routing.domain.agent import Agent, Group
from services.routing.domain.pace import Pace
from services.routing.domain.strategies import Key, Ranking, ranking, strategy_of
from shared.events.agents import Presence, Strategy
from shared.events.assignments import Candidate

CANDIDATES_TOLD_MAX: Final = 10
"""An event tells the ten best (or ten refused): enough to explain, and a ticket's event stays under 2 kB."""

ROUNDING: Final = 1e-6
"""Units are told in thousandths; sums of them may be off by less than this."""

_NO_LIMIT: Final = float("inf")


class Demand(msgspec.Struct, frozen=True):
    """What a ticket asks of an agent. Tickets with the same demand wait in the same lane.

    `excluded`: agents who gave this ticket back, declined it, or asked for it themselves (R4). `strategy`: what a rule
    asks for in place of the group's own. `units`: the room that it takes, as one of `channel`. `optional`: skills that
    are liked. `overflow`: secondary groups whose agents come after those of the group (R7).
    """

    group_id: str | None
    skills: tuple[tuple[str, int], ...] = ()
    excluded: tuple[str, ...] = ()
    strategy: str | None = None
    channel: str = ""
    units: float = 1.0
    optional: tuple[tuple[str, int], ...] = ()
    overflow: tuple[str, ...] = ()

    def liked(self, agent: Agent) -> int:
        """How many of the optional skills the agent has at their level."""
        return sum(agent.profile.skills.get(skill, 0) >= level for skill, level in self.optional)


class Decision(msgspec.Struct):
    """The outcome. `agent` is None when nobody can take it; then `refused_counts` says why.

    `ranked`: the eligible, best first, with what was compared. `refused`: looked at and refused, with the reason.
    `is_sticky`: the agent is the customer's last one, whatever the rank. `helpers`: who is of a secondary group only.
    """

    agent: Agent | None
    ranked: list[tuple[Key, Agent]]
    refused: list[tuple[str, Agent]]
    refused_counts: dict[str, int]
    ranking: Ranking | None = None
    is_sticky: bool = False
    demand: Demand | None = None
    helpers: frozenset[str] = frozenset()

    @property
    def is_by_helper(self) -> bool:
        """Whether the chosen agent is of a secondary group."""
        return self.agent is not None and self.agent.agent_id in self.helpers

    @property
    def eligible(self) -> list[Agent]:
        """Everybody who could take it, best first."""
        return [agent for _, agent in self.ranked]

    def candidates(self) -> tuple[Candidate, ...]:
        """The ten best and the first refused; without an eligible agent the first ten refused.

        The chosen one is always among them: a customer's last agent may rank below the ten best.
        """
        best = self.ranked[:CANDIDATES_TOLD_MAX]
        if self.is_sticky and all(agent is not self.agent for _, agent in best):
            best[-1:] = [entry for entry in self.ranked if entry[1] is self.agent]
        told = [
            self._told(agent, self.ranking.score(key) if self.ranking else None)
            for key, agent in best
        ]
        rest = 1 if told else CANDIDATES_TOLD_MAX
        told.extend(self._told(agent, None, reason) for reason, agent in self.refused[:rest])
        return tuple(told)

    def _told(self, agent: Agent, score: float | None, refused: str | None = None) -> Candidate:
        return Candidate(
            agent.agent_id,
            agent.load,
            agent.profile.capacity,
            score,
            refused,
            self.demand.liked(agent) if self.demand and self.demand.optional else 0,
            agent.agent_id in self.helpers,
        )


def choose(
    demand: Demand,
    group: Group | None,
    members: Sequence[Agent],
    *,
    helpers: Sequence[Agent] = (),
    pace: Pace | None = None,
    preferred: str | None = None,
    closed: Collection[str] = (),
) -> Decision:
    """Pick among `members`, then `helpers`, by the group's strategy; equal input gives the equal answer.

    Whoever has more of the optional skills comes first, then the strategy decides (R7).

    Args:
        demand: what is asked of an agent.
        group: whose work it is.
        members: of the group.
        helpers: of its secondary groups and not of the group; asked when no member can take it (R7).
        pace: how fast work may be pushed to one agent; None when it may be at any pace.
        preferred: the customer's last agent, who gets it if eligible; otherwise the strategy decides at once (R6).
        closed: calendars in which it is off shift now (R4).

    Reasons without an agent: `no_group`, `group_inactive`, `manual_group` (agents pull, nobody is pushed),
    `no_members`.
    """
    if group is None:
        return _nobody("no_group")
    if not group.profile.is_active:
        return _nobody("group_inactive")
    if strategy_of(group, demand.strategy) == Strategy.MANUAL:
        return _nobody("manual_group")
    if not members and not helpers:
        return _nobody("no_members")
    ranks = ranking(group, demand.strategy)
    ranked: list[tuple[Key, Agent]] = []
    refused = []
    counts: dict[str, int] = {}
    for tier in (members, helpers):
        able = []
        for agent in tier:
            reason = refusal(agent, demand, pace, closed)
            if reason is None:
                able.append((ranks.key(agent), agent))
            else:
                counts[reason] = counts.get(reason, 0) + 1
                refused.append((reason, agent))
        able.sort(key=_by_score)
        if demand.optional:
            able.sort(key=lambda entry: -demand.liked(entry[1]))
        ranked += able
    last = next((agent for _, agent in ranked if agent.agent_id == preferred), None)
    best = ranked[0][1] if ranked else None
    return Decision(
        last or best,
        ranked,
        refused,
        counts,
        ranks,
        last is not None,
        demand,
        frozenset(agent.agent_id for agent in helpers),
    )


def refusal(  # noqa: PLR0911  # one line for each reason of R4, in its order
    agent: Agent, demand: Demand, pace: Pace | None = None, closed: Collection[str] = ()
) -> str | None:
    """Why this agent cannot take it now; the first reason in the order of R4, or None.

    Without `pace` the question is what the agent may ask for (pull), which no rate limits.
    """
    profile = agent.profile
    if not profile.is_active:
        return "inactive"
    if agent.presence is not Presence.ONLINE:
        return agent.presence.value
    if closed and profile.shift_calendar in closed:
        return "off_shift"
    if demand.skills:
        for skill, level in demand.skills:
            if profile.skills.get(skill, 0) < level:
                return "skill_missing"
    if profile.capacity is not None and agent.load + demand.units > profile.capacity + ROUNDING:
        return "at_capacity"
    if profile.channel_capacity and _channel_room(agent, demand.channel) < demand.units - ROUNDING:
        return "channel_full"
    if pace is not None and not pace.left(agent):
        return "rate_limited"
    return "excluded" if agent.agent_id in demand.excluded else None


def room(
    agents: Iterable[Agent],
    demand: Demand,
    *,
    at_most: int,
    pace: Pace | None = None,
    closed: Collection[str] = (),
) -> int:
    """How many tickets of this demand the agents could take now, up to `at_most`."""
    total = 0
    for agent in agents:
        if refusal(agent, demand, pace, closed) is None:
            free = at_most if pace is None else pace.left(agent)
            if demand.units:
                units = _channel_room(agent, demand.channel)
                if agent.profile.capacity is not None:
                    units = min(units, agent.profile.capacity - agent.load)
                if units != _NO_LIMIT:
                    free = min(free, int(units / demand.units + ROUNDING))
            total += free
            if total >= at_most:
                return at_most
    return total


def _channel_room(agent: Agent, channel: str) -> float:
    limit = agent.profile.channel_capacity.get(channel)
    return _NO_LIMIT if limit is None else limit - agent.channel_loads.get(channel, 0.0)


def _nobody(reason: str) -> Decision:
    return Decision(None, [], [], {reason: 1})


def _by_score(entry: tuple[Key, Agent]) -> Key:
    return entry[0]
