"""Alerts from the breach to the receiver: real tables, real HTTP, signatures checked as a receiver would."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from services.sla.alerts import log, outbox
from services.sla.alerts.sender import Sender
from services.sla.alerts.sink import Sink
from services.sla.alerts.sinks import build_sinks
from services.sla.settings import Settings
from shared.events.base import Priority
from shared.eventstore import EventStore
from tests.integration.sla.receivers import Receiver, receiver
from tests.integration.sla.support import NOON, Desk, HandClock, Story

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
FIRST_REPLY = [{"metric": "first_reply", "seconds": 3_600}]
BY_PRIORITY = [
    {"metric": "first_reply", "priority": "normal", "seconds": 3_600},
    {"metric": "first_reply", "priority": "low", "seconds": 7_200},
]


class OnCall:
    """A desk with a webhook: what broke, and what the receiver heard of it."""

    def __init__(self, store: EventStore[Any], settings: Settings) -> None:
        self.sinks: list[Sink] = build_sinks(settings)
        self.desk = Desk(store, settings, self.sinks)
        self.clock = HandClock(datetime.now(UTC) + timedelta(seconds=1))
        self.senders = [self.sender(sink, settings) for sink in self.sinks]

    def sender(self, sink: Sink, settings: Settings) -> Sender:
        return Sender(
            store=self.desk.store,
            sink=sink,
            settings=settings,
            clock=self.clock,
            spread=lambda: 1.0,
        )

    async def send(self) -> None:
        """Send until nothing is due at this moment of the clock."""
        for sender in self.senders:
            while await sender.send_due() == 0:
                pass

    def hear(self, *events: Any) -> None:
        self.desk.hear(*events)
        self.clock.moment = datetime.now(UTC) + timedelta(seconds=1)

    def breach(self, **opened: Any) -> Story:
        story = Story()
        self.desk.hear(story.opened(NOON, **opened))
        self.desk.time_is(NOON + 2 * HOUR)
        self.clock.moment = datetime.now(UTC) + timedelta(seconds=1)
        return story

    def alerts(self) -> list[dict[str, Any]]:
        return self.desk.store.transact(lambda tx: log.list_alerts(tx, limit=200))

    def statuses(self) -> list[str]:
        return [each["status"] for alert in self.alerts() for each in alert["deliveries"]]


@pytest.fixture
def pager() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
async def on_call(
    stores: Callable[[], EventStore[Any]], settings: Settings, pager: Receiver
) -> AsyncIterator[Callable[..., OnCall]]:
    made: list[OnCall] = []

    def make(targets: Any = FIRST_REPLY, **changes: Any) -> OnCall:
        values = {"alert_webhook_url": pager.url, "alert_webhook_secret": SecretStr(SECRET)}
        duty = OnCall(stores(), settings.model_copy(update=values | changes))
        duty.desk.policy(targets=targets)
        made.append(duty)
        return duty

    yield make
    for duty in made:
        for sink in duty.sinks:
            await sink.close()


async def test_a_breach_is_told_once_signed_as_standard_webhooks_wants_it(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call()
    story = duty.breach(priority=Priority.URGENT)
    await duty.send()
    await duty.send()
    (sent,) = pager.got
    message = Webhook(SECRET).verify(sent.body, sent.headers)
    assert message["type"] == "sla.alert.triggered.v1"
    alert = message["data"]
    assert alert["dedupe_key"] == f"sla:{story.ticket_id}:first_reply:1"
    assert alert["breached_at"] == alert["due_at"] == "2026-03-02T13:00:00Z"
    assert (alert["number"], alert["priority"], alert["policy_id"]) == (42, "urgent", "standard")
    assert b"printer" not in sent.body, "a customer's words leave by no page"
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD_SECRET).verify(sent.body, sent.headers)


async def test_during_a_rotation_both_secrets_verify(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call(alert_webhook_secret=SecretStr(f"{SECRET} {OLD_SECRET}"))
    duty.breach()
    await duty.send()
    (sent,) = pager.got
    assert Webhook(SECRET).verify(sent.body, sent.headers)
    assert Webhook(OLD_SECRET).verify(sent.body, sent.headers)


async def test_a_warning_pages_nobody(on_call: Callable[..., OnCall], pager: Receiver) -> None:
    duty = on_call()
    duty.desk.policy(
        targets=[{"metric": "first_reply", "seconds": 3_600}],
        warnings=[{"percent": 50}],
        in_force_from=NOON.isoformat(),
    )
    story = Story()
    duty.hear(story.opened(NOON))
    assert duty.desk.time_is(NOON + HOUR / 2 + timedelta(seconds=1)) == 1
    await duty.send()
    assert pager.got == []
    assert duty.alerts() == []


async def test_a_failed_attempt_is_repeated_after_a_growing_pause_with_the_same_id(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call(alert_pause_seconds=4.0)
    pager.answers = [(503, {}), (500, {})]
    duty.breach()
    await duty.send()
    assert len(pager.got) == 1
    duty.clock.forward(seconds=3.9)
    await duty.send()
    assert len(pager.got) == 1, "too early"
    duty.clock.forward(seconds=0.2)
    await duty.send()
    assert len(pager.got) == 2
    duty.clock.forward(seconds=7.9)
    await duty.send()
    assert len(pager.got) == 2, "the second pause is twice the first"
    duty.clock.forward(seconds=0.2)
    await duty.send()
    assert len({sent.headers["webhook-id"] for sent in pager.got}) == 1
    assert duty.statuses() == ["delivered"]
    (alert,) = duty.alerts()
    assert alert["deliveries"][0]["attempts"] == 3


async def test_a_receiver_that_asks_for_patience_gets_it(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call()
    pager.answers = [(429, {"retry-after": "120"})]
    duty.breach()
    await duty.send()
    duty.clock.forward(seconds=119)
    await duty.send()
    assert len(pager.got) == 1
    duty.clock.forward(seconds=2)
    await duty.send()
    assert len(pager.got) == 2


async def test_an_alert_nobody_takes_is_dead_after_the_last_attempt_and_said_so(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call(alert_attempts_max=2)
    pager.answers = [(500, {}), (500, {})]
    duty.breach()
    for _ in range(3):
        await duty.send()
        duty.clock.forward(hours=1)
    assert len(pager.got) == 2
    (alert,) = duty.alerts()
    (delivery,) = alert["deliveries"]
    assert (delivery["status"], delivery["last_http_status"]) == ("dead", 500)


async def test_a_receiver_that_is_gone_is_not_asked_again(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call()
    pager.answers = [(410, {})]
    duty.breach()
    await duty.send()
    assert duty.statuses() == ["dead"]


async def test_the_end_is_told_after_the_beginning_even_when_that_was_late(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call()
    pager.answers = [(503, {})]
    story = duty.breach()
    await duty.send()
    duty.hear(story.agent_replied(NOON + 3 * HOUR))
    await duty.send()
    duty.clock.forward(minutes=1)
    await duty.send()
    kinds = [sent.json["type"] for sent in pager.got]
    assert kinds == ["sla.alert.triggered.v1"] * 2 + ["sla.alert.resolved.v1"]
    assert pager.got[-1].json["data"]["resolution"] == "met"
    assert [alert["state"] for alert in duty.alerts()] == ["resolved"]


async def test_a_ticket_that_is_solved_ends_its_pages(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call()
    story = duty.breach()
    await duty.send()
    duty.hear(story.resolved(NOON + 3 * HOUR))
    await duty.send()
    assert pager.got[-1].json["type"] == "sla.alert.resolved.v1"
    assert pager.got[-1].json["data"]["resolution"] == "solved"


async def test_a_late_reply_that_was_in_time_takes_the_page_back(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call()
    story = duty.breach()
    await duty.send()
    duty.hear(story.agent_replied(NOON + HOUR / 2))
    await duty.send()
    assert [sent.json["data"].get("resolution") for sent in pager.got] == [None, "retracted"]


async def test_a_breach_taken_back_that_comes_again_is_told_after_the_end_of_the_first(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call(targets=BY_PRIORITY)
    story = duty.breach()
    await duty.send()
    # In time it had a later deadline, which has passed by now as well: both in one transaction.
    duty.hear(
        story.customer_replied(NOON + 3 * HOUR), story.priority(NOON + HOUR / 2, Priority.LOW)
    )
    pager.answers = [(503, {})]
    await duty.send()
    assert len(pager.got) == 2, "the second does not overtake the end of the first, which failed"
    duty.clock.forward(seconds=60)
    await duty.send()
    told = [sent.json for sent in pager.got]
    assert [(one["type"], one["data"]["due_at"]) for one in told] == [
        ("sla.alert.triggered.v1", "2026-03-02T13:00:00Z"),
        ("sla.alert.resolved.v1", "2026-03-02T13:00:00Z"),
        ("sla.alert.resolved.v1", "2026-03-02T13:00:00Z"),
        ("sla.alert.triggered.v1", "2026-03-02T14:00:00Z"),
    ]
    assert len({one["data"]["dedupe_key"] for one in told}) == 1
    assert [alert["state"] for alert in duty.alerts()] == ["firing", "resolved"]


async def test_a_breach_that_is_over_before_anybody_was_told_is_logged_and_not_sent(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call()
    story = Story()
    duty.hear(story.opened(NOON), story.agent_replied(NOON + 5 * HOUR))
    await duty.send()
    assert pager.got == []
    (alert,) = duty.alerts()
    assert (alert["state"], alert["resolution"], alert["deliveries"]) == ("resolved", "met", [])


async def test_taking_it_on_is_told_once(on_call: Callable[..., OnCall], pager: Receiver) -> None:
    duty = on_call()
    duty.breach()
    await duty.send()
    (alert,) = duty.alerts()
    for _ in range(2):
        duty.desk.store.transact(
            lambda tx: outbox.acknowledge(
                tx, alert["alert_id"], by="anna", now=tx.now, sinks=duty.sinks
            )
        )
    duty.clock.moment = datetime.now(UTC) + timedelta(seconds=1)
    await duty.send()
    assert [sent.json["type"] for sent in pager.got] == [
        "sla.alert.triggered.v1",
        "sla.alert.acknowledged.v1",
    ]
    assert pager.got[-1].json["data"]["acknowledged_by"] == "anna"


async def test_a_storm_is_cut_to_single_alerts_and_one_summary_and_nothing_is_lost(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call(alerts_per_minute_max=3)
    stories = [Story(number=number) for number in range(10)]
    duty.hear(*(story.opened(NOON) for story in stories))
    duty.desk.time_is(NOON + 2 * HOUR)
    await duty.send()
    kinds = [sent.json["type"] for sent in pager.got]
    assert sorted(kinds) == ["sla.alert.summary.v1"] + ["sla.alert.triggered.v1"] * 3
    (summary,) = [sent.json["data"] for sent in pager.got if "summary" in sent.json["type"]]
    assert (summary["count"], summary["triggered_count"], summary["rest_count"]) == (7, 7, 0)
    assert summary["counts_by_metric"] == {"first_reply": 7}
    single = {
        sent.json["data"]["dedupe_key"] for sent in pager.got if "triggered" in sent.json["type"]
    }
    grouped = {each["dedupe_key"] for each in summary["first"]}
    assert single | grouped == {f"sla:{story.ticket_id}:first_reply:1" for story in stories}
    assert not single & grouped
    assert duty.statuses() == ["delivered"] * 10

    duty.hear(*(story.agent_replied(NOON + 3 * HOUR) for story in stories))
    await duty.send()
    assert len(pager.got) == 4, "the minute is not over"
    duty.clock.forward(seconds=61)
    await duty.send()
    assert duty.statuses() == ["delivered"] * 20
    assert pager.got[-1].json["type"] in {"sla.alert.summary.v1", "sla.alert.resolved.v1"}


async def test_a_summary_that_fails_is_repeated_and_its_members_wait_with_it(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call(alerts_per_minute_max=1)
    duty.hear(*(Story(number=number).opened(NOON) for number in range(4)))
    duty.desk.time_is(NOON + 2 * HOUR)
    pager.answers = [(500, {}), (500, {})]
    await duty.send()
    assert "delivered" not in duty.statuses()
    duty.clock.forward(seconds=2)
    await duty.send()
    assert duty.statuses() == ["delivered"] * 4
    assert len(pager.got) == 4


async def test_two_processes_share_the_outbox_and_tell_each_alert_once(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    one, two = on_call(alerts_per_minute_max=1_000), on_call(alerts_per_minute_max=1_000)
    one.hear(*(Story(number=number).opened(NOON) for number in range(40)))
    one.desk.time_is(NOON + 2 * HOUR)
    await asyncio.gather(one.send(), two.send())
    assert len(pager.got) == 40
    assert len({sent.headers["webhook-id"] for sent in pager.got}) == 40


async def test_what_a_dead_process_had_claimed_is_sent_by_another(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    from services.sla.alerts import deliveries

    duty = on_call()
    duty.breach()
    (sink,) = duty.sinks
    now = duty.clock.now()
    claimed = duty.desk.store.transact(
        lambda tx: deliveries.claim(tx, sink, now=now, per_minute_max=10, count_max=10)
    )
    assert len(claimed) == 1
    await duty.send()
    assert pager.got == [], "somebody is at it"
    duty.clock.forward(seconds=deliveries.CLAIM.total_seconds() + 1)
    await duty.send()
    assert len(pager.got) == 1


async def test_a_private_address_is_refused_unless_allowed(
    on_call: Callable[..., OnCall], pager: Receiver
) -> None:
    duty = on_call(alert_private_addresses_allowed=False)
    duty.breach()
    await duty.send()
    assert pager.got == []
    (alert,) = duty.alerts()
    assert "private" in alert["deliveries"][0]["last_error"]
    assert pager.url not in alert["deliveries"][0]["last_error"]


async def test_a_redirect_is_not_followed(on_call: Callable[..., OnCall], pager: Receiver) -> None:
    duty = on_call()
    pager.answers = [(302, {"location": f"{pager.url}/elsewhere"})]
    duty.breach()
    await duty.send()
    assert [sent.path for sent in pager.got] == ["/"]
