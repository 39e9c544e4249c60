"""A ticket's whole way through the front door: opened, assigned with reasons, timed, paged, solved, seen."""

import json
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from deploy.audit.exported import verify_file
from deploy.cli import app
from shared.audit.signing import PublicKeys
from shared.identifiers import new_id
from shared.security import Role
from tests.support.alert_receiver import AlertReceiver
from tests.support.product import Product, refused
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


def a_ticket(product: Product, customer: str = "carl", **changes):
    body = {"subject": "The scanner hums", "body": "Since Monday.", **changes}
    return product.door("customer", customer).call("POST", "/v1/tickets", body)["ticket_id"]


async def seen(product: Product, ticket_id: str, condition) -> dict:
    door = product.door("supervisor", "sue")

    def look():
        try:
            ticket = door.call("GET", f"/v1/tickets/{ticket_id}")
        except Exception as error:
            if getattr(error, "status", None) == 404:
                return None  # not there yet
            raise
        return ticket if condition(ticket) else None

    return await eventually(look, what="the ticket as expected")


def row(ticket: dict) -> dict:
    return ticket.get("ticket", ticket)


async def test_a_new_ticket_is_assigned_timed_and_visible_and_says_why(product: Product):
    ticket_id = a_ticket(product)
    ticket = await seen(product, ticket_id, lambda t: row(t)["assignee_id"] and row(t)["due_at"])
    assert row(ticket)["group_id"] == "desk"
    assert row(ticket)["assignee_id"] in {"anna", "ben"}
    assert row(ticket)["routing_why"]
    why = product.door("agent", "anna").call("GET", f"/v1/routing/tickets/{ticket_id}")
    assert "candidates" in json.dumps(why)


def first_reply(ticket: dict) -> str | None:
    states = {clock["metric"]: clock["state"] for clock in row(ticket)["clocks"]}
    return states.get("first_reply")


async def test_the_timeline_tells_every_change_with_old_and_new_value(
    product: Product, tmp_path: Path
):
    ticket_id = a_ticket(product)
    agent = product.door("agent", "anna", name="Anna")
    await seen(product, ticket_id, lambda t: row(t)["assignee_id"] and row(t)["due_at"])
    agent.call("PATCH", f"/v1/tickets/{ticket_id}", {"priority": "high"})
    agent.call("POST", f"/v1/tickets/{ticket_id}/notes", {"body": "Looks like the fan."})
    agent.call("POST", f"/v1/tickets/{ticket_id}/replies", {"body": "We are on it."})
    answer = agent.call("POST", f"/v1/tickets/{ticket_id}/resolve", {"summary": "Fan cleaned."})
    agent.call("GET", f"/v1/tickets/{ticket_id}?min_version={answer['version']}")
    changed = product.rows(
        "query",
        "SELECT raw FROM timeline WHERE stream_id = %s AND type = 'ticket.priority_changed.v1'",
        ticket_id,
    )
    event = json.loads(changed[0][0]) if isinstance(changed[0][0], (bytes, str)) else changed[0][0]
    assert (event["previous"], event["priority"]) == ("normal", "high")
    # Each service's word arrives in its own time: solved by intake, fulfilled by sla.
    await seen(
        product, ticket_id, lambda t: row(t)["status"] == "solved" and first_reply(t) == "met"
    )
    timeline = json.dumps(agent.call("GET", f"/v1/tickets/{ticket_id}/timeline?limit=200"))
    for told in (
        "ticket.opened.v1",
        "assignment.assigned.v1",
        "sla.started.v1",
        "ticket.resolved.v1",
    ):
        assert told in timeline
    check_export(product, ticket_id, tmp_path / "ticket.ndjson")


