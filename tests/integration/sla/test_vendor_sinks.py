"""PagerDuty, JSM, Slack and Teams: what they are sent keeps to what they publish, whatever they answer."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.sla.alerts.documents import read_sink
from services.sla.alerts.kind import Parts
from services.sla.alerts.notice import (
    Action,
    Alert,
    AlertNotice,
    Kind,
    Notice,
    Opening,
    SummaryEndNotice,
    SummaryNotice,
)
from services.sla.alerts.secrets import Secrets
from services.sla.alerts.sink import NotDelivered, Rejected, Sink
from shared.identifiers import derived_id, new_id
from tests.integration.sla.vendors import HANGS, Vendor, vendor

pytestmark = pytest.mark.integration

KINDS = ("pagerduty", "jsm", "slack-webhook", "slack-bot", "teams")
ROUTING_KEY = "0123456789abcdef0123456789ABCDEF"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def document(kind: str, url: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A sink's document and the variables that it names."""
    match kind:
        case "pagerduty":
            return (
                {
                    "kind": "pagerduty",
                    "routing_key": "env:TICKETING_SINK_KEY",
                    "url": f"{url}/v2/enqueue",
                },
                {"TICKETING_SINK_KEY": ROUTING_KEY},
            )
        case "jsm":
            return (
                {
                    "kind": "jsm",
                    "api_key": "env:TICKETING_SINK_KEY",
                    "url": url,
                    "responders": [{"id": "team-1", "type": "team"}],
                },
                {"TICKETING_SINK_KEY": "jsm-api-key"},
            )
        case "slack-webhook":
            return (
                {"kind": "slack", "webhook_url": "env:TICKETING_SINK_URL"},
                {"TICKETING_SINK_URL": f"{url}/services/T0/B0/xyz"},
            )
        case "slack-bot":
            return (
                {
                    "kind": "slack",
                    "bot_token": "env:TICKETING_SINK_TOKEN",
                    "channel": "C0ONCALL",
                    "url": f"{url}/api",
                },
                {"TICKETING_SINK_TOKEN": "xoxb-secret"},
            )
        case _:
            return (
                {"kind": "teams", "url": "env:TICKETING_SINK_URL"},
                {"TICKETING_SINK_URL": f"{url}/workflows/abc?sig=secret"},
            )


def sink(kind: str, url: str, *, timeout_seconds: float = 5.0) -> Sink:
    definition, environment = document(kind, url)
    parts = Parts(
        secrets=Secrets(environment, None),
        timeout_seconds=timeout_seconds,
        private_addresses_allowed=True,
        public_url="https://desk.example.com",
    )
    return read_sink(definition).build("pager", parts)


def an_alert(**changes: Any) -> Alert:
    ticket_id = derived_id("test_ticket", changes.get("number", 42))
    values: dict[str, Any] = {
        "alert_id": derived_id("test_alert", ticket_id),
        "dedupe_key": f"sla:{ticket_id}:first_reply:1",
        "kind": Kind.BREACH,
        "ticket_id": ticket_id,
        "number": 42,
        "metric": "first_reply",
        "cycle": 1,
        "priority": "urgent",
        "policy_id": "standard",
        "policy_version": 3,
        "group_id": "billing",
        "agent_id": "anna",
        "due_at": NOON,
        "breached_at": NOON,
        "detected_at": NOON,
    }
    return Alert(**values | changes)


def about(action: Action, alert: Alert | None = None, **more: Any) -> AlertNotice:
    return AlertNotice(
        delivery_id=new_id(), action=action, alert=alert or an_alert(), attempt=1, **more
    )


