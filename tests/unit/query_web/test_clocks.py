"""Clocks as people read them."""

from datetime import timedelta
from typing import Any

from services.query.web.clocks import clocks
from tests.support.events import NOON

HOUR = 3_600.0


def a_clock(**said: Any) -> dict[str, Any]:
    return {
        "metric": "resolution",
        "cycle": 1,
        "state": "running",
        "started_at": NOON.isoformat(),
        "due_at": (NOON + timedelta(hours=4)).isoformat(),
        "target_seconds": 4 * HOUR,
        "policy_id": "gold",
        "policy_version": 2,
        "priority": "high",
        "is_breached": False,
        "warned_at": None,
        "elapsed_seconds": None,
        "remaining_seconds": None,
        "margin_seconds": None,
        "cancel_reason": None,
        **said,
    }


def test_a_running_clock_counts_down_and_knows_its_share() -> None:
    [clock] = clocks([a_clock()], NOON + timedelta(hours=1))
    assert (clock.state, clock.share) == ("running", 0.25)
    assert clock.due_at == NOON + timedelta(hours=4)


def test_a_warned_clock_is_at_risk_and_a_breached_one_late() -> None:
    [warned] = clocks([a_clock(warned_at=NOON.isoformat())], NOON)
    [late] = clocks([a_clock(is_breached=True)], NOON)
    assert (warned.state, late.state) == ("risk", "late")


def test_a_paused_clock_says_what_its_present_target_leaves() -> None:
    """The target changed while it stood still: the old remainder would promise too much."""
    paused = a_clock(
        state="paused",
        due_at=None,
        target_seconds=0.5 * HOUR,
        elapsed_seconds=360.0,
        remaining_seconds=3.9 * HOUR,
    )
    [clock] = clocks([paused], NOON)
    assert clock.says == "paused with 24 min left"
    assert clock.due_at is None


def test_a_kept_promise_says_its_margin_and_a_missed_one_its_delay() -> None:
    kept, missed = clocks(
        [
            a_clock(metric="first_reply", state="met", margin_seconds=600.0),
            a_clock(state="met", margin_seconds=-600.0, is_breached=True),
        ],
        NOON,
    )
    assert (kept.state, kept.says) == ("kept", "fulfilled with 10 min to spare")
    assert (missed.state, missed.says) == ("missed", "fulfilled 10 min late")


def test_what_still_runs_stands_first() -> None:
    ended = a_clock(metric="first_reply", state="cancelled", cancel_reason="merged")
    assert [clock.name for clock in clocks([ended, a_clock()], NOON)] == [
        "Resolution",
        "First reply",
    ]
