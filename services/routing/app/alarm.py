"""The moment at which something that waits can go on of itself: the sweeper sleeps no longer than until then."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

_LATE_SECONDS: Final = 0.005
"""Timers may wake a little early; a sweep before the moment would find nothing and have to come again."""


class Alarm:
    """Keeps the earliest moment it was told.

    Args:
        ring: called when the sweeper sleeps and would sleep too long; may be called from any thread.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._lock = Lock()
        self._moment: datetime | None = None
        self._sleeps_until: datetime | None = None

    def set(self, moment: datetime) -> None:
        """Something can go on at this moment; safe from any thread."""
        with self._lock:
            if self._moment is None or moment < self._moment:
                self._moment = moment
            is_overslept = self._sleeps_until is not None and moment < self._sleeps_until
            if is_overslept:
                self._sleeps_until = None
        if is_overslept:
            self._ring()

    def clear(self) -> None:
        """Everything is looked at now; whoever looks sets the next moment."""
        with self._lock:
            self._moment = self._sleeps_until = None

    def sleep_seconds(self, now: datetime, *, at_most: float) -> float:
        """How long to sleep from now; an earlier moment that comes meanwhile rings."""
        with self._lock:
            self._sleeps_until = now + timedelta(seconds=at_most)
            if self._moment is not None and self._moment < self._sleeps_until:
                self._sleeps_until = self._moment
                return max(0.0, (self._moment - now).total_seconds()) + _LATE_SECONDS
            return at_most
