"""Alertmanager: what we post against its published schema, and against the program itself where it is present."""

import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.sla.alerts.alertmanager import MISSED_RESENDS_MAX
from services.sla.settings import Settings
from shared.events.base import Priority
from shared.eventstore import EventStore
from tests.integration.sla.receivers import Receiver, receiver
from tests.integration.sla.support import NOON, Story
from tests.integration.sla.test_alerts import BY_PRIORITY, FIRST_REPLY, OnCall

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)
EVERY = 60.0


@pytest.fixture
def manager() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
async def on_duty(
    stores: Callable[[], EventStore[Any]], settings: Settings
) -> AsyncIterator[Callable[..., OnCall]]:
    made: list[OnCall] = []

    def make(url: str, targets: Any = FIRST_REPLY, **changes: Any) -> OnCall:
        values = {"alertmanager_url": url, "alertmanager_resend_seconds": EVERY}
        duty = OnCall(stores(), settings.model_copy(update=values | changes))
        duty.desk.policy(targets=targets)
        duty.sinks[0]._now = duty.clock.now  # type: ignore[attr-defined]
        made.append(duty)
        return duty

    yield make
    for duty in made:
        for sink in duty.sinks:
            await sink.close()


@pytest.fixture
def duty(on_duty: Callable[..., OnCall], manager: Receiver) -> OnCall:
    return on_duty(manager.url)


async def test_what_we_post_keeps_to_the_published_schema(duty: OnCall, manager: Receiver) -> None:
    story = duty.breach(priority=Priority.URGENT)
    await duty.send()
    (sent,) = manager.got
    assert sent.path == "/api/v2/alerts"
    assert sent.headers["content-type"] == "application/json"
    (alert,) = sent.json
    _check_postable_alert(alert)
    assert alert["labels"]["alertname"] == "TicketSlaBreached"
    assert alert["labels"]["severity"] == "critical"
    assert alert["labels"]["dedupe_key"] == f"sla:{story.ticket_id}:first_reply:1"
    assert _moment(alert["startsAt"]) == NOON + HOUR
    assert _moment(alert["endsAt"]) == duty.clock.now() + timedelta(
        seconds=EVERY * MISSED_RESENDS_MAX
    )


async def test_an_open_alert_is_said_again_before_it_would_be_forgotten(
    duty: OnCall, manager: Receiver
) -> None:
    duty.breach()
    await duty.send()
    duty.clock.forward(seconds=EVERY - 1)
    await duty.send()
    assert len(manager.got) == 1
    for count in (2, 3):
        duty.clock.forward(seconds=EVERY + 1)
        await duty.send()
        assert len(manager.got) == count
    first, *_, last = [sent.json[0] for sent in manager.got]
    assert first["labels"] == last["labels"]
    assert _moment(last["endsAt"]) > _moment(first["endsAt"])


async def test_an_ended_alert_has_its_end_and_is_not_revived(
    duty: OnCall, manager: Receiver
) -> None:
    story = duty.breach()
    await duty.send()
    duty.hear(story.agent_replied(NOON + 3 * HOUR))
    await duty.send()
    ended = manager.got[-1].json[0]
    assert ended["labels"] == manager.got[0].json[0]["labels"]
    assert _moment(ended["endsAt"]) == NOON + 3 * HOUR
    for _ in range(2 * MISSED_RESENDS_MAX):
        duty.clock.forward(seconds=EVERY + 1)
        await duty.send()
    said = [_moment(sent.json[0]["endsAt"]) for sent in manager.got[1:]]
    assert set(said) == {NOON + 3 * HOUR}
    assert len(said) <= MISSED_RESENDS_MAX + 2, "an end is repeated for a while and not for ever"


async def test_an_end_is_not_repeated_once_the_same_promise_is_broken_again(
    on_duty: Callable[..., OnCall], manager: Receiver
) -> None:
    duty = on_duty(manager.url, targets=BY_PRIORITY)
    story = duty.breach()
    await duty.send()
    duty.hear(story.priority(NOON + HOUR / 2, Priority.LOW))
    duty.desk.time_is(NOON + 3 * HOUR)
    await duty.send()
    began = len(manager.got)
    for _ in range(2 * MISSED_RESENDS_MAX):
        duty.clock.forward(seconds=EVERY + 1)
        await duty.send()
    said = [_moment(sent.json[0]["endsAt"]) for sent in manager.got[began:]]
    assert len(said) == 2 * MISSED_RESENDS_MAX
    assert min(said) > datetime.now(UTC), "it burns on"


async def test_many_alerts_go_in_one_request_and_none_into_a_summary(
    on_duty: Callable[..., OnCall], manager: Receiver
) -> None:
    duty = on_duty(manager.url, alerts_per_minute_max=2)
    duty.hear(*(Story(number=number).opened(NOON) for number in range(50)))
    duty.desk.time_is(NOON + 2 * HOUR)
    await duty.send()
    assert [len(sent.json) for sent in manager.got] == [50]


async def test_a_body_it_will_never_take_is_not_sent_again(duty: OnCall, manager: Receiver) -> None:
    manager.answers = [(400, {})]
    duty.breach()
    await duty.send()
    assert duty.statuses() == ["dead"]


@pytest.fixture
def real_manager(tmp_path: Path) -> Iterator[str]:
    if running := os.environ.get("TICKETING_TEST_ALERTMANAGER"):
        yield running
        return
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("no alertmanager: neither TICKETING_TEST_ALERTMANAGER (a URL) nor on the PATH")
    configuration = tmp_path / "alertmanager.yml"
    configuration.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    port = _free_port()
    process = subprocess.Popen(
        [
            program,
            f"--config.file={configuration}",
            f"--storage.path={tmp_path}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "Listening on" in line or "msg=Listening" in line:
                break
        else:
            pytest.fail(f"alertmanager ended with {process.wait()}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()


async def test_the_real_alertmanager_takes_an_alert_and_ends_it(
    on_duty: Callable[..., OnCall], real_manager: str
) -> None:
    duty = on_duty(real_manager)
    story = duty.breach(priority=Priority.HIGH)
    await duty.send()
    (active,) = _active(real_manager, story)
    assert active["labels"]["dedupe_key"] == f"sla:{story.ticket_id}:first_reply:1"
    assert _moment(active["startsAt"]) == NOON + HOUR
    duty.hear(story.agent_replied(NOON + 3 * HOUR))
    await duty.send()
    assert duty.statuses() == ["delivered", "delivered"]
    assert _active(real_manager, story) == []


def _active(url: str, story: Story) -> list[dict[str, Any]]:
    wanted = urllib.parse.quote(f'ticket_id="{story.ticket_id}"')
    with urllib.request.urlopen(f"{url}/api/v2/alerts?active=true&filter={wanted}") as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


def _check_postable_alert(alert: dict[str, Any]) -> None:
    """`postableAlert` of api/v2/openapi.yaml: labels and annotations are texts, moments RFC 3339."""
    assert set(alert) <= {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}
    for group in ("labels", "annotations"):
        for name, value in alert[group].items():
            assert name.replace("_", "a").isalnum()
            assert isinstance(value, str)
            assert value
    assert "alertname" in alert["labels"]
    for name in ("startsAt", "endsAt"):
        assert _moment(alert[name]).tzinfo is not None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
