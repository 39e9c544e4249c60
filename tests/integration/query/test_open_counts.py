"""The counts beside the tickets: the same as a count of the tickets, whoever wrote them and however many at once."""

from typing import Any

import psycopg
import pytest

from services.query.projections import Projections
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import random_life
from tests.integration.query.stories import shuffled
from tests.support.database import Database

pytestmark = pytest.mark.integration

_SUMS = """
SELECT is_by_agent, category, group_id, priority, is_unassigned, is_at_risk, is_breached, assignee_id,
       sum(count)::int AS count FROM open_counts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(count) <> 0
"""
_TICKETS = """
SELECT false, category, group_id, priority, assignee_id IS NULL, is_at_risk, is_breached, NULL, count(*)::int
FROM tickets WHERE is_open AND version > 0 GROUP BY 1, 2, 3, 4, 5, 6, 7
UNION ALL
SELECT true, category, NULL, NULL, NULL, NULL, NULL, assignee_id, count(*)::int
FROM tickets WHERE is_open AND version > 0 AND assignee_id IS NOT NULL GROUP BY category, assignee_id
"""


def differences(reader: Reader) -> list[dict[str, Any]]:
    both = f"(({_SUMS}) EXCEPT ALL ({_TICKETS})) UNION ALL (({_TICKETS}) EXCEPT ALL ({_SUMS}))"
    return reader.rows(both)


def counted(reader: Reader) -> int:
    (row,) = reader.rows(
        "SELECT coalesce(sum(count), 0)::int AS n FROM open_counts WHERE NOT is_by_agent"
    )
    count: int = row["n"]
    return count


@pytest.mark.parametrize("batch", [1, 7, 400])
async def test_the_counts_are_those_of_the_tickets(reader: Reader, batch: int) -> None:
    stories = [random_life(number, seed=batch * 1_000 + number) for number in range(1, 31)]
    events = shuffled(stories, batch)
    # Also in the middle, where routing and promises may be known of tickets that are not.
    for first in range(0, len(events), 97):
        reader.feed_events(events[first : first + 97], batch=batch)
        assert differences(reader) == []
    assert counted(reader) > 0


async def test_a_change_that_moves_no_count_writes_none(reader: Reader) -> None:
    reader.feed(*(random_life(number, seed=number) for number in range(1, 11)))
    rows = "SELECT ctid::text, xmin::text, t.* FROM open_counts AS t ORDER BY ctid"
    before = reader.rows(rows)
    reader.rows("UPDATE tickets SET subject = 'another', reopen_count = 7 RETURNING ticket_id")
    assert reader.rows(rows) == before
    assert before


async def test_writers_of_one_ticket_do_not_miscount_and_of_others_do_not_wait(
    reader: Reader, own_database: Database
) -> None:
    reader.feed(*(random_life(number, seed=number + 50) for number in range(1, 21)))
    open_ones = [
        row["ticket_id"] for row in reader.rows("SELECT ticket_id FROM tickets WHERE is_open")
    ]
    here, there = open_ones[:2]
    change = "UPDATE query.tickets SET {} WHERE ticket_id = %s"
    url = own_database.url("query")
    with psycopg.connect(url) as one, psycopg.connect(url) as other:
        other.execute("SET lock_timeout = '2s'")  # a wait that is one would never end
        one.execute(change.format("category = 'hold', category_version = 99"), (here,))
        one.execute(change.format("assignee_id = 'one'"), (here,))
        other.execute(change.format("category = 'hold', group_id = 'desk'"), (there,))
        one.execute(change.format("group_id = 'desk'"), (here,))
        other.execute(change.format("is_breached = true"), (there,))
        one.commit()
        # Of the very ticket: what it was is what the other has made of it.
        other.execute(change.format("is_at_risk = true, assignee_id = 'two'"), (here,))
        other.commit()
    assert differences(reader) == []


async def test_whoever_removes_tickets_removes_their_counts(reader: Reader) -> None:
    reader.feed(*(random_life(number, seed=number) for number in range(1, 11)))
    reader.rows("DELETE FROM tickets WHERE number <= 5 RETURNING number")
    assert differences(reader) == []
    assert counted(reader) > 0
    reader.store.transact(lambda tx: tx.cursor.execute("TRUNCATE tickets"))
    reader.handler = Projections()
    assert reader.rows("SELECT * FROM open_counts") == []
