"""The age of an answer: never younger than it is."""

from datetime import UTC, datetime, timedelta

from services.query.views.freshness import Freshness

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_nobody_knows_before_kafka_was_asked() -> None:
    assert Freshness().seconds(NOON) is None


def test_the_age_grows_while_nobody_asks_again() -> None:
    fresh = Freshness(as_of=NOON)
    assert fresh.seconds(NOON + timedelta(seconds=90)) == 90


def test_clocks_that_disagree_do_not_make_an_answer_younger_than_now() -> None:
    assert Freshness(as_of=NOON + timedelta(seconds=1)).seconds(NOON) == 0
