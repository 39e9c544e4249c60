"""One macro on many tickets: each once and by itself, whoever works on it and whatever dies; and taken back."""

import asyncio
from uuid import UUID, uuid4

import pytest

from services.intake.app import Intake
from services.intake.bulk import Bulk
from services.intake.toolbox import Toolbox
from shared.errors import TicketingError
from shared.events import Owner
from shared.events.operations import operations_stream
from shared.security import Role

pytestmark = pytest.mark.integration


class Died(BaseException):
    """The process is gone."""


@pytest.fixture
async def macro(supervisor):
    name = f"b-{uuid4().hex[:8]}"
    body = {"title": "Outage", "actions": {"note": "Known.", "priority": "high", "add_tags": ["x"]}}
    assert (await supervisor.send("PUT", f"/v1/macros/{name}", body)).status_code == 200
    return name


@pytest.fixture
def worker(desk):
    """A worker of one's own: the service of the tests runs none in the background."""

    def make(at=desk):
        intake = Intake(at.store, at.service._committers[0])
        return Bulk(intake, Toolbox(intake))

    return make


async def tickets(agent, count):
    opened = [await agent.open(requester={"id": "ben"}) for _ in range(count)]
    return [one["ticket_id"] for one in opened]


async def started(agent, macro, ids, **headers):
    answer = await agent.post("/v1/bulk", {"macro": macro, "ticket_ids": ids}, **headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def finished(worker):
    while await worker.do_next():
        pass


async def looked(agent, job, query=""):
    answer = await agent.send("GET", f"/v1/bulk/{job['job_id']}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_every_ticket_has_its_own_result_and_the_undo_takes_back_what_was_done(
    desk, agent, macro, worker
):
    ids = await tickets(agent, 3)
    await agent.post(f"/v1/tickets/{ids[1]}/close")
    missing = str(uuid4())
    job = await started(agent, macro, [*ids, missing, ids[0]])
    assert (job["total"], job["waiting"]) == (4, 4)
    await finished(worker())
    told = await looked(agent, job)
    states = [one["state"] for one in told["items"]]
    assert states == ["done", "refused", "done", "refused"]
    assert told["job"]["waiting"] == 0
    refused = (await looked(agent, job, "?state=refused"))["items"]
    assert all(one["reason"] for one in refused)
    assert await desk.names(ids[1]) == ["TicketOpened", "TicketClosed"]
    undone = await agent.post(f"/v1/bulk/{job['job_id']}/undo")
    assert undone.json()["total"] == 2
    await finished(worker())
    for ticket in (ids[0], ids[2]):
        now = await asyncio.to_thread(
            desk.store.transact, lambda tx, one=ticket: tx.state(UUID(one))
        )
        assert (now.priority, now.tags) == ("normal", ())


async def test_several_workers_share_a_job_and_do_no_ticket_twice(
    desk, second_desk, agent, macro, worker
):
    ids = await tickets(agent, 12)
    await started(agent, macro, ids)
    await asyncio.gather(*(finished(worker(at)) for at in (desk, second_desk, desk, second_desk)))
    for ticket in ids:
        assert (await desk.names(ticket)).count("ActionsApplied") == 1


async def test_a_worker_that_dies_in_the_middle_leaves_nothing_half_done(
    desk, agent, macro, worker, monkeypatch
):
    ids = await tickets(agent, 3)
    job = await started(agent, macro, ids)
    dying = worker()
    assert await dying.do_next()
    whole = Toolbox.applying

    def half(*args, **more):
        whole(*args, **more)
        raise Died

    monkeypatch.setattr(Toolbox, "applying", half)
    with pytest.raises((Died, TicketingError)):
        await dying.do_next()
    monkeypatch.undo()
    told = (await looked(agent, job))["job"]
    assert (told["done"], told["waiting"]) == (1, 2)
    assert await desk.names(ids[1]) == ["TicketOpened"]
    await finished(worker())
    for ticket in ids:
        assert (await desk.names(ticket)).count("ActionsApplied") == 1


async def test_a_macro_that_is_edited_meanwhile_does_not_change_the_job(
    desk, agent, supervisor, macro, worker
):
    (ticket,) = await tickets(agent, 1)
    await started(agent, macro, [ticket])
    body = {"title": "Other", "actions": {"priority": "low"}}
    await supervisor.send("PUT", f"/v1/macros/{macro}", body)
    await finished(worker())
    applied = (await desk.events(ticket))[1]
    assert (applied.title, applied.definition_version) == ("Outage", 1)


async def test_an_undo_before_its_turn_keeps_the_rest_from_being_begun(desk, agent, macro, worker):
    ids = await tickets(agent, 2)
    job = await started(agent, macro, ids)
    await worker().do_next()
    await agent.post(f"/v1/bulk/{job['job_id']}/undo")
    await finished(worker())
    assert await desk.names(ids[1]) == ["TicketOpened"]
    assert (await desk.names(ids[0])).count("ActionsUndone") == 1


async def test_what_shall_be_done_may_be_said_without_a_macro(desk, agent, worker):
    ids = await tickets(agent, 2)
    said = {"title": "Vip", "actions": {"priority": "high", "add_tags": ["vip"]}, "ticket_ids": ids}
    answer = await agent.post("/v1/bulk", said)
    assert answer.status_code == 202, answer.text
    await finished(worker())
    told = await looked(agent, answer.json())
    assert [one["state"] for one in told["items"]] == ["done", "done"]
    applied = (await desk.events(ids[0]))[1]
    assert (applied.source, applied.name, applied.title) == ("change of many", "", "Vip")
    await agent.post(f"/v1/bulk/{answer.json()['job_id']}/undo")
    await finished(worker())
    assert (await desk.names(ids[1])).count("ActionsUndone") == 1
    for wrong, named in (
        ({"macro": "m"}, "macro"),
        ({"actions": {}}, "actions"),
        ({"actions": {"status": "closed"}}, "actions.status"),
        ({"actions": {"colour": "red"}}, "actions"),
    ):
        refused = await agent.post("/v1/bulk", {**said, **wrong})
        assert refused.status_code == 422, (wrong, refused.text)
        assert named in refused.json()["errors"][0]["field"]


async def test_a_repeated_request_makes_one_job_and_bad_ones_none(agent, customer, macro):
    ids = await tickets(agent, 1)
    key = uuid4().hex
    first, second = [await started(agent, macro, ids, Idempotency_Key=key) for _ in range(2)]
    assert first["job_id"] == second["job_id"]
    body = {"macro": macro, "ticket_ids": ids}
    assert (await customer.post("/v1/bulk", body)).status_code == 403
    assert (await agent.post("/v1/bulk", {**body, "macro": "none"})).status_code == 404
    assert (await agent.post("/v1/bulk", {**body, "ticket_ids": []})).status_code == 422
    assert (await agent.send("GET", f"/v1/bulk/{uuid4()}")).status_code == 404


async def test_what_nobody_planned_is_that_tickets_answer_and_the_others_go_on(
    desk, agent, macro, worker, monkeypatch
):
    ids = await tickets(agent, 3)
    job = await started(agent, macro, ids)
    whole = Toolbox.applying

    def failing(self, tx, ticket_id, *args):
        step = whole(self, tx, ticket_id, *args)
        if str(ticket_id) == ids[1]:
            raise RuntimeError("too large for the log")
        return step

    monkeypatch.setattr(Toolbox, "applying", failing)
    await finished(worker())
    told = await looked(agent, job)
    assert [item["state"] for item in told["items"]] == ["done", "refused", "done"]
    assert "RuntimeError" in told["items"][1]["reason"]
    assert await desk.names(ids[1]) == ["TicketOpened"]


async def test_a_list_is_handed_over_page_by_page_while_the_job_is_under_way(
    agent, caller, macro, worker
):
    ids = await tickets(agent, 5)
    job = await started(agent, macro, ids[:2])
    path = f"/v1/bulk/{job['job_id']}"
    await worker().do_next()
    more = await agent.post(f"{path}/tickets", {"ticket_ids": [ids[1], *ids[2:4]]})
    assert (more.status_code, more.json()["total"], more.json()["done"]) == (202, 4, 1)
    stranger = caller("zoe", Role.AGENT)
    refused = await stranger.post(f"{path}/tickets", {"ticket_ids": ids[4:]})
    assert (refused.status_code, refused.json()["code"]) == (409, "job_is_not_yours")
    await finished(worker())
    told = await looked(agent, job)
    assert [one["place"] for one in told["items"]] == [1, 2, 3, 4]
    assert told["job"]["done"] == 4


async def test_a_stopped_job_begins_nothing_more_and_what_was_done_stays(
    desk, agent, macro, worker
):
    ids = await tickets(agent, 3)
    job = await started(agent, macro, ids[:2])
    path = f"/v1/bulk/{job['job_id']}"
    await worker().do_next()
    stopped = (await agent.post(f"{path}/stop")).json()
    assert stopped["ended_at"]
    assert (stopped["done"], stopped["waiting"], stopped["refused"]) == (1, 0, 1)
    late = await agent.post(f"{path}/tickets", {"ticket_ids": ids[2:]})
    assert (late.status_code, late.json()["code"]) == (409, "job_has_ended")
    await finished(worker())
    assert (await desk.names(ids[0])).count("ActionsApplied") == 1
    assert await desk.names(ids[1]) == ["TicketOpened"]
    undone = await agent.post(f"{path}/undo")
    assert undone.json()["total"] == 1
    noted = await desk.events(str(operations_stream(Owner.INTAKE, job["job_id"])))
    assert [(one.what, one.changes) for one in noted] == [
        ("bulk.start", {"tickets": (None, 2)}), ("bulk.stop", {}), ("bulk.undo", {}),
    ]  # fmt: skip
