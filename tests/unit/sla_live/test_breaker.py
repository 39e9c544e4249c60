"""A receiver that is away is left alone, asked now and then, and trusted again at its first yes."""

from datetime import UTC, datetime, timedelta

from services.sla.alerts.breaker import FAILURES_MAX, PAUSE, PAUSE_MAX, Breaker, State

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def an_open_breaker() -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_MAX):
        breaker.failed(NOON)
    return breaker


def test_a_few_failures_are_the_notices_own() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_MAX - 1):
        breaker.failed(NOON)
    assert breaker.state(NOON) is State.CLOSED
    breaker.succeeded()
    for _ in range(FAILURES_MAX - 1):
        breaker.failed(NOON)
    assert breaker.state(NOON) is State.CLOSED, "only failures in a row count"


def test_many_in_a_row_open_it_and_after_the_pause_one_is_let_through() -> None:
    breaker = an_open_breaker()
    assert breaker.state(NOON) is State.OPEN
    assert breaker.opens_at(NOON) == NOON + PAUSE
    assert breaker.state(NOON + PAUSE) is State.HALF_OPEN
    breaker.succeeded()
    assert breaker.state(NOON + PAUSE) is State.CLOSED


def test_each_failed_question_doubles_the_pause_up_to_its_limit() -> None:
    breaker, now, pauses = an_open_breaker(), NOON, []
    for _ in range(8):
        opens_at = breaker.opens_at(now)
        assert opens_at is not None
        pauses.append(opens_at - now)
        now = opens_at
        breaker.failed(now)
    assert pauses[:3] == [PAUSE, 2 * PAUSE, 4 * PAUSE]
    assert pauses[-1] == PAUSE_MAX


def test_failures_that_were_under_way_when_it_opened_do_not_prolong_it() -> None:
    breaker = an_open_breaker()
    for _ in range(20):
        breaker.failed(NOON + timedelta(seconds=1))
    assert breaker.state(NOON + PAUSE) is State.HALF_OPEN


def test_the_receivers_own_wish_to_be_left_alone_is_kept_at_the_first_time() -> None:
    breaker = Breaker()
    breaker.failed(NOON, retry_after_seconds=30)
    assert breaker.state(NOON + timedelta(seconds=29)) is State.OPEN
    assert breaker.state(NOON + timedelta(seconds=30)) is State.CLOSED
