"""The HTTP entrance on real tables: promises with versions, clocks, arithmetic, alerts; and what it refuses."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec
import pytest

from services.sla.settings import Settings
from shared.events import policies
from shared.events.policies import calendar_stream, policy_stream
from shared.eventstore import EventStore
from shared.identifiers import new_id
from shared.security import Role
from shared.security.issuer import LocalIssuer
from shared.service import Service
from tests.integration.sla.support import NOON, Desk, Story, a_policy

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)


@pytest.fixture
def desk(service: Service, settings: Settings) -> Desk:
    store = service.store
    assert isinstance(store, EventStore)
    return Desk(store, settings)


def _fields(answer: httpx2.Response) -> list[str]:
    return [error["field"] for error in answer.json()["errors"]]


async def test_a_policy_is_made_versioned_and_published(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    made = await client.put("/v1/policies/standard", json=a_policy())
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    changed = await client.put(
        "/v1/policies/standard", json=a_policy(name="other"), headers={"if-match": '"1"'}
    )
    assert changed.json()["version"] == 2
    same = await client.put("/v1/policies/standard", json=a_policy(name="other"))
    assert same.json()["version"] == 2, "the same again changes nothing"
    stale = await client.put("/v1/policies/standard", json=a_policy(), headers={"if-match": '"1"'})
    assert stale.status_code == 412
    first = await client.get("/v1/policies/standard?version=1")
    assert first.json()["definition"]["name"] == "standard"
    one, two = desk.store.history(policy_stream("standard"))
    assert isinstance(one, policies.SlaPolicyDefined)
    assert isinstance(two, policies.SlaPolicyDefined)
    assert (one.previous, two.previous) == (None, one.definition)
    assert two.actor.id == "sue"


async def test_policies_are_asked_in_their_order_which_can_be_changed(
    client: httpx2.AsyncClient,
) -> None:
    for name in ("a", "b", "c"):
        await client.put(f"/v1/policies/{name}", json=a_policy())
    listed = await client.get("/v1/policies")
    assert [item["id"] for item in listed.json()["items"]] == ["a", "b", "c"]
    changed = await client.put("/v1/policies/order", json={"order": ["c", "a", "b"]})
    assert [item["id"] for item in changed.json()["items"]] == ["c", "a", "b"]
    listed = await client.get("/v1/policies")
    assert [item["id"] for item in listed.json()["items"]] == ["c", "a", "b"]
    refused = await client.put("/v1/policies/order", json={"order": ["c", "a"]})
    assert (refused.status_code, _fields(refused)) == (422, ["order"])


async def test_a_key_used_again_has_one_effect_and_one_answer(client: httpx2.AsyncClient) -> None:
    headers = {"idempotency-key": "k1"}
    first, again = await asyncio.gather(
        *(client.put("/v1/policies/p", json=a_policy(), headers=headers) for _ in range(2))
    )
    assert first.json() == again.json()
    other = await client.put("/v1/policies/p", json=a_policy(name="x"), headers=headers)
    assert other.status_code == 422
    assert (await client.get("/v1/policies/p")).json()["version"] == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"targets": [{"metric": "first_reply", "seconds": 0}]}, "targets[0].seconds"),
        ({"targets": [{"metric": "mood", "seconds": 60}]}, "targets[0].metric"),
        (
            {"targets": [{"metric": "resolution", "seconds": 60, "calendar_id": "none"}]},
            "targets[0].calendar_id",
        ),
        ({"warnings": [{"percent": 100}]}, "warnings[0].percent"),
        ({"order": "first"}, "order"),
    ],
)
async def test_a_policy_that_cannot_be_kept_is_refused_by_its_field(
    client: httpx2.AsyncClient, change: dict[str, Any], field: str
) -> None:
    refused = await client.put("/v1/policies/p", json=a_policy(**change))
    assert (refused.status_code, _fields(refused)) == (422, [field])
    assert (await client.get("/v1/policies/p")).status_code == 404


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"timezone": "Mars/Olympus", "hours": {"mon": [["09:00", "17:00"]]}}, "timezone"),
        ({"timezone": "UTC", "hours": {"mon": [["09:00", "09:00"]]}}, "hours.mon[0]"),
        ({"timezone": "UTC", "hours": {}}, "hours"),
        ({"timezone": "UTC", "hours": {"mon": [["09:00", "17:00"]]}, "moon": 1}, "moon"),
    ],
)
async def test_a_calendar_that_makes_no_sense_is_refused_by_its_field(
    client: httpx2.AsyncClient, document: dict[str, Any], field: str
) -> None:
    refused = await client.put("/v1/calendars/desk", json=document)
    assert (refused.status_code, _fields(refused)) == (422, [field])


async def test_a_calendar_says_with_which_zone_data_it_was_checked(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    document = {"timezone": "Europe/Berlin", "hours": {"mon": [["09:00", "17:00"]]}}
    made = await client.put("/v1/calendars/desk", json=document)
    assert made.json()["definition"] == document
    (event,) = desk.store.history(calendar_stream("desk"))
    assert isinstance(event, policies.CalendarDefined)
    assert event.tzdata_version


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/v1/policies/Not%20A%20Slug", b"{}", 422),
        ("PUT", "/v1/policies/p", b"[]", 422),
        ("PUT", "/v1/policies/p", b"{", 400),
        ("PUT", "/v1/policies/p", b"\xff", 400),
        ("PUT", "/v1/policies/p", b'{"name": "\\u0000"}', 422),
        ("PUT", "/v1/policies/order", b'{"order": 1}', 422),
        ("GET", "/v1/policies/p?version=x", b"", 422),
        ("GET", "/v1/policies/p?version=99999999999999999999", b"", 422),
        ("GET", "/v1/sla/tickets/7", b"", 422),
        ("GET", "/v1/oncall/alerts?cursor=%00x", b"", 422),
        ("GET", "/v1/oncall/alerts?limit=0", b"", 422),
        ("POST", "/v1/oncall/alerts/7/acknowledge", b"", 422),
        ("POST", "/v1/calendars/evaluate", b'{"op": "add"}', 422),
        ("POST", "/v1/sla/evaluate", b'{"policies": 1}', 422),
    ],
)
async def test_nonsense_gets_a_problem_and_never_a_500(
    client: httpx2.AsyncClient, method: str, path: str, body: bytes, status: int
) -> None:
    headers = {"content-type": "application/json"} if body else {}
    answer = await client.request(method, path, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")


async def test_the_clocks_of_a_ticket_are_those_of_now(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    desk.policy(
        targets=[
            {"metric": "first_reply", "seconds": 60},
            {"metric": "resolution", "seconds": 7_200},
        ]
    )
    story = Story()
    opened = datetime.now(UTC) - timedelta(hours=1)
    desk.hear(story.opened(opened))
    answer = await client.get(f"/v1/sla/tickets/{story.ticket_id}")
    assert answer.status_code == 200, answer.text
    first, resolution = answer.json()["clocks"]
    assert first["is_breached"], "also before the timer has fired"
    assert first["remaining_seconds"] < 0
    assert datetime.fromisoformat(first["breached_at"]) == opened + timedelta(seconds=60)
    assert 3_500 < resolution["remaining_seconds"] <= 3_600
    assert datetime.fromisoformat(answer.json()["next_due"]) == opened + 2 * HOUR
    missing = await client.get(f"/v1/sla/tickets/{new_id()}")
    assert missing.status_code == 404


async def test_a_breach_in_doubt_is_shown_and_decided_by_supervisors(
    client: httpx2.AsyncClient, desk: Desk, issuer: LocalIssuer
) -> None:
    desk.policy(targets=[{"metric": "first_reply", "seconds": 60}])
    story = Story()
    desk.hear(story.opened(NOON))
    desk.time_is(NOON + HOUR)
    reply = story.agent_replied(NOON + timedelta(seconds=30))
    desk.hear(msgspec.structs.replace(reply, recorded_at=NOON + timedelta(days=2)))
    address = f"/v1/sla/tickets/{story.ticket_id}"
    (asked,) = (await client.get(address)).json()["reviews"]
    assert (asked["metric"], asked["cycle"]) == ("first_reply", 1)
    decision = {"metric": "first_reply", "cycle": 1, "stands": False}
    agent = {"authorization": f"Bearer {issuer.issue('anna', Role.AGENT)}"}
    refused = await client.post(f"{address}/reviews", json=decision, headers=agent)
    assert refused.status_code == 403
    nonsense = await client.post(f"{address}/reviews", json=decision | {"cycle": 0})
    assert (nonsense.status_code, _fields(nonsense)) == (422, ["cycle"])
    decided = await client.post(f"{address}/reviews", json=decision)
    assert decided.status_code == 200, decided.text
    assert decided.json()["reviews"] == []
    assert not decided.json()["clocks"][0]["is_breached"]
    assert (await client.post(f"{address}/reviews", json=decision)).status_code == 404


async def test_a_customer_sees_neither_promises_nor_alerts(
    client: httpx2.AsyncClient, issuer: LocalIssuer
) -> None:
    headers = {"authorization": f"Bearer {issuer.issue('carl', Role.CUSTOMER)}"}
    for path in ("/v1/policies", "/v1/oncall/alerts", f"/v1/sla/tickets/{new_id()}"):
        assert (await client.get(path, headers=headers)).status_code == 403
    agent = {"authorization": f"Bearer {issuer.issue('anna', Role.AGENT)}"}
    refused = await client.put("/v1/policies/p", json=a_policy(), headers=agent)
    assert refused.status_code == 403
    nobody = await client.get("/v1/policies", headers={"authorization": "Bearer x"})
    assert nobody.status_code == 401


async def test_alerts_are_listed_page_by_page_and_taken_on(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    desk.policy(targets=[{"metric": "first_reply", "seconds": 3_600}])
    stories = [Story(number=number) for number in range(3)]
    desk.hear(*(story.opened(NOON) for story in stories))
    desk.time_is(NOON + 2 * HOUR)
    page = (await client.get("/v1/oncall/alerts?limit=2&state=firing")).json()
    rest = (await client.get(f"/v1/oncall/alerts?limit=2&cursor={page['next_cursor']}")).json()
    found = [item["ticket_id"] for item in page["items"] + rest["items"]]
    assert sorted(found) == sorted(str(story.ticket_id) for story in stories)
    assert rest["next_cursor"] is None
    alert_id = page["items"][0]["alert_id"]
    for _ in range(2):
        taken = await client.post(f"/v1/oncall/alerts/{alert_id}/acknowledge")
        assert (taken.json()["state"], taken.json()["acknowledged_by"]) == ("acknowledged", "sue")
    unknown = await client.post(f"/v1/oncall/alerts/{new_id()}/acknowledge")
    assert unknown.status_code == 404


async def test_business_hours_are_computed_for_anyone(client: httpx2.AsyncClient) -> None:
    calendar = {"timezone": "Europe/Berlin", "hours": {"fri": [["09:00", "17:00"]]}}
    question = {
        "id": 1,
        "calendar": calendar,
        "op": "add",
        "start": "2026-03-06T15:00:00Z",
        "seconds": 7_200,
    }
    one = await client.post("/v1/calendars/evaluate", json=question)
    assert one.json() == {"id": 1, "result": "2026-03-13T09:00:00Z"}
    between = {
        "id": "b",
        "calendar": calendar,
        "op": "between",
        "start": "2026-03-01T00:00:00Z",
        "end": "2026-03-14T00:00:00Z",
    }
    lines = "\n".join(
        [json.dumps(question), "{", json.dumps(between), json.dumps({**between, "op": "?"})]
    )
    many = await client.post(
        "/v1/calendars/evaluate",
        content=lines,
        headers={"content-type": "application/x-ndjson"},
    )
    first, broken, second, refused = [json.loads(line) for line in many.text.splitlines()]
    assert first["result"] == "2026-03-13T09:00:00Z"
    assert (broken["index"], broken["error"]["status"]) == (1, 400)
    assert second == {"id": "b", "result": 57_600}
    assert refused["error"]["errors"][0]["field"] == "op"


async def test_a_timeline_is_judged_for_anyone(client: httpx2.AsyncClient) -> None:
    question = {
        "id": "t",
        "policies": [{"id": "p", "targets": [{"metric": "first_reply", "seconds": 60}]}],
        "timeline": [
            {"at": "2026-03-02T12:00:00Z", "type": "created"},
            {"at": "2026-03-02T12:05:00Z", "type": "agent_replied"},
        ],
        "evaluate_at": "2026-03-02T13:00:00Z",
    }
    answer = await client.post("/v1/sla/evaluate", json=question)
    (verdict,) = answer.json()["result"]
    assert (verdict["status"], verdict["breached_at"]) == ("breached", "2026-03-02T12:01:00Z")
    assert verdict["margin_seconds"] == -240
    question["timeline"] = [{"at": "2026-03-02T12:00:00Z", "type": "exploded"}]
    refused = await client.post("/v1/sla/evaluate", json=question)
    assert (refused.status_code, _fields(refused)) == (422, ["timeline[0].type"])


async def test_the_api_document_describes_every_route(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert {"/v1/policies/{policy_id}", "/v1/sla/evaluate", "/v1/oncall/alerts"} <= set(
        document["paths"]
    )
