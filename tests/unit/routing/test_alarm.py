"""The alarm: the sweeper sleeps no longer than until something can go on."""

from datetime import timedelta

from services.routing.app.alarm import Alarm
from tests.unit.routing.builders import START


class Bell:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def after(seconds: float):
    return START + timedelta(seconds=seconds)


def test_sleep_ends_a_moment_after_the_earliest_that_was_set() -> None:
    alarm = Alarm(Bell())
    alarm.set(after(20))
    alarm.set(after(10))
    alarm.set(after(15))
    assert 10 < alarm.sleep_seconds(START, at_most=30) < 10.1


def test_without_a_moment_or_with_a_late_one_sleep_has_its_usual_length() -> None:
    alarm = Alarm(Bell())
    assert alarm.sleep_seconds(START, at_most=30) == 30
    alarm.set(after(31))
    assert alarm.sleep_seconds(START, at_most=30) == 30


def test_an_earlier_moment_during_sleep_rings_once() -> None:
    bell = Bell()
    alarm = Alarm(bell)
    alarm.sleep_seconds(START, at_most=30)
    alarm.set(after(40))
    assert bell.count == 0
    alarm.set(after(10))
    alarm.set(after(5))
    assert bell.count == 1


def test_a_moment_set_while_awake_does_not_ring() -> None:
    bell = Bell()
    alarm = Alarm(bell)
    alarm.sleep_seconds(START, at_most=30)
    alarm.clear()
    alarm.set(after(5))
    assert bell.count == 0
    assert alarm.sleep_seconds(START, at_most=30) < 6


def test_a_moment_that_has_passed_means_almost_no_sleep() -> None:
    alarm = Alarm(Bell())
    alarm.set(after(-5))
    assert 0 < alarm.sleep_seconds(START, at_most=30) < 0.1
