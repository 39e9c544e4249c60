"""Group commit on real PostgreSQL: grouped, isolated, idempotent."""

import asyncio

import pytest

from shared.errors import KeyReused, Refused
from shared.eventstore import Claim, EventStore, GroupCommitter
from shared.identifiers import new_id
from tests.integration.plumbing.conftest import Place, a_store
from tests.support.events import noted, opened

pytestmark = pytest.mark.integration


def open_ticket(ticket_id):
    def work(tx):
        tx.append(opened(ticket_id))
        return {"ticket_id": str(ticket_id)}

    return work


def add_note(ticket_id):
    def work(tx):
        version = tx.version(ticket_id) + 1
        tx.append(noted(ticket_id, version))
        return {"version": version}

    return work


async def test_commands_that_arrive_together_share_transactions(store: EventStore[int]):
    committer = GroupCommitter(store)
    ids = [new_id() for _ in range(200)]
    before = store._sync.get_stats().get("requests_num", 0)
    await asyncio.gather(*(committer.submit(open_ticket(ticket)) for ticket in ids))
    used = store._sync.get_stats()["requests_num"] - before
    await committer.stop()
    assert [len(store.history(ticket)) for ticket in ids] == [1] * 200
    assert used < 50, "200 commands took almost as many transactions"


async def test_commands_on_one_ticket_are_applied_one_after_another(store: EventStore[int]):
    committer = GroupCommitter(store)
    ticket = new_id()
    await committer.submit(open_ticket(ticket))
    outcomes = await asyncio.gather(
        *(committer.submit(add_note(ticket), streams=[ticket]) for _ in range(50))
    )
    await committer.stop()
    assert sorted(outcome.result["version"] for outcome in outcomes) == list(range(2, 52))
    assert [event.version for event in store.history(ticket)] == list(range(1, 52))


async def test_a_refusal_reaches_only_its_own_caller_and_leaves_nothing(store: EventStore[int]):
    committer = GroupCommitter(store)
    refused, fine = new_id(), new_id()

    def refuse(tx):
        tx.append(opened(refused))
        raise Refused("no")

    results = await asyncio.gather(
        committer.submit(refuse), committer.submit(open_ticket(fine)), return_exceptions=True
    )
    await committer.stop()
    assert isinstance(results[0], Refused)
    assert len(store.history(fine)) == 1
    assert store.history(refused) == []


async def test_the_same_key_twice_at_once_has_one_effect_and_one_answer(store: EventStore[int]):
    committer = GroupCommitter(store)
    claim = Claim.of("carl POST /v1/tickets", "key-1", b"body")
    outcomes = await asyncio.gather(
        *(committer.submit(open_ticket(new_id()), claim=claim) for _ in range(20))
    )
    again = await committer.submit(open_ticket(new_id()), claim=claim)
    await committer.stop()
    assert len({outcome.result["ticket_id"] for outcome in (*outcomes, again)}) == 1
    assert sum(not outcome.replayed for outcome in outcomes) == 1
    assert again.replayed


async def test_the_same_key_in_two_processes_has_one_effect(place: Place, store: EventStore[int]):
    other = a_store(place, "2")
    committers = [GroupCommitter(store), GroupCommitter(other)]
    claims = [Claim.of("carl", f"key-{i}", b"body") for i in range(50)]
    outcomes = await asyncio.gather(
        *(
            committer.submit(open_ticket(new_id()), claim=claim)
            for claim in claims
            for committer in committers
        )
    )
    for committer in committers:
        await committer.stop()
    await other.close()
    pairs = [outcomes[i : i + 2] for i in range(0, 100, 2)]
    assert all(one.result == two.result for one, two in pairs)


async def test_the_same_key_for_another_body_is_refused(store: EventStore[int]):
    committer = GroupCommitter(store)
    await committer.submit(open_ticket(new_id()), claim=Claim.of("carl", "key", b"one"))
    with pytest.raises(KeyReused):
        await committer.submit(open_ticket(new_id()), claim=Claim.of("carl", "key", b"two"))
    await committer.stop()


async def test_two_processes_writing_one_ticket_lose_and_reorder_nothing(
    place: Place, store: EventStore[int]
):
    other = a_store(place, "2")
    ticket = new_id()
    committers = [GroupCommitter(store), GroupCommitter(other)]
    await committers[0].submit(open_ticket(ticket))
    outcomes = await asyncio.gather(
        *(committers[i % 2].submit(add_note(ticket), streams=[ticket]) for i in range(60))
    )
    for committer in committers:
        await committer.stop()
    versions = [event.version for event in store.history(ticket)]
    await other.close()
    assert versions == list(range(1, 62))
    assert sorted(outcome.result["version"] for outcome in outcomes) == versions[1:]


async def test_members_with_savepoints_undo_their_rows_when_they_refuse(store: EventStore[int]):
    committer = GroupCommitter(store, isolate=True)
    ticket = new_id()

    def write_then_refuse(tx):
        tx.cursor.execute("INSERT INTO claims VALUES (%s, '', '', now())", (new_id(),))
        tx.append(opened(ticket))
        raise Refused("after all, no")

    results = await asyncio.gather(
        committer.submit(write_then_refuse),
        committer.submit(open_ticket(new_id())),
        return_exceptions=True,
    )
    await committer.stop()

    def count(tx):
        tx.cursor.execute("SELECT count(*) AS n FROM claims")
        return tx.cursor.fetchone()["n"]

    assert isinstance(results[0], Refused)
    assert store.history(ticket) == []
    assert store.transact(count) == 0
