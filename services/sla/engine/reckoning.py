"""The arithmetic of one clock: how much has passed, and when so much will have passed.

A pause is closed time (S7): the amount is walked through the running spans between the pauses, each
a jump in the calendar. `consumed_us` keeps the sum of the finished spans, so that the walk is only
needed when something is reached in the past.
"""

from collections.abc import Iterable

from services.sla.engine.policies import Warn
from services.sla.engine.state import Clock
from shared.calendar import Calendar


def elapsed_us(clock: Clock, calendar: Calendar, at_us: int) -> int:
    """Calendar time that counts for this clock at this instant."""
    if clock.running_since_us is None:
        return clock.consumed_us
    return clock.consumed_us + calendar.between_us(clock.running_since_us, at_us)


def reached_us(clock: Clock, calendar: Calendar, amount_us: int) -> int | None:
    """The earliest instant at which so much has elapsed; `None` if the clock stands before that."""
    remaining = amount_us - clock.consumed_us
    if remaining > 0:
        if clock.running_since_us is None:
            return None
        return calendar.add_us(clock.running_since_us, remaining)
    position, left = clock.started_us, amount_us
    for start, end in running_spans(clock):
        passed = calendar.between_us(start, end)
        position = start
        if passed >= left:
            break
        left -= passed
    return calendar.add_us(position, left)


def running_spans(clock: Clock) -> list[tuple[int, int]]:
    """The finished spans in which the clock ran."""
    spans, position = [], clock.started_us
    for index in range(0, len(clock.pauses), 2):
        spans.append((position, clock.pauses[index]))
        position = clock.pauses[index + 1]
    if clock.paused_since_us is not None:
        spans.append((position, clock.paused_since_us))
    return spans


def recount(clock: Clock, calendar: Calendar) -> None:
    """Count the finished spans anew, for another calendar (S12)."""
    clock.consumed_us = sum(calendar.between_us(*span) for span in running_spans(clock))


def thresholds(warnings: Iterable[Warn], clock: Clock) -> list[tuple[int, int]]:
    """Its metric's warnings as (elapsed, key), ascending; spent thresholds are left out.

    The key is the percentage, or the negative seconds before due.
    """
    found = set()
    for warn in warnings:
        if warn.percent is not None:
            key, amount = warn.percent, clock.target_us * warn.percent // 100
        else:
            before = warn.seconds_before or 0
            key, amount = -before, clock.target_us - before * 1_000_000
        if amount > 0 and key not in clock.warned:
            found.add((amount, key))
    return sorted(found)


def last_running_start(clock: Clock) -> int:
    """When the span began that follows the last finished pause."""
    return clock.pauses[-1] if clock.pauses else clock.started_us
