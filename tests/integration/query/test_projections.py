"""Events become rows: once, whatever the order of topics, the batches and the memory of the process."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from services.query.projections import Projections
from shared.events import Event, Priority, StatusCategory
from shared.events.agents import (
    AgentDefined,
    AgentPresenceChanged,
    AgentProfile,
    GroupDefined,
    GroupProfile,
    Presence,
)
from shared.events.assignments import GroupChanged, TicketAssigned, TicketUnassigned
from shared.events.policies import SlaPolicyDefined
from shared.events.tickets import (
    AgentReplied,
    CustomerReplied,
    NoteAdded,
    PriorityChanged,
    StatusChanged,
    TicketClosed,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)
from shared.messaging.records import Received
from tests.integration.query.conftest import Reader
from tests.integration.query.random_lives import random_life
from tests.integration.query.stories import HOUR, Story, feed, received, shuffled
from tests.support.events import NOON, stamp

pytestmark = pytest.mark.integration

TABLES = {
    "tickets": "ticket_id",
    "messages": "ticket_id, version",
    "search_documents": "ticket_id",
    "timeline": "stream_id, topic, version",
    "spans": "ticket_id, field, version",
    "assignments": "ticket_id, version",
    "sla_cycles": "ticket_id, metric, cycle",
}


def everything(reader: Reader) -> dict[str, list[Any]]:
    """All rows of all tables, as text, so that nothing is compared loosely.

    Of the search documents the words count; where in the text they stand depends on the batches. By which
    transaction a row was changed last depends on them too.
    """
    words = "(ticket_id, strip(everything), strip(public))"
    whole = "(to_jsonb(t) - 'change_tx')"
    return {
        table: [
            row["line"]
            for row in reader.rows(
                f"SELECT {words if table == 'search_documents' else whole}::text AS line"
                f" FROM {table} AS t ORDER BY {key}"
            )
        ]
        for table, key in TABLES.items()
    }


def forget(reader: Reader) -> None:
    reader.store.transact(lambda tx: tx.cursor.execute(f"TRUNCATE {', '.join(TABLES)}"))
    reader.handler = Projections()


async def test_any_order_of_topics_and_any_batches_give_the_same_rows(reader: Reader) -> None:
    stories = [random_life(number, seed=number) for number in range(1, 41)]
    reader.feed(*stories)
    expected = everything(reader)
    assert all(expected.values())
    for seed, batch in ((1, 1000), (2, 7), (3, 50)):
        forget(reader)
        reader.feed_events(shuffled(stories, seed), batch=batch)
        assert everything(reader) == expected, f"order {seed}, batches of {batch}"


async def test_a_process_that_remembers_nothing_writes_the_same_rows(reader: Reader) -> None:
    stories = [random_life(number, seed=100 + number) for number in range(1, 16)]
    events = shuffled(stories, 5)
    reader.feed_events(events, batch=10)
    expected = everything(reader)
    forget(reader)
    for first in range(0, len(events), 10):
        feed(reader.store, Projections(), events[first : first + 10])
    assert everything(reader) == expected


async def test_a_rolled_back_batch_leaves_nothing_behind(reader: Reader) -> None:
    story = Story(1).opened().give_group(0, "desk").move(1, StatusCategory.OPEN)
    story.prioritise(2, Priority.HIGH).solve(3)
    reader.feed_events(story.events[:3])

    class Interrupted(Exception):
        pass

    def interrupted(tx: Any, batch: Any) -> None:
        reader.handler(tx, batch)
        raise Interrupted

    with pytest.raises(Interrupted):
        feed(reader.store, interrupted, story.events[3:])
    before = everything(reader)
    reader.feed_events(story.events[3:])
    after = everything(reader)
    assert before != after
    forget(reader)
    reader.feed(story)
    assert everything(reader) == after


async def test_a_discarded_event_leaves_no_trace_in_what_is_remembered(reader: Reader) -> None:
    """An event that PostgreSQL refused is parked and given up; the ones behind it go on without it."""
    story = Story(1).opened().prioritise(1, Priority.URGENT).move(2, StatusCategory.OPEN)
    first, poison, later = received(story.events)
    reader.store.transact(lambda tx: reader.handler(tx, [first]))
    broken = Received(poison.topic, 0, 1, poison.event, b"not json")
    with pytest.raises(psycopg.DataError):
        reader.store.transact(lambda tx: reader.handler(tx, [broken]))
    reader.store.transact(lambda tx: reader.handler(tx, [later]))
    (row,) = reader.rows("SELECT version, priority, category FROM tickets")
    assert row == {"version": 3, "priority": "normal", "category": "open"}


async def test_an_event_that_comes_twice_is_refused_as_a_whole(reader: Reader) -> None:
    """The consumer's version gate lets nothing through twice; if it ever did, nothing would be counted twice."""
    story = random_life(1, seed=7)
    reader.feed(story)
    before = everything(reader)
    with pytest.raises(psycopg.errors.UniqueViolation):
        reader.feed(story)
    assert everything(reader) == before


