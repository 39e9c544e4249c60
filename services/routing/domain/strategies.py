"""How the eligible agents of a group are ranked, by the name of the group's strategy (R6)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from services.routing.domain.agent import Agent, Group

CAPACITY_ASSUMED: Final = 10.0
"""An agent without a limit is compared by load or room as if the limit were this many units."""

WEIGHTED: Final = "weighted"

STICKY: Final = "sticky"
"""What is told as the strategy when it was not asked: the customer's last agent got the ticket."""

Key = tuple[float, ...]


class Ranking(msgspec.Struct, frozen=True):
    """How agents are compared: the smallest key wins; the position in it makes every order total.

    `is_most_best`: what comes first in the key is the negative of what people are told as the score.
    """

    key: Callable[[Agent], Key]
    is_most_best: bool = False

    def score(self, key: Key) -> float:
        """What was compared, as it is told."""
        return -key[0] if self.is_most_best else key[0]


def strategy_of(group: Group, asked: str | None) -> str:
    """How a ticket is shared out: as a rule asks, else in the group's own way."""
    return asked or group.strategy


def ranking(group: Group, asked: str | None = None) -> Ranking:
    """The ranking of a group that pushes its work; `asked`: by a rule, in place of the group's own.

    Raises:
        KeyError: the strategy is none of `STRATEGIES` (`manual` ranks nobody).
    """
    return _RANKINGS[strategy_of(group, asked)](group)


def turns_after(
    group: Group, members: Iterable[Agent], eligible: Sequence[Agent], chosen: Agent
) -> dict[str, int]:
    """The turns saved up after a weighted choice: everybody eligible gains the own weight, the chosen pays for all.

    The sum over the eligible stays the same, and over a fixed set everybody has exactly n·w of n·Σw choices, spread
    out evenly (smooth weighted round robin). Whoever cannot take anything just now keeps what was saved; whoever is
    no member any more loses it.
    """
    ids = {agent.agent_id for agent in members}
    saved = {agent_id: turns for agent_id, turns in group.saved_turns.items() if agent_id in ids}
    for agent in eligible:
        saved[agent.agent_id] = saved.get(agent.agent_id, 0) + group.weight(agent.agent_id)
    saved[chosen.agent_id] -= sum(group.weight(agent.agent_id) for agent in eligible)
    return saved


def _round_robin(_group: Group) -> Ranking:
    return Ranking(lambda agent: (agent.turn, agent.position))


def _longest_idle(_group: Group) -> Ranking:
    return Ranking(_idle)


def _least_loaded(_group: Group) -> Ranking:
    def key(agent: Agent) -> Key:
        load = agent.load
        return (
            load / (agent.profile.capacity or CAPACITY_ASSUMED),
            load,
            agent.turn,
            agent.position,
        )

    return Ranking(key)


def _most_spare(_group: Group) -> Ranking:
    def key(agent: Agent) -> Key:
        capacity = agent.profile.capacity
        return (agent.load - (CAPACITY_ASSUMED if capacity is None else capacity), *_idle(agent))

    return Ranking(key, is_most_best=True)


def _weighted(group: Group) -> Ranking:
    saved = group.saved_turns

    def key(agent: Agent) -> Key:
        turns = saved.get(agent.agent_id, 0) + group.weight(agent.agent_id)
        return (-turns, agent.turn, agent.position)

    return Ranking(key, is_most_best=True)


def _idle(agent: Agent) -> Key:
    return (agent.idle_since.timestamp(), agent.turn, agent.position)


_RANKINGS: Final[dict[str, Callable[[Group], Ranking]]] = {
    "round_robin": _round_robin,
    "least_loaded": _least_loaded,
    "most_spare": _most_spare,
    "longest_idle": _longest_idle,
    WEIGHTED: _weighted,
}

STRATEGIES: Final = tuple(_RANKINGS)
"""Every strategy that pushes."""
