"""What customers think, over HTTP on a real PostgreSQL: the policy, the question, the answer with a token."""

import asyncio
from uuid import UUID, uuid4

import pytest

from services.intake.surveys.desk import Surveys
from services.intake.timers import SurveyTimer
from shared.events.satisfaction import SatisfactionOffered, SatisfactionRated
from shared.security import Role
from tests.integration.intake.test_life import FOR_BEN, owned, solved

pytestmark = pytest.mark.integration

POLICY = {"delay_minutes": 0, "answer_days": 7, "reasons": ["Too slow", "Not solved"]}


def surveys_of(desk) -> Surveys:
    """The verbs that the service itself runs."""
    return desk.running(SurveyTimer)._act.__self__


async def a_policy(supervisor, **said) -> str:
    """A group with a survey policy of its own: its id."""
    group = f"survey-{uuid4().hex[:8]}"
    answer = await supervisor.send("PUT", f"/v1/intake/surveys/{group}", POLICY | said)
    assert answer.status_code == 200, answer.text
    return group


async def asked(desk, agent, supervisor, **policy) -> str:
    """A solved ticket of ben's that he was asked about."""
    group = await a_policy(supervisor, **policy)
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    await owned(desk, ticket, group)
    await solved(agent, ticket)
    await asyncio.to_thread(surveys_of(desk).offer_due, "c")
    return ticket


async def told(desk, ticket: str, kind: type) -> list:
    return [one for one in await desk.events(ticket) if isinstance(one, kind)]


async def due(desk, ticket: str) -> list:
    return await desk.rows("SELECT until FROM surveys_due WHERE ticket_id = %s", UUID(ticket))


async def test_the_customer_is_asked_once_and_answers_and_changes_the_answer(
    desk, agent, customer, supervisor
):
    ticket = await asked(desk, agent, supervisor)
    await asyncio.to_thread(surveys_of(desk).offer_due, "c")
    (question,) = await told(desk, ticket, SatisfactionOffered)
    assert (question.agent_id, question.leaves_by, question.actor.id) == ("anna", None, "intake")
    assert await due(desk, ticket) == []
    path = f"/v1/tickets/{ticket}/satisfaction"
    first = await customer.post(path, {"score": "good"}, Idempotency_Key=f"rate-{ticket}")
    again = await customer.post(path, {"score": "good"}, Idempotency_Key=f"rate-{ticket}")
    assert (first.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    changed = await customer.post(
        path, {"score": "bad", "comment": "It burns again", "reason": "Not solved"}
    )
    assert changed.json()["category"] == "solved"
    answers = await told(desk, ticket, SatisfactionRated)
    assert [(one.score, one.previous_score, one.comment) for one in answers] == [
        ("good", None, None),
        ("bad", "good", "It burns again"),
    ]
    assert {one.actor.id for one in answers} == {"ben"}


async def test_a_reopened_ticket_is_not_asked_about(desk, agent, customer, supervisor):
    group = await a_policy(supervisor, delay_minutes=60)
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    await owned(desk, ticket, group)
    await solved(agent, ticket)
    (row,) = await due(desk, ticket)
    assert row["until"] == (await desk.events(ticket))[-1].survey_at
    await customer.post(f"/v1/tickets/{ticket}/replies", {"body": "It burns again"})
    assert await due(desk, ticket) == []


async def test_nobody_else_answers_for_the_customer(
    desk, agent, importer, customer, supervisor, caller
):
    ticket = await asked(desk, agent, supervisor)
    path = f"/v1/tickets/{ticket}/satisfaction"
    stranger = caller("mira", Role.CUSTOMER)
    assert (await stranger.post(path, {"score": "good"})).status_code == 404
    assert (await agent.post(path, {"score": "good"})).status_code == 403
    assert (await importer.post(path, {"score": "good"})).status_code == 403
    spoken_for = {"actor": {"kind": "customer", "id": "ben"}, "via": "chat"}
    taken = await importer.post(path, {"score": "good"} | spoken_for)
    assert taken.status_code == 200, taken.text
    (answer,) = await told(desk, ticket, SatisfactionRated)
    assert (answer.actor.id, answer.via) == ("ben", "chat")


async def test_who_was_not_asked_is_told_so(agent, customer):
    ticket = (await agent.open(**FOR_BEN))["ticket_id"]
    answer = await customer.post(f"/v1/tickets/{ticket}/satisfaction", {"score": "good"})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_survey_is_open")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "score"),
        ({"score": "fine"}, "score"),
        ({"score": "bad", "reason": "Weather"}, "reason"),
        ({"score": "bad", "comment": "x" * 5_001}, "comment"),
        ({"score": "bad", "comment": " "}, "comment"),
        ({"score": "bad", "stars": 5}, "stars"),
    ],
)
async def test_a_wrong_answer_is_refused_by_name(desk, agent, customer, supervisor, said, field):
    ticket = await asked(desk, agent, supervisor)
    answer = await customer.post(f"/v1/tickets/{ticket}/satisfaction", said)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]


async def test_policies_are_documents_that_supervisors_write(agent, supervisor):
    group = await a_policy(supervisor, channels=["email"], language="de", texts={"send": "Ab"})
    listed = (await agent.send("GET", "/v1/intake/surveys")).json()["documents"]
    (found,) = [one for one in listed if one["name"] == group]
    assert (found["version"], found["definition"]["language"]) == (1, "de")
    assert (await agent.send("PUT", f"/v1/intake/surveys/{group}", POLICY)).status_code == 403
    for wrong in ({"delay_minutes": -1}, {"channels": ["import"]}, {"texts": {"stars": "x"}}):
        refused = await supervisor.send("PUT", f"/v1/intake/surveys/{group}", POLICY | wrong)
        assert refused.status_code == 422, wrong
        assert refused.json()["errors"][0]["field"].partition(".")[0] == next(iter(wrong))
    gone = await supervisor.send("DELETE", f"/v1/intake/surveys/{group}")
    assert gone.json()["version"] == 2