def check_export(product: Product, ticket_id: str, file: Path) -> None:
    """Each line of the exported history is what its event says; the day is not over, so nothing is proven yet."""
    token = product.token(Role.SUPERVISOR, "sue")
    asked = ["audit", "export", ticket_id, "--to", str(file), "--url", product.address]
    exported = CliRunner().invoke(app, [*asked, "--token", token], catch_exceptions=False)
    assert exported.exit_code == 0, exported.output
    keys = {
        name: PublicKeys(
            product.door("agent", "anna").call("GET", f"/v1/audit/roots/{name}")["public_key"]
        )
        for name in ("intake", "routing", "sla", "query")
    }
    verdict = verify_file(file, keys)
    assert verdict.findings == []
    assert (verdict.status, verdict.proven) == (3, {})
    assert verdict.unproven.keys() >= {"intake", "routing", "sla"}
    file.write_bytes(file.read_bytes().replace(b"Looks like the fan.", b"Looks like the man."))
    (found,) = verify_file(file, keys).findings
    assert "was changed: the event is not the one that was sealed" in found[1]


async def test_a_broken_promise_pages_once_with_its_deadline_and_resolves_itself(
    product: Product, alerts: AlertReceiver
):
    ticket_id = a_ticket(product, priority="urgent")
    (breach,) = await eventually(
        lambda: product.rows(
            "sla",
            "SELECT state FROM sla_events WHERE originator_id = %s AND topic = 'sla.breached.v1'",
            ticket_id,
        )
    )
    told = json.loads(bytes(breach[0]))
    assert told["breached_at"] == told["due_at"] < told["detected_at"]
    pages = await eventually(lambda: alerts.about(ticket_id))
    assert [page["type"] for page in pages] == ["sla.alert.triggered.v1"]
    product.door("agent", "anna").call(
        "POST", f"/v1/tickets/{ticket_id}/replies", {"body": "Sorry for the wait."}
    )
    await eventually(lambda: len(alerts.about(ticket_id)) == 2)
    assert {page["type"] for page in alerts.about(ticket_id)} == {
        "sla.alert.triggered.v1",
        "sla.alert.resolved.v1",
    }
    assert alerts.forged_count == 0


async def test_a_customer_sees_own_tickets_only_and_never_a_note(product: Product):
    ticket_id = a_ticket(product, customer="dora")
    agent = product.door("agent", "anna")
    noted = agent.call("POST", f"/v1/tickets/{ticket_id}/notes", {"body": "Difficult customer."})
    agent.call("GET", f"/v1/tickets/{ticket_id}?min_version={noted['version']}")
    own = product.door("customer", "dora").call("GET", f"/v1/tickets/{ticket_id}")
    assert "Difficult" not in json.dumps(own)
    stranger = product.door("customer", "eve")
    assert refused(lambda: stranger.call("GET", f"/v1/tickets/{ticket_id}")).status == 404
    reply = {"body": "Let me in."}
    assert (
        refused(lambda: stranger.call("POST", f"/v1/tickets/{ticket_id}/replies", reply)).status
        == 404
    )
    assert refused(lambda: stranger.call("GET", "/v1/dashboard")).status == 403


async def test_the_same_key_gives_the_same_ticket_through_the_front_door(product: Product):
    customer, key = product.door("customer", "carl"), str(new_id())
    body = {"subject": "Once", "body": "only"}
    first = customer.call("POST", "/v1/tickets", body, key=key)
    again = customer.call("POST", "/v1/tickets", body, key=key)
    assert first["ticket_id"] == again["ticket_id"]
    other = refused(lambda: customer.call("POST", "/v1/tickets", {**body, "body": "x"}, key=key))
    assert (other.status, other.problem["code"]) == (422, "key_reused")


async def test_who_looks_at_an_old_version_is_told(product: Product):
    ticket_id = a_ticket(product)
    agent = product.door("agent", "anna")
    agent.call("POST", f"/v1/tickets/{ticket_id}/notes", {"body": "first"})
    stale = {"subject": "Newer", "expected_version": 1}
    assert refused(lambda: agent.call("PATCH", f"/v1/tickets/{ticket_id}", stale)).status == 412


