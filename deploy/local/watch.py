"""Starting again what has died, with growing pauses, and saying so."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from deploy.local.child import Child
from deploy.local.problems import CannotStart

PAUSE_SECONDS_MAX: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""Whoever has run this long gets a short first pause again."""


@dataclass
class Watch:
    """One process under supervision; it has been started.

    Args:
        name: for messages.
        child: the process as it is now; a restart may make a new one.
        start: starts it again; called from the thread that looks.
        say: is told what a person should know.
        monotonic: seconds, for the pauses.
    """

    name: str
    child: Callable[[], Child | None]
    start: Callable[[], None]
    say: Callable[[str], None]
    monotonic: Callable[[], float] = time.monotonic
    _deaths: int = 0
    _started_at: float = field(default=0.0, init=False)
    _again_at: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """The clock starts with the watch."""
        self._started_at = self.monotonic()

    def look(self) -> None:
        """Note a death, or start again when the pause is over. Cheap; call it a few times a second."""
        child, now = self.child(), self.monotonic()
        if child is None or child.is_running():
            return
        if self._again_at is None:
            self._note_death(child, now)
        elif now >= self._again_at:
            self._start_again(now)

    def _note_death(self, child: Child, now: float) -> None:
        self._deaths = 1 if now - self._started_at > STEADY_SECONDS else self._deaths + 1
        pause = min(2.0 ** (self._deaths - 1), PAUSE_SECONDS_MAX)
        self._again_at = now + pause
        self.say(
            f"{self.name} has ended ({child.exit_code}); again in {pause:.0f} s; see {child.log}"
        )

    def _start_again(self, now: float) -> None:
        self._again_at, self._started_at = None, now
        try:
            self.start()
        except CannotStart as problem:
            self._deaths += 1
            self._again_at = now + PAUSE_SECONDS_MAX
            self.say(f"{self.name} cannot be started again: {problem}")
        else:
            self.say(f"{self.name} is started again")