def recompute(events: list[Event]) -> dict[str, Any]:
    """A ticket's figures by other code: straight from its events, one question at a time."""
    of = Counter(type(event) for event in events)
    opening = next(event for event in events if isinstance(event, TicketOpened))
    replies = [
        event.occurred_at
        for event in events
        if isinstance(event, AgentReplied) and not event.is_automatic
    ]
    path: list[tuple[Any, Any]] = [(opening.occurred_at, opening.category)]
    for event in events:
        match event:
            case StatusChanged() | TicketReopened():
                path.append((event.occurred_at, event.category))
            case TicketResolved():
                path.append((event.occurred_at, StatusCategory.SOLVED))
            case TicketClosed():
                path.append((event.occurred_at, StatusCategory.CLOSED))
    spent: Counter[str] = Counter()
    for (since, category), (until, _) in pairwise(path):
        spent[category] += (until - since).total_seconds()
    solved = [event.occurred_at for event in events if isinstance(event, TicketResolved)]
    groups = [event for event in events if isinstance(event, GroupChanged)]
    holder = None
    for event in events:
        match event:
            case TicketAssigned():
                holder = event.agent_id
            case TicketUnassigned():
                holder = None
    priorities = [event.priority for event in events if isinstance(event, PriorityChanged)]
    return {
        "category": path[-1][1],
        "priority": priorities[-1] if priorities else opening.priority,
        "group_id": groups[-1].group_id,
        "assignee_id": holder,
        "reopen_count": of[TicketReopened],
        "resolution_count": of[TicketResolved],
        "note_count": of[NoteAdded],
        "customer_message_count": 1 + of[CustomerReplied],
        "agent_reply_count": len(replies),
        "first_reply_at": replies[0] if replies else None,
        "resolved_at": solved[-1] if solved else None,
        "group_change_count": len(groups),
        "assignment_count": of[TicketAssigned],
        **{f"seconds_{name}": spent[name] for name in ("new", "open", "pending", "hold", "solved")},
    }


async def test_the_rows_agree_with_a_recomputation_by_other_code(reader: Reader) -> None:
    stories = [random_life(number, seed=500 + number) for number in range(1, 61)]
    reader.feed_events(shuffled(stories, 9), batch=33)
    rows = {row["ticket_id"]: row for row in reader.rows("SELECT * FROM tickets")}
    for story in stories:
        expected = recompute(story.events)
        row = rows[story.ticket_id]
        assert {name: row[name] for name in expected} == expected, f"ticket {story.number}"
    counts = reader.rows(
        "SELECT (SELECT count(*) FROM timeline) AS timeline, (SELECT count(*) FROM messages) AS messages"
    )
    events = [event for story in stories for event in story.events]
    spoken = (TicketOpened, AgentReplied, CustomerReplied, NoteAdded)
    assert counts == [
        {
            "timeline": len(events),
            "messages": sum(isinstance(event, spoken) for event in events),
        }
    ]


async def test_spans_cover_a_ticket_s_life_without_gap_or_overlap(reader: Reader) -> None:
    reader.feed(*(random_life(number, seed=900 + number) for number in range(1, 31)))
    broken = reader.rows(
        "SELECT * FROM (SELECT *, lead(valid_from) OVER (PARTITION BY ticket_id, field ORDER BY version) AS next"
        " FROM spans) AS s WHERE valid_to IS DISTINCT FROM next"
    )
    assert broken == []


