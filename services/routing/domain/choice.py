"""Who gets the next ticket of a lane, and why nobody else does (R4, R6). A pure function."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from services.routing.domain.agent import TICKET_UNITS, Agent, Group
from shared.events.agents import Presence, Strategy
from shared.events.assignments import Candidate

CANDIDATES_TOLD_MAX: Final = 10
"""An event tells the ten best (or ten refused): enough to explain, and a ticket's event stays under 2 kB."""

CAPACITY_ASSUMED: Final = 10.0
"""An agent without a limit is compared under `least_loaded` as if the limit were this many units."""


class Demand(msgspec.Struct, frozen=True):
    """What a ticket asks of an agent. Tickets with the same demand wait in the same lane.

    `excluded`: agents who gave this ticket back or asked for it themselves (R4).
    """

    group_id: str | None
    skills: tuple[tuple[str, int], ...] = ()
    excluded: tuple[str, ...] = ()


class Decision(msgspec.Struct):
    """The outcome. `agent` is None when nobody can take it; then `refused_counts` says why.

    `ranked`: the eligible, best first, with what was compared. `refused`: looked at and refused, with the reason.
    """

    agent: Agent | None
    ranked: list[tuple[tuple[float, ...], Agent]]
    refused: list[tuple[str, Agent]]
    refused_counts: dict[str, int]

    def candidates(self) -> tuple[Candidate, ...]:
        """The ten best and the first refused; without an eligible agent the first ten refused."""
        told = [
            Candidate(agent.agent_id, agent.load, agent.profile.capacity, key[0], None)
            for key, agent in self.ranked[:CANDIDATES_TOLD_MAX]
        ]
        rest = 1 if told else CANDIDATES_TOLD_MAX
        told.extend(
            Candidate(agent.agent_id, agent.load, agent.profile.capacity, None, reason)
            for reason, agent in self.refused[:rest]
        )
        return tuple(told)


def choose(demand: Demand, group: Group | None, members: Sequence[Agent]) -> Decision:
    """Pick among `members` by the group's strategy; equal input gives the equal answer.

    Reasons without an agent: `no_group`, `group_inactive`, `manual_group` (agents pull, nobody is pushed),
    `no_members`.
    """
    if group is None:
        return _nobody("no_group")
    if not group.profile.is_active:
        return _nobody("group_inactive")
    if group.profile.strategy is Strategy.MANUAL:
        return _nobody("manual_group")
    if not members:
        return _nobody("no_members")
    score = _SCORES[group.profile.strategy]
    ranked = []
    refused = []
    counts: dict[str, int] = {}
    for agent in members:
        reason = refusal(agent, demand)
        if reason is None:
            ranked.append((score(agent), agent))
        else:
            counts[reason] = counts.get(reason, 0) + 1
            refused.append((reason, agent))
    ranked.sort(key=_by_score)
    return Decision(ranked[0][1] if ranked else None, ranked, refused, counts)


def refusal(agent: Agent, demand: Demand) -> str | None:
    """Why this agent cannot take it now; the first reason in the order of R4, or None."""
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
    if agent.agent_id in demand.excluded:
        return "excluded"
    return None


def room(agents: Iterable[Agent], demand: Demand, *, at_most: int) -> int:
    """How many tickets of this demand the agents could take now, up to `at_most`."""
    total = 0
    for agent in agents:
        if refusal(agent, demand) is None:
            if agent.profile.capacity is None:
                return at_most
            total += int((agent.profile.capacity - agent.load) / TICKET_UNITS)
            if total >= at_most:
                return at_most
    return total


def _nobody(reason: str) -> Decision:
    return Decision(None, [], [], {reason: 1})


def _by_score(entry: tuple[tuple[float, ...], Agent]) -> tuple[float, ...]:
    return entry[0]


# Each score: the smallest wins; what comes first is told as the score. The position makes every order total.


def _round_robin(agent: Agent) -> tuple[float, ...]:
    return (agent.turn, agent.position)


def _longest_idle(agent: Agent) -> tuple[float, ...]:
    return (agent.idle_since.timestamp(), agent.turn, agent.position)


def _least_loaded(agent: Agent) -> tuple[float, ...]:
    load = agent.load
    return (load / (agent.profile.capacity or CAPACITY_ASSUMED), load, agent.turn, agent.position)


_SCORES: Final = {
    Strategy.ROUND_ROBIN: _round_robin,
    Strategy.LONGEST_IDLE: _longest_idle,
    Strategy.LEAST_LOADED: _least_loaded,
}
