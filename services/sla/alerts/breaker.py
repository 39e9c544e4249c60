"""A circuit breaker: a receiver that is away is left alone, and asked by one notice now and then.

While it is open nothing is sent, so nothing uses its attempts up: an outage of the receiver costs
the waiting alerts time and not their lives.
"""

from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

FAILURES_MAX: Final = 5
"""So many failures in a row, of different notices or of one, mean the receiver and not the notice."""

PAUSE: Final = timedelta(seconds=5)
PAUSE_MAX: Final = timedelta(minutes=2)
"""A page that is late by more than this after the receiver's return would be our fault."""


class State(IntEnum):
    """As the metric shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """The state of one sink in one process; it is told what became of attempts."""

    def __init__(self) -> None:
        self._failures = 0
        self._pause = PAUSE
        self._open_until: datetime | None = None
        self._asked_until: datetime | None = None

    def state(self, now: datetime) -> State:
        """Closed: send. Half-open: send one and see. Open: send nothing."""
        if self._asked_until is not None and now < self._asked_until:
            return State.OPEN
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if now < self._open_until else State.HALF_OPEN

    def opens_at(self, now: datetime) -> datetime | None:
        """When it may be asked again; None: at once."""
        moments = [each for each in (self._open_until, self._asked_until) if each and each > now]
        return max(moments, default=None)

    def succeeded(self) -> None:
        """The receiver took something, or understood it well enough to refuse it for good."""
        self._failures = 0
        self._pause = PAUSE
        self._open_until = self._asked_until = None

    def failed(self, now: datetime, *, retry_after_seconds: float | None = None) -> None:
        """No answer, or one that says "not now"; a receiver's own wish counts for all its notices."""
        if retry_after_seconds:
            self._asked_until = now + timedelta(seconds=retry_after_seconds)
        self._failures += 1
        was_asked = self._open_until is not None and now >= self._open_until
        if was_asked:
            self._pause = min(self._pause * 2, PAUSE_MAX)
        if was_asked or (self._failures >= FAILURES_MAX and self._open_until is None):
            self._open_until = now + self._pause
