"""The store when connections break, listeners fail and callers are wrong: nothing lost, doubled or answered falsely."""

import contextlib

import psycopg
import pytest

from shared.database import CommitUnknown, RolledBack
from shared.events import Owner
from shared.eventstore import Claim, EventStore, GroupCommitter
from shared.eventstore.store import EVENT_BYTES_MAX, EventTooLarge, VersionGap
from shared.identifiers import new_id
from tests.integration.plumbing.conftest import Place, a_store
from tests.support.events import noted, opened

pytestmark = pytest.mark.integration


def save(store: EventStore[int], *events) -> None:
    store.transact(lambda tx: tx.append(*events))


def break_all_connections(place: Place, store: EventStore[int]) -> None:
    """What a restart of PostgreSQL does to the pool."""
    with psycopg.connect(place.servers.postgres, autocommit=True) as superuser:
        superuser.execute(
            # Others test on the same server, under the same name.
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND datname = %s",
            (f"ticketing-intake-{store._settings.instance}", _name_of(store)),
        )


async def test_a_swallowed_error_of_a_statement_is_not_acknowledged(store: EventStore[int]):
    def swallow(tx):
        tx.cursor.execute("INSERT INTO claims VALUES (%s, '', '', now())", (new_id(),))
        with contextlib.suppress(psycopg.Error):
            tx.cursor.execute("SELECT 1 / 0")
        return "stored"

    with pytest.raises(RolledBack):
        store.transact(swallow)


async def test_a_restart_of_the_server_fails_no_transaction_that_comes_after_it(
    place: Place, store: EventStore[int]
):
    size = store._settings.database_pool_size
    with contextlib.ExitStack() as all_at_once:
        for _ in range(size):
            all_at_once.enter_context(store._sync.connection())
    break_all_connections(place, store)
    for _ in range(size):
        save(store, opened(new_id()))


async def test_states_are_read_afresh_behind_a_broken_connection(
    place: Place, store: EventStore[int]
):
    ticket = new_id()
    save(store, opened(ticket), noted(ticket, 2))
    with psycopg.connect(place.servers.postgres, dbname=_name_of(store), autocommit=True) as other:
        other.execute("DELETE FROM intake.intake_events WHERE originator_version = 2")
    break_all_connections(place, store)
    assert store.transact(lambda tx: tx.version(ticket)) == 1, "the log in force ends at 1"


async def test_a_listener_that_fails_does_not_make_the_work_run_twice(store: EventStore[int]):
    def fail() -> None:
        raise RuntimeError("the loop is closed")

    store.on_commit(fail)
    committer = GroupCommitter(store)
    ticket = new_id()
    runs = []

    def note(tx):
        runs.append(tx)
        version = tx.version(ticket) + 1
        tx.append(opened(ticket) if version == 1 else noted(ticket, version))
        return {"version": version}

    outcome = await committer.submit(note)
    await committer.stop()
    assert (outcome.result, len(runs), len(store.history(ticket))) == ({"version": 1}, 1, 1)


async def test_an_append_without_reading_first_keeps_the_true_state(
    place: Place, store: EventStore[int]
):
    ticket = new_id()
    save(store, opened(ticket), noted(ticket, 2))
    other = a_store(place, "2")
    save(other, noted(ticket, 3))
    assert other.transact(lambda tx: tx.state(ticket)) == 3
    await other.close()


@pytest.mark.parametrize("folds", [True, False])
async def test_an_event_that_leaves_out_a_version_is_refused(
    place: Place, store: EventStore[int], folds
):
    ticket = new_id()
    save(store, opened(ticket))
    other = EventStore(
        place.settings("intake", "2"),
        owner=Owner.INTAKE,
        evolve=(lambda state, _: (state or 0) + 1) if folds else None,
    )
    other.open()
    other.migrate("shared.messaging")
    with pytest.raises(VersionGap):
        save(other, noted(ticket, 3))
    save(other, noted(ticket, 2), noted(ticket, 3))
    with pytest.raises(VersionGap):
        save(other, noted(new_id(), 2))
    await other.close()
    assert [event.version for event in store.history(ticket)] == [1, 2, 3]


async def test_an_event_that_kafka_would_never_take_is_not_stored(store: EventStore[int]):
    ticket = new_id()
    with pytest.raises(EventTooLarge):
        save(store, opened(ticket, body="x" * EVENT_BYTES_MAX))
    assert store.history(ticket) == []


class Doubtful(EventStore[int]):
    """Its next commit reaches the server, and the answer does not come back."""

    is_answer_lost = False

    def _commit(self, connection) -> None:
        super()._commit(connection)
        if self.is_answer_lost:
            self.is_answer_lost = False
            raise CommitUnknown("the connection broke")


async def test_after_a_commit_in_doubt_the_same_key_gets_the_answer_of_what_was_stored(
    place: Place,
):
    store = Doubtful(place.settings("intake"), owner=Owner.INTAKE)
    store.open()
    store.migrate("shared.messaging")
    committer = GroupCommitter(store)
    claim = Claim.of("carl", "key", b"body")
    first, second = new_id(), new_id()

    def open_ticket(ticket):
        def work(tx):
            tx.append(opened(ticket))
            return {"ticket_id": str(ticket)}

        return work

    store.is_answer_lost = True
    with pytest.raises(CommitUnknown):
        await committer.submit(open_ticket(first), claim=claim)
    outcome = await committer.submit(open_ticket(second), claim=claim)
    await committer.stop()
    assert outcome.replayed
    assert outcome.result == {"ticket_id": str(first)}
    assert (len(store.history(first)), len(store.history(second))) == (1, 0)
    await store.close()


def _name_of(store: EventStore[int]) -> str:
    return store._settings.database_url.get_secret_value().rpartition("/")[2]