def a_summary(count: int = 300) -> SummaryNotice:
    alerts = [an_alert(number=number, group_id=f"group-{number % 7}") for number in range(50)]
    return SummaryNotice(
        delivery_id=UUID(int=7),
        created_at=NOON,
        triggered_count=count,
        acknowledged_count=0,
        resolved_count=0,
        counts_by_metric={"first_reply": count},
        counts_by_priority={"urgent": count},
        counts_by_group={f"group-{number}": count // 7 for number in range(7)},
        first=tuple((Action.TRIGGER, alert) for alert in alerts),
        attempt=1,
    )


@pytest.fixture
def vendors() -> Iterator[Callable[[str], Vendor]]:
    with ExitStack() as open_ones:
        yield lambda kind: open_ones.enter_context(vendor(kind))


@pytest.mark.parametrize("kind", KINDS)
async def test_every_notice_keeps_to_the_published_schema(
    vendors: Callable[[str], Vendor], kind: str
) -> None:
    server = vendors(kind)
    made = sink(kind, server.url)
    begun = about(Action.TRIGGER)
    sent = await made.send([begun])
    opening = Opening(delivery_id=begun.delivery_id, receipt=sent.receipt)
    taken = an_alert(acknowledged_at=NOON, acknowledged_by="anna <anna@example.com> & co")
    over = an_alert(resolved_at=NOON, resolution="met")
    bare = an_alert(number=None, group_id=None, agent_id=None, kind=Kind.WARNING, breached_at=None)
    notices: list[Notice] = [
        about(Action.ACKNOWLEDGE, taken, opening=opening),
        about(Action.RESOLVE, over, opening=opening),
        about(Action.TRIGGER, bare),
        about(Action.RESOLVE, over),
        about(Action.TRIGGER, an_alert(dedupe_key="sla:" + "x" * 200, policy_id="p" * 64)),
        a_summary(),
        SummaryEndNotice(
            delivery_id=new_id(),
            summary_id=UUID(int=7),
            count=300,
            attempt=1,
            receipt=sent.receipt,
        ),
    ]
    for notice in notices:
        await made.send([notice])
    assert server.faults == []
    assert len(server.heard) >= len(notices) + 1
    await made.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_that_the_vendor_minds_is_seen_by_its_server(
    vendors: Callable[[str], Vendor], kind: str
) -> None:
    server = vendors(kind)
    made = sink(kind, server.url)
    hollow = about(Action.TRIGGER, an_alert(priority="x" * 3, metric="", policy_id=""))
    made._public_url = "" if kind == "pagerduty" else "x" * 4_000  # type: ignore[attr-defined]
    if kind == "pagerduty":
        made._routing_key = "short"  # type: ignore[attr-defined]
    if kind == "jsm":
        made._document = read_sink(  # type: ignore[attr-defined]
            {**document(kind, server.url)[0], "tags": ["x" * 60]}
        )
    if kind == "teams":
        made._public_url = "x" * 40_000  # type: ignore[attr-defined]
    with pytest.raises(Rejected):
        await made.send([hollow])
    assert server.faults
    await made.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("answer", "is_final", "retry_after_seconds"),
    [
        ((400, {}, b"{}"), True, None),
        ((401, {}, b"{}"), False, None),
        ((429, {"retry-after": "17"}, b"{}"), False, 17.0),
        ((500, {}, b"{}"), False, None),
        ((503, {"retry-after": "3"}, b""), False, 3.0),
        ((302, {"location": "http://127.0.0.1:1/"}, b""), False, None),
        ((410, {}, b""), True, None),
    ],
)
async def test_what_the_vendor_answers_decides_whether_it_is_tried_again(
    vendors: Callable[[str], Vendor],
    kind: str,
    answer: Any,
    is_final: bool,
    retry_after_seconds: float | None,
) -> None:
    server = vendors(kind)
    server.answers = [answer]
    made = sink(kind, server.url)
    with pytest.raises(NotDelivered) as failure:
        await made.send([about(Action.TRIGGER)])
    assert failure.value.is_final is is_final
    assert failure.value.http_status == answer[0]
    assert failure.value.retry_after_seconds == retry_after_seconds
    assert len(server.heard) == 1
    await made.send([about(Action.TRIGGER)])
    await made.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_silence_and_a_closed_door_are_tried_again(
    vendors: Callable[[str], Vendor], kind: str
) -> None:
    server = vendors(kind)
    server.answers = [HANGS]
    slow = sink(kind, server.url, timeout_seconds=0.2)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
        shut = sink(kind, nobody)
        for made, words in ((slow, "Timeout"), (shut, "ConnectError")):
            with pytest.raises(NotDelivered, match=words) as failure:
                await made.send([about(Action.TRIGGER)])
            assert not failure.value.is_final
            assert "127.0.0.1" not in failure.value.reason
            await made.close()


