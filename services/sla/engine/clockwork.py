"""What can be done to a clock (start, stop, pause …) and the outcomes that this has."""

from datetime import datetime
from typing import Any

from services.sla.engine import outcomes as tell
from services.sla.engine.conditions import Question
from services.sla.engine.policies import Policy, Target
from services.sla.engine.reckoning import (
    elapsed_us,
    last_running_start,
    reached_us,
    recount,
    thresholds,
)
from services.sla.engine.rulebook import Rulebook
from services.sla.engine.state import (
    CANCELLED,
    LATENT,
    MET,
    PAUSED,
    RUNNING,
    Clock,
    State,
    to_moment,
    to_seconds,
)
from services.sla.engine.terms import Terms
from shared.calendar import Calendar, NoOpenTime

TIME_PASSED, TARGET_CHANGED = "time_passed", "target_changed"


class UnknownVersion(LookupError):
    """The rulebook lacks a version that the ticket has pinned: the caller's mistake."""


class Clockwork:
    """One step of judgement: a private copy of a state, being changed, and what there is to tell.

    Lists inside the state are replaced, never changed: the copy shares them with the original.
    """

    def __init__(self, state: State, rules: Rulebook) -> None:
        # `copy.copy` does the same, several times slower; the stubs of msgspec do not know the method.
        self.state: State = state.__copy__()  # type: ignore[attr-defined]
        self.state.clocks = [clock.__copy__() for clock in state.clocks]  # type: ignore[attr-defined]
        self.rules = rules
        self.told: list[tell.Outcome] = []
        self.at_us = state.last_us
        self.cause = ""
        self.policy: Policy | None = None
        self.terms: dict[str, Terms] = {}
        self.pin(self._pinned())

    def pin(self, policy: Policy | None) -> None:
        """Judge by this version from now on."""
        self.policy = policy
        self.state.policy_id = policy.id if policy else None
        self.state.policy_version = policy.version if policy else None
        self.terms = self.rules.terms(self.state.policy_id, self.state.policy_version)

    def ticket(self) -> Question:
        """The ticket as conditions see it now."""
        came_us = self.state.created_us
        return Question(self.state, to_moment(self.at_us if came_us is None else came_us))

    # -- time speaks

    def speak(self, until_us: int) -> None:
        """Tell the warnings and breaches before this instant, in order of time (S4, S17)."""
        while self.state.next_us is not None and self.state.next_us < until_us:
            instant = self.at_us = self.state.next_us
            self.cause = TIME_PASSED
            for clock in self.state.clocks:
                if next_of(clock) != instant:
                    continue
                if clock.warning_us == instant:
                    self._warn(clock, clock.warning_key)
                    self.schedule_warning(clock)
                else:
                    self._breach(clock, instant)
            self.state.spoke_us = instant
            self.settle()

    def settle(self) -> None:
        """Work out when time will speak next."""
        earliest: int | None = None
        for clock in self.state.clocks:
            instant = next_of(clock)
            if instant is not None and (earliest is None or instant < earliest):
                earliest = instant
        self.state.next_us = earliest

    # -- what happens to a clock

    def start(self, terms: Terms, cycle: int) -> None:
        """Begin a cycle now, paused if the category pauses it (S9)."""
        is_paused = self.state.category in terms.pauses
        clock = Clock(
            metric=terms.metric,
            cycle=cycle,
            status=LATENT,
            started_us=self.at_us,
            running_since_us=None if is_paused else self.at_us,
            paused_since_us=self.at_us if is_paused else None,
        )
        clocks = self.state.clocks
        for index, other in enumerate(clocks):
            if other.metric == terms.metric:
                clocks[index] = clock
                break
        else:
            clocks.append(clock)
        self.promise(clock)

    def promise(self, clock: Clock) -> None:
        """Give a latent clock its target, measured from its original start (S13)."""
        target = self._target(clock)
        if target is None:
            return
        was_promised = clock.target_us > 0
        calendar = self._assign(clock, target)
        if calendar is None:
            return
        clock.status = PAUSED if clock.running_since_us is None else RUNNING
        recount(clock, calendar)
        self.place(clock, calendar)
        resumes = was_promised and self.cause in ("reopened", "status_changed")
        self.tell(tell.Resumed if resumes else tell.Started, clock, calendar)
        self.catch_up(clock, calendar)

    def stop(self, clock: Clock) -> None:
        """What was promised happened (S4)."""
        if clock.status == LATENT:
            self._halt(clock, MET)
            return
        calendar = self.calendar_of(clock)
        self._halt(clock, MET)
        elapsed = clock.consumed_us
        if clock.breached_us is None and elapsed > clock.target_us:
            self._breach(clock, self.at_us, TARGET_CHANGED)  # it was held back by a pause (S8)
        self.tell(
            tell.Met,
            clock,
            calendar,
            met_at=to_moment(self.at_us),
            margin_seconds=to_seconds(clock.target_us - elapsed),
            breached_at=_moment(clock.breached_us),
        )

    def cancel(self, clock: Clock, reason: tell.EndReason) -> None:
        """The promise falls away for good."""
        was_promised = clock.is_open
        self._halt(clock, CANCELLED)
        if was_promised:
            clock.due_us = clock.due_us if clock.breached_us is not None else None
            self.tell(tell.Cancelled, clock, self.calendar_of(clock), reason=reason)

    def withdraw(self, clock: Clock, reason: tell.EndReason, former: Policy | None) -> None:
        """Nothing is promised now; the clock goes on unseen, for a later promise (S13)."""
        clock.status, clock.warning_us = LATENT, None
        clock.due_us = clock.due_us if clock.breached_us is not None else None
        self.tell(tell.Cancelled, clock, self.calendar_of(clock), former, reason=reason)

    def pause(self, clock: Clock) -> None:
        """Stand still: due is null, unless nothing is left (S7, S8)."""
        calendar = self.calendar_of(clock) if clock.is_open else None
        if calendar is not None:
            clock.consumed_us = elapsed_us(clock, calendar, self.at_us)
        clock.running_since_us, clock.paused_since_us = None, self.at_us
        if calendar is not None:
            clock.status, clock.warning_us = PAUSED, None
            if clock.breached_us is None and clock.consumed_us < clock.target_us:
                clock.due_us = None
            self.tell(tell.Paused, clock, calendar)

    def resume(self, clock: Clock) -> None:
        """Go on with what is left."""
        self._unpause(clock, keeps_gap=False)
        if clock.status != LATENT:
            calendar = self.calendar_of(clock)
            recount(clock, calendar)
            clock.status = RUNNING
            self.place(clock, calendar)
            self.tell(tell.Resumed, clock, calendar)
            self.catch_up(clock, calendar)

    def reopen(self, clock: Clock, terms: Terms) -> None:
        """Continue an ended cycle; the time between does not count, or does (S14)."""
        self._unpause(clock, keeps_gap=terms.counts_gap)
        clock.stopped_us = None
        clock.status = LATENT
        if self.state.category in terms.pauses:
            self.pause(clock)
        self.promise(clock)

    def retarget(self, clock: Clock, former: Policy | None) -> None:
        """Another target or policy: from the original start, with all pauses kept (S11)."""
        if clock.status == LATENT:
            self.promise(clock)
            return
        target = self._target(clock)
        if target is None:
            self.withdraw(clock, "no_target" if self.policy else "no_policy", former)
            return
        if clock.breached_us is not None:
            return  # the breach stands, its verdict is not rewritten
        same_calendar = target.calendar_id == clock.calendar_id
        if target.seconds * 1_000_000 == clock.target_us and same_calendar:
            if self.policy is not former:
                self.schedule_warning(clock)
            return
        self._change(clock, target, keeps_calendar=same_calendar)

    def recalendar(self, clock: Clock) -> None:
        """The calendar has a new version in force: recompute from the start (S12)."""
        calendar = self.rules.calendar_in_force(clock.calendar_id, self.at_us)
        target = self._target(clock)
        if target is None or calendar is None or calendar.version == clock.calendar_version:
            return
        self._change(clock, target, keeps_calendar=False)

    # -- where due and the next warning lie

    def place(self, clock: Clock, calendar: Calendar) -> None:
        """Put due where the target is reached; a breached cycle keeps its due."""
        if clock.breached_us is not None:
            return
        try:
            clock.due_us = reached_us(clock, calendar, clock.target_us)
        except NoOpenTime:
            clock.due_us = None
            self.tell(tell.Unschedulable, clock, calendar, reason="no_open_time")
            return
        if clock.status == PAUSED and clock.due_us is not None and clock.due_us < self.at_us:
            clock.due_us = None  # nothing fires during a pause: it breaches on resuming (S8)

    def catch_up(self, clock: Clock, calendar: Calendar) -> None:
        """Tell what a recomputation has left behind: a breach at once, else one warning (S11)."""
        overdue = clock.due_us is not None and clock.due_us < self.at_us
        if clock.status == RUNNING and clock.breached_us is None and overdue:
            self._breach(clock, self.at_us, TARGET_CHANGED)
            return
        self.schedule_warning(clock, calendar)

    def schedule_warning(self, clock: Clock, calendar: Calendar | None = None) -> None:
        """Find the next threshold; of those already passed only the highest is told (S17)."""
        clock.warning_us = None
        if clock.status != RUNNING or clock.breached_us is not None or clock.due_us is None:
            return
        calendar = calendar or self.calendar_of(clock)
        passed: list[int] = []
        upcoming: tuple[int, int] | None = None
        for amount, key in thresholds(self.terms[clock.metric].warnings, clock):
            instant = reached_us(clock, calendar, amount)
            if instant is None or instant >= self.at_us:
                upcoming = None if instant is None else (instant, key)
                break
            passed.append(key)
        if passed:
            clock.warned = [*clock.warned, *passed[:-1]]
            self._warn(clock, passed[-1])
        if upcoming is not None:
            clock.warning_us, clock.warning_key = upcoming

    # -- telling

    def tell(
        self,
        kind: type[tell.ClockOutcome],
        clock: Clock,
        calendar: Calendar,
        policy: Policy | None = None,
        **more: Any,
    ) -> None:
        """Note an outcome of this clock at this instant."""
        elapsed = elapsed_us(clock, calendar, self.at_us)
        has_always_run = not clock.pauses and (
            clock.running_since_us == clock.started_us or clock.paused_since_us == self.at_us
        )
        passed = elapsed if has_always_run else calendar.between_us(clock.started_us, self.at_us)
        policy = policy or self.policy
        self.told.append(
            kind(
                at=to_moment(self.at_us),
                metric=clock.metric,
                cycle=clock.cycle,
                cause=more.pop("cause", self.cause),
                priority=self.state.priority,
                policy_id=policy.id if policy else "",
                policy_version=policy.version if policy else 0,
                calendar_id=clock.calendar_id,
                calendar_version=clock.calendar_version,
                target_seconds=to_seconds(clock.target_us),
                started_at=to_moment(clock.started_us),
                due_at=_moment(clock.due_us),
                elapsed_seconds=to_seconds(elapsed),
                paused_seconds=to_seconds(passed - elapsed),
                remaining_seconds=to_seconds(clock.target_us - elapsed),
                **more,
            )
        )

    def _warn(self, clock: Clock, key: int) -> None:
        clock.warned = [*clock.warned, key]
        self.tell(
            tell.Warned,
            clock,
            self.calendar_of(clock),
            percent=key if key > 0 else None,
            seconds_before=-key if key < 0 else None,
        )

    def _breach(self, clock: Clock, at_us: int, cause: str = TIME_PASSED) -> None:
        clock.breached_us, clock.warning_us = at_us, None
        self.tell(
            tell.Breached,
            clock,
            self.calendar_of(clock),
            cause=cause,
            breached_at=to_moment(at_us),
            attempt=self.attempt(clock),
        )

    def attempt(self, clock: Clock) -> int:
        """How often the breach of this cycle was taken back."""
        return self.state.retractions.get(f"{clock.metric}:{clock.cycle}", 0)

    # -- smaller parts

    def _change(self, clock: Clock, target: Target, *, keeps_calendar: bool) -> None:
        before: dict[str, Any] = {
            "previous_due_at": _moment(clock.due_us),
            "previous_target_seconds": to_seconds(clock.target_us),
            "previous_calendar_id": clock.calendar_id,
            "previous_calendar_version": clock.calendar_version,
        }
        calendar = self._assign(clock, target, keeps_calendar=keeps_calendar)
        if calendar is None:
            return
        recount(clock, calendar)
        self.place(clock, calendar)
        self.tell(tell.DueChanged, clock, calendar, None, **before)
        self.catch_up(clock, calendar)

    def _assign(
        self, clock: Clock, target: Target, *, keeps_calendar: bool = False
    ) -> Calendar | None:
        """Pin target and calendar; an unknown calendar is told and never replaced (C9)."""
        clock.target_us = target.seconds * 1_000_000
        if keeps_calendar:
            return self.calendar_of(clock)
        calendar = self.rules.calendar_in_force(target.calendar_id, self.at_us)
        clock.calendar_id = target.calendar_id
        clock.calendar_version = calendar.version if calendar and target.calendar_id else None
        if calendar is None:
            clock.status, clock.due_us, clock.warning_us = LATENT, None, None
            self.tell(tell.Unschedulable, clock, UNKNOWN, reason="unknown_calendar")
        return calendar

    def _target(self, clock: Clock) -> Target | None:
        terms = self.terms.get(clock.metric)
        for offer in terms.offers if terms is not None else ():
            target = offer.target
            if (target.priority is None or target.priority == self.state.priority) and (
                offer.holds is None or offer.holds(self.ticket())
            ):
                return target
        return None

    def calendar_of(self, clock: Clock) -> Calendar:
        """Find the calendar version the clock has pinned."""
        calendar = self.rules.calendar(clock.calendar_id, clock.calendar_version)
        if calendar is None:
            raise UnknownVersion(f"calendar {clock.calendar_id} version {clock.calendar_version}")
        return calendar

    def _pinned(self) -> Policy | None:
        policy_id, version = self.state.policy_id, self.state.policy_version
        policy = self.rules.policy(policy_id, version)
        if policy is None and policy_id is not None:
            raise UnknownVersion(f"policy {policy_id} version {version}")
        return policy

    def _halt(self, clock: Clock, status: str) -> None:
        if clock.running_since_us is not None:
            if clock.is_open:
                clock.consumed_us = elapsed_us(clock, self.calendar_of(clock), self.at_us)
            clock.running_since_us, clock.paused_since_us = None, self.at_us
        clock.status, clock.warning_us, clock.stopped_us = status, None, self.at_us

    def _unpause(self, clock: Clock, *, keeps_gap: bool) -> None:
        """Close the pause; one without length, or one that counts, never was."""
        since = clock.paused_since_us
        if since is not None and since < self.at_us and not keeps_gap:
            clock.pauses = [*clock.pauses, since, self.at_us]
        clock.paused_since_us = None
        clock.running_since_us = last_running_start(clock)


def next_of(clock: Clock) -> int | None:
    """When time will next speak about this clock."""
    if clock.breached_us is not None or not clock.is_open:
        return None
    return clock.due_us if clock.warning_us is None else clock.warning_us


def _moment(us: int | None) -> datetime | None:
    return None if us is None else to_moment(us)


UNKNOWN = Calendar(id="unknown")
"""Stands where a calendar is named that is not there; never open."""
