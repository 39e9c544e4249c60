"""Rotas over HTTP on real tables: versions, overrides, the past that stays, calendar feeds, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from icalendar import Calendar

from shared.events import policies
from shared.events.base import Owner
from shared.events.operations import SlaOperation, operations_stream
from shared.events.policies import rota_stream
from shared.eventstore import EventStore
from shared.security import Role
from shared.security.issuer import LocalIssuer
from shared.service import Service

pytestmark = pytest.mark.integration

WEEK: dict[str, Any] = {
    "name": "week",
    "members": ["anna", "ben"],
    "starts_on": "2026-01-05",
    "hand_over_at": "09:00",
}
DESK: dict[str, Any] = {"name": "Desk", "timezone": "Europe/Berlin", "layers": [WEEK]}


def as_agent(issuer: LocalIssuer, name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {issuer.issue(name, Role.AGENT)}"}


def fields(answer: httpx2.Response) -> list[str]:
    return [error["field"] for error in answer.json()["errors"]]


async def test_a_rota_is_made_versioned_published_and_asked_about_any_moment(
    client: httpx2.AsyncClient, service: Service
) -> None:
    made = await client.put("/v1/oncall/rotas/desk", json=DESK)
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    assert made.json()["survey"]["gaps"] is None
    again = await client.put("/v1/oncall/rotas/desk", json=DESK)
    assert again.json()["version"] == 1, "the same again changes nothing"
    past = (await client.get("/v1/oncall/desk?at=2026-01-12T07:59:59Z")).json()
    assert (past["agent_id"], past["until"]) == ("anna", "2026-01-12T08:00:00Z")
    future = (await client.get("/v1/oncall/desk?at=2030-07-01T12:00:00Z")).json()
    assert {future["agent_id"], future["next_agent_id"]} == {"anna", "ben"}
    changed = {**DESK, "layers": [{**WEEK, "members": ["dmitri"]}]}
    stale = await client.put("/v1/oncall/rotas/desk", json=changed, headers={"if-match": '"7"'})
    assert stale.status_code == 412
    await client.put("/v1/oncall/rotas/desk", json=changed)
    past = (await client.get("/v1/oncall/desk?at=2026-01-12T07:59:59Z")).json()
    assert past["agent_id"] == "anna", "who was on call stays"
    assert (await client.get("/v1/oncall/desk")).json()["agent_id"] == "dmitri"
    one, two = service.store.history(rota_stream("desk"))  # type: ignore[attr-defined]
    assert isinstance(one, policies.RotaDefined)
    assert isinstance(two, policies.RotaDefined)
    assert (one.previous, two.previous, two.actor.id) == (None, DESK, "sue")


async def test_gaps_and_overlaps_come_with_the_answer(client: httpx2.AsyncClient) -> None:
    office = {**WEEK, "hours": {"mon": [["08:00", "18:00"]]}}
    late = {**WEEK, "name": "late", "hours": {"mon": [["17:00", "20:00"]]}}
    made = await client.put("/v1/oncall/rotas/desk", json={**DESK, "layers": [office, late]})
    found = made.json()["survey"]
    assert found["overlaps"]["layers"] == ["week", "late"]
    assert found["overlaps"]["seconds"] == 3600 * found["overlaps"]["count"]
    assert found["gaps"]["first_from"] < found["gaps"]["first_until"]


async def test_a_swap_and_its_end_are_facts_and_agents_swap_only_themselves(
    client: httpx2.AsyncClient, service: Service, issuer: LocalIssuer
) -> None:
    await client.put("/v1/oncall/rotas/desk", json=DESK)
    start = datetime.now(UTC) + timedelta(days=30)
    at = (start + timedelta(hours=1)).isoformat()
    period = {"starts_at": start.isoformat(), "ends_at": (start + timedelta(days=1)).isoformat()}
    path = "/v1/oncall/rotas/desk/overrides"
    params = {"at": at}
    other = await client.post(
        path, json={"agent_id": "eve", **period}, headers=as_agent(issuer, "mia")
    )
    assert (other.status_code, fields(other)) == (403, ["agent_id"])
    mine = as_agent(issuer, "eve")
    made = await client.post(path, json={"agent_id": "eve", **period}, headers=mine)
    assert made.status_code == 201
    here = (await client.get("/v1/oncall/desk", params=params)).json()
    assert (here["agent_id"], here["override_id"]) == ("eve", made.json()["override_id"])
    listed = (await client.get("/v1/oncall/rotas/desk")).json()
    assert [one["agent_id"] for one in listed["overrides"]] == ["eve"]
    ended = await client.delete(f"{path}/{made.json()['override_id']}", headers=mine)
    assert ended.status_code == 200
    assert (await client.get("/v1/oncall/desk", params=params)).json()["agent_id"] != "eve"
    twice = await client.delete(f"{path}/{made.json()['override_id']}", headers=mine)
    assert twice.status_code == 409
    kinds = [type(event) for event in service.store.history(rota_stream("desk"))]  # type: ignore[attr-defined]
    assert kinds == [policies.RotaDefined, policies.RotaOverridden, policies.RotaOverrideEnded]


async def test_a_schedule_lists_turns_in_order(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/oncall/rotas/desk", json=DESK)
    params = {"from": "2026-03-20T00:00:00Z", "to": "2026-04-08T00:00:00Z"}
    items = (await client.get("/v1/oncall/desk/schedule", params=params)).json()["items"]
    assert [(one["agent_id"], one["starts_at"]) for one in items] == [
        ("anna", "2026-03-20T00:00:00Z"),
        ("ben", "2026-03-23T08:00:00Z"),
        ("anna", "2026-03-30T07:00:00Z"),
        ("ben", "2026-04-06T07:00:00Z"),
    ]


async def test_a_calendar_program_reads_the_rota_by_its_address_alone(
    client: httpx2.AsyncClient, service: Service
) -> None:
    await client.put("/v1/oncall/rotas/desk", json=DESK)
    path = (await client.post("/v1/oncall/rotas/desk/feeds", json={})).json()["path"]
    own = (await client.post("/v1/oncall/rotas/desk/feeds", json={"agent_id": "ben"})).json()
    transport = httpx2.ASGITransport(service.api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://sla") as stranger:
        answer = await stranger.get(path)
        assert answer.headers["content-type"].startswith("text/calendar")
        calendar = Calendar.from_ical(answer.content)
        events = calendar.walk("VEVENT")
        params = {
            "from": events[0].start.isoformat(),
            "to": events[-1].end.isoformat(),
        }
        told = (await client.get("/v1/oncall/desk/schedule", params=params)).json()["items"]
        assert [(e.start, e.end) for e in events] == [
            (datetime.fromisoformat(s["starts_at"]), datetime.fromisoformat(s["ends_at"]))
            for s in told
        ]
        assert len({str(e["uid"]) for e in events}) == len(events) > 20
        assert all(e.get("dtstamp") and not e.errors for e in events)
        assert str(calendar["x-published-ttl"]) == "PT15M"
        weeks = {(e.end - e.start).days for e in events}
        assert weeks <= {6, 7}, "whole turns only, however the feed's own edges lie"
        bens = Calendar.from_ical((await stranger.get(own["path"])).content).walk("VEVENT")
        assert {str(e["summary"]) for e in bens} == {"On call: ben (Desk)"}
        for wrong in ("/v1/oncall/desk.ics", "/v1/oncall/desk.ics?token=guess"):
            assert (await stranger.get(wrong)).status_code == 404
        assert (await stranger.get("/v1/oncall/desk")).status_code == 401
        await client.delete("/v1/oncall/rotas/desk/feeds")
        assert (await stranger.get(path)).status_code == 404
    assert isinstance(service.store, EventStore)
    noted = service.store.history(operations_stream(Owner.SLA, "desk"))
    assert [(one.what, one.changes) for one in noted if isinstance(one, SlaOperation)] == [
        ("feed.make", {"feed": (None, "everybody")}),
        ("feed.make", {"feed": (None, "ben")}),
        ("feeds.end", {"feeds": (2, 0)}),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("PUT", "/v1/oncall/rotas/alerts", DESK, 422, "rota_id"),
        ("PUT", "/v1/oncall/rotas/Desk%20One", DESK, 422, "rota_id"),
        ("PUT", "/v1/oncall/rotas/x", {**DESK, "timezone": "Mars/Base"}, 422, "timezone"),
        ("PUT", "/v1/oncall/rotas/x", {**DESK, "layers": "all"}, 422, "layers"),
        (
            "PUT",
            "/v1/oncall/rotas/x",
            {**DESK, "layers": [{**WEEK, "ends_on": "2026-01-12"}]},
            422,
            "layers",
        ),
        ("GET", "/v1/oncall/desk?at=2026-01-01T00:00:00", None, 422, "at"),
        ("GET", "/v1/oncall/desk?at=0001-01-01T00:00:00Z", None, 422, "at"),
        ("GET", "/v1/oncall/nobody", None, 404, None),
        (
            "GET",
            "/v1/oncall/desk/schedule?from=2026-01-01T00:00:00Z&to=2028-01-01T00:00:00Z",
            None,
            422,
            "to",
        ),
        (
            "POST",
            "/v1/oncall/rotas/desk/overrides",
            {
                "agent_id": "a",
                "starts_at": "2020-01-01T00:00:00Z",
                "ends_at": "2020-01-02T00:00:00Z",
            },
            422,
            "starts_at",
        ),
        (
            "POST",
            "/v1/oncall/rotas/desk/overrides",
            {
                "agent_id": "a",
                "starts_at": "2099-01-01T00:00:00",
                "ends_at": "2099-01-02T00:00:00Z",
            },
            422,
            "starts_at",
        ),
        ("DELETE", f"/v1/oncall/rotas/desk/overrides/{'0' * 32}", None, 404, None),
    ],
)
async def test_what_makes_no_sense_is_refused_by_its_field(
    client: httpx2.AsyncClient,
    method: str,
    path: str,
    body: Any,
    status: int,
    field: str | None,
) -> None:
    await client.put("/v1/oncall/rotas/desk", json=DESK)
    answer = await client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    if field is not None:
        assert fields(answer) == [field]


async def test_only_supervisors_make_rotas(client: httpx2.AsyncClient, issuer: LocalIssuer) -> None:
    refused = await client.put("/v1/oncall/rotas/desk", json=DESK, headers=as_agent(issuer, "mia"))
    assert refused.status_code == 403
