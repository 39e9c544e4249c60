"""What operators do to the services stands in the audit: at query in its own log, at the others as events."""

from datetime import datetime

import httpx2

from services.query.views.freshness import CONSUMER
from shared.events.operations import IntakeOperation
from shared.security import Role
from tests.integration.query.conftest import Reader
from tests.integration.query.stories import Story
from tests.support.events import stamp
from tests.support.parked import park

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
