"""Storms, outages and crashes: grouped and spared, nothing lost, each alert's fate in the log."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.sla.alerts import decisions, deliveries, registry
from services.sla.alerts.breaker import FAILURES_MAX, State
from services.sla.alerts.documents import read_sink
from services.sla.alerts.kind import Parts
from services.sla.alerts.secrets import Secrets
from services.sla.alerts.sender import PARALLEL_MAX, Sender
from services.sla.settings import Settings
from shared.eventstore import EventStore
from tests.integration.sla.support import ADMIN_ORIGIN, NOON, Desk, HandClock, Story
from tests.integration.sla.test_vendor_sinks import ROUTING_KEY, document
from tests.integration.sla.vendors import HANGS, Vendor, vendor
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)


class Duty:
    """A desk with one documented sink and a sender whose clock the test moves."""

    def __init__(
        self, kind: str, server: Vendor, store: EventStore[Any], settings: Settings
    ) -> None:
        definition, environment = document(kind, server.url)
        parts = Parts(
            secrets=Secrets(environment, None),
            timeout_seconds=10,
            private_addresses_allowed=True,
            public_url="https://desk.example.com",
        )
        self.desk = Desk(store, settings)
        self.desk.policy(targets=[{"metric": "first_reply", "seconds": 3_600}])
        self.clock = HandClock(_soon())
        self.store = store
        store.transact(
            lambda tx: registry.define(
                tx, "pager", definition, origin=ADMIN_ORIGIN, reserved=frozenset()
            )
        )
        self.sender = Sender(
            store=store,
            sink=read_sink(definition).build("pager", parts),
            settings=settings,
            clock=self.clock,
            spread=lambda: 1.0,
        )

    async def send(self) -> None:
        while await self.sender.send_due() == 0:
            pass

    def breach(self, count: int, **opened: Any) -> list[Story]:
        stories = [Story(number=number) for number in range(count)]
        self.desk.hear(*(story.opened(NOON, **opened) for story in stories))
        self.desk.time_is(NOON + 2 * HOUR)
        self.catch_up()
        return stories

    def answer(self, *stories: Story) -> None:
        self.desk.hear(*(story.agent_replied(NOON + 3 * HOUR) for story in stories))
        self.catch_up()

    def catch_up(self) -> None:
        self.clock.moment = max(self.clock.moment, _soon())

    def log(self) -> list[dict[str, Any]]:
        return self.store.transact(lambda tx: decisions.list_deliveries(tx, limit=200))

    def fates(self, action: str) -> Counter[str]:
        return Counter(each["status"] for each in self.log() if each["action"] == action)


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Vendor]:
    with vendor(getattr(request, "param", "pagerduty")) as made:
        yield made


@pytest.fixture
def on_duty(
    stores: Callable[[], EventStore[Any]], settings: Settings, server: Vendor
) -> Callable[..., Duty]:
    def make(kind: str = "pagerduty", **changes: Any) -> Duty:
        return Duty(kind, server, stores(), settings.model_copy(update=changes))

    return make


async def test_a_storm_is_some_incidents_and_one_summary_that_ends_with_the_last_of_its_alerts(
    on_duty: Callable[..., Duty], server: Vendor
) -> None:
    duty = on_duty(alerts_per_minute_max=3)
    stories = duty.breach(10)
    await duty.send()
    begun = [heard.json for heard in server.heard]
    assert [each["event_action"] for each in begun] == ["trigger"] * 4
    (summary,) = [each for each in begun if "summary" in each["dedup_key"]]
    assert summary["payload"]["summary"] == "7 more breaches without a group"
    assert len(summary["payload"]["custom_details"]["first"]) == 7
    assert duty.fates("trigger") == {"delivered": 10}

    single = {each["dedup_key"] for each in begun} - {summary["dedup_key"]}
    by_key = {f"sla:{story.ticket_id}:first_reply:1": story for story in stories}
    grouped = [story for key, story in by_key.items() if key not in single]
    duty.answer(*grouped[:-1])
    await duty.send()
    assert len(server.heard) == 4, "six are over, the seventh is not, so the summary is open"
    assert duty.fates("resolve") == {"covered": 6}

    duty.answer(grouped[-1], *(by_key[key] for key in single))
    await duty.send()
    ended = [heard.json for heard in server.heard[4:]]
    assert {each["event_action"] for each in ended} == {"resolve"}
    assert sorted(each["dedup_key"] for each in ended) == sorted([*single, summary["dedup_key"]])
    assert duty.fates("resolve") == {"covered": 7, "delivered": 4}
    assert server.faults == []


@pytest.mark.parametrize("server", ["slack-bot"], indirect=True)
async def test_slack_rewrites_the_summary_when_all_of_it_is_over(
    on_duty: Callable[..., Duty], server: Vendor
) -> None:
    duty = on_duty("slack-bot", alerts_per_minute_max=1)
    stories = duty.breach(5)
    await duty.send()
    assert [heard.path for heard in server.heard] == ["/api/chat.postMessage"] * 2
    place = next(
        number for number, heard in enumerate(server.heard, 1) if "4 more" in heard.json["text"]
    )
    duty.answer(*stories)
    await duty.send()
    rewritten = {
        heard.json["ts"]: heard.json["text"]
        for heard in server.heard
        if heard.path == "/api/chat.update"
    }
    assert rewritten[f"1700000000.{place:06}"] == "over: all 4 alerts of the summary"
    assert len(rewritten) == 2
    assert server.faults == []


async def test_a_summary_that_was_given_up_is_replayed_with_its_members(
    on_duty: Callable[..., Duty], server: Vendor
) -> None:
    duty = on_duty(alerts_per_minute_max=1)
    duty.breach(4)
    server.answers = [(400, {}, b"{}")] * 2
    await duty.send()
    assert duty.fates("trigger") == {"dead": 4}
    (summary,) = [each for each in duty.log() if each["action"] == "summary"]
    members = [each for each in duty.log() if each["summary_id"]]
    with pytest.raises(decisions.NotReplayable, match=str(summary["delivery_id"])):
        duty.store.transact(
            lambda tx: decisions.replay(tx, members[0]["delivery_id"], by="sue", now=tx.now)
        )
    duty.store.transact(
        lambda tx: decisions.replay(tx, summary["delivery_id"], by="sue", now=tx.now)
    )
    duty.catch_up()
    await duty.send()
    assert duty.fates("trigger") == {"dead": 1, "delivered": 3}


async def test_an_outage_costs_the_waiting_alerts_time_and_not_their_lives(
    on_duty: Callable[..., Duty], server: Vendor
) -> None:
    duty = on_duty(alerts_per_minute_max=1_000, alert_attempts_max=3, alert_pause_seconds=1.0)
    duty.breach(40)
    server.answers = [(503, {}, b"")] * 1_000
    await duty.send()
    assert len(server.heard) == PARALLEL_MAX >= FAILURES_MAX
    assert duty.sender.breaker_state is State.OPEN
    asked = []
    for _ in range(6):
        before = len(server.heard)
        duty.clock.forward(seconds=121)
        assert duty.sender.breaker_state is State.HALF_OPEN
        await duty.send()
        asked.append(len(server.heard) - before)
    assert asked == [1] * 6, "one notice asks whether the receiver is back"
    server.answers = []
    duty.clock.forward(seconds=121)
    await duty.send()
    assert duty.sender.breaker_state is State.CLOSED
    assert duty.fates("trigger") == {"delivered": 40}


async def test_a_receiver_that_asks_for_patience_is_left_alone_by_all_notices(
    on_duty: Callable[..., Duty], server: Vendor
) -> None:
    duty = on_duty(alerts_per_minute_max=1_000)
    duty.breach(1)
    server.answers = [(429, {"retry-after": "30"}, b"")]
    await duty.send()
    duty.breach(5)
    duty.clock.forward(seconds=25)
    await duty.send()
    assert len(server.heard) == 1
    duty.clock.forward(seconds=6)
    await duty.send()
    assert duty.fates("trigger") == {"delivered": 6}


async def test_killed_between_sending_and_noting_it_says_it_again_under_the_same_key(
    on_duty: Callable[..., Duty], server: Vendor, clean_database: Any
) -> None:
    duty = on_duty()
    (story,) = duty.breach(1)
    server.answers = [HANGS]
    definition, environment = document("pagerduty", server.url)
    with _another_process(clean_database.url("sla"), definition, environment) as process:
        await eventually(lambda: bool(server.heard), seconds_max=60)
        process.kill()
    assert duty.fates("trigger") == {"claimed": 1}
    await duty.send()
    assert len(server.heard) == 1, "somebody may still be at it"
    duty.catch_up()
    duty.clock.forward(seconds=deliveries.CLAIM.total_seconds() + 1)
    await duty.send()
    first, again = (heard.json for heard in server.heard)
    assert first["dedup_key"] == again["dedup_key"] == f"sla:{story.ticket_id}:first_reply:1"
    assert first["routing_key"] == ROUTING_KEY
    assert duty.fates("trigger") == {"delivered": 1}


def _another_process(
    url: str, definition: dict[str, Any], environment: dict[str, str]
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.sla.sending", url],
        stdin=subprocess.PIPE,
        env={**os.environ, **environment},
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(definition) + "\n")
    process.stdin.flush()
    return process
