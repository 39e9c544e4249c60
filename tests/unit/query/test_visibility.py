"""How long events took to become visible: counted once each, without history that could only mislead."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.query.arrivals import Visibility
from shared.events.base import Channel
from shared.observability import metrics
from tests.integration.sla.support import Story

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def seen() -> tuple[float, float]:
    (family,) = metrics.QUERY_VISIBLE_SECONDS.collect()
    values = {sample.name.rsplit("_", 1)[1]: sample.value for sample in family.samples}
    return values["count"], values["sum"]


def counted(*events: Any, now: datetime) -> tuple[float, float]:
    before = seen()
    Visibility(since=NOON).note(events, now)
    after = seen()
    return after[0] - before[0], round(after[1] - before[1], 6)


def test_each_event_counts_from_its_record() -> None:
    now = NOON + timedelta(seconds=3)
    recorded = [NOON + timedelta(seconds=place) for place in (1, 2)]
    assert counted(*(Story().opened(at) for at in recorded), now=now) == (2, 3.0)


def test_a_clock_that_runs_ahead_counts_as_no_time() -> None:
    assert counted(Story().opened(NOON + timedelta(seconds=9)), now=NOON) == (1, 0.0)


def test_imports_and_what_was_recorded_before_the_start_do_not_count() -> None:
    old = Story().opened(NOON - timedelta(days=3))
    imported = Story(via=Channel.IMPORT).opened(NOON + timedelta(seconds=1))
    assert counted(old, imported, now=NOON + timedelta(seconds=2)) == (0, 0.0)
