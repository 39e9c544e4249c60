"""How fast work may be pushed to one agent: at most so many tickets in any window of time (R4)."""

from bisect import insort
from datetime import datetime, timedelta
from typing import Self

import msgspec

from services.routing.domain.agent import Agent, Group
from shared.events.agents import RateLimit


class Pace(msgspec.Struct, frozen=True):
    """A group's limit, seen from one moment: the window is `(now - seconds, now]`.

    Everything that routing pushed to the agent counts, whichever group it was for: the limit protects a person.
    What was assigned by hand or asked for by the agent neither counts nor is refused (R11).
    """

    limit: RateLimit
    now: datetime

    @classmethod
    def of(cls, group: Group, now: datetime) -> Self | None:
        """The pace of a group; None when it has no limit."""
        limit = group.profile.rate_limit
        return None if limit is None else cls(limit, now)

    def left(self, agent: Agent) -> int:
        """How many more may be pushed to the agent now; never negative."""
        return max(0, self.limit.count - len(self._inside(agent)))

    def next_at(self, agent: Agent) -> datetime:
        """The first moment at which one more may be pushed; `now` when it may be already."""
        inside = self._inside(agent)
        if len(inside) < self.limit.count:
            return self.now
        return inside[-self.limit.count] + timedelta(seconds=self.limit.seconds)

    def _inside(self, agent: Agent) -> list[datetime]:
        since = self.now - timedelta(seconds=self.limit.seconds)
        return [moment for moment in agent.pushed_at if moment > since]


def remember_push(agent: Agent, now: datetime, *, at_most: int) -> None:
    """Routing pushed something to the agent; the latest `at_most` moments are kept, for that many decide.

    In order of time, for a transaction that began earlier may come later to the desk.
    """
    moments = list(agent.pushed_at)
    insort(moments, now)
    agent.pushed_at = tuple(moments[-at_most:]) if at_most else ()
