"""What operators do to the services stands in the audit: at query in its own log, at the others as events."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx2
import psycopg
import pytest

from services.query.views.freshness import CONSUMER
from shared.events.operations import IntakeOperation
from shared.security import Role, written_behind
from shared.security.refusals import KEYS_MAX
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.events import stamp
from tests.support.parked import park
from tests.support.waiting import eventually

SEEN_BY = {"role": Role.SUPERVISOR}


async def ask(reader: Reader, path: str, role: Role = Role.ADMIN) -> httpx2.Response:
    token = reader.issuer.issue("root", role, name="Root")
    return await reader.http.post(path, headers={"Authorization": f"Bearer {token}"})


async def test_a_decision_about_parked_events_is_in_the_audit_with_what_was_given_up(
    reader: Reader,
):
    story = Story(1).opened().note(1, "cannot be read")
    reader.feed(Story(2).opened())
    park(reader.store, CONSUMER, *story.events)
    path = f"/parked/{story.ticket_id}/discard"
    assert (await ask(reader, path, Role.SUPERVISOR)).status_code == 403
    assert (await ask(reader, path)).status_code == 200
    for asked in ({"type": "query_operation"}, {"field": "event"}, {"actor": "root"}):
        (event,) = (await reader.read("/v1/audit", **SEEN_BY, **asked))["events"]
        assert (
            event["sentence"] == f"Root gave up a parked event of {story.ticket_id} (2 to 0 parked)"
        )
        assert (event["actor"]["id"], event["actor"]["ip"]) == ("root", "127.0.0.1")
        assert event["channel"] == "agent"
        assert event["ticket_id"] == str(story.ticket_id)
        assert {change["field"]: (change["old"], change["new"]) for change in event["changes"]} == {
            "event": ("ticket.opened.v1 1", None),
            "parked": (2, 0),
        }
    assert (
        await ask(reader, "/parked/0199a1d0-0000-7000-8000-000000000001/retry")
    ).status_code == 404
    assert len((await reader.read("/v1/audit", **SEEN_BY, type="query_operation"))["events"]) == 1


async def test_what_was_done_to_a_tickets_mail_is_in_its_history_and_not_on_its_timeline(
    reader: Reader,
):
    story = Story(1).opened()
    retried = IntakeOperation(
        **stamp(1),
        what="mail.retry",
        about="0199a1d0-0000-7000-8000-000000000002",
        ticket_id=story.ticket_id,
        changes={"state": ("dead", "waiting")},
    )
    reader.feed(story, Story(2).opened())
    reader.feed_events([retried])
    said = "had the mail 0199a1d0-0000-7000-8000-000000000002 sent again"
    for asked in ({"ticket": "1", "field": "state"}, {"type": "intake_operation"}):
        (event,) = (await reader.read("/v1/audit", **SEEN_BY, **asked))["events"]
        assert event["sentence"].endswith(said)
        assert datetime.fromisoformat(event["recorded_at"]) == retried.recorded_at
    history = await reader.get("/v1/audit/tickets/1", **SEEN_BY, format="csv")
    assert said in history.text
    assert said not in (await reader.get("/v1/tickets/1/timeline", **SEEN_BY)).text
    assert not (await reader.read("/v1/audit", **SEEN_BY, ticket="2", field="state"))["events"]
    page = await reader.get("/audit", **SEEN_BY, ticket="1")
    assert said in page.text


@pytest.fixture
async def guarded(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reader]:
    """Refusals are written, those of half a second together."""
    monkeypatch.setattr(reader.service.refused_logins, "_window_seconds", 0.5)
    writing = asyncio.create_task(reader.service.refused_logins.run())
    yield reader
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing


async def refusals(reader: Reader) -> list[dict[str, Any]]:
    asked = {"type": "query_operation", "limit": 200}
    return (await reader.read("/v1/audit", **SEEN_BY, **asked))["events"]


async def test_refused_logins_are_in_the_audit_the_first_at_once_the_others_together(
    guarded: Reader,
):
    expired = guarded.issuer.issue("anna", Role.AGENT, ttl_seconds=-3600)
    headers = {"Authorization": f"Bearer {expired}"}
    assert (await guarded.http.post("/session", headers=headers)).status_code == 401
    (first,) = await eventually(lambda: refusals(guarded), what="the first is told at once")
    assert first["sentence"] == "unknown was refused as anna: The token has expired."
    assert (first["actor"]["id"], first["actor"]["ip"]) == ("unknown", "127.0.0.1")
    for _ in range(40):
        assert (await guarded.http.get("/v1/tickets", headers=headers)).status_code == 401

    async def all_told() -> list[dict[str, Any]] | None:
        told = await refusals(guarded)
        return told if sum(event["data"]["count"] for event in told) == 41 else None

    told = await eventually(all_told, what="the others are told together")
    assert len(told) <= 10  # windows of half a second
    stored = str(guarded.rows("SELECT convert_from(state, 'UTF8') AS said FROM reads"))
    assert expired.rpartition(".")[2] not in stored
    # Who comes without a token at all has not tried to log in.
    assert (await guarded.http.get("/v1/tickets")).status_code == 401
    assert len(await refusals(guarded)) == len(told)


async def test_a_flood_of_names_and_nonsense_does_not_fill_the_log(guarded: Reader):
    window = guarded.service.refused_logins
    window._window_seconds = 30.0  # all within one
    tokens = [guarded.issuer.issue(f"bot-{n}", Role.ADMIN, ttl_seconds=-3600) for n in range(40)]
    tokens += ["x", "a.b.c", "x" * 9_000, "e30.e30.e30"] * 5
    for token in tokens:
        answer = await guarded.http.get("/v1/tickets", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
    window._window_seconds = 0.0
    window._behind.wake()

    async def all_told() -> list[dict[str, Any]] | None:
        told = await refusals(guarded)
        return told if sum(event["data"]["count"] for event in told) == len(tokens) else None

    told = await eventually(all_told, what="each is counted")
    assert len(told) <= 2 * (KEYS_MAX + 1)
    names = {change["new"] for event in told for change in event["changes"]}
    assert {"bot-0", "others"} <= names


async def test_refusals_outlive_an_outage_and_the_end_of_the_service(
    guarded: Reader, monkeypatch: pytest.MonkeyPatch
):
    refused = guarded.service.refused_logins
    behind, write = refused._behind, refused._behind._write
    outages = iter([psycopg.OperationalError("away")])

    def fails_once(operations: Any) -> None:
        if (error := next(outages, None)) is not None:
            raise error
        write(operations)

    monkeypatch.setattr(behind, "_write", fails_once)
    monkeypatch.setattr(written_behind, "RETRY_SECONDS", 0.05)
    await guarded.http.get("/v1/tickets", headers={"Authorization": "Bearer x.y.z"})
    await eventually(lambda: refusals(guarded), what="it is tried again")
    refused._window_seconds = 30.0
    await guarded.http.get("/v1/tickets", headers={"Authorization": "Bearer x.y.z"})
    await guarded.http.get("/v1/tickets", headers={"Authorization": "Bearer x.y.z"})
    behind.wake()
    ending = asyncio.create_task(refused.run())
    await eventually(lambda: not behind._is_new.is_set(), what="it is at work")
    ending.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ending

    async def all_told() -> bool:
        return sum(event["data"]["count"] for event in await refusals(guarded)) == 3

    await eventually(all_told, what="none is lost")