async def test_a_deadline_a_warning_and_a_breach_show_on_the_ticket(reader: Reader) -> None:
    story = Story(1).opened().promise(0, "resolution", 4).promise(0, "first_reply", 1)
    columns = "due_at, due_metric, is_at_risk, is_breached, breached_metrics"

    def now() -> dict[str, Any]:
        reader.feed_events(story.events)
        story.events.clear()
        return reader.rows(f"SELECT {columns} FROM tickets")[0]

    assert (now()["due_metric"]) == "first_reply"
    story.warn(0.8, "first_reply", 1)
    assert now()["is_at_risk"]
    story.miss("first_reply", 1)
    broken = now()
    assert (broken["is_at_risk"], broken["breached_metrics"]) == (False, ["first_reply"])
    assert broken["due_at"] == NOON + HOUR
    story.keep(2, "first_reply", 1, late=True)
    late = now()
    assert (late["is_breached"], late["due_metric"]) == (True, "resolution")
    story.retract(3, "first_reply", 1)
    assert not now()["is_breached"]
    story.pause(3, "resolution", 4)
    assert now()["due_at"] is None
    story.resume(5, "resolution", 4, paused=2)
    assert now()["due_at"] == NOON + 6 * HOUR


async def test_text_that_postgresql_cannot_hold_is_made_harmless(reader: Reader) -> None:
    flood = " ".join(f"word{number}" for number in range(60_000))
    story = Story(1).opened(subject="nul \x00 inside", fields={"odd": "a\x00b", "slash": "\\u0000"})
    story.note(1, flood).note(2, flood + "\x00").note(3, "needle")
    reader.feed(story)
    row = reader.rows("SELECT subject, fields FROM tickets")[0]
    assert row["subject"] == "nul \ufffd inside"
    assert row["fields"] == {"odd": "a\ufffdb", "slash": "\\u0000"}
    raw = reader.rows("SELECT raw::text AS raw FROM timeline WHERE version = 1")[0]["raw"]
    assert "\\u0000 inside" in raw


async def test_the_timeline_keeps_the_published_bytes(reader: Reader) -> None:
    from shared.events import encode

    story = random_life(1, seed=3)
    reader.feed(story)
    stored = {
        (row["topic"], row["version"]): row["raw"].encode()
        for row in reader.rows("SELECT topic, version, raw::text AS raw FROM timeline")
    }
    assert sorted(stored.values()) == sorted(encode(event) for event in story.events)


async def test_agents_groups_and_documents_are_kept_with_every_version(reader: Reader) -> None:
    anna = AgentProfile(name="Anna", groups=("desk",), capacity=5, skills={"de": 3})
    common = stamp(1)
    reader.feed_events(
        [
            AgentDefined(**common, agent_id="anna", profile=anna),
            AgentPresenceChanged(
                **stamp(2), agent_id="anna", presence=Presence.ONLINE, previous=Presence.OFFLINE
            ),
            GroupDefined(**common, group_id="desk", profile=GroupProfile(name="Desk")),
            SlaPolicyDefined(**common, policy_id="gold", definition={"target": 60}),
            SlaPolicyDefined(**stamp(2), policy_id="gold", definition={"target": 30}),
        ]
    )
    (agent,) = reader.rows("SELECT name, groups, presence, capacity, version FROM agents")
    assert agent == {
        "name": "Anna", "groups": ["desk"], "presence": "online", "capacity": 5, "version": 2,
    }  # fmt: skip
    versions = reader.rows("SELECT version, definition FROM definitions ORDER BY version")
    assert [row["definition"] for row in versions] == [{"target": 60}, {"target": 30}]
    (current,) = reader.rows("SELECT version FROM current_definitions WHERE kind = 'sla_policy'")
    assert current["version"] == 2


async def test_a_fact_from_the_past_never_makes_time_run_backwards(reader: Reader) -> None:
    story = Story(1).opened().move(5, StatusCategory.OPEN).move(3, StatusCategory.PENDING)
    story.solve(6)
    reader.feed(story)
    row = reader.rows("SELECT seconds_new, seconds_open, seconds_pending FROM tickets")[0]
    assert row == {"seconds_new": 5 * 3600, "seconds_open": 0, "seconds_pending": 3600}


async def test_progress_is_written_for_each_partition(reader: Reader) -> None:
    story = Story(1).opened().note(1, "x")
    reader.feed(story)
    (row,) = reader.rows("SELECT topic, event_count, last_recorded_at FROM freshness")
    assert row == {
        "topic": "tickets.v1", "event_count": 2, "last_recorded_at": NOON + timedelta(hours=1),
    }  # fmt: skip