async def test_the_next_ticket_for_me_is_given_to_exactly_one(product: Product):
    admin = product.door("admin", "set-up")
    admin.call("PUT", "/v1/groups/pull", {"name": "Pull", "strategy": "manual"})
    for agent in ("uma", "vic"):
        profile = {"name": agent.title(), "groups": ["pull"], "presence": "online"}
        admin.call("PUT", f"/v1/agents/{agent}", profile)
    ticket_id = a_ticket(product)
    await seen(product, ticket_id, lambda t: row(t)["assignee_id"])
    admin.call("POST", f"/v1/tickets/{ticket_id}/group", {"group_id": "pull"})
    won = product.door("agent", "uma").call("POST", "/v1/queue/next", {})
    lost = product.door("agent", "vic").call("POST", "/v1/queue/next", {})
    assert won["ticket_id"] == ticket_id
    assert lost.get("ticket_id") is None


async def test_every_service_serves_its_documents_health_and_metrics(product: Product):
    for service in ("intake", "routing", "sla", "query"):
        base = f"{product.address}/services/{service}"
        assert httpx2.get(f"{base}/livez").status_code == 200
        assert httpx2.get(f"{base}/readyz").status_code == 200
        assert "ticketing_http_request_seconds" in httpx2.get(f"{base}/metrics").text
        assert httpx2.get(f"{base}/openapi.json").json()["openapi"].startswith("3.")
        channels = httpx2.get(f"{base}/asyncapi.json").json()["channels"]
        assert channels, service


async def test_the_board_is_pushed_when_something_happens(product: Product):
    token = product.token("supervisor", "sue")
    headers = {"Authorization": f"Bearer {token}"}
    boards: list[dict] = []
    async with (
        httpx2.AsyncClient(timeout=20, trust_env=False) as client,
        client.stream("GET", f"{product.address}/v1/dashboard/stream", headers=headers) as stream,
    ):
        assert stream.status_code == 200
        async for line in stream.aiter_lines():
            if not line.startswith("data:"):
                continue
            boards.append(json.loads(line.removeprefix("data:")))
            count = boards[-1]["backlog"]["open_count"]
            if len(boards) == 1:
                a_ticket(product)
            elif count > boards[0]["backlog"]["open_count"]:
                break
    assert len(boards) > 1


@pytest.mark.parametrize(
    ("method", "path", "content", "field"),
    [
        ("POST", "/v1/tickets", b"{", ""),
        ("POST", "/v1/tickets", b'{"subject": 7, "body": "x"}', "subject"),
        ("POST", "/v1/tickets", b'{"subject": "s"}', "body"),
        ("POST", "/v1/tickets", b'{"subject": "s", "body": "a\\u0000b"}', "body"),
        ("POST", "/v1/tickets", b'{"subject": "s", "body": "b", "colour": "red"}', "colour"),
        ("POST", "/v1/tickets", b"\xff\xfe", ""),
        ("POST", "/v1/tickets/not-a-uuid/replies", b'{"body": "x"}', "ticket_id"),
        ("GET", "/v1/tickets?cursor=garbage", None, "cursor"),
        ("GET", "/v1/tickets?limit=0", None, "limit"),
        ("PUT", "/v1/calendars/x", b'{"timezone": "Mars/Olympus", "hours": {}}', "timezone"),
        ("PUT", "/v1/agents/x", b'{"name": "X", "capacity": -1}', "capacity"),
    ],
)
async def test_malformed_requests_name_the_field_and_are_never_our_fault(
    product: Product, method: str, path: str, content: bytes | None, field: str
):
    headers = {
        "Authorization": f"Bearer {product.token('admin', 'root')}",
        "Content-Type": "application/json",
    }
    answer = httpx2.request(method, product.address + path, content=content, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if field:
        assert field in " ".join(error["field"] for error in answer.json()["errors"])


@pytest.mark.parametrize(
    "token", ["", "Bearer", "Bearer x.y.z", "Basic eDp5", "Bearer ünïcode".encode()]
)
async def test_without_a_good_token_nobody_gets_in(product: Product, token: str | bytes):
    answer = httpx2.get(f"{product.address}/v1/tickets", headers={"Authorization": token})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_service_that_is_told_to_stop_drains_first(product: Product):
    product.child("intake").stop()
    log = product.child("intake").last_words(200)
    product.start_again("intake")
    product.wait_until_ready()
    assert "service_stopped" in log
    assert a_ticket(product)
