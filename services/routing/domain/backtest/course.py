"""A ticket's course, as it was and as it is replayed, and when something of the one happens in the other.

The model: what people do keeps its distance from what it followed. While somebody works at a ticket, from the beginning
of the work; while it waits, from the beginning of the wait, and no later than the moment when somebody gets it; while
it rests, from the end of the work. So an assignment that comes an hour earlier moves everything that its agent does
after it, and every answer to that, by the same hour, and nothing changes its order.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import attrgetter

import msgspec


class Turn(msgspec.Struct, frozen=True):
    """An agent works at it from `began` on; `done` of the work was done before."""

    began: datetime
    done: timedelta = timedelta(0)


class Passage(msgspec.Struct):
    """A time in which a ticket needs somebody.

    Attributes:
        began: when it began to need somebody.
        turns: when agents got it, one after the other; empty: nobody has had it.
        ended: when it needed nobody any more; None: that has not happened.
        interrupted: how much of the work was done when it was taken from the last agent; None: that one still has it.
    """

    began: datetime
    turns: list[Turn] = []
    ended: datetime | None = None
    interrupted: timedelta | None = None

    def begin_work(self, at: datetime) -> None:
        """An agent gets it."""
        self.turns.append(Turn(at, self._done(at)))
        self.interrupted = None

    def interrupt(self, at: datetime) -> None:
        """It is taken from its agent."""
        self.interrupted = self._done(at)

    def _done(self, at: datetime) -> timedelta:
        if not self.turns or self.interrupted is not None:
            return self.interrupted or timedelta(0)
        last = self.turns[-1]
        return last.done + (at - last.began)

    def worked_at(self, done: timedelta) -> datetime | None:
        """When so much of the work was done; None: it never was."""
        if not self.turns or (self.interrupted is not None and done > self.interrupted):
            return None
        last = self.turns[max(0, bisect_right(self.turns, done, key=attrgetter("done")) - 1)]
        return last.began + (done - last.done)


def moment_in(
    replayed: Sequence[Passage], recorded: Sequence[Passage], at: datetime
) -> datetime | None:
    """When that which happened at a moment happens in the replay; None: it does not come to it.

    Args:
        replayed: the ticket's passages in the replay, in order.
        recorded: those of the past, in order, each with one turn at the most.
        at: the moment in the past.
    """
    place = bisect_right(recorded, at, key=attrgetter("began")) - 1
    if place < 0:
        return at  # before its beginning: that is the same moment in both
    if place >= len(replayed):
        return None
    was, now = recorded[place], replayed[place]
    if at == was.began:
        return now.began
    if was.ended is not None and at >= was.ended:
        return None if now.ended is None else now.ended + (at - was.ended)
    if was.turns and at >= was.turns[0].began:
        return now.worked_at(at - was.turns[0].began)
    waiting = now.began + (at - was.began)
    return min(waiting, now.turns[0].began) if now.turns and was.turns else waiting
