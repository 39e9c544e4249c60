"""Who gets the next ticket of a lane, and why nobody else does (R4, R6). Pure."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from services.routing.domain.agent import Agent, Group
from services.routing.domain.pace import Pace
from services.routing.domain.strategies import WEIGHTED, Key, Ranking, ranking, strategy_of
from shared.events.agents import Presence, Strategy
from shared.events.assignments import Candidate

CANDIDATES_TOLD_MAX: Final = 10
"""An event tells the ten best (or ten refused): enough to explain, and a ticket's event stays under 2 kB."""

ROUNDING: Final = 1e-6
"""Units are told in thousandths; sums of them may be off by less than this."""

_NO_LIMIT: Final = float("inf")

_BEFORE_KEY: Final = 2
"""What comes before the strategy's own key: whether it is a helper, and the optional skills."""


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

    `ranked`: the eligible, best first, with what was compared. `refused`: looked at and refused, by place, with the
    reason. With an agent, both are the standing's own: to be read before anybody changes.
    `is_sticky`: the agent is the customer's last one, whatever the rank. `helpers`: who is of a secondary group only.
    """

    agent: Agent | None
    ranked: list[tuple[Key, Agent]]
    refused: list[tuple[int, str, Agent]]
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
            self._told(agent, self.ranking.score(key[_BEFORE_KEY:]) if self.ranking else None)
            for key, agent in best
        ]
        rest = 1 if told else CANDIDATES_TOLD_MAX
        told.extend(self._told(agent, None, reason) for _, reason, agent in self.refused[:rest])
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


class Standing:
    """Who could take the next ticket of one demand, best first; kept true while one agent after the other changes.

    Among the group's members, then `helpers`, whoever has more of the optional skills comes first, then the group's
    strategy decides (R6, R7); equal input gives the equal answer. Tickets are given out many at a time, and each
    changes one agent: to look at everybody again for each one would be a third of a decision with 40 agents, and nearly
    all of it with 2,000.

    Args:
        demand: what is asked of an agent.
        group: whose work it is.
        members: of the group.
        helpers: of its secondary groups and not of the group; asked when no member can take it (R7).
        pace: how fast work may be pushed to one agent; None when it may be at any pace.
        closed: calendars in which it is off shift now (R4).
    """

    def __init__(
        self,
        demand: Demand,
        group: Group | None,
        members: Sequence[Agent],
        *,
        helpers: Sequence[Agent] = (),
        pace: Pace | None = None,
        closed: Collection[str] = (),
    ) -> None:
        self._demand = demand
        self._group = group
        self._agents = (*members, *helpers)
        self._helpers = frozenset(agent.agent_id for agent in helpers)
        self._pace = pace
        self._closed = closed
        self._unstaffed = _unstaffed(group, demand, self._agents)
        if self._unstaffed is None:
            self._look_at_everybody()

    def decide(self, preferred: str | None = None) -> Decision:
        """Pick the best; `preferred`, the customer's last agent, gets it if eligible (R6).

        Reasons without an agent: `no_group`, `group_inactive`, `manual_group` (agents pull, nobody is pushed),
        `no_members`, or those of `refusal`.
        """
        if self._unstaffed is not None:
            return Decision(None, [], [], {self._unstaffed: 1})
        last = self._entries.get(preferred) if preferred is not None else None
        best = self._ranked[0] if self._ranked else None
        chosen = last or best
        if chosen is None:
            return Decision(
                None,
                [],
                list(self._refused),
                dict(self._counts),
                demand=self._demand,
                helpers=self._helpers,
            )
        return Decision(
            agent=chosen[1],
            ranked=self._ranked,
            refused=self._refused,
            refused_counts=dict(self._counts),
            ranking=self._ranking,
            is_sticky=last is not None,
            demand=self._demand,
            helpers=self._helpers,
        )

    def look_again(self, agent: Agent) -> None:
        """This agent has changed."""
        place = self._places.get(agent.agent_id) if self._unstaffed is None else None
        if place is None:
            return
        if self._is_weighted:  # a weighted choice changes everybody's turns
            self._look_at_everybody()
            return
        entry = self._entries.pop(agent.agent_id, None)
        if entry is not None:
            del self._ranked[bisect_left(self._ranked, entry[0], key=_first)]
        else:
            _, was, _ = self._refused.pop(bisect_left(self._refused, place, key=_first))
            self._counts[was] -= 1
            if not self._counts[was]:
                del self._counts[was]
        reason = self._refusal(agent)
        if reason is None:
            insort(self._ranked, self._enter(agent, place), key=_first)
        else:
            insort(self._refused, (place, reason, agent), key=_first)

    def _look_at_everybody(self) -> None:
        assert self._group is not None
        self._ranking = ranking(self._group, self._demand.strategy)
        self._is_weighted = strategy_of(self._group, self._demand.strategy) == WEIGHTED
        self._places = {agent.agent_id: place for place, agent in enumerate(self._agents)}
        self._entries: dict[str, tuple[Key, Agent]] = {}
        self._ranked: list[tuple[Key, Agent]] = []
        self._refused: list[tuple[int, str, Agent]] = []
        self._counts: dict[str, int] = {}
        for place, agent in enumerate(self._agents):
            reason = self._refusal(agent)
            if reason is None:
                self._ranked.append(self._enter(agent, place))
            else:
                self._refused.append((place, reason, agent))
        self._ranked.sort(key=_first)

    def _refusal(self, agent: Agent) -> str | None:
        reason = refusal(agent, self._demand, self._pace, self._closed)
        if reason is not None:
            self._counts[reason] = self._counts.get(reason, 0) + 1
        return reason

    def _enter(self, agent: Agent, place: int) -> tuple[Key, Agent]:
        liked = self._demand.liked(agent) if self._demand.optional else 0
        key = (agent.agent_id in self._helpers, -liked, *self._ranking.key(agent), place)
        entry = self._entries[agent.agent_id] = (key, agent)
        return entry


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


def _unstaffed(group: Group | None, demand: Demand, agents: Sequence[Agent]) -> str | None:
    """Why nobody at all is asked."""
    if group is None:
        return "no_group"
    if not group.profile.is_active:
        return "group_inactive"
    if strategy_of(group, demand.strategy) == Strategy.MANUAL:
        return "manual_group"
    return None if agents else "no_members"


_first: Final = itemgetter(0)
