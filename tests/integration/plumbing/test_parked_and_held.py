"""Parked and held events of one stream, in every order in which they meet: none is lost, none overtakes."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from shared.errors import NotYet
from shared.events import Owner, encode
from shared.identifiers import new_id
from shared.messaging.applying import TooManyUnreadable
from shared.messaging.records import headers_of
from shared.observability.correlation import current_correlation_id
from shared.topics import Topic
from tests.integration.plumbing.conftest import Place
from tests.integration.plumbing.readers import Log, Table
from tests.support.events import noted, opened

pytestmark = pytest.mark.integration


@pytest.fixture
async def table(place: Place) -> AsyncIterator[Table]:
    made = Table(place)
    yield made
    await made.close()


@pytest.fixture
def log(place: Place) -> Log:
    return Log(place.prefix)


async def test_held_events_go_on_when_the_parked_one_before_them_is_retried(table, log):
    ticket = new_id()
    table.poison.add("poison")
    table.apply(log.put(opened(ticket)), log.put(noted(ticket, 4)))  # 4 is held
    table.apply(log.put(noted(ticket, 2, "poison")))
    table.apply(log.put(noted(ticket, 3)))  # waits behind 2, and 4 is still held
    table.poison.clear()
    assert table.consumer.retry_parked(ticket) == 0
    assert table.versions(ticket) == [1, 2, 3, 4]
    assert table.rows("SELECT * FROM held_events") == []


async def test_a_retry_does_not_overtake_an_event_that_has_not_come(table, log):
    ticket = new_id()
    table.poison.add("poison")
    table.apply(log.put(opened(ticket)), log.put(noted(ticket, 2, "poison")))
    table.apply(log.put(noted(ticket, 4)))  # behind the parked one, and 3 is late
    table.poison.clear()
    assert table.consumer.retry_parked(ticket) == 0
    table.apply(log.put(noted(ticket, 3)))
    assert table.versions(ticket) == [1, 2, 3, 4]


async def test_a_held_event_that_fails_on_a_retry_is_parked(table, log):
    ticket = new_id()
    table.poison |= {"one", "two"}
    table.apply(log.put(opened(ticket)), log.put(noted(ticket, 3, "two")))
    table.apply(log.put(noted(ticket, 2, "one")))
    table.poison.discard("one")
    assert table.consumer.retry_parked(ticket) == 1
    table.poison.clear()
    assert table.consumer.retry_parked(ticket) == 0
    assert table.versions(ticket) == [1, 2, 3]


async def test_a_retry_in_one_topic_does_not_wait_for_another_topic_of_the_same_stream(
    place: Place, table, log
):
    ticket = new_id()
    other = Log(place.prefix, Topic.ASSIGNMENTS)
    table.poison |= {"forever", "poison"}
    table.apply(other.put(opened(ticket, body="forever")), log.put(opened(ticket, body="poison")))
    table.poison.discard("poison")
    assert table.consumer.retry_parked(ticket) == 1
    assert table.versions(ticket) == [1]
    assert table.versions(ticket, Topic.ASSIGNMENTS) == []


async def test_what_a_retry_applied_is_told_like_any_other(table, log):
    ticket = new_id()
    table.poison.add("poison")
    table.apply(log.put(opened(ticket, body="poison")))
    table.poison.clear()
    table.consumer.retry_parked(ticket)
    assert table.told == [(str(ticket), 1)]


async def test_a_record_without_an_envelope_is_not_handled_by_a_retry_only_discarded(table, log):
    table.apply(log.put(opened(new_id()), headers=[("ce_type", None)]))
    (stray,) = table.consumer.parked()
    assert table.consumer.retry_parked(stray.stream_id) == 1
    assert table.consumer.retry_parked(stray.stream_id, discard_first=True) == 0


async def test_an_event_that_contradicts_its_envelope_is_parked(table, log):
    ticket, other = new_id(), new_id()
    event = opened(other)
    table.apply(
        log.put(event, headers=headers_of(Owner.INTAKE, ticket, 1, event.wire_type, encode(event)))
    )
    (parked,) = table.consumer.parked()
    assert parked.stream_id == ticket
    assert table.versions(other) == []


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
async def test_poison_is_parked_whatever_its_error_says(table, log, text):
    sick, healthy = new_id(), new_id()
    handle = table.handle

    def fail(tx, batch):
        if any(one.event.stream_id == sick for one in batch):
            raise ValueError(text)
        handle(tx, batch)

    table.on_batch = fail
    table.apply(log.put(opened(sick)), log.put(opened(healthy)))
    assert [parked.stream_id for parked in table.consumer.parked()] == [sick]
    assert table.versions(healthy) == [1]


async def test_a_value_past_the_limits_of_postgresql_is_poison_and_no_outage(table, log):
    sick, healthy = new_id(), new_id()

    def fail(tx, batch):
        if any(one.event.stream_id == sick for one in batch):
            raise psycopg.errors.ProgramLimitExceeded("index row size exceeds btree maximum")
        Table.handle(table, tx, batch)

    table.on_batch = fail
    table.apply(log.put(opened(sick)), log.put(opened(healthy)))
    assert [parked.stream_id for parked in table.consumer.parked()] == [sick]
    assert table.versions(healthy) == [1]


@pytest.mark.parametrize("error", [NotYet("later"), psycopg.OperationalError("away"), OSError()])
async def test_what_passes_parks_nothing_and_moves_nothing(table, log, error):
    ticket = new_id()
    handle = table.handle

    def fail(tx, batch):
        handle(tx, batch)
        raise error

    table.on_batch = fail
    record = log.put(opened(ticket))
    with pytest.raises(type(error)):
        table.apply(record)
    assert table.consumer.parked() == []
    table.on_batch = handle
    table.apply(record)
    assert table.versions(ticket) == [1]


async def test_a_batch_given_back_counts_nothing_as_parked(table, log):
    table.poison.add("poison")
    told: list[object] = []
    table.consumer._batches._tell = told.append
    with pytest.raises(TooManyUnreadable):
        table.apply(*(log.put(opened(new_id(), body="poison")) for _ in range(60)))
    assert (told, table.consumer.parked()) == ([], [])


async def test_what_is_said_about_one_event_carries_its_correlation_id(table, log):
    heard: list[str | None] = []

    def fail(_tx, batch):
        heard.append(current_correlation_id() if len(batch) == 1 else None)
        raise ValueError("no")

    table.on_batch = fail
    table.apply(log.put(opened(new_id())), log.put(opened(new_id())))
    assert heard == [None, "test", "test"]


async def test_doubles_of_parked_and_held_events_change_nothing(table, log):
    ticket = new_id()
    table.poison.add("poison")
    events = [opened(ticket), noted(ticket, 2, "poison"), noted(ticket, 3), noted(ticket, 5)]
    for _ in range(3):
        table.apply(*(log.put(event) for event in events))
    (parked,) = table.consumer.parked()
    assert (parked.version, parked.waiting_count) == (2, 2)
    assert "cannot read poison" in parked.error
    table.poison.clear()
    table.consumer.retry_parked(ticket)
    table.apply(log.put(noted(ticket, 4)), *(log.put(event) for event in events))
    assert table.versions(ticket) == [1, 2, 3, 4, 5]
