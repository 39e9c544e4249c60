"""Asked over HTTP: assignments by hand, the next ticket, agents, groups, rules; versions and keys."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID, uuid4

import jwt
import msgspec
import pytest

from shared.events.agents import agent_stream
from shared.events.base import Actor, ActorKind, Channel, Owner, Priority
from shared.events.operations import RoutingOperation, operations_stream
from shared.events.policies import CalendarDefined
from shared.identifiers import new_id
from shared.security import Role
from tests.integration.routing.office import Office
from tests.support.parked import park

pytestmark = pytest.mark.integration

SOME_ID = UUID("0192f0c1-3f6e-7000-8000-000000000001")


async def test_assign_answers_with_the_version_and_why_is_told(office: Office) -> None:
    await office.ready("ann", "bob")
    ticket = await office.opened()
    answer = await office.ask("POST", f"/v1/tickets/{ticket}/assign", {"agent_id": "bob"})
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"3"'
    assert answer.json()["agent_id"] == "bob"
    told = await office.done("GET", f"/v1/routing/tickets/{ticket}")
    assert [one["type"] for one in told["history"]] == [
        "assignment.group_changed.v1",
        "assignment.assigned.v1",
        "assignment.assigned.v1",
    ]
    assert told["history"][-1]["why"] == "Boss gave it to Bob (load then 1)."
    assert told["history"][-1]["previous_agent_id"] == "ann"
    await office.check()


async def test_an_older_version_is_refused_with_412(office: Office) -> None:
    await office.ready("ann")
    ticket = await office.opened()
    path = f"/v1/tickets/{ticket}/unassign"
    stale = await office.ask("POST", path, if_match='"1"')
    assert (stale.status_code, stale.json()["code"]) == (412, "conflict")
    assert await office.holder(ticket) == "ann"
    assert (await office.ask("POST", path, if_match='"2"')).status_code == 200
    assert await office.holder(ticket) is None


async def test_a_ticket_that_intake_just_accepted_is_waited_for(office: Office) -> None:
    await office.ready("ann", presence="offline")
    event = office.tickets.opened()
    path = f"/v1/tickets/{event.ticket_id}/assign"
    early = await office.ask("POST", path, {"agent_id": "ann"})
    assert early.status_code == 503
    assert "retry-after" in early.headers
    await office.hear(event)
    assert (await office.ask("POST", path, {"agent_id": "ann"})).status_code == 200


async def test_a_command_goes_on_as_soon_as_its_ticket_is_heard_of(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.ready("ann", presence="offline")
    event = office.tickets.opened()
    waits = asyncio.Event()
    past = type(office.heard).past

    async def noticed(progress, seen, _seconds):
        waits.set()
        return await past(progress, seen, 30)

    monkeypatch.setattr(type(office.heard), "past", noticed)
    asking = asyncio.create_task(
        office.ask("POST", f"/v1/tickets/{event.ticket_id}/assign", {"agent_id": "ann"})
    )
    await waits.wait()
    await office.hear(event)
    assert (await asking).status_code == 200


async def test_an_old_id_nobody_heard_of_is_not_found(office: Office) -> None:
    answer = await office.ask("POST", f"/v1/tickets/{uuid4()}/assign", {"agent_id": "ann"})
    assert answer.status_code == 404


async def test_a_key_makes_a_command_happen_once(office: Office) -> None:
    await office.ready("ann", "bob")
    ticket = await office.opened()
    path = f"/v1/tickets/{ticket}/unassign"
    answers = await asyncio.gather(*(office.ask("POST", path, idempotency_key="k1") for _ in "12"))
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert [one.headers.get("idempotency-replayed") for one in answers].count("true") == 1
    assert (await office.names(ticket)).count("TicketUnassigned") == 1
    other = await office.ask("POST", f"/v1/tickets/{new_id()}/unassign", idempotency_key="k1")
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


async def test_pull_has_exactly_one_winner_for_each_ticket(
    office: Office, second_office: Office
) -> None:
    await office.ready("ann", "bob", "cyd", strategy="manual")
    await office.hear(*(office.tickets.opened() for _ in range(10)))
    answers = await asyncio.gather(
        *(
            (office, second_office)[n % 2].ask(
                "POST", "/v1/queue/next", as_=("ann", "bob", "cyd")[n % 3], role=Role.AGENT
            )
            for n in range(18)
        )
    )
    assert Counter(one.status_code for one in answers) == {200: 10, 204: 8}
    won = [one.json()["ticket_id"] for one in answers if one.status_code == 200]
    assert len(set(won)) == 10
    nothing = next(one for one in answers if one.status_code == 204)
    assert nothing.headers["x-routing-reasons"] == "queue_empty=1"
    await office.check()


async def test_pull_for_somebody_else_is_for_supervisors(office: Office) -> None:
    await office.ready("ann", "bob", strategy="manual")
    await office.opened()
    body = {"agent_id": "bob"}
    refused = await office.ask("POST", "/v1/queue/next", body, as_="ann", role=Role.AGENT)
    assert refused.status_code == 403
    given = await office.ask("POST", "/v1/queue/next", body, as_="eve", role=Role.SUPERVISOR)
    assert given.status_code == 200
    unknown = await office.ask("POST", "/v1/queue/next", as_="zoe", role=Role.AGENT)
    assert unknown.status_code == 404


async def test_another_group_takes_the_ticket_from_who_is_no_member(office: Office) -> None:
    await office.ready("ann")
    await office.group("second")
    await office.agent("cyd", groups=["second"])
    ticket = await office.opened()
    answer = await office.done("POST", f"/v1/tickets/{ticket}/group", {"group_id": "second"})
    assert (answer["group_id"], answer["agent_id"]) == ("second", "cyd")
    await office.check()


async def test_agents_groups_and_rules_are_put_read_and_versioned(office: Office) -> None:
    await office.ready("ann", capacity=3, skills={"german": 4})
    agent = await office.ask("GET", "/v1/agents/ann")
    assert agent.headers["etag"] == '"2"'
    assert agent.json()["profile"]["skills"] == {"german": 4}
    assert agent.json()["presence"] == "online"
    stale = await office.ask("PUT", "/v1/agents/ann", {"name": "Ann"}, if_match='"1"')
    assert stale.status_code == 412
    assert [one["agent_id"] for one in (await office.done("GET", "/v1/agents"))["agents"]] == [
        "ann"
    ]
    assert (await office.done("GET", "/v1/groups/support"))["version"] == 1
    assert len((await office.done("GET", "/v1/groups"))["groups"]) == 1
    rule = {
        "id": "vip",
        "group": "support",
        "when": [{"field": "tags", "op": "is", "value": "vip"}],
    }
    await office.rules(rule, default=None)
    rules = await office.done("GET", "/v1/routing/rules")
    assert (rules["version"], rules["default_group"], rules["rules"][0]["id"]) == (2, None, "vip")
    assert await office.names(agent_stream("ann")) == ["AgentDefined", "AgentPresenceChanged"]


async def test_a_newly_defined_agent_is_offline_and_put_again_changes_nothing(
    office: Office,
) -> None:
    await office.group()
    body = {"name": "Ann", "groups": ["support"]}
    first = await office.done("PUT", "/v1/agents/ann", body)
    assert first["presence"] == "offline"
    assert await office.done("PUT", "/v1/agents/ann", body) == first
    assert await office.names(agent_stream("ann")) == ["AgentDefined"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("PUT", "/v1/agents/ann", {}, 422, "name"),
        ("PUT", "/v1/agents/ann", {"name": "A", "groups": ["nowhere"]}, 422, "groups[0]"),
        ("PUT", "/v1/agents/ann", {"name": "A", "capacity": -1}, 422, "capacity"),
        ("PUT", "/v1/agents/ann", {"name": "A", "capacity": "many"}, 422, "capacity"),
        ("PUT", "/v1/agents/ann", {"name": "A", "skills": {"x": 9}}, 422, "skills.x"),
        ("PUT", "/v1/agents/ann", {"name": "A", "presence": "here"}, 422, "presence"),
        ("PUT", "/v1/agents/ann", {"name": "A", "colour": "red"}, 422, "colour"),
        ("PUT", "/v1/agents/No%20Slug", {"name": "A"}, 422, "path agent_id"),
        ("PUT", "/v1/groups/support", {"name": "S", "strategy": "best"}, 422, "strategy"),
        ("PUT", "/v1/routing/rules", {"rules": [{"id": "r", "group": "x"}]}, 422, "rules[0].group"),
        ("PUT", "/v1/routing/rules", {"rules": [], "default_group": "x"}, 422, "default_group"),
        ("PUT", "/v1/routing/rules", b"{", 400, None),
        (
            "PUT",
            "/v1/routing/rules",
            {"rules": [{"id": "default", "group": "x"}]},
            422,
            "rules[0].id",
        ),
        ("POST", "/v1/agents/ann/presence", {"presence": "online"}, 404, None),
        ("POST", "/v1/agents/ann/heartbeat", None, 404, None),
        ("POST", "/v1/tickets/not-an-id/assign", {"agent_id": "ann"}, 422, "path ticket_id"),
        ("POST", f"/v1/tickets/{SOME_ID}/assign", {"agent": "ann"}, 422, "agent"),
        ("POST", f"/v1/tickets/{SOME_ID}/assign", {}, 422, "agent_id"),
        ("POST", f"/v1/tickets/{SOME_ID}/assign", [], 422, None),
        ("GET", "/v1/queue/tickets?limit=0", None, 422, "query limit"),
        ("GET", f"/v1/routing/tickets/{SOME_ID}", None, 404, None),
        ("GET", "/v1/agents/ann", None, 404, None),
        ("POST", "/v1/queue/next", {"agent_id": 4}, 422, "agent_id"),
    ],
)
async def test_bad_input_is_answered_with_the_field(
    office: Office, method: str, path: str, body: object, status: int, field: str | None
) -> None:
    answer = await office.ask(method, path, body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    fields = [error["field"] for error in answer.json().get("errors", ())]
    assert field is None or any(one.endswith(field) for one in fields), fields


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/agents"),
        ("GET", "/v1/queue"),
        ("POST", "/v1/queue/next"),
        ("POST", f"/v1/tickets/{SOME_ID}/assign"),
        ("GET", f"/v1/routing/tickets/{SOME_ID}"),
    ],
)
async def test_customers_have_no_business_here(office: Office, method: str, path: str) -> None:
    answer = await office.ask(method, path, {}, as_="cora", role=Role.CUSTOMER)
    assert answer.status_code == 403
    bare = await office.http.request(method, path)
    assert bare.status_code == 401


async def test_agents_may_not_define_agents_or_import(office: Office) -> None:
    for method, path in (
        ("PUT", "/v1/agents/ann"),
        ("PUT", "/v1/groups/x"),
        ("PUT", "/v1/routing/rules"),
        ("POST", "/v1/routing/import/batch"),
        ("POST", "/v1/routing/import/start"),
    ):
        answer = await office.ask(method, path, {}, as_="ann", role=Role.AGENT)
        assert answer.status_code == 403, path


async def test_the_api_document_has_every_address(office: Office) -> None:
    document = await office.done("GET", "/openapi.json")
    assert {
        "/v1/agents/{agent_id}/heartbeat",
        "/v1/queue/next",
        "/v1/routing/import/batch",
        "/v1/routing/rules",
        "/v1/tickets/{ticket_id}/assign",
    } <= set(document["paths"])


async def test_rules_have_a_history_and_old_versions_stay_readable(office: Office) -> None:
    await office.group()
    one = {"id": "one", "group": "support", "when": [{"any": [HIGH, EMAIL]}], "tags": ["x"]}
    two = {"id": "two", "group": "support", "when": [EMAIL], "priority": "high"}
    await office.rules(one)
    await office.done(
        "PUT",
        "/v1/routing/rules",
        {"mode": "all", "rules": [two, {**one, "tags": ["y"]}], "default_group": "support"},
        if_match='"1"',
    )
    stale = await office.ask("PUT", "/v1/routing/rules", {"rules": []}, if_match='"1"')
    assert stale.status_code == 412
    history = (await office.done("GET", "/v1/routing/rules/history"))["versions"]
    assert [(v["version"], v["by"], v["mode"], v["rules_count"]) for v in history] == [
        (2, "Boss", "all", 3),
        (1, "Boss", "first", 2),
    ]
    assert (history[0]["added"], history[0]["changed"]) == (["two"], ["one"])
    now = await office.done("GET", "/v1/routing/rules")
    assert (now["mode"], [rule["id"] for rule in now["rules"]]) == ("all", ["two", "one"])
    then = await office.done("GET", "/v1/routing/rules/versions/1")
    assert (then["mode"], then["default_group"], then["rules"]) == ("first", "support", [one])
    assert (await office.ask("GET", "/v1/routing/rules/versions/9")).status_code == 404


HIGH = {"field": "priority", "op": "gte", "value": "high"}
EMAIL = {"field": "channel", "op": "is", "value": "email"}


async def test_a_word_that_no_rule_knows_is_refused(office: Office) -> None:
    await office.group()
    for rule, field in (
        ({"id": "r", "group": "support", "skill": {"german": 1}}, "rules[0].skill"),
        ({"id": "r", "group": "support", "when": [{**EMAIL, "not": True}]}, "rules[0].when[0].not"),
        ({"id": "r", "group": "support", "strategy": "fair"}, "rules[0].strategy"),
        ({"id": "r", "group": "support", "skills": {"german": 1}}, "rules[0].skills.german"),
        ({"id": "r", "group": "nowhere"}, "rules[0].group"),
    ):
        answer = await office.ask("PUT", "/v1/routing/rules", {"rules": [rule]})
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]
    assert (await office.done("GET", "/v1/routing/rules"))["version"] == 0


async def test_a_rule_on_business_hours_needs_a_calendar_that_routing_has_heard_of(
    office: Office, second_office: Office
) -> None:
    await office.group("day")
    await office.group("night")
    night = {
        "id": "night",
        "group": "night",
        "when": [{"field": "hours.always", "op": "is", "value": "closed"}],
    }
    refused = await office.ask("PUT", "/v1/routing/rules", {"rules": [night]})
    assert refused.json()["errors"][0]["field"] == "rules[0].when[0].field"
    closed = {"timezone": "UTC", "hours": {"mon": [["00:00", "00:01"]]}}
    await office.hear(a_calendar("always", 1, closed))
    await second_office.rules(night, default="day")
    opened = office.tickets.opened()
    at = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
    await office.hear(msgspec.structs.replace(opened, occurred_at=at))
    told = await office.done("GET", f"/v1/routing/tickets/{opened.ticket_id}")
    assert (told["group_id"], told["rule"]) == ("night", "night")
    await second_office.hear(a_calendar("always", 2, {"always_open": True}))
    again = await office.opened()
    told = await office.done("GET", f"/v1/routing/tickets/{again}")
    assert (told["group_id"], told["rule"]) == ("day", "default")


def a_calendar(name: str, version: int, definition: dict[str, object]) -> CalendarDefined:
    now = datetime.now(UTC)
    return CalendarDefined(
        version=version,
        occurred_at=now,
        recorded_at=now,
        actor=Actor(kind=ActorKind.AGENT, id="boss"),
        via=Channel.API,
        correlation_id="calendars",
        calendar_id=name,
        definition=definition,
    )


async def test_a_rule_may_say_how_its_tickets_are_shared_out(office: Office) -> None:
    await office.ready("ann", "bob", strategy="round_robin")
    await office.rules(
        {
            "id": "self-service",
            "group": "support",
            "when": [{"field": "tags", "op": "contains", "value": "mine"}],
            "strategy": "manual",
        },
        {"id": "calm", "group": "support", "strategy": "longest_idle"},
        default=None,
    )
    pulled, pushed = await office.opened(tags=("mine",)), await office.opened()
    assert await office.holder(pulled) is None
    assert await office.holder(pushed) == "ann"
    told = await office.done("GET", f"/v1/routing/tickets/{pushed}")
    assert told["history"][-1]["strategy"] == "longest_idle"
    (answer,) = [await office.ask("POST", "/v1/queue/next", as_="bob", role=Role.AGENT)]
    assert answer.json()["ticket_id"] == str(pulled)
    await office.check()


async def test_who_has_a_parked_event_handled_again_is_in_the_log_of_routing(
    office: Office,
) -> None:
    await office.ready("ann")
    ticket = await office.opened()
    park(office.store, "routing", office.tickets.reprioritised(ticket, Priority.URGENT))
    stream = operations_stream(Owner.ROUTING, ticket)
    refused = await office.ask("POST", f"/parked/{ticket}/retry", role=Role.SUPERVISOR)
    assert (refused.status_code, await office.events(stream)) == (403, [])
    await office.done("GET", f"/parked/{ticket}")
    assert (await office.done("POST", f"/parked/{ticket}/retry"))["still_parked"] == 0
    read, noted = await office.events(stream)
    assert isinstance(read, RoutingOperation), "whoever reads what is parked reads the ticket"
    assert (read.what, read.ticket_id, read.changes) == (
        "parked.read",
        ticket,
        {"parked": (None, 1)},
    )
    assert isinstance(noted, RoutingOperation)
    assert (noted.what, noted.ticket_id, noted.changes) == (
        "parked.retry",
        ticket,
        {"parked": (1, 0)},
    )
    await office.check()


async def test_a_refused_token_is_in_the_log_of_the_service_that_refused_it(
    office: Office,
) -> None:
    headers = {"Authorization": f"Bearer {office.issuer.issue('eve', Role.ADMIN, ttl_seconds=-90)}"}
    for _ in range(3):
        assert (await office.http.get("/v1/agents", headers=headers)).status_code == 401
    await office.service.refused_logins._behind.tell(ends=True)
    (noted,) = await office.events(operations_stream(Owner.ROUTING, "127.0.0.1"))
    assert isinstance(noted, RoutingOperation)
    assert (noted.what, noted.count, noted.actor.id) == ("login.refused", 3, "unknown")
    assert noted.changes["claimed"] == (None, "eve")
    await office.check()


async def test_the_first_use_of_a_token_is_in_the_log_of_the_service_that_took_it(
    office: Office,
) -> None:
    token = office.issuer.issue("eve", Role.ADMIN)
    for _ in range(3):
        answer = await office.http.get("/v1/agents", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
    await office.service.token_uses._behind.tell()
    name = jwt.decode(token, options={"verify_signature": False})["jti"]
    (noted,) = await office.events(operations_stream(Owner.ROUTING, name))
    assert isinstance(noted, RoutingOperation)
    assert (noted.what, noted.actor.id, noted.changes["role"]) == (
        "token.use",
        "eve",
        (None, "admin"),
    )
    await office.check()
