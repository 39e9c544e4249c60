"""The entrance of time: wakes postponed tickets, closes solved ones, looks for new configuration."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from services.intake.app import Intake
from services.intake.surveys.desk import Surveys
from services.intake.time_rules import TimeRules
from shared.clock import Clock
from shared.database import TRANSIENT
from shared.observability.correlation import new_correlation_id

log = structlog.get_logger(__name__)

LOOK_AGAIN_SECONDS: Final = 30.0
"""A postponement that another process stored rings no bell here; should that process die, this one
takes over within this time. Its own postponements are woken to the moment."""

_PAUSE_SECONDS_FIRST: Final = 0.2
_PAUSE_SECONDS_MAX: Final = 10.0


ARMING_PAUSE_SECONDS: Final = 0.02
"""Between two handfuls of tickets, so that commands are not held up."""

CONFIGURATION_SECONDS: Final = 1.0
"""How long what another process has configured may be unknown here."""


class MomentTimer:
    """Sleeps until the next moment comes, or until a new one was stored.

    Any number of processes may run it: rows are locked while they are worked on, and the rules say
    nothing to a ticket that has moved on.

    Args:
        act: does what is due, and returns the next moment; blocks.
        changed: set when a moment was stored here.
    """

    def __init__(
        self, act: Callable[[str], datetime | None], changed: asyncio.Event, clock: Clock
    ) -> None:
        self._act = act
        self._changed = changed
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled. When the database is away, tries again with growing pauses."""
        pause = _PAUSE_SECONDS_FIRST
        while True:
            self._changed.clear()
            try:
                next_moment = await asyncio.to_thread(self._act, new_correlation_id())
            except TRANSIENT as error:
                log.warning("moments_wait", error=type(error).__name__, pause_seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _PAUSE_SECONDS_MAX)
                continue
            pause = _PAUSE_SECONDS_FIRST
            await self._sleep_until(next_moment)

    async def _sleep_until(self, moment: datetime | None) -> None:
        seconds = LOOK_AGAIN_SECONDS
        if moment is not None:
            seconds = min(seconds, max(0.0, (moment - self._clock.now()).total_seconds()))
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return


class PostponementTimer(MomentTimer):
    """Wakes postponed tickets at their very moment, also after a restart."""

    def __init__(self, intake: Intake, clock: Clock) -> None:
        super().__init__(intake.end_postponements, intake.postponements.changed, clock)


class ClosingTimer(MomentTimer):
    """Closes solved tickets when their life policy says so, also after a restart."""

    def __init__(self, intake: Intake, clock: Clock) -> None:
        super().__init__(intake.close_due, intake.closings.changed, clock)


class SurveyTimer(MomentTimer):
    """Asks customers what they think of a solution when their survey policy says so, also after a restart."""

    def __init__(self, surveys: Surveys, clock: Clock) -> None:
        super().__init__(surveys.offer_due, surveys.intake.surveys_due.changed, clock)


class RuleTimer(MomentTimer):
    """Runs time rules at their very moment, also after a restart."""

    def __init__(self, rules: TimeRules, clock: Clock) -> None:
        super().__init__(rules.run_due, rules.changed, clock)
        self._rules = rules

    async def run(self) -> None:
        """Until cancelled; see `MomentTimer`."""
        self._rules.wake_on(asyncio.get_running_loop())
        await super().run()


class RuleArming:
    """Finds the moments of all tickets when the rules have changed, some tickets at a time."""

    def __init__(self, rules: TimeRules) -> None:
        self._rules = rules

    async def run(self) -> None:
        """Until cancelled. Several processes share the work; one that dies loses none of it."""
        while True:
            try:
                is_more = await asyncio.to_thread(self._rules.arm_some)
            except TRANSIENT as error:
                log.warning("arming_waits", error=type(error).__name__)
                is_more = False
            await asyncio.sleep(ARMING_PAUSE_SECONDS if is_more else CONFIGURATION_SECONDS)


class ConfigurationWatch:
    """Takes up what other processes have configured."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def run(self) -> None:
        """Until cancelled. While the database is away, what is known holds."""
        while True:
            try:
                await asyncio.to_thread(self._intake.refresh_configuration)
            except TRANSIENT as error:
                log.warning("configuration_waits", error=type(error).__name__)
            await asyncio.sleep(CONFIGURATION_SECONDS)
