"""Who gets the next ticket of a lane, and why nobody else does (R4, R6). A pure function."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from services.routing.domain.agent import TICKET_UNITS, Agent, Group
from services.routing.domain.pace import Pace
from services.routing.domain.strategies import Key, Ranking, ranking, strategy_of
from shared.events.agents import Presence, Strategy
from shared.events.assignments import Candidate

CANDIDATES_TOLD_MAX: Final = 10
"""An event tells the ten best (or ten refused): enough to explain, and a ticket's event stays under 2 kB."""


class Demand(msgspec.Struct, frozen=True):
    """What a ticket asks of an agent. Tickets with the same demand wait in the same lane.

    `excluded`: agents who gave this ticket back or asked for it themselves (R4). `strategy`: what a rule asks for in
    place of the group's own.
    """

    group_id: str | None
    skills: tuple[tuple[str, int], ...] = ()
    excluded: tuple[str, ...] = ()
    strategy: str | None = None


class Decision(msgspec.Struct):
    """The outcome. `agent` is None when nobody can take it; then `refused_counts` says why.

    `ranked`: the eligible, best first, with what was compared. `refused`: looked at and refused, with the reason.
    `is_sticky`: the agent is the customer's last one, whatever the rank.
    """

    agent: Agent | None
    ranked: list[tuple[Key, Agent]]
    refused: list[tuple[str, Agent]]
    refused_counts: dict[str, int]
    ranking: Ranking | None = None
    is_sticky: bool = False

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
            Candidate(
                agent.agent_id,
                agent.load,
                agent.profile.capacity,
                self.ranking.score(key) if self.ranking else None,
                None,
            )
            for key, agent in best
        ]
        rest = 1 if told else CANDIDATES_TOLD_MAX
        told.extend(
            Candidate(agent.agent_id, agent.load, agent.profile.capacity, None, reason)
            for reason, agent in self.refused[:rest]
        )
        return tuple(told)


def choose(
    demand: Demand,
    group: Group | None,
    members: Sequence[Agent],
    *,
    pace: Pace | None = None,
    preferred: str | None = None,
) -> Decision:
    """Pick among `members` by the group's strategy; equal input gives the equal answer.

    Args:
        demand: what is asked of an agent.
        group: whose work it is.
        members: of the group.
        pace: how fast work may be pushed to one agent; None when it may be at any pace.
        preferred: the customer's last agent, who gets it if eligible; otherwise the strategy decides at once (R6).

    Reasons without an agent: `no_group`, `group_inactive`, `manual_group` (agents pull, nobody is pushed),
    `no_members`.
    """
    if group is None:
        return _nobody("no_group")
    if not group.profile.is_active:
        return _nobody("group_inactive")
    if strategy_of(group, demand.strategy) == Strategy.MANUAL:
        return _nobody("manual_group")
    if not members:
        return _nobody("no_members")
    ranks = ranking(group, demand.strategy)
    ranked: list[tuple[Key, Agent]] = []
    refused = []
    counts: dict[str, int] = {}
    for agent in members:
        reason = refusal(agent, demand, pace)
        if reason is None:
            ranked.append((ranks.key(agent), agent))
        else:
            counts[reason] = counts.get(reason, 0) + 1
            refused.append((reason, agent))
    ranked.sort(key=_by_score)
    last = next((agent for _, agent in ranked if agent.agent_id == preferred), None)
    best = ranked[0][1] if ranked else None
    return Decision(last or best, ranked, refused, counts, ranks, last is not None)


def refusal(agent: Agent, demand: Demand, pace: Pace | None = None) -> str | None:
    """Why this agent cannot take it now; the first reason in the order of R4, or None.

    Without `pace` the question is what the agent may ask for (pull), which no rate limits.
    """
    profile = agent.profile
    if not profile.is_active:
        return "inactive"
    if agent.presence is not Presence.ONLINE:
        return agent.presence.value
    if demand.skills:
        for skill, level in demand.skills:
            if profile.skills.get(skill, 0) < level:
                return "skill_missing"
    if profile.capacity is not None and agent.load + TICKET_UNITS > profile.capacity:
        return "at_capacity"
    if pace is not None and not pace.left(agent):
        return "rate_limited"
    return "excluded" if agent.agent_id in demand.excluded else None


def room(agents: Iterable[Agent], demand: Demand, *, at_most: int, pace: Pace | None = None) -> int:
    """How many tickets of this demand the agents could take now, up to `at_most`."""
    total = 0
    for agent in agents:
        if refusal(agent, demand, pace) is None:
            free = at_most if pace is None else pace.left(agent)
            if agent.profile.capacity is not None:
                free = min(free, int((agent.profile.capacity - agent.load) / TICKET_UNITS))
            total += free
            if total >= at_most:
                return at_most
    return total


def _nobody(reason: str) -> Decision:
    return Decision(None, [], [], {reason: 1})


def _by_score(entry: tuple[Key, Agent]) -> Key:
    return entry[0]