async def test_pagerduty_gets_one_key_from_beginning_to_end_and_the_ticket_s_urgency(
    vendors: Callable[[str], Vendor],
) -> None:
    server = vendors("pagerduty")
    made = sink("pagerduty", server.url)
    for action in Action:
        await made.send([about(action)])
    for priority in ("urgent", "high", "normal", "low"):
        await made.send([about(Action.TRIGGER, an_alert(priority=priority))])
    said = [heard.json for heard in server.heard]
    assert [each["event_action"] for each in said[:3]] == ["trigger", "acknowledge", "resolve"]
    assert {each["dedup_key"] for each in said[:3]} == {an_alert().dedupe_key}
    assert [each["payload"]["severity"] for each in said[3:]] == [
        *("critical", "error", "warning", "info")
    ]
    assert said[0]["links"][0]["href"] == f"https://desk.example.com/tickets/{an_alert().ticket_id}"
    assert said[0]["payload"]["custom_details"]["due"] == NOON.isoformat()
    await made.close()


async def test_a_summary_is_an_incident_of_its_own_at_pagerduty_and_ends_with_it(
    vendors: Callable[[str], Vendor],
) -> None:
    server = vendors("pagerduty")
    made = sink("pagerduty", server.url)
    await made.send([a_summary()])
    await made.send(
        [SummaryEndNotice(delivery_id=new_id(), summary_id=UUID(int=7), count=300, attempt=1)]
    )
    begun, ended = (heard.json for heard in server.heard)
    assert begun["dedup_key"] == ended["dedup_key"] == f"sla:summary:{UUID(int=7)}"
    assert ended["event_action"] == "resolve"
    assert begun["payload"]["summary"].startswith("300 more breaches in 7 groups")
    assert begun["links"][0]["href"].endswith(f"summary_id={UUID(int=7)}")
    await made.close()


async def test_jsm_knows_the_alert_by_its_alias(vendors: Callable[[str], Vendor]) -> None:
    server = vendors("jsm")
    made = sink("jsm", server.url)
    for action in Action:
        await made.send([about(action)])
    created, taken, closed = server.heard
    assert created.headers["authorization"] == "GenieKey jsm-api-key"
    assert (created.json["alias"], created.json["priority"]) == (an_alert().dedupe_key, "P1")
    alias = an_alert().dedupe_key.replace(":", "%3A")
    assert taken.path == f"/v2/alerts/{alias}/acknowledge?identifierType=alias"
    assert closed.path == f"/v2/alerts/{alias}/close?identifierType=alias"
    await made.close()


async def test_slack_s_bot_rewrites_its_message_and_answers_in_the_thread(
    vendors: Callable[[str], Vendor],
) -> None:
    server = vendors("slack-bot")
    made = sink("slack-bot", server.url)
    sent = await made.send([about(Action.TRIGGER)])
    assert sent.receipt == {"channel": "C0ONCALL", "ts": "1700000000.000001"}
    opening = Opening(delivery_id=new_id(), receipt=sent.receipt)
    await made.send([about(Action.RESOLVE, an_alert(resolution="<met>"), opening=opening)])
    _, rewritten, answered = server.heard
    assert rewritten.path == "/api/chat.update"
    assert rewritten.json["ts"] == answered.json["thread_ts"] == "1700000000.000001"
    assert ":white_check_mark:" in rewritten.json["blocks"][0]["text"]["text"]
    assert "&lt;met&gt;" in str(rewritten.json), "nothing of ours becomes a mention"
    assert rewritten.headers["authorization"] == "Bearer xoxb-secret"
    await made.close()


@pytest.mark.parametrize(
    ("error", "is_final"),
    [("invalid_blocks", True), ("ratelimited", False), ("invalid_auth", False)],
)
async def test_slack_says_no_with_status_200(
    vendors: Callable[[str], Vendor], error: str, is_final: bool
) -> None:
    server = vendors("slack-bot")
    server.answers = [(200, {}, f'{{"ok": false, "error": "{error}"}}'.encode())]
    made = sink("slack-bot", server.url)
    with pytest.raises(NotDelivered, match=error) as failure:
        await made.send([about(Action.TRIGGER)])
    assert failure.value.is_final is is_final
    await made.close()
