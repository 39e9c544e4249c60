"""How old an answer is, measured against what Kafka has."""

from datetime import timedelta

import pytest

from services.query.views.freshness import CONSUMER, Freshness, measure
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story, received
from tests.support.events import NOON

pytestmark = pytest.mark.integration
LOOKED_AT = NOON + timedelta(days=1)


def apply(reader: Reader) -> dict[tuple[str, int], int]:
    """Two events of one ticket; the ends of Kafka as they are when nothing is missing."""
    story = Story(1).opened().note(3, "x")
    reader.feed(story)
    (first, _) = received(story.events)
    slot = (first.topic.value, first.partition)
    reader.store.transact(
        lambda tx: tx.cursor.execute(
            "INSERT INTO consumer_positions VALUES (%s, %s, %s, 2)", (CONSUMER, *slot)
        )
    )
    return {slot: 2}


async def test_with_everything_applied_it_is_as_of_the_look(reader: Reader) -> None:
    ends = apply(reader)
    fresh = await measure(await reader.store.pool(), ends | {("sla.v1", 0): 0}, LOOKED_AT, {})
    assert fresh == Freshness(LOOKED_AT, behind=0, position=2)


async def test_behind_it_is_as_of_the_newest_event_of_the_partition_that_lags(
    reader: Reader,
) -> None:
    ends = {slot: end + 5 for slot, end in apply(reader).items()}
    fresh = await measure(await reader.store.pool(), ends, LOOKED_AT, {})
    assert fresh == Freshness(NOON + timedelta(hours=3), behind=5, position=2)


async def test_one_event_under_way_in_a_partition_long_quiet_is_no_old_age(reader: Reader) -> None:
    ends, whole_at = apply(reader), {}
    await measure(await reader.store.pool(), ends, LOOKED_AT, whole_at)
    next_look = LOOKED_AT + timedelta(seconds=1)
    one_more = {slot: end + 1 for slot, end in ends.items()}
    fresh = await measure(await reader.store.pool(), one_more, next_look, whole_at)
    assert fresh == Freshness(LOOKED_AT, behind=1, position=2)


async def test_a_partition_that_was_never_read_makes_no_promise_at_all(reader: Reader) -> None:
    ends = apply(reader) | {("sla.v1", 3): 1}
    fresh = await measure(await reader.store.pool(), ends, LOOKED_AT, {})
    assert fresh.behind == 1
    assert fresh.as_of is not None
    assert fresh.as_of.year == 1970
