"""Two agents answer at once: the second is told who was faster and when, and nothing is sent twice."""

from collections.abc import Callable

import pytest

from shared.security import Role
from tests.integration.intake.desk import Caller, Desk

pytestmark = pytest.mark.integration


async def test_an_answer_that_crosses_another_agents_is_refused_with_who_and_when(
    desk: Desk, agent: Caller, caller: Callable[..., Caller]
) -> None:
    mia = caller("mia", Role.AGENT)
    opened = await agent.open(requester={"id": "cora"})
    path = f"/v1/tickets/{opened['ticket_id']}/replies"
    assert (await mia.post(path, {"body": "On it."})).status_code == 201
    late = await agent.post(path, {"body": "On it, too.", "seen_version": opened["version"]})
    assert (late.status_code, late.json()["code"]) == (412, "answer_crossed")
    detail = late.json()["detail"]
    assert detail.startswith(f"Mia answered ticket {opened['number']} on ")
    assert "after what you have read (version 1); nothing was stored." in detail
    strict = await agent.post(path, {"body": "On it, too."}, if_match='"1"')
    assert (strict.status_code, strict.json()["code"]) == (412, "answer_crossed")
    assert (await desk.names(opened["ticket_id"])).count("AgentReplied") == 1
    read = await agent.post(path, {"body": "And more.", "seen_version": 2})
    assert read.status_code == 201


async def test_what_else_changed_is_not_in_the_way_of_an_answer(
    agent: Caller, caller: Callable[..., Caller]
) -> None:
    robot, mia = caller("robot", Role.SERVICE), caller("mia", Role.AGENT)
    opened = await agent.open(requester={"id": "cora"})
    path = f"/v1/tickets/{opened['ticket_id']}"
    assert (await mia.send("PATCH", path, {"priority": "high"})).status_code == 200
    assert (await mia.post(f"{path}/notes", {"body": "Known problem."})).status_code == 201
    assert (await robot.post(f"{path}/replies", {"body": "We got it."})).status_code == 201
    assert (
        await agent.post(f"{path}/replies", {"body": "Hello.", "seen_version": 1})
    ).status_code == 201
    again = await agent.post(f"{path}/replies", {"body": "One more.", "seen_version": 1})
    assert again.status_code == 201, "one's own answer is known"
    stale = await agent.post(f"{path}/notes", {"body": "x"}, if_match='"1"')
    assert (stale.status_code, stale.json()["code"]) == (412, "conflict")
